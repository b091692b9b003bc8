"""The base of `TaskGrouper`: methods of a fitted grouper, all answered by its trained groups."""

from abc import ABCMeta, abstractmethod

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skmtl._data.columns import as_table


def _inner_has(name):
    def check(grouper):
        if hasattr(grouper, "estimators_"):
            return all(hasattr(model, name) for model in grouper.estimators_)
        return hasattr(grouper._estimator(), name)

    return check


class BaseGrouper(MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """Predict and report with trained groups.

    A subclass returns the estimator in `_estimator` and test data in `_data`; its ``fit`` sets
    `estimators_`, a list, and `_trained`, a `TrainedGroups`.
    """

    @abstractmethod
    def _estimator(self):
        """Return the estimator that is trained for every group."""

    @abstractmethod
    def _data(self, X, y, sample_weight):
        """Return checked data, a `WideData` or `LongData`."""

    def _table(self, X):
        check_is_fitted(self, "estimators_")
        table = as_table(X)
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
        return self._trained.models.predict(table)

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
            In wide form a dict of arrays by task; in long form an array in the order of
            ``classes_``.
        """
        table = self._table(X)
        return self._trained.models.predict_proba(table)

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict of them by task."""
        check_is_fitted(self, "estimators_")
        return self._trained.models.classes

    @property
    def task_types_(self):
        """Types of the tasks of wide form, with an estimator of this package."""
        check_is_fitted(self, "estimators_")
        return self._trained.models.task_types

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
        return self._trained.models.score(y, predicted, sample_weight)

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
            errors have a minus sign), the ``gain`` of the chosen group over the task alone, its
            ``estimated`` gain, and the ``group``. ``attrs["seconds"]`` is the time spent on gains,
            selection and training.
        """
        check_is_fitted(self, "estimators_")
        table = self._trained.report(self._data(X, y, sample_weight), self.scoring)
        table.attrs["seconds"] = self.seconds_.to_dict()
        return table

    def predict_gains(self, groups):
        """Predict the gains of any groups with MTG-Net, also of new tasks that have metadata.

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
        return self._trained.gains.predict(groups, self.metadata)
