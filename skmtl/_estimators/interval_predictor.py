"""Intervals and sets of regressors and classifiers: which labels are to be expected."""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._data.rows import TrainingRows
from skmtl._estimators.base_learner import base_inputs
from skmtl._estimators.distributions import TooFewError
from skmtl._estimators.held_out import labelled_part
from skmtl._estimators.intervals import Intervals, missing, too_few
from skmtl._estimators.predictors import MultiTaskPredictor

_WITHOUT = (
    "this model was fitted without intervals: fit it with intervals=True, or call calibrate(X, y) "
    "with rows that it was not trained on."
)


def _levels(values, name):
    """Return shares as an array, and whether there was one number only."""
    levels = np.asarray(values, dtype=object)
    numbers = all(isinstance(v, Real) and 0 < v < 1 for v in levels.flat)
    if levels.ndim > 1 or not levels.size or not numbers:
        raise ValueError(
            f"{name} must be strictly between 0 and 1, one number or a list, got {values!r}."
        )
    return np.atleast_1d(levels.astype(np.float64)), levels.ndim == 0


def _has_intervals(estimator):
    return "intervals" not in estimator._lacks


def _predicts_numbers(estimator):
    """Whether a fitted estimator has a task of numbers; of a classifier none is expected."""
    if not _has_intervals(estimator):
        return False
    if hasattr(estimator, "module_"):
        return any(part.classes is None for part in estimator._targets.parts)
    return estimator._target_settings()["kind"] == "regression"


def _predicts_classes(estimator):
    if not _has_intervals(estimator):
        return False
    if hasattr(estimator, "module_"):
        return any(part.classes is not None for part in estimator._targets.parts)
    return estimator._target_settings()["kind"] == "classification"


