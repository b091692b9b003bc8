"""Processor seconds of fits with and without intervals, and of predictions."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch
from common.cli import FEW_EPOCHS, QUICK, parser
from common.saving import save, saved
from intervals.tables import problem_of

from skmtl import MultiTaskHypernetRegressor

# largest ratios that were to be reached
LIMITS = {1: 3.0, 8: 1.5}
PREDICTION = 1.5


def seconds(call, repeats=1):
    """Return the least processor time of calls, and what the last one returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        times.append(time.process_time() - start)
    return min(times), result


def measured(name, n_members, repeats):
    """Return the times of one table."""
    problem, _ = problem_of(name, 0)
    rows = np.sort(problem.known)
    X, y = problem.X.iloc[rows], problem.y[rows]
    line = {"table": name, "rows": len(rows), "members": n_members}
    for intervals in (False, True):
        model = MultiTaskHypernetRegressor(
            task_id=problem.task_id,
            metadata=problem.metadata,
            unseen_tasks="average",
            n_members=n_members,
            intervals=intervals,
            random_state=0,
            **FEW_EPOCHS,
        )
        line["with" if intervals else "without"], model = seconds(lambda m=model: m.fit(X, y))
    line["ratio"] = line["with"] / line["without"]
    test = problem.X.iloc[problem.test]
    line["predict"], _ = seconds(lambda: model.predict(test), repeats)
    line["predict_interval"], _ = seconds(lambda: model.predict_interval(test), repeats)
    line["prediction_ratio"] = line["predict_interval"] / line["predict"]
    return line


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    tables = ["theoph", "radon", "hedonic", "bdf", "high_school"]
    parse.add_argument("--tables", nargs="+", default=tables)
    parse.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parse.parse_args()
    torch.set_num_threads(1)
    if QUICK:
        arguments.tables = ["theoph"]
    table = saved("cost") if arguments.resume else pd.DataFrame()
    done = set()
    if len(table):
        done = set(table[["table", "members"]].itertuples(index=False, name=None))
    for name in arguments.tables:
        for n_members in LIMITS:
            if (name, n_members) in done:
                continue
            line = measured(name, n_members, 3 if QUICK else 20)
            table = pd.concat([table, pd.DataFrame([line])], ignore_index=True)
            save(table, "cost")
    targets = []
    for n_members, limit in LIMITS.items():
        worst = table.loc[table["members"] == n_members, "ratio"].max()
        what = (
            f"seconds of a fit with intervals over one without, {n_members} member(s), worst table"
        )
        targets.append((what, limit, worst))
    worst = table["prediction_ratio"].max()
    targets.append(("seconds of predict_interval over predict, worst table", PREDICTION, worst))
    table_of_targets = pd.DataFrame(
        [
            {
                "measured": what,
                "target": f"<= {limit:g}",
                "value": value,
                "result": "holds" if value <= limit else "falls short",
            }
            for what, limit, value in targets
        ]
    )
    save(table_of_targets, "cost_targets")
    print(table.to_string(index=False, float_format="%.3f"))
    print(table_of_targets.to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
