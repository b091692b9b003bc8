"""What a fitted `TaskGrouper` does: each task is predicted by the group that serves it."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import labels_of
from skmtl._data.wide import labels_frame, wide_table
from skmtl.grouping._gain_tables import gain_table, parse_groups
from skmtl.grouping._scores import gains_of, scores_by_task
from skmtl.metrics import _mean_task_score


def _sub_estimator_has(name):
    def check(grouper):
        if hasattr(grouper, "estimators_"):
            return all(hasattr(model, name) for model in grouper.estimators_)
        return hasattr(grouper._estimator(), name)

    return check


class ServingMixin:
    """Predictions, scores and reports of what was trained."""

    def _serving(self):
        """Number of the model that serves each task."""
        return np.array([self._places[group] for group in self.assignment_])

    def predict(self, X):
        """Predict every task with the group that serves it.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,) or (n, n_tasks)
            In wide form one column for each task, a DataFrame if y was one.
        """
        check_is_fitted(self, "estimators_")
        models, serving, table = self.estimators_, self._serving(), as_table(X)
        validate_data(self, table, reset=False, skip_check_array=True)
        if self._wide:
            columns = [None] * len(self.tasks_)
            for k in np.unique(serving):
                predicted = models[k].predict(table)
                for t in np.flatnonzero(serving == k):
                    columns[t] = predicted[self.tasks_[t]].to_numpy()
            index = table.index if isinstance(table, pd.DataFrame) else None
            return wide_table(columns, self.tasks_, index, self._from_frame)
        result = None
        for k, rows in self._rows_by_model(table, serving):
            predicted = np.asarray(models[k].predict(_safe_indexing(table, rows)))
            if result is None:
                result = np.empty((len(table), *predicted.shape[1:]), dtype=predicted.dtype)
            if predicted.dtype.kind in "US" and predicted.dtype.itemsize > result.dtype.itemsize:
                result = result.astype(predicted.dtype)
            result[rows] = predicted
        return result

    def _rows_by_model(self, table, serving):
        """Rows of long form that each model predicts."""
        labels = labels_of(table, find_columns(table, self._task_id(), "task_id"))
        codes = self.tasks_.get_indexer(labels)
        if (codes < 0).any():
            unseen = labels[codes < 0].unique()[:10].tolist()
            raise ValueError(f"these tasks were not seen in fit, no group serves them: {unseen}.")
        by_row = serving[codes]
        for k in np.unique(by_row):
            yield k, np.flatnonzero(by_row == k)

    @available_if(_sub_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probabilities of the classes, with the group that serves each task.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``.

        Returns
        -------
        dict or ndarray of shape (n, n_classes)
            In wide form a dict of arrays by task; in long form an array in the order of
            ``classes_``.
        """
        check_is_fitted(self, "estimators_")
        table, serving = as_table(X), self._serving()
        validate_data(self, table, reset=False, skip_check_array=True)
        if self._wide:
            results = {}
            for k in np.unique(serving):
                predicted = self.estimators_[k].predict_proba(table)
                for t in np.flatnonzero(serving == k):
                    if self.tasks_[t] in predicted:
                        results[self.tasks_[t]] = predicted[self.tasks_[t]]
            return {task: results[task] for task in self.tasks_ if task in results}
        classes = self.classes_
        result = np.zeros((len(table), len(classes)))
        for k, rows in self._rows_by_model(table, serving):
            columns = np.searchsorted(classes, self.estimators_[k].classes_)
            result[rows[:, None], columns] = self.estimators_[k].predict_proba(
                _safe_indexing(table, rows)
            )
        return result

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict of them by task."""
        check_is_fitted(self, "estimators_")
        if not self._wide:
            if not all(hasattr(model, "classes_") for model in self.estimators_):
                raise AttributeError("the estimator has no classes.")
            return np.unique(np.concatenate([model.classes_ for model in self.estimators_]))
        results = {}
        for task, k in zip(self.tasks_, self._serving(), strict=True):
            classes = getattr(self.estimators_[k], "classes_per_task_", {})
            if task in classes:
                results[task] = classes[task]
        if not results:
            raise AttributeError("no task has classes.")
        return results

    @property
    def task_types_(self):
        """What each task of wide form is, with an estimator of this package."""
        check_is_fitted(self, "estimators_")
        pairs = zip(self.tasks_, self._serving(), strict=True)
        return {task: self.estimators_[k].task_types_[task] for task, k in pairs}

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination of numbers, the accuracy of classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,) or (n, n_tasks)
            Labels; in wide form some may be missing.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks, each over the rows that have its label.
        """
        predicted = self.predict(X)
        if not self._wide:
            score = accuracy_score if is_classifier(self) else r2_score
            return float(score(y, predicted, sample_weight=sample_weight))
        frame = labels_frame(y, self.tasks_, self._from_frame)
        try:
            kinds = list(self.task_types_.values())
        except AttributeError:
            kinds = ["classification" if is_classifier(self) else "regression"] * len(self.tasks_)
        return _mean_task_score(frame, predicted, kinds, sample_weight)

    def report(self, X, y, sample_weight=None):
        """Compare the groups with each task alone and with all together, on rows not seen in fit.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Test rows.
        y : array-like of shape (n,) or (n, n_tasks)
            Their labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        DataFrame
            One row per task: the scores ``alone``, ``together`` and ``chosen`` (greater is better:
            errors have a minus sign), the ``gain`` of the chosen group over the task alone, the
            ``estimated`` gain that it was chosen for, and the ``group``. ``attrs["seconds"]`` says
            what was spent on gains, selection and training.
        """
        check_is_fitted(self, "estimators_")
        if self._together is None:
            raise ValueError("report compares with models that compare=False has not trained.")
        data = self._data(X, y, sample_weight)
        unseen = data.tasks.difference(self.tasks_, sort=False).tolist()
        if unseen:
            raise ValueError(f"these tasks were not seen in fit: {unseen[:20]}.")
        number = {task: k for k, task in enumerate(self.tasks_)}
        models = {
            "alone": [self._alone[number[task]] for task in data.tasks],
            "together": [self._together] * len(data.tasks),
            "chosen": [self.estimators_[self._places[self.assignment_[t]]] for t in data.tasks],
        }
        columns = {
            name: [self._score_task(model, data, t) for t, model in enumerate(some)]
            for name, some in models.items()
        }
        table = pd.DataFrame(columns, index=pd.Index(data.tasks, name="task"))
        table["gain"] = gains_of(table["chosen"].to_numpy(), table["alone"].to_numpy())
        rows = [self.gains_.index.get_loc(self.assignment_[task]) for task in data.tasks]
        table["estimated"] = [
            self.gains_[task].iloc[row] for task, row in zip(data.tasks, rows, strict=True)
        ]
        table["group"] = self.assignment_[data.tasks].to_list()
        table.attrs["seconds"] = self.seconds_.to_dict()
        return table

    def _score_task(self, model, data, t):
        task = np.arange(len(data.tasks)) == t
        X, y, weights = data.part(task)
        if not len(X):
            return np.nan
        if self._wide:
            model = _OneTask(model, data.tasks[t])
        return float(scores_by_task(model, X, y, self.scoring, weights).iloc[0])

    def predict_gains(self, groups):
        """Predict the gains of any groups with MTG-Net, those of tasks with metadata only included.

        Parameters
        ----------
        groups : list of tuple
            Groups by the labels of their tasks, which may be any in `metadata`.

        Returns
        -------
        DataFrame
            One row for each group.
        """
        check_is_fitted(self, "estimators_")
        if self.mtgnet_ is None:
            raise ValueError("gains are predicted by MTG-Net only; fit with gains='mtgnet'.")
        tasks, facts = self.tasks_, None
        if self.metadata is not None:
            tasks = tasks.append(self.metadata.index.difference(tasks, sort=False))
            facts = self.metadata.loc[tasks].to_numpy(dtype=np.float64)
        array = parse_groups(groups, tasks)
        return gain_table(array, self.mtgnet_.predict(array, metadata=facts), tasks)


class _OneTask:
    """A model of wide form as one of one of its tasks."""

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
        """Probabilities of one task, a dict."""
        predict = self._model.predict_proba
        return lambda X: {t: p for t, p in predict(X).items() if t == self._task}
