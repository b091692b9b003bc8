"""Fitted gradient boosting and target encoding as plain arrays, which files can hold.

They predict as scikit-learn's objects do, from which they are made, on one thread.
"""

import numpy as np
from scipy.special import log_expit, log_softmax

from skmtl._persistence import saveable
from skmtl._sklearn_compat import boosted_nodes, predict_trees

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
        raw = predict_trees(self.nodes, self.starts, self.baseline, X)
        if self.link == "classes":
            if raw.shape[1] == 1:
                return np.column_stack([log_expit(-raw), log_expit(raw)])
            return log_softmax(raw, axis=1)
        return np.exp(raw[:, 0]) if self.link == "log" else raw[:, 0]


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
