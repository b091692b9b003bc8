"""Beyond the paper: allocations from metadata of the tasks."""

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK

from skmtl import GumbelMatrixRegressor
from skmtl.datasets import load_high_school, make_robot_arm


def metadata():
    """Compare allocations from metadata with plain ones, for known tasks and for new ones."""
    runs = 2 if QUICK else 10
    rows = []
    for source in ("robot arm", "high school"):
        for run in range(runs):
            if source == "robot arm":
                data = make_robot_arm(40, 60, random_state=run)
            else:
                data = load_high_school()
            tasks = data.data[data.task_id]
            generator = np.random.default_rng(run)
            names = tasks.unique()
            new = tasks.isin(generator.permutation(names)[: len(names) // 4]).to_numpy()
            test = generator.random(len(tasks)) < 0.3
            plain = data.data.drop(columns=data.metadata)
            methods = {
                "plain": (plain, {"unseen_tasks": "average"}),
                "metadata": (data.data, {"metadata": data.metadata}),
                "metadata, own heads": (data.data, {"metadata": data.metadata, "heads": "own"}),
            }
            for name, (X, changes) in methods.items():
                model = GumbelMatrixRegressor(
                    task_id=data.task_id, random_state=run, **changes, **FEW_EPOCHS
                )
                model.fit(X[~new & ~test], data.target[~new & ~test])
                row = {"data": source, "run": run, "method": name}
                row["r2_known"] = model.score(X[~new & test], data.target[~new & test])
                row["r2_new"] = model.score(X[new], data.target[new])
                rows.append(row)
    table = pd.DataFrame(rows)
    summary = table.groupby(["data", "method"], sort=False)[["r2_known", "r2_new"]].mean()
    return table, summary.reset_index()
