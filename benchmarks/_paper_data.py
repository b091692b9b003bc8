"""The four data sets of the hypernetwork paper, and how its published code splits them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmtl.datasets import fetch_algorithms, fetch_cubic, fetch_robot_arm, fetch_water_quality

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
    facts : list of str
        Columns of metadata.
    n_kept : int or None
        Rows of each task for training and validation, if there are as many; None is 80%.
    """

    name: str
    X: pd.DataFrame
    y: pd.Series
    task_id: str
    facts: list
    n_kept: int | None

    def split(self, seed):
        """Row numbers for training, validation and test.

        A quarter of the rows kept of a task validates, rounded down.
        """
        generator = np.random.default_rng(seed)
        parts = [], [], []
        for rows in self.X.groupby(self.task_id, sort=True).indices.values():
            rows = generator.permutation(rows)
            n_test = len(rows) // 5 if self.n_kept is None else max(0, len(rows) - self.n_kept)
            kept, test = rows[n_test:], rows[:n_test]
            n_valid = len(kept) // 4
            for part, some in zip(parts, (kept[n_valid:], kept[:n_valid], test), strict=True):
                part.append(some)
        return [np.concatenate(part) for part in parts]

    def shuffled(self, seed):
        """The same with each fact shuffled on its own between tasks."""
        generator = np.random.default_rng(seed)
        facts = self.X.groupby(self.task_id)[self.facts].first()
        for fact in self.facts:
            facts[fact] = generator.permutation(facts[fact].to_numpy())
        X = self.X.drop(columns=self.facts).join(facts, on=self.task_id)[list(self.X)]
        return PaperData(self.name, X, self.y, self.task_id, self.facts, self.n_kept)

    def errors(self, rows, predicted):
        """Squared errors of some rows, means over outputs."""
        squared = (np.asarray(predicted) - self.y.iloc[rows].to_numpy()) ** 2
        return squared if squared.ndim == 1 else squared.mean(axis=1)


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
    bunch = FETCH[name](data_home=data_home)
    X, y = bunch.data, bunch.target
    if name in ("Cubic", "Robot Arm"):
        some = (X[bunch.task_id] < n_tasks).to_numpy()
        X, y = X[some].reset_index(drop=True), y[some].reset_index(drop=True)
    kept = KEPT[name] if n_kept is None else n_kept
    return PaperData(name, X, y, bunch.task_id, list(bunch.metadata), kept)
