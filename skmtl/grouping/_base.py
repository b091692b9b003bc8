"""The base of `TaskGrouper`: what a fitted grouper predicts and reports."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skmtl._data.columns import as_table
from skmtl._persistence import ModelFileMixin
from skmtl.grouping._check import bounds_of_tasks
from skmtl.grouping._gain_tables import gain_table, parse_groups


def _inner_has(name):
    def check(grouper):
        if hasattr(grouper, "estimators_"):
            return all(hasattr(model, name) for model in grouper.estimators_)
        return hasattr(grouper._estimator(), name)

    return check


class BaseGrouper(ModelFileMixin, MetaEstimatorMixin, BaseEstimator):
    """Predict and report with trained groups.

    A subclass has the parameters and attributes of `TaskGrouper`, returns the estimator in
    `_estimator` and test data in `_data`; its ``fit`` sets `_models`, the result of `train_groups`.
    """

    def _table(self, X):
        check_is_fitted(self, "estimators_")
        table = as_table(X)
        names = list(getattr(self, "feature_names_in_", ()))
        if isinstance(table, pd.DataFrame) and set(names) == set(table.columns):
            table = table[names]
        validate_data(self, table, reset=False, skip_check_array=True)
        return table

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
        table = self._table(X)
        return self._models.predict(table)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probabilities of the classes, with the group that serves each task.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``.

        Returns
        -------
        dict or ndarray of shape (n, n_classes)
            In wide form a dict by task; in long form an array in the order of ``classes_``.
        """
        table = self._table(X)
        return self._models.predict_proba(table)

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict of them by task."""
        check_is_fitted(self, "estimators_")
        return self._models.classes

    @property
    def task_types_(self):
        """Types of the tasks of wide form, with an estimator of this package."""
        check_is_fitted(self, "estimators_")
        return self._models.task_types

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination, or the accuracy of classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,) or (n, n_tasks)
            Labels; in wide form labels may be missing.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks, each over the rows that have its label.
        """
        predicted = self.predict(X)
        return self._models.score(y, predicted, sample_weight)

    def report(self, X, y, sample_weight=None):
        """Compare the groups with each task alone and with all together, on rows not seen in fit.

        Parameters
        ----------
        X, y, sample_weight : as for `score`
            Test rows.

        Returns
        -------
        DataFrame
            One row per task: the scores ``alone``, ``together`` and ``chosen`` (greater is better:
            errors have a minus sign), the ``gain`` of the chosen group over the task alone, the
            ``estimated`` gain of ``fit`` and its lower ``bound`` (both of the rows that took no
            part in the choice, if it was checked), and the ``group``. ``attrs["seconds"]`` is
            `seconds_`.
        """
        check_is_fitted(self, "estimators_")
        data = self._data(X, y, sample_weight)
        table = self._models.compare(data, self.scoring)
        groups = self.assignment_[data.tasks].to_list()
        table["estimated"], table["bound"] = self._promised(data.tasks)
        table["group"] = groups
        table.attrs["seconds"] = self.seconds_.to_dict()
        return table

    def _promised(self, tasks):
        """Return estimated gains of tasks in the groups that serve them, and lower bounds."""
        groups, gains = self.assignment_[tasks].to_list(), getattr(self, "checked_gains_", None)
        # absent from models of earlier versions
        bounds = getattr(self, "gain_bounds_", None)
        if bounds is not None:
            bounds = bounds_of_tasks(self.assignment_, gains, bounds)[tasks].to_numpy()
        if gains is not None:
            means = gains.mean()[tasks]
            return [0.0 if len(g) == 1 else m for g, m in zip(groups, means, strict=True)], bounds
        estimated = [
            self.gains_[task].iloc[self.gains_.index.get_loc(group)]
            for task, group in zip(tasks, groups, strict=True)
        ]
        return estimated, np.nan if bounds is None else bounds

    def predict_gains(self, groups):
        """Predict the gains of any groups with MTG-Net, also of new tasks that have metadata.

        Parameters
        ----------
        groups : list of tuple
            Groups of task labels.

        Returns
        -------
        DataFrame
            One row for each group.
        """
        check_is_fitted(self, "estimators_")
        if self.gain_model_ is None:
            raise ValueError(
                f"the gain estimator {self.gains_method_!r} has no model that predicts gains; fit "
                "with gains='mtgnet'."
            )
        tasks, values = self.tasks_, None
        if self.metadata is not None:
            tasks = tasks.append(self.metadata.index.difference(tasks, sort=False))
            values = self.metadata.loc[tasks].to_numpy(dtype=np.float64)
        array = parse_groups(groups, tasks)
        return gain_table(array, self.gain_model_.predict(array, metadata=values), tasks)
