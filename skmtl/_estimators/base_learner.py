"""Base learners: estimators of scikit-learn for what a network learns, on the inputs of a network.

The task is encoded as the mean of its labels (target encoding).
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from joblib import cpu_count
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import ThreadpoolController

from skmtl._estimators.trees import LevelMeans, Line, TaskMeans, Trees
from skmtl._persistence import remembered, saveable

# small and large trees, of which the better is taken, see benchmarks/recipe/LOG.md
_LEAVES = (8, 31)
_BOOSTING = {"learning_rate": 0.1, "min_samples_leaf": 10, "random_state": 0}
_MOST_TREES, _NO_CHANGE = 300, 15
# of a base that may say exactly zero
_SMALLEST_LOG = np.log(1e-6)
# rows that one thread predicts at once
_ROWS_AT_ONCE = 2**14
# the losses of boosting that are closest to ours
_LOSSES = {
    "squared_error": "squared_error",
    "absolute_error": "absolute_error",
    "huber": "absolute_error",
    "poisson": "poisson",
    "pinball": "quantile",
}
_OF_QUANTILES = ("absolute_error", "quantile")
# losses with whose minimum least squares have much to do
_LINEAR = ("squared_error", "absolute_error", "huber")
_PENALTIES = tuple(10.0 ** np.arange(4, -3, -1))
# of logistic regression
_MOST_ITERATIONS = 200


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
    two fits side by side would leave it behind.
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
    of_linear = part.classes is not None or part.loss in _LINEAR
    return [PartBase(part, base) for base in bases if base != "linear" or of_linear]


class PartBase:
    """Fits the base learner of one part of the targets: an estimator for each column of labels.

    The first `fit` with validation rows chooses settings of boosting, which later ones keep.
    """

    def __init__(self, part, base):
        self.n_classes = None if part.classes is None else len(part.classes)
        if isinstance(base, str):
            self.learner = (_Linear if base == "linear" else _Boosting)(part)
        else:
            self.learner = _Cloned(base)

    def fit(self, rows, valid=None):
        """Learn from `BaseRows`, and return a `FittedBase`; rows that validate choose settings."""
        if isinstance(self.learner, _Cloned):
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
                logs = np.full((len(X), self.n_classes), _SMALLEST_LOG)
                logs[:, model.classes_.astype(np.int64)] = values
                return np.maximum(logs, _SMALLEST_LOG)
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


class _Boosting:
    """Gradient boosting; the number of trees and their size are chosen by validation rows."""

    def __init__(self, part):
        # imported when it is needed: it takes long
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        self.numbers = part.classes is None
        if self.numbers:
            loss = _LOSSES[part.loss]
            self.settings = _BOOSTING | {"loss": loss}
            self.link = "log" if loss == "poisson" else "identity"
            if loss == "quantile":
                self.settings["quantile"] = part.quantile
            self.model = HistGradientBoostingRegressor
        else:
            self.settings, self.model = dict(_BOOSTING), HistGradientBoostingClassifier
            self.link = "classes"
        self.chosen = None

    def fit(self, X, y, weights, valid):
        # Weights of one change nothing, but the bins of weighted rows take most of the time. Only
        # medians and quantiles of leaves are other ones: inverted and not averaged.
        if self.settings.get("loss") not in _OF_QUANTILES and np.all(weights == 1):
            weights = None
        if self.chosen is None and valid is not None and len(np.unique(y)) > 1:
            return self._choose(X, y, weights, valid)
        settings = self.chosen or {"max_leaf_nodes": _LEAVES[0]}
        model = self.model(**self.settings, **settings, early_stopping=False)
        return Trees(model.fit(X, y, sample_weight=weights), self.link)

    def _choose(self, X, y, weights, valid):
        best = None
        for leaves in _LEAVES:
            model = self.model(
                **self.settings,
                max_leaf_nodes=leaves,
                max_iter=_MOST_TREES,
                early_stopping=True,
                n_iter_no_change=_NO_CHANGE,
            )
            known = ... if self.numbers else np.isin(valid[1], y)
            X_val, y_val, weights_val = (values[known] for values in valid)
            model.fit(
                X,
                y,
                sample_weight=weights,
                X_val=X_val,
                y_val=y_val,
                sample_weight_val=weights_val,
            )
            score = model.validation_score_
            n_trees = max(1, int(np.argmax(score)))
            if best is None or score.max() > best[0]:
                best = score.max(), model, {"max_leaf_nodes": leaves, "max_iter": n_trees}
        _, model, self.chosen = best
        # its first trees are those that training with `max_iter` trees would give
        return Trees(model, self.link, self.chosen["max_iter"])


class _Linear:
    """Ridge or logistic regression, whose penalty is chosen by validation rows."""

    def __init__(self, part):
        self.numbers = part.classes is None
        self.model = Ridge if self.numbers else LogisticRegression
        self.chosen = None

    def fit(self, X, y, weights, valid):
        if self.chosen is None and valid is not None and len(np.unique(y)) > 1:
            return self._choose(X, y, weights, valid)
        return self._fit(X, y, weights, _PENALTIES[0] if self.chosen is None else self.chosen)

    def _fit(self, X, y, weights, penalty):
        if self.numbers:
            return Line(Ridge(penalty).fit(X, y, sample_weight=weights))
        if len(np.unique(y)) < 2:
            return Line(None, y[:1])
        model = LogisticRegression(C=1 / penalty, max_iter=_MOST_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return Line(model.fit(X, y, sample_weight=weights))

    def _choose(self, X, y, weights, valid):
        best = None
        X_val, y_val, weights_val = valid
        for penalty in _PENALTIES:
            line = self._fit(X, y, weights, penalty)
            values = line.predict(X_val)
            if self.numbers:
                losses = (values - y_val) ** 2
            else:
                of_class = np.full((len(X_val), int(max(y.max(), y_val.max())) + 1), _SMALLEST_LOG)
                of_class[:, line.classes_.astype(np.int64)] = values
                losses = -of_class[np.arange(len(X_val)), y_val.astype(np.int64)]
            loss = np.average(losses, weights=weights_val)
            if best is None or loss < best[0]:
                best = loss, line, penalty
        _, line, self.chosen = best
        return line


class _Cloned:
    """Any estimator of scikit-learn."""

    def __init__(self, base):
        self.base = base

    def fit(self, X, y, weights, valid):
        model = clone(self.base)
        if has_fit_parameter(model, "sample_weight"):
            return model.fit(X, y, sample_weight=weights)
        if np.ptp(weights):
            raise ValueError(
                f"base={type(model).__name__} takes no sample_weight, but rows differ in weight."
            )
        return model.fit(X, y)
