"""Trade-offs of `ParetoHypernet`: concave front, control by preferences, latency, real tables."""

import sys
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch
from common.cli import QUICK, check_names, parser
from common.saving import save, saved
from common.summaries import standard_error
from pareto_paper.control import control_experiment, latency_experiment
from pareto_paper.front import front_experiment
from pareto_paper.tables import ENSEMBLE, FROM_FILES, OURS, POINTS, TABLES, run
from pareto_paper.targets import TARGETS, target


def table_experiment(name, options):
    """Compare hypervolumes, and scores with preferences chosen on validation rows."""
    data_home, methods = options.data_home, options.methods
    if data_home is None and name in FROM_FILES:
        print(f"{name} needs --data-home; it is left out")
        return None
    rows = saved(name).to_dict("records") if options.resume else []
    for seed in range(1 if QUICK else options.seeds):
        done = {row["method"] for row in rows if row["seed"] == seed}
        for row in run(name, seed, data_home, methods, done):
            rows.append(row)
            print(row, flush=True)
        save(pd.DataFrame(rows), name)
    results = pd.DataFrame(rows)
    volumes = results.pivot(index="seed", columns="method", values="hypervolume")
    scores = results.pivot(index="seed", columns="method", values="score")
    even = results.pivot(index="seed", columns="method", values="score_of_equal_preference")
    several = [method for method in volumes if method.startswith("25")]
    for own in (*OURS, ENSEMBLE):
        if own not in volumes:
            continue
        single = volumes.columns.drop([*OURS, ENSEMBLE, *several], errors="ignore")
        for rival in several if own == ENSEMBLE else [*several, *single]:
            share = 0.98 if rival in several else 1.0
            both = volumes[[own, rival]].dropna()
            got = both[own].mean() / both[rival].mean()
            error = standard_error(both[own] - both[rival]) if len(both) > 1 else np.nan
            note = f"difference {(both[own] - both[rival]).mean():.2g} (standard error {error:.2g})"
            what = f"{own}: hypervolume over that of {rival}"
            target(name, what, f">= {share:g}", f"{got:.4f}", got >= share, note)
        if own == ENSEMBLE:
            continue
        rivals = {rival: scores[rival] for rival in POINTS if rival in scores}
        rivals["the same network, equal preference"] = even[own]
        for rival, values in rivals.items():
            gain = scores[own] - values
            error = standard_error(gain) if len(gain) > 1 else np.nan
            what = f"{own}: score with preferences chosen on validation rows, above {rival}"
            note = f"{scores[own].mean():.4f}, standard error of the difference {error:.2g}"
            target(name, what, "> 0", f"{gain.mean():+.4f}", gain.mean() > 0, note)
    return results


EXPERIMENTS = "front", "control", "latency", *TABLES


def main():
    """Run experiments and save their tables and targets."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; all")
    files = ", ".join(FROM_FILES.values())
    parse.add_argument("--data-home", type=Path, help=f"folder that holds {files}")
    parse.add_argument("--seeds", type=int, default=10, help=f"of {', '.join(TABLES)}")
    parse.add_argument("--methods", nargs="+", help="of the tables; all")
    parse.add_argument("--resume", action="store_true", help="keep the rows that tables have")
    parse.add_argument("--solvers", nargs="+", default=["linear", "pareto"], help="of control")
    options = parse.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    calls = {
        "front": front_experiment,
        "control": partial(control_experiment, options.solvers),
        "latency": latency_experiment,
    }
    calls |= {name: partial(table_experiment, name, options) for name in TABLES}
    for name in check_names(options.experiments, EXPERIMENTS, parse):
        TARGETS.clear()
        table = calls[name]()
        if table is not None:
            save(table, name)
            save(pd.DataFrame(TARGETS), f"{name}_targets")


if __name__ == "__main__":
    main()
