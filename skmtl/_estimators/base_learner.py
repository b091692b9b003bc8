"""Base learners: estimators of scikit-learn for what a network learns, on the inputs of a network.

The task is encoded as the mean of its labels (target encoding).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from joblib import cpu_count
from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder
from threadpoolctl import ThreadpoolController

from skmtl._estimators.base_models import LINEAR_LOSSES, SMALLEST_LOG, Boosting, Cloned, Linear
from skmtl._estimators.trees import LevelMeans, Line, TaskMeans, Trees
from skmtl._persistence import remembered, saveable

# rows that one thread predicts at once
_ROWS_AT_ONCE = 2**14


@dataclass
class BaseRows:
    """What a base learner sees of rows.

    `inputs` (n, d) are encoded features and metadata, `tasks` (n,) numbers, (n, L) ids of several
    levels or None; `labels` (n, o) are encoded, and `weights` (n,) zero where one is missing.
    """

    inputs: np.ndarray
    tasks: np.ndarray | None
    labels: np.ndarray | None = None
    weights: np.ndarray | None = None

    def take(self, rows):
        """Return some of the rows."""
        return BaseRows(*(None if v is None else v[rows] for v in vars(self).values()))

    def labelled(self):
        """Return the rows that have a label."""
        return self.take(np.flatnonzero(self.weights > 0))


def base_inputs(features, metadata, numbers):
    """Append to features (n, d) the metadata of each row's task, or None, at `numbers` (n,).

    In wide form, where `numbers` are None, metadata describe columns of y, not rows.
    """
    if metadata is None or numbers is None:
        return features
    return np.hstack([features, metadata[numbers]])


@cache
def _threadpools():
    return ThreadpoolController()


def _one_thread():
    """Limit the OpenMP threads of other libraries: one is enough, and safe to fork.

    The limit holds for the calling thread alone. One of BLAS would hold for the whole process, and
    two fits in parallel would leave it behind.
    """
    return _threadpools().limit(limits=1, user_api="openmp")


def check_base(plan):
    """Refuse a base learner that cannot be fitted, or whose share cannot be chosen."""
    if not plan.bases:
        return
    if not plan.estimator.early_stopping:
        raise ValueError(
            "the share of the base learner is chosen by validation rows, and early_stopping=False "
            "leaves none: use early_stopping='refit', or base=None."
        )
    base = plan.estimator.base
    for part in plan.targets.parts:
        numbers = part.classes is None
        if isinstance(base, str) or (is_regressor(base) if numbers else is_classifier(base)):
            continue
        wanted = "a regressor, for numbers" if numbers else "a classifier, for classes"
        raise ValueError(f"base must be {wanted}, or 'boosting', 'auto' or None; got {base!r}.")


def part_bases(part, bases):
    """Return a `PartBase` for each of the bases that suit a part of the targets."""
    if part.classes is not None and len(part.classes) < 2:
        return []
    of_linear = part.classes is not None or part.loss in LINEAR_LOSSES
    return [PartBase(part, base) for base in bases if base != "linear" or of_linear]


class PartBase:
    """Fits the base learner of one part of the targets: an estimator for each column of labels.

    The first `fit` with validation rows chooses settings of boosting, which later ones keep.
    """

    def __init__(self, part, base):
        self.n_classes = None if part.classes is None else len(part.classes)
        if isinstance(base, str):
            self.learner = (Linear if base == "linear" else Boosting)(part)
        else:
            self.learner = Cloned(base)

    def fit(self, rows, valid=None):
        """Learn from `BaseRows`, and return a `FittedBase`; rows that validate choose settings."""
        if isinstance(self.learner, Cloned):
            # it may be anything
            return self._fit(rows, valid)
        identity = [
            vars(self.learner) | {"model": self.learner.model.__name__},
            vars(rows),
            None if valid is None else vars(valid),
        ]

        def fit():
            return self._fit(rows, valid), self.learner.chosen

        fitted, self.learner.chosen = remembered("base", identity, fit)
        return fitted

    def _fit(self, rows, valid):
        models, encoders = [], []
        for k in range(rows.labels.shape[1]):
            y = rows.labels[:, k]
            X, encoder = _learn_tasks(rows, y, self.n_classes is not None)
            held_out = None
            if valid is not None and len(valid.labels):
                held_out = _with_tasks(valid, encoder), valid.labels[:, k], valid.weights
            with _one_thread():
                models.append(self.learner.fit(X, y, rows.weights, held_out))
            encoders.append(encoder)
        return FittedBase(self.n_classes, models, encoders)


@saveable
class FittedBase:
    """What a `PartBase` has learned: models (`Trees` or of scikit-learn), encoders of tasks."""

    def __init__(self, n_classes, models, encoders):
        self.n_classes, self.models, self.encoders = n_classes, models, encoders

    def predict(self, rows):
        """Predict numbers (n, o), or log probabilities of the classes (n, C)."""
        n_rows = len(rows.inputs)
        if n_rows <= _ROWS_AT_ONCE or not isinstance(self.models[0], Trees):
            return self._predict(rows)
        # trees run without the lock of the interpreter
        blocks = [rows.take(slice(k, k + _ROWS_AT_ONCE)) for k in range(0, n_rows, _ROWS_AT_ONCE)]
        with ThreadPoolExecutor(cpu_count()) as pool:
            return np.concatenate(list(pool.map(self._predict, blocks)))

    def _predict(self, rows):
        columns = []
        for model, encoder in zip(self.models, self.encoders, strict=True):
            X = _with_tasks(rows, encoder)
            stored = isinstance(model, (Trees, Line))
            values = model.predict(X) if stored else self._of_others(model, X)
            if self.n_classes is not None:
                logs = np.full((len(X), self.n_classes), SMALLEST_LOG)
                logs[:, model.classes_.astype(np.int64)] = values
                return np.maximum(logs, SMALLEST_LOG)
            columns.append(np.asarray(values, dtype=np.float64).reshape(-1))
        return np.column_stack(columns)

    def _of_others(self, model, X):
        with _one_thread():
            if self.n_classes is None:
                return model.predict(X)
            with np.errstate(divide="ignore"):
                return np.log(model.predict_proba(X))


def _learn_tasks(rows, y, classes):
    """Append the mean label of each row's task, or of its ids, taken over their other rows."""
    if rows.tasks is None or rows.tasks.ndim == 1:
        means, encoder = _learn_means(rows.tasks, y, classes)
    else:
        pairs = [_learn_means(ids, y, classes) for ids in rows.tasks.T]
        known = [means for means, _ in pairs if means is not None]
        means = np.hstack(known) if known else None
        encoder = LevelMeans([encoder for _, encoder in pairs])
    if means is None:
        return rows.inputs, None
    return np.column_stack([rows.inputs, means]), encoder


def _learn_means(numbers, y, classes):
    """Return the mean labels of others with the same number, and a `TaskMeans`; None without."""
    n_labels = len(np.unique(y))
    if numbers is None or len(np.unique(numbers)) < 2 or n_labels < 2:
        return None, None
    kind, codes, tasks = "continuous", y, numbers[:, None]
    if classes:
        kind = "binary" if n_labels == 2 else "multiclass"
    if kind == "binary":
        codes = (y == y.max()).astype(float)
    encoder = TargetEncoder(target_type=kind)
    means = TaskMeans(encoder.fit(tasks, codes))
    of_rows = np.empty((len(y), len(means.unseen)))
    for learn, apply in KFold(min(5, len(y)), shuffle=True, random_state=0).split(tasks):
        if classes and len(np.unique(codes[learn])) < n_labels:
            return None, None
        others = TaskMeans(encoder.fit(tasks[learn], codes[learn]))
        of_rows[apply] = others.transform(numbers[apply])
    return of_rows, means


def _with_tasks(rows, encoder):
    if encoder is None:
        return rows.inputs
    return np.column_stack([rows.inputs, encoder.transform(rows.tasks)])
