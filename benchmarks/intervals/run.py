"""90% intervals on grouped tables and planted tasks: coverage and interval score, of rivals too.

A fifth of the tasks is new, and a quarter of the rows of every other task is tested. Rivals choose
their settings by a fifth of the rest; ours have default settings.
"""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch
from common.cli import QUICK, parser
from common.saving import save, saved
from intervals.methods import COVERAGE, METHODS, OURS, run
from intervals.tables import CHOSEN_ON, MADE, NUMBERS, TABLES, problem_of

from skmtl.metrics import mt_interval_score, mt_interval_width

# test rows of a task from which on its own coverage is counted
_MANY_ROWS, _LOW = 20, 0.75


def measured(name, method, seed):
    """Return coverage, width and score of one method on the known and the new tasks of a table."""
    problem, new = problem_of(name, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lower, upper, seconds = run(problem, method)
    y, ids = problem.y[problem.test], problem.X[problem.task_id].to_numpy()[problem.test]
    inside, bounds = (lower <= y) & (y <= upper), np.column_stack([lower, upper])
    rows = []
    for who, mask in (("known", ~new), ("new", new)):
        by_task = pd.Series(inside[mask]).groupby(ids[mask]).agg(["mean", "size"])
        large = by_task[by_task["size"] >= _MANY_ROWS]
        rows.append(
            {
                "table": name,
                "rows": who,
                "method": method,
                "seed": seed,
                "coverage": inside[mask].mean(),
                "width": mt_interval_width(y[mask], bounds[mask]) / y.std(),
                "score": mt_interval_score(y[mask], bounds[mask], coverage=COVERAGE) / y.std(),
                "large_tasks": len(large),
                "low_tasks": int((large["mean"] < _LOW).sum()),
                "seconds": seconds,
            }
        )
    return rows


def summarise(rows):
    """Return means over seeds, and scores relative to the best method of the table."""
    table = rows.groupby(["table", "rows", "method"], sort=False).agg(
        coverage=("coverage", "mean"),
        width=("width", "mean"),
        score=("score", "mean"),
        large_tasks=("large_tasks", "sum"),
        low_tasks=("low_tasks", "sum"),
        seconds=("seconds", "median"),
        seeds=("seed", "nunique"),
    )
    best = table.groupby(["table", "rows"])["score"].transform("min")
    table.insert(3, "relative_score", table["score"] / best)
    return table.reset_index()


def means(summary):
    """Return means over the tables, without planted tasks."""
    real = summary[summary["table"].isin([*NUMBERS, "cubic"])]
    table = real.groupby(["rows", "method"], sort=False).agg(
        coverage=("coverage", "mean"),
        lowest_coverage=("coverage", "min"),
        highest_coverage=("coverage", "max"),
        relative_score=("relative_score", "mean"),
        tables=("table", "nunique"),
        seeds=("seeds", "min"),
    )
    return table.reset_index()


def targets(summary):
    """Return what was to be reached, and what was."""
    real = summary[summary["table"].isin([*NUMBERS, "cubic"])]
    mine = real[real["method"] == OURS]
    lines = []

    def add(measured, target, value, holds):
        result = "holds" if holds else "falls short"
        lines.append({"measured": measured, "target": target, "value": value, "result": result})

    known, new = (mine[mine["rows"] == who].set_index("table") for who in ("known", "new"))
    for name in known.index:
        value = known.loc[name, "coverage"]
        add(f"{name}, known tasks: coverage", "0.88 to 0.93", value, 0.88 <= value <= 0.93)
    for name in new.index:
        value = new.loc[name, "coverage"]
        add(f"{name}, new tasks: coverage", ">= 0.85", value, value >= 0.85)
    value = new["coverage"].mean()
    add("new tasks, mean of tables: coverage", ">= 0.88", value, value >= 0.88)
    n_low, n_large = known["low_tasks"].sum(), known["large_tasks"].sum()
    add(
        "known tasks with a coverage below 0.75",
        "<= 0.1",
        n_low / max(n_large, 1),
        n_low <= 0.1 * n_large,
    )
    for who in ("known", "new"):
        scores = real[real["rows"] == who].pivot(
            index="table", columns="method", values="relative_score"
        )
        if OURS not in scores or scores.shape[1] < 2:
            continue
        others = scores.drop(columns=OURS)
        means = scores.mean()
        best = means.drop(OURS).idxmin()
        add(
            f"{who} tasks: mean relative interval score",
            f"<= {means[best]:.3f} ({best})",
            means[OURS],
            means[OURS] <= means[best],
        )
        level = int((scores[OURS] <= 1.005 * others.min(axis=1)).sum())
        add(f"{who} tasks: tables level or better", ">= 9", level, level >= 9)
    return pd.DataFrame(lines)


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parse.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parse.add_argument("--seeds", type=int, default=10)
    parse.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parse.parse_args()
    torch.set_num_threads(1)
    if QUICK:
        arguments.tables, arguments.seeds = ["theoph", "small_tasks"], 1
    rows = saved("runs") if arguments.resume else pd.DataFrame()
    done = set()
    if len(rows):
        done = set(rows[["table", "method", "seed"]].itertuples(index=False, name=None))
    for seed in range(arguments.seeds):
        for name in arguments.tables:
            for method in arguments.methods:
                if (name, method, seed) in done:
                    continue
                rows = pd.concat([rows, pd.DataFrame(measured(name, method, seed))])
                save(rows, "runs")
    summary = summarise(rows)
    save(summary, "summary", chosen_on=", ".join(CHOSEN_ON), planted=", ".join(MADE))
    save(means(summary), "means")
    save(targets(summary), "targets")
    print(summary.to_string(index=False, float_format="%.3f"))
    print(means(summary).to_string(index=False, float_format="%.3f"))
    print(targets(summary).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
