"""Splits of the grouped tables, of Cubic, and of planted tasks."""

import numpy as np
import pandas as pd
from real_tables.problem import Problem
from real_tables.tables import TABLES as REAL
from real_tables.tables import halves, read

from skmtl.datasets import make_cubic


def cubic(seed):
    """Return tasks of 60 rows; all but ten of a known task are test rows."""
    bunch = make_cubic(n_tasks=25, n_rows=60, random_state=seed)
    return bunch.data, np.asarray(bunch.target), "task", list(bunch.metadata)


def _planted(seed, n_tasks=60, n_rows=30):
    rng = np.random.default_rng(1000 + seed)
    task, z = np.repeat(np.arange(n_tasks), n_rows), rng.normal(size=n_tasks)
    x, effect = rng.normal(size=len(task)), 0.7 * rng.normal(size=n_tasks)
    X = pd.DataFrame({"task": task, "x": x, "z": z[task]})
    return rng, X, 1.5 * X["z"] + x + effect[task]


def unequal_noise(seed):
    """Return tasks whose noise differs tenfold."""
    rng, X, y = _planted(seed)
    scale = np.exp(rng.uniform(-1.5, 0.8, 60))[X["task"]]
    return X, (y + scale * rng.normal(size=len(X))).to_numpy(), "task", ["z"]


def skewed_noise(seed):
    """Return tasks with exponential noise."""
    rng, X, y = _planted(seed)
    return X, (y + rng.exponential(size=len(X)) - 1).to_numpy(), "task", ["z"]


def small_tasks(seed):
    """Return tasks of one to five training rows, and as many test rows again."""
    rng, X, y = _planted(seed, n_tasks=200, n_rows=10)
    kept = X.groupby("task").cumcount().to_numpy() < 2 * (1 + X["task"] % 5)
    y = y + rng.normal(size=len(X))
    return X[kept].reset_index(drop=True), y[kept].to_numpy(), "task", ["z"]


def shifted_task(seed):
    """Return tasks, of which new ones are shifted by three standard deviations."""
    rng, X, y = _planted(seed)
    return X, (y + rng.normal(size=len(X))).to_numpy(), "task", ["z"]


MADE = {
    "cubic": cubic,
    "unequal_noise": unequal_noise,
    "skewed_noise": skewed_noise,
    "small_tasks": small_tasks,
    "shifted_task": shifted_task,
}
# guimmun has classes; its sets are measured in the tests
NUMBERS = [name for name in REAL if name != "guimmun"]
TABLES = [*NUMBERS, *MADE]
# on which constants were chosen; the others confirm
CHOSEN_ON = ["high_school", "radon", "produc", "theoph", "sleepstudy", "unequal_noise"]


def problem_of(name, seed):
    """Return a `Problem`, and a mask of the test rows that belong to new tasks.

    A fifth of the tasks is new, a quarter of the rows of each other task is tested, and a fifth of
    what is left validates settings of rivals.
    """
    X, y, task_id, metadata = MADE[name](seed) if name in MADE else read(name)
    seen, new = halves(X, task_id, "tasks", 0.2, seed)
    share = {"cubic": 5 / 6, "small_tasks": 0.5}.get(name, 0.25)
    known, test = (seen[rows] for rows in halves(X.iloc[seen], task_id, "rows", share, seed))
    if name == "shifted_task":
        y = y + 3 * y[seen].std() * np.isin(np.arange(len(y)), new)
    train, valid = (known[rows] for rows in halves(X.iloc[known], task_id, "rows", 0.2, seed))
    problem = Problem(
        X=X,
        y=y,
        task_id=task_id,
        metadata=metadata,
        train=train,
        valid=valid,
        test=np.concatenate([test, new]),
        classes=False,
        seed=seed,
    )
    return problem, np.arange(len(problem.test)) >= len(test)
