"""Metrics of one task, and their averages over tasks.

A metric takes parts (`skmtl.metrics._parts`) and depends on neither tables nor estimators.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, r2_score

from skmtl.metrics._inputs import shortened


def evaluate(metric, tasks, parts, average, stacklevel=3):
    """Return the average as a float, or a Series by task; `stacklevel` is that of warnings."""
    check_average(average)
    if average == "micro":
        score = metric.of_all([part for part in parts if len(part.y_true)])
        if np.isnan(score):
            warnings.warn(
                f"{metric.title} of all labels together is undefined: it needs {metric.needs}. "
                "The result is NaN.",
                UndefinedMetricWarning,
                stacklevel=stacklevel,
            )
        return score
    scores = scores_by_task(metric, tasks, parts)
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
    """Raise an error if `average` is unknown."""
    if average is not None and average not in ("macro", "micro"):
        raise ValueError(
            f"average={average!r} is unknown; use 'macro' for the mean over tasks, 'micro' for all "
            "labels together, or None for one number per task."
        )


def scores_by_task(metric, tasks, parts):
    """Return the mean over the outputs of each task; NaN where it is undefined."""
    total, count = np.zeros(len(tasks)), np.zeros(len(tasks))
    for part in parts:
        try:
            score = metric.of_task(part) if metric.is_defined(part) else np.nan
        except ValueError as error:
            if repr(part.task) in str(error):
                raise
            raise ValueError(f"{metric.title} of the task {part.task!r}: {error}") from error
        if not np.isnan(score):
            total[part.position] += score
            count[part.position] += 1
    scores = np.full(len(tasks), np.nan)
    np.divide(total, count, out=scores, where=count > 0)
    return pd.Series(scores, index=tasks)


class Metric:
    """Mean over labels of ``function(y_true, y_pred, sample_weight=weight, **settings)``."""

    content = "numbers"  # kind of predictions
    kind = "regression"  # kind of tasks that it applies to; None for all
    greater_is_better = False
    needs = "at least one label"

    def __init__(self, title, function, **settings):
        self.title = title
        self.function = function
        self.settings = settings

    def is_defined(self, part):
        """Return whether the task has enough labels."""
        return len(part.y_true) > 0

    def of_task(self, part):
        """Return the value for one task."""
        return self._call(*self._labels(part), part.weight)

    def of_all(self, parts):
        """Return the value for all labels together; NaN if it is undefined."""
        if not parts:
            return np.nan
        labels = zip(*map(self._labels, parts), strict=True)
        weight = None
        if parts[0].weight is not None:
            weight = np.concatenate([part.weight for part in parts])
        return self._call(*map(np.concatenate, labels), weight)

    def _labels(self, part):
        """Return labels and predictions."""
        return part.y_true, part.y_pred

    def _call(self, y_true, y_pred, weight):
        weights = {} if weight is None else {"sample_weight": weight}
        return float(self.function(y_true, y_pred, **weights, **self.settings))


class R2(Metric):
    """Coefficient of determination."""

    greater_is_better = True
    needs = "at least two labels of a task"

    def __init__(self):
        super().__init__("R2", r2_score)

    def is_defined(self, part):
        return len(part.y_true) > 1

    def of_all(self, parts):
        if not any(map(self.is_defined, parts)):
            return np.nan
        residual = deviation = 0.0
        for part in parts:
            mean = np.average(part.y_true, weights=part.weight)
            weight = 1.0 if part.weight is None else part.weight
            residual += np.sum(weight * (part.y_true - part.y_pred) ** 2)
            deviation += np.sum(weight * (part.y_true - mean) ** 2)
        if deviation == 0:
            # as in scikit-learn for constant labels
            return float(residual == 0)
        return float(1 - residual / deviation)


class Accuracy(Metric):
    """Share of correctly predicted labels."""

    content = "labels"
    kind = "classification"
    greater_is_better = True

    def __init__(self):
        super().__init__("accuracy", accuracy_score)

    def _labels(self, part):
        """Return labels and predictions as codes, so that 1, 1.0 and True are the same."""
        both = [part.y_true, part.y_pred]
        kinds = {pd.api.types.infer_dtype(values, skipna=False) for values in both}
        if "string" in kinds and any(values.dtype.kind in "biuf" for values in both):
            raise ValueError(
                f"for the task {part.task!r} the labels or the predictions are strings and the "
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
