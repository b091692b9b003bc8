"""Task grouping where gains are mostly noise: unrelated tasks, families of tasks, eight outputs.

Groups are compared with each task alone by squared errors on test rows, and the gains that
`TaskGrouper` reports with those on test rows. ``one split`` estimates gains on one split (cv=None),
without bounds and without the check of the choice.
"""

import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import QUICK, check_names, parser
from common.saving import save, saved
from common.summaries import standard_error, verdict

from skmtl import MultiTaskRegressor, TaskGrouper
from skmtl.architectures import SharedBottom, SingleNetwork
from skmtl.datasets import make_related_tasks
from skmtl.exceptions import HarmfulGroupsWarning

N_TASKS, N_TRAIN, N_TEST = 9, 40, 200
# by the number of folds: the default, and gains of one split as they were before
WAYS = {"four folds": 4, "one split": None}
BOUNDS = {
    ("unrelated", 9): 1.01,
    ("families", 9): 0.83,
    ("families", 3): 0.70,
}


def long_tables(kind, noise, seed):
    """Return training and test rows of nine tasks, each a function of ten features."""
    relatedness, n_groups = (0.0, N_TASKS) if kind == "unrelated" else (1.0, 3)
    made = make_related_tasks(
        N_TASKS,
        relatedness,
        10,
        n_groups=n_groups,
        n_sines=1,
        n_rows=N_TRAIN + N_TEST,
        noise=noise,
        random_state=seed,
    )
    test = np.arange(len(made.data)) % (N_TRAIN + N_TEST) >= N_TRAIN
    return made.data[~test], made.target[~test], made.data[test], made.target[test]


def outputs(kind, seed):
    """Return training and test rows of eight outputs of ten features."""
    rng = np.random.default_rng(seed)
    n_rows, n_tasks = 70, 8
    X = rng.normal(size=(n_rows + 1500, 10))
    directions = np.linalg.qr(rng.normal(size=(10, 10)))[0][:, :n_tasks]
    if kind == "families":
        directions = directions[:, [0] * 4 + [1] * 4]
    Z = X @ directions
    Y = Z + np.sin(2 * Z) + 0.5 * rng.normal(size=Z.shape)
    return X[:n_rows], Y[:n_rows], X[n_rows:], Y[n_rows:]


def network(task_id):
    """Return the estimator of a group: as many steps in every group, of all of its rows."""
    if task_id is None:
        small = SharedBottom(hidden_layer_sizes=(6,))
        return MultiTaskRegressor(small, max_iter=5 if QUICK else 100, random_state=0)
    return MultiTaskRegressor(
        SingleNetwork(hidden_layer_sizes=(16,)),
        task_id=task_id,
        batch_size=N_TASKS * N_TRAIN,
        learning_rate_init=0.02,
        max_iter=5 if QUICK else 60,
        early_stopping=False,
        random_state=0,
    )


def run(data, model, limit, cv, seed, folder):
    """Fit groups and test them; return a row."""
    X, y, X_test, y_test = data
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grouper = TaskGrouper(
            model, limit, gains="hoa", cv=cv, cache_dir=folder, random_state=seed
        ).fit(X, y)
    report = grouper.report(X_test, y_test)
    return {
        "ratio": np.mean(report["chosen"] / report["alone"]),
        "together": np.mean(report["together"] / report["alone"]),
        "estimated": report["estimated"].mean(),
        "bound": report["bound"].mean(),
        "gain": report["gain"].mean(),
        "n_groups": len(grouper.groups_),
        "warned": any(issubclass(w.category, HarmfulGroupsWarning) for w in caught),
        "seconds": time.process_time() - start,
    }


def settings_of(experiment):
    """Yield what a draw depends on, for every setting of an experiment."""
    for kind in ("unrelated", "families"):
        for way in WAYS:
            for limit in (9, 3) if experiment == "tasks" else (8,):
                yield {"kind": kind, "way": way, "limit": limit}


def experiment(name, n_draws, noise):
    """Run all settings of an experiment on every draw; save runs, means and targets."""
    rows = []
    model = network("task" if name == "tasks" else None)
    for seed in range(n_draws):
        # limits share what is trained
        with tempfile.TemporaryDirectory() as folder:
            for setting in settings_of(name):
                kind = setting["kind"]
                data = long_tables(kind, noise, seed) if name == "tasks" else outputs(kind, seed)
                found = run(data, model, setting["limit"], WAYS[setting["way"]], seed, folder)
                rows.append({**setting, "noise": noise, "draw": seed, **found})
        print(name, seed, {k: round(float(v), 3) for k, v in found.items()}, flush=True)
        save(pd.DataFrame(rows), f"{name}_runs")


def summarise(name):
    """Return means over draws, and how far reported gains are from those on test rows."""
    runs = saved(f"{name}_runs")
    if not len(runs):
        return runs
    grouped = runs.assign(promised_too_much=runs["estimated"] - runs["gain"]).groupby(
        ["kind", "way", "limit"], sort=False
    )
    table = grouped.mean(numeric_only=True).drop(columns="draw")
    for column in ("ratio", "promised_too_much"):
        table[f"{column}_standard_error"] = grouped[column].agg(standard_error)
    table["n_draws"] = grouped.size()
    return table.reset_index()


def targets(name, table):
    """Return the table of targets, those of the default number of folds."""
    rows = []
    for row in table[table["way"] == "four folds"].itertuples():
        what = f"{name}, {row.kind}, at most {row.limit} groups"
        bound = BOUNDS.get((row.kind, row.limit)) if name == "tasks" else None
        if bound is not None:
            measured = f"{row.ratio:.3f} ({row.ratio_standard_error:.3f})"
            rows.append((f"{what}: error over alone", f"<= {bound}", measured, row.ratio <= bound))
        far = abs(row.promised_too_much) <= 2 * row.promised_too_much_standard_error + 1e-12
        measured = f"{row.estimated:.3f}, {row.gain:.3f}"
        rows.append((f"{what}: gain promised, on test rows", "within 2 SE", measured, far))
    table = pd.DataFrame(rows, columns=["measure", "target", "got", "result"])
    return table.assign(result=table["result"].map(verdict))


def main():
    """Run experiments, print and save."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help="of tasks, outputs")
    parse.add_argument("--draws", type=int, default=1 if QUICK else 20)
    parse.add_argument("--noise", type=float, default=0.5, help="of tasks")
    parse.add_argument("--summary", action="store_true", help="of the runs that there are")
    options = parse.parse_args()
    for name in check_names(options.experiments, ["tasks", "outputs"], parse):
        if not options.summary:
            experiment(name, options.draws, options.noise)
        table = summarise(name)
        if len(table):
            print(table.round(3).to_string())
            save(table, name)
            save(targets(name, table), f"{name}_targets")


if __name__ == "__main__":
    main()
