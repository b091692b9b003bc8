"""Compare an estimator with what its user would otherwise take, on the user's table."""

import time
import warnings
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import KFold

from skmtl._data.columns import as_table, find_columns
from skmtl._data.frames import as_pandas
from skmtl._data.rows import TrainingRows
from skmtl._data.task_ids import encode, labels_of
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.levels import make_tables
from skmtl._sklearn_compat import _safe_indexing
from skmtl.exceptions import UnknownTasksWarning
from skmtl.model_selection._rivals import RIVALS, Columns
from skmtl.model_selection._splitters import LeaveTasksOut, TaskKFold


def compare(model, X, y, *, cv=5, rivals="auto", random_state=0):
    """Compare an estimator with regression, boosting and mixed models by cross-validation.

    Rows of known tasks are held out, and then whole tasks, which are new to all methods. The
    others see the same columns, encoded as the networks see them, and the task: linear models as
    indicators, boosting as a category, GPBoost as a random intercept.

    Parameters
    ----------
    model : estimator of skmtl
        With a ``task_id``, or for one task. It is not changed: clones are fitted.
    X : DataFrame or array of shape (n, n_columns)
        As for ``model.fit``: features, task id and metadata.
    y : array-like of shape (n,)
        Labels.
    cv : int, default=5
        Number of folds, at least 2; of whole tasks there are at most as many as tasks.
    rivals : "auto" or list of str, default="auto"
        Methods to compare with: "mean of the task", "linear, task indicators", "linear, metadata",
        "linear, both", "HistGradientBoosting", "LightGBM", "CatBoost", "GPBoost". "auto" is all
        that are installed and suit the table.
    random_state : int, default=0
        Determines the folds, which are the same for all methods.

    Returns
    -------
    DataFrame
        One row for each method, the best for known tasks first: ``known`` and ``new`` are its
        errors, for rows of known tasks and for new tasks, as means over the folds with their
        standard errors ``known_error`` and ``new_error``; ``seconds`` is the mean time of a fit.
        Errors are root mean squared errors in units of y, for classes logarithmic losses.
        Without a ``task_id`` there are no columns for new tasks, and none for known ones if every
        task has one row. NaN: a method does not suit what is left of the table in a fold.
        :class:`skmtl.display.ComparisonDisplay` draws it.

    Raises
    ------
    TypeError
        If `model` is no estimator of skmtl.
    ValueError
        If y has several columns, `model` several levels of ids, or a parameter is invalid.

    See Also
    --------
    skmtl.display.ComparisonDisplay : Draw the table.
    skmtl.metrics.per_task_score : Scores task by task.

    Notes
    -----
    The other methods have their default settings: ridge and logistic regression choose their
    penalty by cross-validation, boosting has 100 trees (CatBoost 1,000). Tuning improves all of
    them, and `model`, too. Standard errors of folds are too small, since training sets overlap
    [1]_; a
    difference of less than two of them says nothing. If `model` refuses tasks that were never
    seen, as without metadata, ``unseen_tasks="average"`` is set for the folds of whole tasks.

    References
    ----------
    .. [1] Bengio and Grandvalet, "No unbiased estimator of the variance of K-fold
       cross-validation", Journal of Machine Learning Research 5, 2004.

    Examples
    --------
    >>> import skmtl
    >>> from skmtl.datasets import make_clinic_visits
    >>> visits = make_clinic_visits(n_tasks=8, n_rows=15, random_state=0)
    >>> model = skmtl.MultiTaskHypernetRegressor(
    ...     visits.task_id, visits.metadata, max_iter=5, random_state=0
    ... )
    >>> methods = ["mean of the task", "linear, both"]
    >>> table = skmtl.compare(model, visits.data, visits.target, cv=2, rivals=methods)
    >>> table.columns.tolist()
    ['known', 'known_error', 'new', 'new_error', 'seconds']
    >>> len(table)
    3
    """
    if not isinstance(model, BaseMultiTaskEstimator):
        raise TypeError(
            f"compare takes an estimator of skmtl, got {type(model).__name__}; of a Pipeline, pass "
            "the last step and the table that it gets."
        )
    if model.task_levels != "joint":
        raise ValueError(
            f"compare is for one level of ids, and task_levels={model.task_levels!r} has several; "
            "use cross_val_score of scikit-learn, and LeaveTasksOut(..., level=...) for new ids."
        )
    if not isinstance(cv, Integral) or cv < 2:
        raise ValueError(f"cv must be an int of at least 2, got {cv!r}.")
    names = _rivals(rivals)
    X, y = as_table(X), as_pandas(y)
    values = np.asarray(y)
    if values.ndim != 1:
        raise ValueError(
            f"y has {values.ndim} dimensions; compare takes labels of shape (n,). For wide form "
            "compare column by column."
        )
    classes = None
    if is_classifier(model):
        classes, values = np.unique(values, return_inverse=True)
    splits = _splitters(model, X, cv, random_state)
    records = []
    with warnings.catch_warnings():
        # new tasks are what is held out
        warnings.simplefilter("ignore", UnknownTasksWarning)
        for kind, splitter in splits.items():
            for fold, (train, test) in enumerate(splitter.split(X)):
                tables = _Fold(model, X, values, train, test, classes)
                for name in [type(model).__name__, *names]:
                    record = tables.measure(name, kind)
                    if record is None and not isinstance(rivals, str):
                        raise ValueError(
                            f"{name} does not suit this table: it needs "
                            f"{RIVALS[name].needed()}. Leave it out of rivals."
                        )
                    if record is not None:
                        records.append({"method": name, "kind": kind, "fold": fold, **record})
    return _summary(pd.DataFrame(records), list(splits))


