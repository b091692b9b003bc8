"""What each part of the default recipe is worth, on validation rows of many tables.

Every variant undoes one part of the defaults of `MultiTaskHypernetRegressor`, or all of them.
"""

import sys
import time
import warnings
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch
from common.cli import FEW_EPOCHS, QUICK, parser
from common.saving import save, saved
from common.summaries import standard_error
from recipe.tables import FIRST, ROWS_ONLY, TABLES, WITH_FILES, table_of
from sklearn.metrics import root_mean_squared_error

from skmtl import MultiTaskHypernetRegressor

PLAIN = {"base": None, "hold_out_tasks": False}
FIXED = {"alpha": 1e-4, "activation": "silu"}
DEFAULTS = "defaults"
VARIANTS = {
    DEFAULTS: {},
    "no base": {"base": None},
    "no linear base": {"base": "boosting"},
    "no held-out tasks": {"hold_out_tasks": False},
    "decay and activation not chosen": FIXED,
    "networks only": PLAIN,
    "networks only, not chosen": {**PLAIN, **FIXED},
    "networks only, not chosen, relu": {**PLAIN, **FIXED, "activation": "relu"},
    "networks only, not chosen, rate 0.0015": {**PLAIN, **FIXED, "learning_rate_init": 1.5e-3},
    "networks only, not chosen, annealed": {**PLAIN, **FIXED, "learning_rate": "annealed"},
    "four members": {"n_members": 4},
    "preset fast": {"preset": "fast"},
    "preset best": {"preset": "best", "time_limit": 120},
    "earlier defaults": {
        **PLAIN,
        **FIXED,
        "activation": "relu",
        "learning_rate_init": 1.5e-3,
        "n_iter_no_change": 50,
    },
}
# what matters for rows of known tasks, and for tasks that were never seen
BY_KIND = {
    "rows": [v for v in VARIANTS if v not in ("no held-out tasks", "no linear base")],
    "tasks": [
        DEFAULTS,
        "no base",
        "no linear base",
        "no held-out tasks",
        "decay and activation not chosen",
        "four members",
        "preset best",
        "earlier defaults",
    ],
}


def run(name, kind, variant, seed, home):
    """Fit a variant once; return its error on validation rows and what it cost."""
    table = table_of(name, kind, seed, home)
    model = MultiTaskHypernetRegressor(
        task_id=table.task_id,
        metadata=table.metadata,
        unseen_tasks="average",
        random_state=seed,
        **{**VARIANTS[variant], **FEW_EPOCHS},
    )
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(table.X, table.y)
        seconds = time.process_time() - start
        error = root_mean_squared_error(table.y_valid, model.predict(table.X_valid))
    weights = model.base_weights_.iloc[0] if hasattr(model, "base_weights_") else np.nan
    summary = model.summary().iloc[0]
    return {
        "table": name,
        "half": 1 if name in FIRST else 2,
        "held_out": kind,
        "variant": variant,
        "seed": seed,
        "error": error,
        "seconds": seconds,
        "epochs": summary["epochs"],
        "best_epoch": summary["best_epoch"],
        "base_weight": weights,
    }


def summarise(rows):
    """Return changes of errors from the defaults, in %, and ratios of seconds, by half."""
    keys = ["held_out", "half", "table", "seed"]
    errors = rows.pivot_table(index=keys, columns="variant", values="error")
    seconds = rows.pivot_table(index=keys, columns="variant", values="seconds")
    lines = []
    for (kind, half), part in errors.groupby(level=[0, 1]):
        for variant in (v for v in VARIANTS if v in part):
            logs = np.log(part[variant] / part[DEFAULTS]).dropna()
            change = 100 * logs.groupby("table").mean()
            spent = seconds.loc[logs.index]
            line = {"held_out": kind, "half": half, "variant": variant}
            line |= {"change": change.mean(), "standard_error": standard_error(change)}
            line |= {"better": int((change < -0.1).sum()), "worse": int((change > 0.1).sum())}
            ratio = spent[variant].sum() / spent[DEFAULTS].sum()
            lines.append({**line, "tables": len(change), "seconds": ratio})
    return pd.DataFrame(lines)


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--data-home", help="folder of more_tables/ and high_cardinality/")
    parse.add_argument("--tables", nargs="+", choices=list(TABLES))
    parse.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parse.add_argument("--held-out", nargs="+", default=list(BY_KIND), choices=list(BY_KIND))
    parse.add_argument("--seeds", type=int, default=1)
    parse.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    options = parse.parse_args()
    torch.set_num_threads(1)
    names = options.tables or [n for n in TABLES if options.data_home or n not in WITH_FILES]
    if QUICK:
        names, options.variants = ["radon", "sines"], [DEFAULTS, "networks only"]
    rows = saved("runs") if options.resume else pd.DataFrame()
    done = set()
    if len(rows):
        columns = ["table", "held_out", "variant", "seed"]
        done = set(rows[columns].itertuples(index=False, name=None))
    for seed, name, kind in product(range(options.seeds), names, options.held_out):
        if kind == "tasks" and name in ROWS_ONLY:
            continue
        new = [
            run(name, kind, variant, seed, options.data_home)
            for variant in options.variants
            if variant in BY_KIND[kind] and (name, kind, variant, seed) not in done
        ]
        rows = pd.concat([rows, pd.DataFrame(new)], ignore_index=True)
        save(rows, "runs")
    summary = summarise(rows)
    save(summary, "summary")
    print(summary.to_string(index=False, float_format="%.3g"))


if __name__ == "__main__":
    main()