class IntervalPredictor(MultiTaskPredictor):
    """Predictions with bounds that hold for labels, in long and in wide form."""

    @available_if(_predicts_numbers)
    def predict_interval(self, X, coverage=0.9):
        """Predict intervals that hold a share of the labels, for known and for new tasks.

        Bounds are the prediction plus quantiles of errors of rows that were not trained on, see
        :doc:`/intervals`. The estimator needs `intervals`, or rows to :meth:`calibrate`.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        coverage : float or array-like of shape (k,), default=0.9
            Share of the labels that are to be in their intervals, in (0, 1).

        Returns
        -------
        ndarray of shape (n, 2) or (n, 2, k)
            Lower and upper bounds, in the units of y. With several numbers per row (n, n_outputs,
            2), in wide form (n, n_tasks, 2), NaN for columns of classes.

        Raises
        ------
        ValueError
            If a coverage is not in (0, 1), or needs more labels or tasks than there were; if the
            estimator was fitted without intervals, or without those for new tasks.

        Examples
        --------
        >>> from skmtl import MultiTaskHypernetRegressor
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
        >>> model = MultiTaskHypernetRegressor(
        ...     task_id="task", intervals="known", max_iter=10, random_state=0
        ... )
        >>> model.fit(cubic.data, cubic.target).predict_interval(cubic.data.head(3)).shape
        (3, 2)
        >>> model.predict_interval(cubic.data.head(3), coverage=[0.5, 0.9]).shape
        (3, 2, 2)
        """
        shares, single = _levels(coverage, "coverage")
        levels = np.stack([(1 - shares) / 2, (1 + shares) / 2])
        values = self._quantiles(X, levels.ravel(), f"coverage={coverage!r}")
        values = values.reshape(*values.shape[:-1], 2, len(shares))
        return values[..., 0] if single else values

    @available_if(_predicts_numbers)
    def predict_quantiles(self, X, levels=(0.05, 0.5, 0.95)):
        """Predict quantiles of the labels; those of higher levels are never lower.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        levels : float or array-like of shape (k,), default=(0.05, 0.5, 0.95)
            Shares of the labels that are to be below, in (0, 1).

        Returns
        -------
        ndarray of shape (n, k)
            In the units of y; (n,) for one level. With several numbers per row (n, n_outputs, k),
            in wide form (n, n_tasks, k), NaN for columns of classes.

        Raises
        ------
        ValueError
            As of :meth:`predict_interval`.
        """
        shares, single = _levels(levels, "levels")
        values = self._quantiles(X, shares, f"levels={levels!r}")
        return values[..., 0] if single else values

    @available_if(_predicts_classes)
    def predict_set(self, X, coverage=0.9):
        """Predict sets of classes that hold a share of the labels, for known and for new tasks.

        A class is in the set if its probability is at least a threshold of the task; the most
        probable class always is.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``.
        coverage : float or array-like of shape (k,), default=0.9
            Share of the labels that are to be in their sets, in (0, 1).

        Returns
        -------
        ndarray of bool, of shape (n, n_classes) or (n, n_classes, k)
            Which classes are in the sets, in the order of ``classes_``. In wide form a dict of
            such arrays by task, for the tasks that have classes.

        Raises
        ------
        ValueError
            As of :meth:`predict_interval`.

        Examples
        --------
        >>> from skmtl import MultiTaskHypernetClassifier
        >>> from skmtl.datasets import make_cubic
        >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
        >>> sign = cubic.target.gt(0).map({True: "above", False: "below"})
        >>> model = MultiTaskHypernetClassifier(
        ...     task_id="task", intervals="known", max_iter=20, random_state=0
        ... )
        >>> model.fit(cubic.data, sign).predict_set(cubic.data.head(3)).shape
        (3, 2)
        """
        shares, single = _levels(coverage, "coverage")
        query = self._query(X)
        logs = self._predict_query(query)
        bounds = self._bounds(query, logs, shares, f"coverage={coverage!r}", classes=True)
        sets = []
        for part, values, bound in zip(self._targets.parts, logs, bounds, strict=True):
            if part.classes is None:
                continue
            probabilities = np.exp(values)[:, :, None]
            chosen = (probabilities >= 1 - bound) & (probabilities > 0)
            chosen[np.arange(len(values)), values.argmax(axis=1)] = True
            sets.append(chosen[..., 0] if single else chosen)
        if not self._targets.wide:
            return sets[0]
        pairs = zip(self.tasks_, self._targets.parts, strict=True)
        return dict(zip((t for t, p in pairs if p.classes is not None), sets, strict=True))

    def _quantiles(self, X, levels, what):
        """Return quantiles of numbers (n, [o or T,] L) in the units of y."""
        query = self._query(X)
        predictions = self._predict_query(query)
        bounds = self._bounds(query, predictions, levels, what)
        columns = []
        for part, predicted, bound in zip(self._targets.parts, predictions, bounds, strict=True):
            if part.classes is not None:
                columns.append(np.full((len(predicted), 1, len(levels)), np.nan))
                continue
            values = predicted[..., None] + bound
            columns.append(np.maximum(values, 0.0) if part.loss == "poisson" else values)
        values = np.concatenate(columns, axis=1)
        return values[:, 0] if values.shape[1] == 1 and not self._targets.wide else values

    def _bounds(self, query, predicted, levels, what, *, classes=False):
        """Return quantiles of errors, or of the scores of classes, see `Intervals.bounds`."""
        intervals = self._checked_intervals()
        try:
            return intervals.bounds(self._targets, query, predicted, levels, classes=classes)
        except TooFewError as error:
            new = not query.shared_rows and bool((query.tasks < 0).any())
            raise ValueError(too_few(error, what, new)) from None

    def _checked_intervals(self):
        check_is_fitted(self, "module_")
        if self._intervals is None:
            raise ValueError(_WITHOUT)
        return self._intervals

    @available_if(_has_intervals)
    def calibrate(self, X, y, sample_weight=None):
        """Learn intervals from rows that were not trained on, instead of those of ``fit``.

        Rows of known tasks take the place of what ``fit`` has learned about known tasks, rows of
        tasks that were never seen of what it has learned about new ones; predictions do not change.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that ``fit`` has not seen.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Their labels.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            A weight of 2 is the same as the row twice.

        Returns
        -------
        self
            With other intervals.

        Raises
        ------
        ValueError
            As of ``fit``, or if there are rows of new tasks that the model does not predict.
        """
        check_is_fitted(self, "module_")
        X, *labels = self._check_rows(X, y, sample_weight, self._targets.transform)
        query = self._query(X)
        predicted = self._predict_query(query)
        before = self._intervals or Intervals(np.ones(len(self.tasks_)))
        tasks, new = None, np.zeros(len(query.features), dtype=bool)
        if not query.shared_rows:
            tasks = query.tasks[query.networks]
            new = tasks < 0
            # tasks that were never seen are numbered by their networks
            tasks = np.where(new, query.networks, tasks)
        inputs = base_inputs(query.features, query.metadata, query.networks)
        # with predictions, so that copies of a row are merged, as in fit
        columns = [new[:, None], inputs, *(v.reshape(len(new), -1) for v in predicted)]
        rows = TrainingRows(np.hstack(columns), tasks, *labels).canonical()
        ends = np.cumsum([c.shape[1] for c in columns])[:-1]
        new, inputs, *values = np.hsplit(rows.features, ends)
        predicted = [v.reshape(-1, *p.shape[1:]) for v, p in zip(values, predicted, strict=True)]
        held_out = (_parts_of(rows, predicted, new[:, 0] == which) for which in (0, 1))
        self._intervals = before.calibrated(self._targets, *held_out, inputs)
        return self

    @property
    def residual_std_(self):
        """Standard deviation of errors of rows that were not trained on, by task, in units of y."""
        check_is_fitted(self, "module_")
        intervals = self._intervals
        if intervals is None or intervals.known is None:
            raise AttributeError(_WITHOUT if intervals is None else missing("known"))
        parts = self._targets.parts
        if self._targets.wide:
            values = np.full(len(parts), np.nan)
            for t, part in enumerate(parts):
                if part.classes is None:
                    values[t] = intervals.known[0].deviations[t] * part.size[0]
            return pd.Series(values, index=self.tasks_, name="residual_std")
        if parts[0].classes is not None:
            raise AttributeError("classes have no residuals; predict_set gives sets of classes.")
        columns = [
            errors.deviations * size
            for errors, size in zip(intervals.known, parts[0].size, strict=True)
        ]
        if len(columns) == 1:
            return pd.Series(columns[0], index=self.tasks_, name="residual_std")
        return pd.DataFrame(np.column_stack(columns), index=self.tasks_)

    def _noise(self, X):
        """Return standard deviations of errors by part: (n, o), or (1, 1) in wide form."""
        if self._checked_intervals().known is None:
            raise ValueError(missing("known"))
        deviations = self.residual_std_
        if self._targets.wide:
            return [np.array([[value]]) for value in deviations]
        query = self._query(X)
        tasks = query.tasks[query.networks]
        values = np.atleast_2d(deviations.to_numpy().T).T[tasks]
        if (tasks < 0).any():
            if self._intervals.new is None:
                raise ValueError(missing("new"))
            new = [errors.deviation for errors in self._intervals.new]
            values[tasks < 0] = new * self._targets.parts[0].size
        return [values]


def _parts_of(rows, predicted, chosen):
    """Return a `HeldOut` for each part of the targets, of the rows of a mask."""
    if not chosen.any():
        return None
    chosen = np.flatnonzero(chosen)
    return [labelled_part(rows, k, chosen, values) for k, values in enumerate(predicted)]
