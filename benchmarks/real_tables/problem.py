"""One split of one table, and our methods for it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.preprocessing import StandardScaler

from skmtl import (
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
)
from skmtl.architectures import (
    MultiGateMixture,
    ProgressiveExtraction,
    SharedBottom,
    SingleNetwork,
    TensorFactorization,
)


@dataclass
class Problem:
    """One split of one table.

    Attributes
    ----------
    X : DataFrame
        Of all rows.
    y : ndarray
    task_id : str
    metadata : list of str or None
    train, valid, test : ndarrays of int
        Row numbers. Settings are chosen by `valid`; the final fit sees it too.
    classes : bool
    seed : int
    """

    X: pd.DataFrame
    y: np.ndarray
    task_id: str
    metadata: list | None
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    classes: bool
    seed: int

    @property
    def known(self):
        """Training and validation rows."""
        return np.concatenate([self.train, self.valid])

    @property
    def task_columns(self):
        """Metadata, as a list."""
        return list(self.metadata or [])

    @property
    def features(self):
        """Columns that differ between the rows of a task."""
        return [c for c in self.X if c not in (self.task_id, *self.task_columns)]

    def error(self, rows, predicted):
        """Return the root mean squared error, or the log loss."""
        loss = log_loss if self.classes else root_mean_squared_error
        return loss(self.y[rows], predicted)

    def standardised(self, rows):
        """Return all columns but the task, scaled by `rows`."""
        columns = [*self.features, *self.task_columns]
        values = StandardScaler().fit(self.X[columns].iloc[rows]).transform(self.X[columns])
        return pd.DataFrame(values, columns=columns)

    def encoded(self, rows):
        """Return standardised columns, and an indicator for each task of `rows`."""
        known = pd.unique(self.X[self.task_id].iloc[rows])
        ids = pd.Categorical(self.X[self.task_id], categories=known)
        onehot = pd.get_dummies(ids, dtype=float).set_axis([f"task_{k}" for k in known], axis=1)
        return pd.concat([self.standardised(rows), onehot], axis=1)


def answer(problem, model, X):
    """Return numbers, or probabilities of the second class."""
    return model.predict_proba(X)[:, 1] if problem.classes else model.predict(X)


def ours(problem, method):
    """Return one of our estimators, unfitted, with one set of parameters for all tables."""
    settings = OURS[method]
    if "architecture" in settings:
        Model = MultiTaskClassifier if problem.classes else MultiTaskRegressor
    else:
        Model = MultiTaskHypernetClassifier if problem.classes else MultiTaskHypernetRegressor
    return Model(
        task_id=problem.task_id,
        metadata=problem.metadata,
        unseen_tasks="average",
        random_state=problem.seed,
        **settings,
        **FEW_EPOCHS,
    )


OURS = {
    "hypernetwork": {},
    "hypernetwork, 4 members": {"n_members": 4},
    "hypernetwork, not refitted": {"early_stopping": True},
    "one network, one-hot": {"architecture": SingleNetwork(one_hot=True)},
    "shared bottom": {"architecture": SharedBottom()},
    "mixture of experts": {"architecture": MultiGateMixture()},
    "progressive extraction": {"architecture": ProgressiveExtraction()},
    "tensor factorised": {"architecture": TensorFactorization()},
}
