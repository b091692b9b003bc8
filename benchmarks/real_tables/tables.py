"""Thirteen tables with a column of tasks."""

import numpy as np

from skmtl import datasets
from skmtl.model_selection import TaskShuffleSplit

TABLES = {
    "high_school": datasets.load_high_school,
    "bdf": datasets.load_bdf,
    "radon": datasets.load_radon,
    "exam": datasets.load_exam,
    "egsingle": datasets.load_egsingle,
    "hedonic": datasets.load_hedonic,
    "produc": datasets.load_produc,
    "theoph": datasets.load_theoph,
    "orthodont": datasets.load_orthodont,
    "sleepstudy": datasets.load_sleepstudy,
    "chem97": datasets.load_chem97,
    "gcsemv": datasets.load_gcsemv,
    "guimmun": datasets.load_guimmun,
}
# schools of chem97: an indicator for each of 2,410 is more than rivals can hold
MOST_TASKS = 200


def read(name):
    """Return X, y, the column of the task and those of metadata, without unlabelled rows."""
    bunch = TABLES[name]()
    X, y, task_id, metadata = bunch.data, bunch.target, bunch.task_id, bunch.metadata
    if name == "gcsemv":
        # the written paper, with schools as tasks again
        schools = [c for c in X if c.startswith("school_")]
        X = X[["female"]].assign(school=X[schools].idxmax(axis=1))
        y, task_id = y["written"], "school"
        X, y = X[y.notna()], y[y.notna()]
    if name == "chem97":
        # an indicator for each of 2,410 schools is more than rivals can hold
        schools = np.random.default_rng(0).permutation(X[task_id].unique())[:MOST_TASKS]
        kept = X[task_id].isin(schools)
        X, y = X[kept], y[kept]
    # ids as text in all tables
    X = X.reset_index(drop=True).assign(**{task_id: X[task_id].astype(str).to_numpy()})
    if set(X) == {task_id}:
        X = X.assign(one=1.0)
    return X, y.to_numpy(dtype=float), task_id, list(metadata) if metadata else None


def halves(X, task_id, kind, share, seed):
    """Hold out a share of the rows of each task, or of the tasks ("tasks").

    Returns numbers of the rows of both parts.
    """
    if kind == "rows":
        return next(TaskShuffleSplit(task_id, 1, test_size=share, random_state=seed).split(X))
    n_left = max(1, round(share * X[task_id].nunique()))
    tasks = np.random.default_rng(seed).permutation(X[task_id].unique())[:n_left]
    out = X[task_id].isin(tasks).to_numpy()
    return np.flatnonzero(~out), np.flatnonzero(out)
