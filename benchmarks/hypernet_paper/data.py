"""The four data sets of the hypernetwork paper, and how its published code splits them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from common.cli import QUICK

from skmtl.datasets import (
    fetch_algorithms,
    fetch_cubic,
    fetch_robot_arm,
    fetch_water_quality,
    make_cubic,
)

N_TASKS = 20  # of Cubic and Robot Arm, for which there are more
# rows of a task for training and validation; of Algorithms and of Chlorophyll a share, or all
KEPT = {"Cubic": 10, "Chlorophyll": 10, "Algorithms": None, "Robot Arm": 20}
FETCH = {
    "Cubic": fetch_cubic,
    "Chlorophyll": fetch_water_quality,
    "Algorithms": fetch_algorithms,
    "Robot Arm": fetch_robot_arm,
}


@dataclass
class PaperData:
    """One of the data sets.

    Attributes
    ----------
    name : str
    X : DataFrame
    y : Series or DataFrame
    task_id : str
    metadata : list of str
        Columns of metadata.
    n_kept : int or None
        Rows of each task for training and validation, if there are as many; None is 80%.
    """

    name: str
    X: pd.DataFrame
    y: pd.Series
    task_id: str
    metadata: list
    n_kept: int | None

    def split(self, seed):
        """Return row numbers for training, validation and test.

        A quarter of the rows kept of a task validates, rounded down.
        """
        generator = np.random.default_rng(seed)
        parts = [], [], []
        for rows in self.X.groupby(self.task_id, sort=True).indices.values():
            rows = generator.permutation(rows)
            n_test = len(rows) // 5 if self.n_kept is None else max(0, len(rows) - self.n_kept)
            kept, test = rows[n_test:], rows[:n_test]
            n_valid = len(kept) // 4
            for part, drawn in zip(parts, (kept[n_valid:], kept[:n_valid], test), strict=True):
                part.append(drawn)
        return [np.concatenate(part) for part in parts]

    def shuffled(self, seed):
        """Return the data with each column of metadata shuffled on its own between tasks."""
        generator = np.random.default_rng(seed)
        metadata = self.X.groupby(self.task_id)[self.metadata].first()
        for column in self.metadata:
            metadata[column] = generator.permutation(metadata[column].to_numpy())
        X = self.X.drop(columns=self.metadata).join(metadata, on=self.task_id)[list(self.X)]
        return PaperData(self.name, X, self.y, self.task_id, self.metadata, self.n_kept)

    def errors(self, rows, predicted):
        """Return squared errors of rows, means over outputs."""
        squared = (np.asarray(predicted) - self.y.iloc[rows].to_numpy()) ** 2
        return squared if squared.ndim == 1 else squared.mean(axis=1)


def fetch(name, data_home):
    """Return one of the data sets; a quick run without its files generates Cubic."""
    if QUICK and data_home is None and name == "Cubic":
        return make_cubic(n_tasks=100, n_rows=150, random_state=0)
    return FETCH[name](data_home=data_home)


def load(name, data_home, n_tasks=N_TASKS, n_kept=None):
    """Read one of the data sets, from files that `skmtl.datasets` fetches.

    Parameters
    ----------
    name : {"Cubic", "Chlorophyll", "Algorithms", "Robot Arm"}
    data_home : str or None
    n_tasks : int, default=20
        Tasks, of Cubic and Robot Arm.
    n_kept : int, optional
        Rows of a task for training and validation, if not as in the paper.

    Returns
    -------
    PaperData
    """
    bunch = fetch(name, data_home)
    X, y = bunch.data, bunch.target
    if name in ("Cubic", "Robot Arm"):
        kept = (X[bunch.task_id] < n_tasks).to_numpy()
        X, y = X[kept].reset_index(drop=True), y[kept].reset_index(drop=True)
    n_kept = KEPT[name] if n_kept is None else n_kept
    return PaperData(name, X, y, bunch.task_id, list(bunch.metadata), n_kept)
