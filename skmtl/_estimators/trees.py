"""Fitted gradient boosting and target encoding as plain arrays, which files can hold.

They predict as scikit-learn's objects do, from which they are made, on one thread.
"""

import numpy as np
from scipy.special import log_expit, log_softmax

from skmtl._persistence import saveable
from skmtl._sklearn_compat import boosted_nodes, predict_trees

# Most pairs of a row and a tree that are evaluated all at once, level by level: one row takes a
# fifth of the time then, and from 6,000 pairs on scikit-learn's loop is faster.
_FEW_PAIRS = 4000
# of a node, all that predicting needs
_FIELDS = (
    "value",
    "feature_idx",
    "num_threshold",
    "missing_go_to_left",
    "left",
    "right",
    "is_leaf",
)


@saveable
class Trees:
    """The trees of a fitted `HistGradientBoostingRegressor` or `...Classifier`.

    `link` says what sums of leaves are: "identity", "log" or "classes", of which `classes_` are the
    numbers. Of numeric columns only, and of the first `n_iterations`, by default all.
    """

    def __init__(self, model, link, n_iterations=None):
        self.link = link
        self.classes_ = model.classes_.astype(np.int64) if link == "classes" else None
        nodes, self.baseline = boosted_nodes(model, n_iterations)
        # trees one after another, iteration by iteration, and in each output by output
        self.starts = np.cumsum([0, *(len(tree) for tree in nodes)])
        joined = np.concatenate(nodes)
        self.nodes = {name: np.ascontiguousarray(joined[name]) for name in _FIELDS}

    def predict(self, X):
        """Predict numbers (n,), or log probabilities of `classes_`, (n, C)."""
        few = len(X) * (len(self.starts) - 1) <= _FEW_PAIRS
        raw = self._sums(X) if few else predict_trees(self.nodes, self.starts, self.baseline, X)
        if self.link == "classes":
            if raw.shape[1] == 1:
                return np.column_stack([log_expit(-raw), log_expit(raw)])
            return log_softmax(raw, axis=1)
        return np.exp(raw[:, 0]) if self.link == "log" else raw[:, 0]

    def _sums(self, X):
        """Sum the leaves of few rows, bitwise equal to `predict_trees`; shape (n, K)."""
        nodes, rows, first = self.nodes, np.arange(len(X))[:, None], self.starts[:-1]
        at, gaps = np.repeat(first[None], len(X), axis=0), np.isnan(X).any()
        while not (ended := nodes["is_leaf"][at].astype(bool)).all():
            values = X[rows, nodes["feature_idx"][at]]
            goes_left = values <= nodes["num_threshold"][at]
            if gaps:
                missing = nodes["missing_go_to_left"][at]
                goes_left = np.where(np.isnan(values), missing, goes_left)
            children = np.where(goes_left, nodes["left"][at], nodes["right"][at])
            at = np.where(ended, at, first + children)
        n_outputs = self.baseline.shape[1]
        leaves = nodes["value"][at].reshape(len(X), len(first) // n_outputs, n_outputs)
        baseline = np.broadcast_to(self.baseline, (len(X), 1, n_outputs))
        # not `sum`, which adds in another order and rounds differently
        return np.cumsum(np.concatenate([baseline, leaves], axis=1), axis=1)[:, -1]


@saveable
class Line:
    """The coefficients (d, K) and intercepts (K,) of a fitted linear model.

    `classes_` are the numbers of classes, None for numbers. Without a model there is one class, or
    numbers are zero.
    """

    def __init__(self, model, classes=None):
        self.classes_ = classes
        if model is None:
            self.coefficients = self.intercepts = None
            return
        # in the order that a file has, so that a loaded model predicts the same to the bit
        self.coefficients = np.ascontiguousarray(np.atleast_2d(model.coef_).T)
        self.intercepts = np.atleast_1d(model.intercept_)
        if hasattr(model, "classes_"):
            self.classes_ = model.classes_.astype(np.int64)

    def predict(self, X):
        """Predict numbers (n,), or log probabilities of `classes_`, (n, C)."""
        if self.coefficients is None:
            return np.zeros((len(X), 1))
        # row by row, so that a prediction does not depend on the other rows
        raw = np.einsum("nd,dk->nk", X, self.coefficients) + self.intercepts
        if self.classes_ is None:
            return raw[:, 0]
        if raw.shape[1] == 1:
            return np.column_stack([log_expit(-raw), log_expit(raw)])
        return log_softmax(raw, axis=1)


@saveable
class Mixture:
    """Several base learners of one part of the targets, and their shares, which sum to 1."""

    def __init__(self, bases, shares):
        self.bases, self.shares = bases, shares

    def predict(self, rows):
        """Predict the weighted mean of numbers (n, o), or of log probabilities (n, C)."""
        values = [base.predict(rows) for base in self.bases]
        return sum(share * v for share, v in zip(self.shares, values, strict=True))


@saveable
class TaskMeans:
    """Means of labels by task, of a fitted `TargetEncoder`; an unseen task has that of all."""

    def __init__(self, encoder):
        (self.tasks,) = encoder.categories_
        self.means = np.column_stack(encoder.encodings_)
        self.unseen = np.atleast_1d(encoder.target_mean_)

    def transform(self, tasks):
        """Return the means (n, C) of tasks by number, (n,)."""
        at = np.searchsorted(self.tasks, tasks).clip(max=len(self.tasks) - 1)
        known = (self.tasks[at] == tasks)[:, None]
        return np.where(known, self.means[at], self.unseen)


@saveable
class LevelMeans:
    """Means of labels by the ids of several levels: a `TaskMeans` for each, or None."""

    def __init__(self, levels):
        self.levels = levels

    def transform(self, ids):
        """Return the means (n, C) of the ids (n, L), level by level."""
        pairs = zip(self.levels, ids.T, strict=True)
        return np.hstack([level.transform(numbers) for level, numbers in pairs if level])
