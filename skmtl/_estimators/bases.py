"""What regressors and classifiers add to a predictor: losses or classes, and their score."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.plan import BASES
from skmtl._estimators.predictors import MultiTaskPredictor
from skmtl._sklearn_compat import HasMethods, Interval, StrOptions


def multi_label_classes(parts):
    """Return numbers of the columns, as scikit-learn's multi-label models have for classes."""
    # its scorers would take two numbers for the classes of a single column
    return np.arange(len(parts)) if len(parts) != 2 else np.array([[0, 1], [0, 1]])


class BaseRegressor(RegressorMixin, MultiTaskPredictor):
    """Base class of regressors: which loss, and what y may be."""

    _losses = ("squared_error", "absolute_error", "huber", "poisson", "pinball")
    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "base": [StrOptions(BASES), HasMethods(["fit", "predict"]), None],
        "base_sees_task": ["boolean"],
        "loss": [StrOptions({*_losses}), dict],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def _target_settings(self):
        named = self.loss if isinstance(self.loss, dict) else {}
        wrong = {column: loss for column, loss in named.items() if loss not in self._losses}
        if wrong:
            raise ValueError(f"loss must be among {self._losses} for each column, got {wrong}.")
        return {
            "kind": "regression",
            "loss": self.loss,
            "quantile": self.quantile,
            "task_types": self.task_types,
        }

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels; in wide form missing ones are left out.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks: the coefficient of determination of numbers, the
            accuracy of classes.
        """
        check_is_fitted(self, "module_")
        if self._targets.wide:
            return self._wide_score(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class BaseClassifier(ClassifierMixin, MultiTaskPredictor):
    """Base class of classifiers: their classes, and what y may be."""

    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "base": [StrOptions(BASES), HasMethods(["fit", "predict_proba"]), None],
        "base_sees_task": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "task_classes": [StrOptions({"seen", "all"})],
    }

    def _target_settings(self):
        return {
            "kind": "classification",
            "class_weight": self.class_weight,
            "task_classes": self.task_classes,
            "task_types": self.task_types,
        }

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict by task, or numbers of columns if all are 0 and 1."""
        check_is_fitted(self, "module_")
        targets = self._targets
        if not targets.wide:
            return targets.parts[0].classes
        if targets.multi_label:
            return multi_label_classes(targets.parts)
        return self.classes_per_task_

    @property
    def classes_per_task_(self):
        """Classes of each task, a dict by task."""
        check_is_fitted(self, "module_")
        return {
            task: classes
            for task, classes in zip(self.tasks_, self._targets.classes_by_task(), strict=True)
            if classes is not None
        }

    def score(self, X, y, sample_weight=None):
        """Compute the accuracy.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,) or (n, n_tasks)
            Labels; in wide form missing ones are left out.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks: the coefficient of determination of numbers, the
            accuracy of classes.
        """
        check_is_fitted(self, "module_")
        if self._targets.wide:
            return self._wide_score(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # several columns of y are tasks if there is no other column that says so
        tags.target_tags.multi_output = self.task_id is None
        return tags
