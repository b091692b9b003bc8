"""Means with their errors, and words for targets."""

import statistics

import numpy as np
from scipy import stats


def interval(values, level=0.9):
    """Return the mean and half the width of its interval (Student's t)."""
    values = np.asarray(values, dtype=float)
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return values.mean(), float(half)


def spread(values):
    """Return minimum, median and maximum, as a dict."""
    values = list(values)
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def standard_error(values):
    """Return the standard error of the mean."""
    values = np.asarray(values, dtype=float)
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def verdict(holds):
    """Return the word for a target that is reached or not."""
    return "holds" if holds else "falls short"
