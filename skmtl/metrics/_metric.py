"""How one number comes out of the labels of a task, and how the tasks' numbers become one.

A metric sees pieces (`skmtl.metrics._pieces`); it knows neither tables nor estimators.
"""

import inspect
import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, r2_score

from skmtl.metrics._inputs import shortened


def evaluate(metric, tasks, pieces, average, stacklevel=3):
    """One number, or one for each task.

    Parameters
    ----------
    metric : Metric
    tasks : Index
    pieces : list of Piece
    average : {"macro", "micro", None}
    stacklevel : int, default=3
        Of the warning, as seen from the caller of this function.

    Returns
    -------
    float or Series
    """
    check_average(average)
    if average == "micro":
        score = metric.of_all([piece for piece in pieces if len(piece.y_true)])
        if np.isnan(score):
            warnings.warn(
                f"{metric.title} of all labels together is not defined: it needs {metric.needs}. "
                "The result is NaN.",
                UndefinedMetricWarning,
                stacklevel=stacklevel,
            )
        return score
    scores = scores_by_task(metric, tasks, pieces)
    undefined = scores.index[scores.isna()].tolist()
    if undefined:
        warnings.warn(
            f"{metric.title} is not defined for {len(undefined)} task(s), which count as NaN and "
            f"are left out of the mean: {shortened(undefined)}. It needs {metric.needs}.",
            UndefinedMetricWarning,
            stacklevel=stacklevel,
        )
    return scores if average is None else float(scores.mean())


def check_average(average):
    """Raise an error if this is no way to average."""
    if average is not None and average not in ("macro", "micro"):
        raise ValueError(
            f"average={average!r} is unknown; use 'macro' for the mean over tasks, 'micro' for all "
            "labels together, or None for one number per task."
        )


def scores_by_task(metric, tasks, pieces):
    """One number for each task, the mean over its outputs; NaN where it is not defined."""
    total, count = np.zeros(len(tasks)), np.zeros(len(tasks))
    for piece in pieces:
        try:
            score = metric.of_task(piece) if metric.is_defined(piece) else np.nan
        except ValueError as error:
            if repr(piece.task) in str(error):
                raise
            raise ValueError(f"{metric.title} of the task {piece.task!r}: {error}") from error
        if not np.isnan(score):
            total[piece.position] += score
            count[piece.position] += 1
    scores = np.full(len(tasks), np.nan)
    np.divide(total, count, out=scores, where=count > 0)
    return pd.Series(scores, index=tasks)


class Metric:
    """A mean of something over labels, computed by a function of scikit-learn.

    Parameters
    ----------
    title : str
        What messages call it.
    function : callable
        Called as ``function(y_true, y_pred, sample_weight=weight, **settings)``.
    settings : dict
    """

    content = "numbers"  # what the predictions are
    kind = "regression"  # of the tasks that it is for; None for all
    greater_is_better = False
    needs = "at least one label"

    def __init__(self, title, function, **settings):
        self.title = title
        self.function = function
        self.settings = settings

    def is_defined(self, piece):
        """Whether the labels of the task are enough."""
        return len(piece.y_true) > 0

    def of_task(self, piece):
        """The number of one task."""
        return self._call(piece.y_true, piece.y_pred, piece.weight)

    def of_all(self, pieces):
        """The number of all labels together; NaN if it is not defined."""
        if not pieces:
            return np.nan
        return self._call(
            np.concatenate([piece.y_true for piece in pieces]),
            np.concatenate([piece.y_pred for piece in pieces]),
            joined_weights(pieces),
        )

    def _call(self, y_true, y_pred, weight):
        weights = {} if weight is None else {"sample_weight": weight}
        return float(self.function(y_true, y_pred, **weights, **self.settings))


def joined_weights(pieces):
    """Weights of all labels, or None."""
    if pieces[0].weight is None:
        return None
    return np.concatenate([piece.weight for piece in pieces])


class R2(Metric):
    """Coefficient of determination."""

    greater_is_better = True
    needs = "at least two labels of a task"

    def __init__(self):
        super().__init__("R2", r2_score)

    def is_defined(self, piece):
        return len(piece.y_true) > 1

    def of_all(self, pieces):
        if not any(map(self.is_defined, pieces)):
            return np.nan
        residual = deviation = 0.0
        for piece in pieces:
            mean = np.average(piece.y_true, weights=piece.weight)
            weight = 1.0 if piece.weight is None else piece.weight
            residual += np.sum(weight * (piece.y_true - piece.y_pred) ** 2)
            deviation += np.sum(weight * (piece.y_true - mean) ** 2)
        if deviation == 0:
            # as scikit-learn has it for constant labels
            return float(residual == 0)
        return float(1 - residual / deviation)


class Accuracy(Metric):
    """Share of the labels that are predicted."""

    content = "labels"
    kind = "classification"
    greater_is_better = True

    def __init__(self):
        super().__init__("accuracy", accuracy_score)

    def of_task(self, piece):
        return self._call(*self._hits(piece), piece.weight)

    def of_all(self, pieces):
        if not pieces:
            return np.nan
        hits = [self._hits(piece) for piece in pieces]
        return self._call(*map(np.concatenate, zip(*hits, strict=True)), joined_weights(pieces))

    @staticmethod
    def _hits(piece):
        """Labels and predictions as numbers, so that 1, 1.0 and True are the same."""
        both = [piece.y_true, piece.y_pred]
        kinds = {pd.api.types.infer_dtype(values, skipna=False) for values in both}
        if "string" in kinds and any(values.dtype.kind in "biuf" for values in both):
            raise ValueError(
                f"for the task {piece.task!r} the labels or the predictions are strings and the "
                "others are numbers; convert one of them."
            )
        return np.split(pd.factorize(np.concatenate(both))[0], 2)


class Function(Metric):
    """A function of the labels and predictions of one task, such as those of scikit-learn."""

    kind = None
    needs = "labels for which the function returns a number"

    def __init__(self, function, greater_is_better, content, settings):
        super().__init__(getattr(function, "__name__", repr(function)), function, **settings)
        self.greater_is_better = greater_is_better
        self.content = content

    def _call(self, y_true, y_pred, weight):
        if y_pred.ndim == 2 and y_pred.shape[1] == 2:
            y_pred = y_pred[:, 1]
        return super()._call(y_true, y_pred, weight)


def takes_weights(function):
    """Whether a function has a parameter `sample_weight`."""
    return "sample_weight" in inspect.signature(function).parameters
