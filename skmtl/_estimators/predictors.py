"""What regressors and classifiers of every architecture share: their predictions and scores.

An estimator derives from one of the two, and from what knows its architecture.
"""

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._data.wide import labels_frame, wide_table
from skmtl._estimators.adaptive import AdaptiveEstimator
from skmtl._estimators.export import export_networks
from skmtl._estimators.importances import metadata_importance, relative_importances
from skmtl.metrics import _mean_task_score

# decision on a class that a task does not have: its exponential is exactly 0
_IMPOSSIBLE = -1000.0


def has_classes(estimator):
    """Whether a fitted estimator has a task with classes; a classifier will have one."""
    if isinstance(estimator, ClassifierMixin) and not hasattr(estimator, "module_"):
        return True
    check_is_fitted(estimator, "module_")
    if not any(part.classes is not None for part in estimator._targets.parts):
        raise AttributeError("no task of this model has classes, so there are no probabilities.")
    return True


def _finite(logs):
    """Replace minus infinity by numbers below all others of the row."""
    impossible = np.isneginf(logs)
    smallest = np.where(impossible, np.inf, logs).min(axis=1, keepdims=True)
    return np.where(impossible, np.minimum(_IMPOSSIBLE, smallest - 1), logs)


def _single(values):
    """Numbers without their last axis, if there is one output only."""
    return values[..., 0] if values.shape[-1] == 1 else values