def _rivals(rivals):
    if isinstance(rivals, str) and rivals == "auto":
        return [name for name, rival in RIVALS.items() if rival.is_installed]
    if not isinstance(rivals, (list, tuple)) or any(name not in RIVALS for name in rivals):
        raise ValueError(f"rivals must be 'auto' or a list of {list(RIVALS)}; got {rivals!r}.")
    for name in rivals:
        if not RIVALS[name].is_installed:
            raise ValueError(f"{name} is not installed: pip install {RIVALS[name].package}.")
    return list(rivals)


def _splitters(model, X, cv, random_state):
    """Return splitters of rows of known tasks and of whole tasks, where there can be some."""
    task_id, settings = model.task_id, {"random_state": random_state}
    if task_id is None:
        return {"known": KFold(cv, shuffle=True, **settings)}
    codes, tasks = encode(labels_of(X, find_columns(X, task_id, "task_id")))
    if len(tasks) < 2:
        raise ValueError("there is one task only, so that none can be new; use task_id=None.")
    splitters = {"new": LeaveTasksOut(task_id, min(cv, len(tasks)), **settings)}
    if np.bincount(codes).max() > 1:
        splitters = {"known": TaskKFold(task_id, cv, shuffle=True, **settings)} | splitters
    return splitters


class _Fold:
    """One split of a table: what every method learns from, and what it is measured on."""

    def __init__(self, model, X, y, train, test, classes):
        self.model, self.classes = clone(model), classes
        self.X = [_safe_indexing(X, rows) for rows in (train, test)]
        self.y = y[train], y[test]
        self.columns = self._columns(clone(model))

    def _columns(self, model):
        """Return the `Columns` of training and test rows."""
        train, test = self.X
        tables = make_tables(model)
        features, tasks = tables.fit(train, model)
        ones = np.ones(len(tasks))
        rows = TrainingRows(features, tasks, ones[:, None], ones, ones.astype(np.int64))
        tables.fit_rows(rows)
        query = tables.prediction_rows(test, "average", model)
        none = np.zeros((len(tables.tasks), 0))
        metadata = tables.scaled_metadata()
        of_train = (none if metadata is None else metadata)[tasks]
        of_test = np.zeros((len(test), 0))
        if metadata is not None:
            of_test = query.metadata[query.networks]
        n_tasks = len(tables.tasks)
        return (
            Columns(tables.scale(features), of_train, tasks, n_tasks),
            Columns(query.features, of_test, query.tasks[query.networks], n_tasks),
        )

    def measure(self, name, kind):
        """Return the error and the seconds of a method, None if it does not suit the table."""
        train, test = self.columns
        y, truth = self.y
        n_classes = None if self.classes is None else len(self.classes)
        start = time.perf_counter()
        if name == type(self.model).__name__:
            predict = self._fit_model(kind)
        elif RIVALS[name].suits(train, n_classes):
            present, codes = np.unique(y, return_inverse=True)
            if n_classes is None:
                predict = RIVALS[name].fit(train, y, None)
            else:
                fitted = RIVALS[name].fit(train, codes, len(present))
                predict = _with_all_classes(fitted, present, n_classes)
        else:
            return None
        seconds = time.perf_counter() - start
        return {"error": self._error(truth, predict(test)), "seconds": seconds}

    def _fit_model(self, kind):
        model = clone(self.model)
        if kind == "new" and model.metadata is None:
            model.set_params(unseen_tasks="average")
        y = self.y[0] if self.classes is None else self.classes[self.y[0]]
        model.fit(self.X[0], y)
        if self.classes is None:
            return lambda rows: model.predict(self.X[1])
        known = np.searchsorted(self.classes, model.classes_)
        return _with_all_classes(
            lambda rows: model.predict_proba(self.X[1]), known, len(self.classes)
        )

    def _error(self, truth, predicted):
        if self.classes is None:
            return float(root_mean_squared_error(truth, np.ravel(predicted)))
        return float(log_loss(truth, predicted, labels=np.arange(len(self.classes))))


def _with_all_classes(predict, present, n_classes):
    """Return a function that predicts all classes, those that were not learned with zeros."""

    def complete(rows):
        probabilities = np.zeros((len(rows.tasks), n_classes))
        probabilities[:, present] = predict(rows)
        return probabilities

    return complete


def _summary(records, kinds):
    by_method = records.groupby("method", sort=False)
    table = pd.DataFrame(index=pd.Index(records["method"].unique(), name="method"))
    for kind in kinds:
        errors = records[records["kind"] == kind].groupby("method", sort=False)["error"]
        table[kind], table[f"{kind}_error"] = errors.mean(), errors.sem()
    return table.assign(seconds=by_method["seconds"].mean()).sort_values(kinds[0])
