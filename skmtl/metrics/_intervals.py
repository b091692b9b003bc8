"""Metrics of intervals and quantiles: coverage, width, interval score and pinball loss."""

import copy
from numbers import Real

import numpy as np
from sklearn.metrics import mean_pinball_loss

from skmtl._docstrings import shared
from skmtl.metrics._metric import Metric, evaluate
from skmtl.metrics._parts import wide_parts
from skmtl.metrics._public import METRICS


class Bounds(Metric):
    """Mean over labels of a function of a label and of its bounds, (n, k).

    An estimator predicts them by its method `response`, which gets the `settings`; the function
    gets them if the metric `passes` them.
    """

    content = "bounds"

    def __init__(self, title, function, response, *, better=False, passes=False, **settings):
        super().__init__(title, function, **settings)
        self.response, self.greater_is_better, self._passes = response, better, passes

    def changed(self, settings):
        """Return this metric with other settings."""
        wrong = sorted(set(settings) - set(self.settings))
        if wrong:
            raise ValueError(
                f"{self.title} has no settings {wrong}; it has {sorted(self.settings)}."
            )
        other = copy.copy(self)
        other.settings = self.settings | settings
        return other

    def _call(self, y_true, y_pred, weight):
        values = self.function(y_true, y_pred, **(self.settings if self._passes else {}))
        return float(np.average(values, weights=weight))


def _covered(y, bounds):
    lower, upper = _two(bounds)
    return (lower <= y) & (y <= upper)


def _width(y, bounds):
    lower, upper = _two(bounds)
    return upper - lower


def _winkler(y, bounds, coverage):
    """Return width plus distances outside, times 2 / (1 - coverage)."""
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise ValueError(f"coverage must be strictly between 0 and 1, got {coverage!r}.")
    lower, upper = _two(bounds)
    outside = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return upper - lower + 2 / (1 - coverage) * outside


def _pinball(y, quantiles, levels):
    levels = np.atleast_1d(levels)
    if quantiles.ndim == 1:
        quantiles = quantiles[:, None]
    if quantiles.shape[1] != len(levels):
        raise ValueError(
            f"there are {quantiles.shape[1]} quantiles of each label, but {len(levels)} levels."
        )
    # the average over labels comes later, with weights
    losses = [
        mean_pinball_loss([y], [column], alpha=level, multioutput="raw_values")
        for level, column in zip(levels, quantiles.T, strict=True)
    ]
    return np.mean(losses, axis=0)


def _two(bounds):
    if bounds.ndim != 2 or bounds.shape[1] != 2:
        raise ValueError(
            "intervals have a lower and an upper bound, but their shape is "
            f"{bounds.shape}; for several coverages call the metric once for each."
        )
    lower, upper = bounds.T
    if (lower > upper).any():
        raise ValueError("lower bounds must not be above upper ones.")
    return lower, upper


COVERAGE = Bounds("coverage", _covered, "predict_interval", better=True, coverage=0.9)
WIDTH = Bounds("width of intervals", _width, "predict_interval", coverage=0.9)
SCORE = Bounds("interval score", _winkler, "predict_interval", passes=True, coverage=0.9)
PINBALL = Bounds(
    "pinball loss", _pinball, "predict_quantiles", passes=True, levels=(0.05, 0.5, 0.95)
)

_TEXTS = {
    "y_true": """
y_true : DataFrame or array-like of shape (n, T) or (n,)
    Labels, NaN where missing.
""",
    "y_pred": """
y_pred : array-like of shape (n, 2) or (n, T, 2), or dict
    Lower and upper bounds, as `predict_interval` gives them; or a dict of such arrays by task.
""",
    "more": """
sample_weight : array-like of shape (n,) or (n, T), optional
    Weights of the rows, or of each label. A weight of 2 is the same as the row twice.
average : {"macro", "micro"} or None, default="macro"
    "macro" is the mean over tasks, "micro" takes all labels together, None gives one number per
    task.
""",
}