class MultiTaskPredictor(AdaptiveEstimator):
    """Predictions in the caller's labels, in long and in wide form."""

    _has_importances = True

    def predict(self, X, return_std=False):
        """Predict every row with the network of its task; in wide form with those of all tasks.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``; those of a DataFrame may stand in another order. Metadata may
            differ from that of ``fit``: the network is written for each distinct pair of task id
            and metadata.
        return_std : bool or "total", default=False
            Whether to return how far the members are apart, too; with "total" together with the
            errors of rows that were not trained on, which needs `intervals`.

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_outputs), in wide form (n, n_tasks)
            In the units of y: numbers, mean over members, or the most probable classes. In wide
            form a DataFrame if y was one.
        std : as y
            Standard deviations of the members' predictions, if `return_std` is True; NaN in the
            columns of classes. They say how much the initial weights matter; the noise of the
            labels comes on top. If it is "total", the square root of their squares plus those of
            ``residual_std_``, also of one member alone.

        Raises
        ------
        ValueError
            If a task was never seen and there is neither metadata nor
            ``unseen_tasks="average"``; if `return_std` is True and there is one member only, or
            nothing but classes; if it is "total" and the estimator was fitted without intervals.
        """
        if isinstance(return_std, str) and return_std != "total":
            raise ValueError(f"return_std must be True, False or 'total', got {return_std!r}.")
        if not return_std:
            return self._table_of(X, self._predict(X), self._labels_of)
        total = isinstance(return_std, str)
        parts = self._check_spread(several=not total)
        noise = self._noise(X) if total else [0.0] * len(parts)
        members = self._predict(X, each_member=True)
        means = [o.mean(values) for o, values in zip(parts, members, strict=True)]
        spreads = [
            np.hypot(values.std(axis=0, ddof=1) if len(values) > 1 else 0.0, deviation)
            + np.zeros(values.shape[1:])
            if part.classes is None
            else values[0]
            for part, values, deviation in zip(parts, members, noise, strict=True)
        ]
        return (
            self._table_of(X, means, self._labels_of),
            self._table_of(X, spreads, self._spread_of),
        )

    def _check_spread(self, several=True):
        """Return the parts, some of whose members' predictions have a standard deviation."""
        check_is_fitted(self, "module_")
        if several and self.module_.n_members < 2:
            raise ValueError(
                "return_std=True is the spread of several members, and there is one only: fit with "
                "n_members=8, say, or use return_std='total' with intervals=True."
            )
        parts = self._targets.parts
        if all(part.classes is not None for part in parts):
            raise ValueError(
                "classes have no standard deviation; predict_members gives the probabilities of "
                "every member."
            )
        return parts

    @staticmethod
    def _labels_of(part, answer):
        if part.classes is not None:
            return part.classes[answer.argmax(axis=1)]
        return _single(answer)

    @staticmethod
    def _spread_of(part, spread):
        if part.classes is not None:
            return np.full(len(spread), np.nan)
        return _single(spread)

    def _table_of(self, X, answers, of_part):
        """What `predict` returns: one array, or in wide form a table of them."""
        pairs = zip(self._targets.parts, answers, strict=True)
        columns = [of_part(part, answer) for part, answer in pairs]
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
        for part, values in zip(self._targets.parts, members, strict=True):
            results.append(_single(values) if part.classes is None else np.exp(values))
        if not self._targets.wide:
            return results[0]
        return dict(zip(self.tasks_, results, strict=True))

    def export(self, path, tasks=None):
        """Write the networks of tasks to a file from which other programs predict.

        Their predictions are those of ``predict``, or of ``predict_proba`` for classes, without
        this package, torch and scikit-learn; see the guide, :doc:`/serving`. Base learners
        ("boosting" and linear ones) and all members are included. Metadata are those of ``fit``.

        Parameters
        ----------
        path : str or path-like
            The file. Its ending says the format: ".onnx" for ONNX, which needs
            ``pip install "skmtl[export]"``, or ".npz" for a dictionary of arrays of numpy.
        tasks : list of task ids, optional
            By default all of ``tasks_``.

        Raises
        ------
        ValueError
            If a task is not known, or if predictions are not those of one stack of dense layers for
            each task: in wide form, with several levels of ids, and with other architectures.
        ImportError
            If the package onnx is needed and not installed.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from skmtl import MultiTaskHypernetRegressor
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=5, n_rows=20, random_state=0)
        >>> model = MultiTaskHypernetRegressor(task_id="task", max_iter=5, random_state=0)
        >>> path = Path(tempfile.mkdtemp()) / "cubic.npz"
        >>> model.fit(cubic.data[["task", "x"]], cubic.target).export(path, tasks=[0, 3])
        >>> np.load(path)["weight_0"].shape  # members, tasks, inputs, outputs
        (1, 2, 1, 32)
        """
        export_networks(self, path, tasks)

    def encode_features(self, X):
        """Encode the features of rows as the networks read them.

        Numbers, dates and durations are standardised, and categories become indicators. Models that
        have other features than numbers are exported without this step (`export`).

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``; ids and metadata have no part in it.

        Returns
        -------
        ndarray of shape (n, n_inputs)
            Encoded and scaled features.
        """
        return self._query(X).features

    @available_if(has_classes)
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
            form a dict of such arrays by task, for the tasks that have classes. If y held nothing
            but 0 and 1, scikit-learn's multi-label form: shape (n, n_tasks), with the
            probabilities of 1; a DataFrame if y was one.
        """
        return self._by_task(X, np.exp, lambda logs: np.exp(logs[:, 1]))

    @available_if(has_classes)
    def decision_function(self, X):
        """Tell how much speaks for each class: the larger, the more probable.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            With two classes the logarithm of the odds of the second one; 1000 or -1000 in wide
            form if ``fit`` saw one of 0 and 1 only. Else logarithms of probabilities. For a class
            that a task does not have -1000, whose exponential is 0, or 1 less than the smallest of
            the row, if that is even less. In wide form as for ``predict_proba``.
        """

        def odds(logs):
            values = logs[:, 1] - logs[:, 0]
            return np.nan_to_num(values, nan=np.nan, posinf=-_IMPOSSIBLE, neginf=_IMPOSSIBLE)

        return self._by_task(
            X, lambda logs: odds(logs) if logs.shape[1] == 2 else _finite(logs), odds
        )

    def _by_task(self, X, of_classes, of_labels):
        """Map log probabilities, and gather those of wide form."""
        answers = self._predict(X)
        targets = self._targets
        if not targets.wide:
            return of_classes(answers[0])
        if targets.multi_label:
            return self._table_of(X, answers, lambda part, logs: of_labels(logs))
        return {
            task: of_classes(logs)
            for task, part, logs in zip(self.tasks_, targets.parts, answers, strict=True)
            if part.classes is not None
        }

    def _noise(self, X):
        """Return standard deviations of labels around predictions, by part."""
        raise ValueError("return_std='total' needs intervals, which this estimator does not have.")

    def _wide_score(self, X, y, sample_weight):
        """Mean over tasks of the score of each, over the rows that have its label."""
        frame = labels_frame(y, self.tasks_, self._targets.from_frame)
        kinds = list(self.task_types_.values())
        return _mean_task_score(frame, self.predict(X), kinds, sample_weight)

    def metadata_importance(
        self, X, y, *, scoring=None, n_repeats=5, sample_weight=None, random_state=None
    ):
        """Measure how much each column of metadata helps: shuffle it between tasks.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that were not trained on; with tasks that were never seen, the answer is what the
            column is worth for new tasks.
        y : array-like of shape (n,) or (n, n_outputs)
            Their targets.
        scoring : str, callable or None, default=None
            A scorer of scikit-learn, greater is better; None is the coefficient of determination.
        n_repeats : int, default=5
            Times that each column is shuffled.
        sample_weight : array-like of shape (n,), optional
            Passed on to the scorer.
        random_state : int, RandomState instance or None, default=None
            Decides the shuffles.

        Returns
        -------
        DataFrame
            One row per column of metadata, the most important first: mean and standard deviation
            of the decrease of the score, ``importance_mean`` and ``importance_std``.

        Raises
        ------
        ValueError
            If the model was fitted without metadata.
        """
        check_is_fitted(self, "module_")
        return metadata_importance(
            self, X, y, scoring, n_repeats, sample_weight, check_random_state(random_state)
        )

    @property
    def feature_importances_(self):
        """Importance of each column of X: what shuffling it adds to the loss of held-out rows.

        Of shape ``(n_features_in_,)``, in the unit of the training loss, and 0 where shuffling
        lowers it. Measured in ``fit`` on at most 2,000 validation rows, by the networks that had
        not been trained on them (without a base learner): features are shuffled within tasks,
        columns of metadata between tasks. The task id comes just before the most important column,
        if it is not that itself, so that a selection never drops it. Absent if no rows were held
        out.
        """
        check_is_fitted(self, "module_")
        if self._importances is None:
            raise AttributeError(
                "feature_importances_ are measured on rows that fit holds out, and there are none: "
                "use early_stopping='refit', without X_val of new tasks; folds of a search and "
                "models of earlier versions have none either. permutation_importance of "
                "sklearn.inspection measures them on your rows."
            )
        return relative_importances(self._importances, self._tables.reader.task_positions)
