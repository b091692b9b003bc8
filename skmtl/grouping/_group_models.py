"""Fitted models of groups, and which of them serves each task."""

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags

from skmtl._data.columns import find_columns
from skmtl._data.task_ids import labels_of
from skmtl._data.wide import labels_frame, wide_table
from skmtl._sklearn_compat import _safe_indexing
from skmtl.grouping._scores import scores_by_task
from skmtl.metrics import _mean_task_score


def group_models(estimators, serving, data):
    """Return the models of groups in the form of the data that they were trained on."""
    if data.task_id is None:
        return WideGroupModels(estimators, serving, data.tasks, data.from_frame)
    return LongGroupModels(estimators, serving, data.tasks, data.task_id)


class GroupModels(ABC):
    """Predict each task with the model of the group that serves it.

    Parameters
    ----------
    estimators : list of estimator
        Fitted, one for each group.
    serving : ndarray of int of shape (n_tasks,)
        Number of the estimator that serves each task.
    tasks : Index
    """

    def __init__(self, estimators, serving, tasks):
        self.estimators, self.serving, self.tasks = estimators, np.asarray(serving), tasks

    def of_task(self, task):
        """Return the estimator that serves a task."""
        return self.estimators[self.serving[self.tasks.get_loc(task)]]

    @abstractmethod
    def predict(self, table):
        """Predict a table of features."""

    @abstractmethod
    def predict_proba(self, table):
        """Predict the probabilities of classes."""

    @property
    @abstractmethod
    def classes(self):
        """Classes of the estimators."""

    @abstractmethod
    def score(self, y, predicted, sample_weight=None):
        """Return the coefficient of determination, or the accuracy of classes."""

    @property
    def task_types(self):
        """Types of the tasks by task."""
        return {task: self.of_task(task).task_types_[task] for task in self.tasks}

    def task_scores(self, data, scoring=None):
        """Return the score of every task of test data, NaN without labels."""
        scores = []
        for t, task in enumerate(data.tasks):
            X, y, weights = data.part(np.arange(len(data.tasks)) == t)
            model = self._for_scoring(task)
            score = scores_by_task(model, X, y, scoring, weights).iloc[0] if len(X) else np.nan
            scores.append(float(score))
        return scores

    def _for_scoring(self, task):
        return self.of_task(task)


class WideGroupModels(GroupModels):
    """Models of wide form: each predicts a DataFrame with the columns of its group.

    Parameters
    ----------
    estimators, serving, tasks : as in `GroupModels`
    as_frame : bool
        Whether predictions are a DataFrame.
    """

    def __init__(self, estimators, serving, tasks, as_frame):
        super().__init__(estimators, serving, tasks)
        self.as_frame = as_frame

    def _served(self):
        """Yield the estimators that serve any task, with the numbers of their tasks."""
        for k in np.unique(self.serving):
            yield self.estimators[k], np.flatnonzero(self.serving == k)

    def predict(self, table):
        """Predict all tasks, one column for each."""
        columns = [None] * len(self.tasks)
        for model, served in self._served():
            predicted = model.predict(table)
            for t in served:
                columns[t] = predicted[self.tasks[t]].to_numpy()
        index = table.index if isinstance(table, pd.DataFrame) else None
        return wide_table(columns, self.tasks, index, self.as_frame)

    def predict_proba(self, table):
        """Predict probabilities, a dict by task."""
        results = {}
        for model, served in self._served():
            predicted = model.predict_proba(table)
            results |= {task: predicted[task] for task in self.tasks[served] if task in predicted}
        return {task: results[task] for task in self.tasks if task in results}

    @property
    def classes(self):
        """Classes by task."""
        classes = {
            task: getattr(self.of_task(task), "classes_per_task_", {}).get(task)
            for task in self.tasks
        }
        classes = {task: labels for task, labels in classes.items() if labels is not None}
        if not classes:
            raise AttributeError("no task has classes.")
        return classes

    def score(self, y, predicted, sample_weight=None):
        """Return the mean over tasks of the score on the rows with a label."""
        frame = labels_frame(y, self.tasks, self.as_frame)
        try:
            types = list(self.task_types.values())
        except AttributeError:
            kind = "classification" if is_classifier(self.estimators[0]) else "regression"
            types = [kind] * len(self.tasks)
        return _mean_task_score(frame, predicted, types, sample_weight)

    def _for_scoring(self, task):
        return _OneTask(self.of_task(task), task)


class LongGroupModels(GroupModels):
    """Models of long form: each predicts rows of the tasks of its group.

    Parameters
    ----------
    estimators, serving, tasks : as in `GroupModels`
    task_id : as in the estimators
        Columns with the task id.
    """

    def __init__(self, estimators, serving, tasks, task_id):
        super().__init__(estimators, serving, tasks)
        self.task_id = task_id

    def _served(self, table):
        """Yield estimators with the rows that they predict."""
        labels = labels_of(table, find_columns(table, self.task_id, "task_id"))
        codes = self.tasks.get_indexer(labels)
        if (codes < 0).any():
            unseen = labels[codes < 0].unique()[:10].tolist()
            raise ValueError(f"these tasks were not seen in fit, no group serves them: {unseen}.")
        by_row = self.serving[codes]
        for k in np.unique(by_row):
            yield self.estimators[k], np.flatnonzero(by_row == k)

    def predict(self, table):
        """Predict all rows."""
        result = None
        for model, rows in self._served(table):
            predicted = np.asarray(model.predict(_safe_indexing(table, rows)))
            if result is None:
                result = np.empty((len(table), *predicted.shape[1:]), dtype=predicted.dtype)
            if predicted.dtype.kind in "US" and predicted.dtype.itemsize > result.dtype.itemsize:
                result = result.astype(predicted.dtype)
            result[rows] = predicted
        return result

    def predict_proba(self, table):
        """Predict probabilities of all rows, in the order of `classes`."""
        classes = self.classes
        result = np.zeros((len(table), len(classes)))
        for model, rows in self._served(table):
            columns = np.searchsorted(classes, model.classes_)
            result[rows[:, None], columns] = model.predict_proba(_safe_indexing(table, rows))
        return result

    @property
    def classes(self):
        """Sorted classes of all estimators."""
        if not all(hasattr(model, "classes_") for model in self.estimators):
            raise AttributeError("the estimator has no classes.")
        return np.unique(np.concatenate([model.classes_ for model in self.estimators]))

    def score(self, y, predicted, sample_weight=None):
        """Return the score over all rows."""
        score = accuracy_score if is_classifier(self.estimators[0]) else r2_score
        return float(score(y, predicted, sample_weight=sample_weight))


class _OneTask:
    """A model of wide form restricted to one of its tasks."""

    def __init__(self, model, task):
        self._model, self._task = model, task

    def __sklearn_tags__(self):
        return get_tags(self._model)

    def __getattr__(self, name):
        value = getattr(self._model, name)
        if name in ("task_types_", "classes_per_task_"):
            return {task: v for task, v in value.items() if task == self._task}
        return value

    def predict(self, X):
        """Predict one task, as a DataFrame."""
        return self._model.predict(X)[[self._task]]

    @property
    def predict_proba(self):
        """Predict the probabilities of one task, a dict."""
        predict = self._model.predict_proba
        return lambda X: {t: p for t, p in predict(X).items() if t == self._task}