@shared(**_TEXTS)
def mt_interval_coverage(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the share of labels that are in their intervals.

    Bounds belong to the intervals. Missing labels are left out.

    Parameters
    ----------
    {y_true}
    {y_pred}
    {more}

    Returns
    -------
    float or Series
        Between 0 and 1; it should be the coverage that was asked for.

    Raises
    ------
    ValueError
        If shapes do not match, or a lower bound is above the upper one.

    Examples
    --------
    >>> from skmtl.metrics import mt_interval_coverage
    >>> mt_interval_coverage([1.0, 2.0, 3.0, 4.0], [[0, 2], [0, 2], [0, 2], [0, 4]])
    0.75
    """
    return evaluate(COVERAGE, *wide_parts(y_true, y_pred, sample_weight, "bounds"), average)


@shared(**_TEXTS)
def mt_interval_width(y_true, y_pred, *, sample_weight=None, average="macro"):
    """Compute the mean width of intervals.

    Those of missing labels are left out.

    Parameters
    ----------
    {y_true}
    {y_pred}
    {more}

    Returns
    -------
    float or Series
        In the units of y. Lower is better at the same coverage.

    Raises
    ------
    ValueError
        If shapes do not match, or a lower bound is above the upper one.

    Examples
    --------
    >>> from skmtl.metrics import mt_interval_width
    >>> mt_interval_width([1.0, 2.0], [[0, 2], [0, 4]])
    3.0
    """
    return evaluate(WIDTH, *wide_parts(y_true, y_pred, sample_weight, "bounds"), average)


@shared(**_TEXTS)
def mt_interval_score(y_true, y_pred, *, coverage=0.9, sample_weight=None, average="macro"):
    """Compute the interval score of Winkler: width, and a penalty for labels outside.

    A label outside adds its distance from the interval times ``2 / (1 - coverage)``. No intervals
    have a lower expected score than those between the quantiles ``(1 - coverage) / 2`` and
    ``(1 + coverage) / 2`` of the labels [1]_.

    Parameters
    ----------
    {y_true}
    {y_pred}
    coverage : float, default=0.9
        The coverage that the intervals were made for.
    {more}

    Returns
    -------
    float or Series
        In the units of y. Lower is better.

    Raises
    ------
    ValueError
        If shapes do not match, a lower bound is above the upper one, or `coverage` is not in
        (0, 1).

    References
    ----------
    .. [1] Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA
       2007, section 6.2.

    Examples
    --------
    >>> from skmtl.metrics import mt_interval_score
    >>> round(mt_interval_score([1.0, 2.5], [[0, 2], [0, 2]], coverage=0.8), 6)
    4.5
    """
    metric = SCORE.changed({"coverage": coverage})
    return evaluate(metric, *wide_parts(y_true, y_pred, sample_weight, "bounds"), average)


@shared(**_TEXTS)
def mt_pinball_loss(
    y_true, y_pred, *, levels=(0.05, 0.5, 0.95), sample_weight=None, average="macro"
):
    """Compute the pinball loss of predicted quantiles, mean over their levels.

    A label above the quantile of level a costs a times the distance, one below 1 - a times.

    Parameters
    ----------
    {y_true}
    y_pred : array-like of shape (n, k) or (n, T, k), or dict
        Quantiles, as `predict_quantiles` gives them; or a dict of such arrays by task.
    levels : float or array-like of shape (k,), default=(0.05, 0.5, 0.95)
        Their levels.
    {more}

    Returns
    -------
    float or Series
        In the units of y. Lower is better.

    Raises
    ------
    ValueError
        If shapes do not match.

    Examples
    --------
    >>> from skmtl.metrics import mt_pinball_loss
    >>> round(mt_pinball_loss([1.0, 2.0], [[0.0, 2.0], [1.0, 2.0]], levels=[0.1, 0.9]), 6)
    0.075
    """
    metric = PINBALL.changed({"levels": levels})
    return evaluate(metric, *wide_parts(y_true, y_pred, sample_weight, "bounds"), average)


METRICS |= {
    mt_interval_coverage: COVERAGE,
    mt_interval_width: WIDTH,
    mt_interval_score: SCORE,
    mt_pinball_loss: PINBALL,
}
