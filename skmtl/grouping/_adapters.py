"""Estimators of scikit-learn that train the tasks of a group, in wide and in long form."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import encode, labels_of
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._persistence import saveable
from skmtl._sklearn_compat import _safe_indexing


def adapt(estimator, task_id, task_encoding):
    """Return an estimator in the form in which groups are trained; those of skmtl are unchanged."""
    if isinstance(estimator, BaseMultiTaskEstimator):
        return estimator
    if task_id is not None:
        return LongModel(estimator, task_id, task_encoding)
    return WideModel(estimator)


def _inner_has(name):
    def check(model):
        getattr(getattr(model, "estimator_", model.estimator), name)
        return True

    return check


@saveable
class _Adapter(BaseEstimator):
    def __sklearn_tags__(self):
        return get_tags(self.estimator)

    def _fit(self, X, y, sample_weight):
        self.estimator_ = clone(self.estimator)
        if sample_weight is None:
            self.estimator_.fit(X, y)
        elif has_fit_parameter(self.estimator_, "sample_weight"):
            self.estimator_.fit(X, y, sample_weight=sample_weight)
        else:
            name = type(self.estimator).__name__
            raise ValueError(f"{name} takes no sample_weight; fit without it.")
        return self


class WideModel(_Adapter):
    """An estimator of several outputs, fitted to the rows that have all labels of the group."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y, sample_weight=None):
        complete = y.notna().all(axis=1).to_numpy()
        names = y.columns.tolist()
        if not complete.any():
            raise ValueError(
                f"no row has labels of all of the tasks {names}, and "
                f"{type(self.estimator).__name__} takes no missing labels. Use an estimator of "
                "skmtl, or leave such groups out of the candidates."
            )
        if not complete.all():
            rows = np.flatnonzero(complete)
            X, y = _safe_indexing(X, rows), y.iloc[rows]
            sample_weight = None if sample_weight is None else sample_weight[rows]
        self.tasks_ = y.columns
        y = np.asarray(y.infer_objects())
        if y.shape[1] == 1 and get_tags(self.estimator).target_tags.single_output:
            y = y[:, 0]
        try:
            return self._fit(X, y, sample_weight)
        except (ValueError, TypeError) as error:
            # tags may say no although it can, as those of MLPRegressor do
            if len(names) > 1 and not get_tags(self.estimator).target_tags.multi_output:
                raise ValueError(self._refusal(str(error).rstrip("."))) from error
            raise

    def _refusal(self, reason):
        return (
            f"{type(self.estimator).__name__} cannot learn several outputs, so that it cannot "
            f"train tasks together ({reason}). Use one that can, such as RandomForestRegressor, "
            "MultiTaskElasticNet or an estimator of skmtl; or bring the table to long form and "
            "name its task_id."
        )

    def predict(self, X):
        """Predict all tasks of the group, as a DataFrame."""
        predicted = np.asarray(self.estimator_.predict(X))
        predicted = predicted.reshape(len(predicted), -1)
        if predicted.shape[1] != len(self.tasks_):
            n_outputs = predicted.shape[1]
            raise ValueError(self._refusal(f"it predicts {n_outputs} of {len(self.tasks_)}"))
        return pd.DataFrame(predicted, columns=self.tasks_)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Predict probabilities, a dict by task."""
        probabilities = self.estimator_.predict_proba(X)
        if not isinstance(probabilities, list):
            if np.ndim(probabilities) == 2 and len(self.tasks_) > 1:
                # multi-label estimators return the probability of the second class of each task
                probabilities = [np.column_stack([1 - p, p]) for p in probabilities.T]
            else:
                probabilities = [probabilities]
        return dict(zip(self.tasks_, probabilities, strict=True))

    @property
    def classes_per_task_(self):
        classes = self.estimator_.classes_
        if not isinstance(classes, list):
            n_tasks = len(self.tasks_)
            classes = [np.array([0, 1])] * n_tasks if n_tasks > 1 else [classes]
        return dict(zip(self.tasks_, classes, strict=True))


class LongModel(_Adapter):
    """An estimator of one output, which gets an indicator of each task, or no task at all."""

    def __init__(self, estimator, task_id, task_encoding):
        self.estimator = estimator
        self.task_id = task_id
        self.task_encoding = task_encoding

    def fit(self, X, y, sample_weight=None):
        self.tasks_ = None
        return self._fit(self._encoded(X), y, sample_weight)

    def _encoded(self, X):
        """Return X without the task id, and with an indicator of each of several tasks."""
        table = as_table(X)
        positions = find_columns(table, self.task_id, "task_id")
        labels = labels_of(table, positions)
        if self.tasks_ is None:
            _, self.tasks_ = encode(labels)
        others = [p for p in range(table.shape[1]) if p not in positions]
        rest = table.iloc[:, others] if isinstance(table, pd.DataFrame) else table[:, others]
        if self.task_encoding == "drop" or len(self.tasks_) == 1:
            return rest
        codes = self.tasks_.get_indexer(labels)
        indicators = (codes[:, None] == np.arange(len(self.tasks_))).astype(np.float64)
        if not isinstance(rest, pd.DataFrame):
            return np.column_stack([rest, indicators])
        names = [f"task_{task}" for task in self.tasks_]
        return rest.assign(**dict(zip(names, indicators.T, strict=True)))

    def predict(self, X):
        return self.estimator_.predict(self._encoded(X))

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        return self.estimator_.predict_proba(self._encoded(X))

    @property
    def classes_(self):
        return self.estimator_.classes_
