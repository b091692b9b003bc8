"""What regressors and classifiers of every architecture share: their predictions and scores.

An estimator derives from one of the two, and from what knows its architecture.
"""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._data.wide import labels_frame, wide_table
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl.metrics import _mean_task_score


def _has_classes(estimator):
    """Whether a fitted estimator has a task with classes; a classifier will have one."""
    if isinstance(estimator, ClassifierMixin) and not hasattr(estimator, "module_"):
        return True
    check_is_fitted(estimator, "module_")
    if not any(outcome.classes is not None for outcome in estimator._targets.outcomes):
        raise AttributeError("no task of this model has classes, so there are no probabilities.")
    return True


def _single(values):
    """Numbers without their last axis, if there is one output only."""
    return values[..., 0] if values.shape[-1] == 1 else values


class _MultiTaskPredictor(BaseMultiTaskEstimator):
    """Predictions in the caller's labels, in long and in wide form."""

    def predict(self, X, return_std=False):
        """Predict every row with the network of its task; in wide form with those of all tasks.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``; those of a DataFrame may stand in another order. Metadata may
            differ from that of ``fit``: the network is written for each distinct pair of task id
            and metadata.
        return_std : bool, default=False
            Whether to return how far the members are apart, too.

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_outputs), in wide form (n, n_tasks)
            In the units of y: numbers, mean over members, or the most probable classes. In wide
            form a DataFrame if y was one.
        std : as y
            Standard deviations of the members' predictions, if `return_std` is True; NaN in the
            columns of classes. They say how much the initial weights matter; the noise of the
            labels comes on top.

        Raises
        ------
        ValueError
            If a task was never seen and there is neither metadata nor
            ``unseen_tasks="average"``; if `return_std` is True and there is one member only, or
            nothing but classes.
        """
        if not return_std:
            return self._table_of(X, self._predict(X), self._labels_of)
        outcomes = self._check_spread()
        members = self._predict(X, each_member=True)
        means = [o.mean(values) for o, values in zip(outcomes, members, strict=True)]
        spreads = [values.std(axis=0, ddof=1) for values in members]
        return (
            self._table_of(X, means, self._labels_of),
            self._table_of(X, spreads, self._spread_of),
        )

    def _check_spread(self):
        """The outcomes, some of whose members' predictions have a standard deviation."""
        check_is_fitted(self, "module_")
        if self.module_.n_members < 2:
            raise ValueError(
                "return_std=True needs several members to be apart: fit with n_members=8, say."
            )
        outcomes = self._targets.outcomes
        if all(outcome.classes is not None for outcome in outcomes):
            raise ValueError(
                "classes have no standard deviation; predict_members gives the probabilities of "
                "every member."
            )
        return outcomes

    @staticmethod
    def _labels_of(outcome, answer):
        if outcome.classes is not None:
            return outcome.classes[answer.argmax(axis=1)]
        return _single(answer)

    @staticmethod
    def _spread_of(outcome, spread):
        if outcome.classes is not None:
            return np.full(len(spread), np.nan)
        return _single(spread)

    def _table_of(self, X, answers, of_outcome):
        """What `predict` returns: one array, or in wide form a table of them."""
        pairs = zip(self._targets.outcomes, answers, strict=True)
        columns = [of_outcome(outcome, answer) for outcome, answer in pairs]
        if not self._targets.wide:
            return columns[0]
        index = X.index if isinstance(X, pd.DataFrame) else None
        return wide_table(columns, self.tasks_, index, self._targets.from_frame)

    def predict_members(self, X):
        """Predict every row with every member.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n_members, n) or (n_members, n, n_outputs)
            Numbers in the units of y, or the probabilities of the classes, of shape (n_members, n,
            n_classes). In wide form a dict of such arrays by task.
        """
        members = self._predict(X, each_member=True)
        results = []
        for outcome, values in zip(self._targets.outcomes, members, strict=True):
            results.append(_single(values) if outcome.classes is None else np.exp(values))
        if not self._targets.wide:
            return results[0]
        return dict(zip(self.tasks_, results, strict=True))

    @available_if(_has_classes)
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of ``classes_``; exactly 0 for classes that a task does not have. In wide
            form a dict of such arrays by task, for the tasks that have classes. If y was an array
            of 0 and 1 only, scikit-learn's multi-label form: an array of shape (n, n_tasks) with
            the probabilities of 1.
        """
        return self._by_task(X, np.exp, lambda logs: np.exp(logs[:, 1]))

    @available_if(_has_classes)
    def decision_function(self, X):
        """Tell how much speaks for each class: the larger, the more probable.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            With two classes the logarithm of the odds of the second one, else logarithms of
            probabilities, minus infinity for classes that a task does not have. In wide form as
            for ``predict_proba``.
        """

        def odds(logs):
            return logs[:, 1] - logs[:, 0]

        return self._by_task(X, lambda logs: odds(logs) if logs.shape[1] == 2 else logs, odds)

    def _by_task(self, X, of_classes, of_labels):
        """Map log probabilities, and gather those of wide form."""
        answers = self._predict(X)
        targets = self._targets
        if not targets.wide:
            return of_classes(answers[0])
        if targets.multi_label:
            return np.column_stack([of_labels(logs) for logs in answers])
        return {
            task: of_classes(logs)
            for task, outcome, logs in zip(self.tasks_, targets.outcomes, answers, strict=True)
            if outcome.classes is not None
        }


class _TaskScore:
    """The score of scikit-learn's mixins, and what it is in wide form."""

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination of numbers, the accuracy of classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels; in wide form some may be missing.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks, each over the rows that have its label.
        """
        check_is_fitted(self, "module_")
        if not self._targets.wide:
            return super().score(X, y, sample_weight)
        frame = labels_frame(y, self.tasks_, self._targets.from_frame)
        kinds = list(self.task_types_.values())
        return _mean_task_score(frame, self.predict(X), kinds, sample_weight)


class MultiTaskRegressor(_TaskScore, RegressorMixin, _MultiTaskPredictor):
    """Base class of regressors: which loss, and what y may be."""

    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error", "huber", "poisson", "pinball"})],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    def _target_settings(self):
        return {
            "kind": "regression",
            "loss": self.loss,
            "quantile": self.quantile,
            "task_types": self.task_types,
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class MultiTaskClassifier(_TaskScore, ClassifierMixin, _MultiTaskPredictor):
    """Base class of classifiers: their classes, and what y may be."""

    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
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
        """Sorted classes; in wide form a dict of them by task."""
        check_is_fitted(self, "module_")
        targets = self._targets
        if not targets.wide or targets.multi_label:
            return targets.outcomes[0].classes
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # several columns of y are tasks if there is no other column that says so
        tags.target_tags.multi_output = self.task_id is None
        return tags
