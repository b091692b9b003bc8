"""Shares of the variance of y: features, metadata, tasks, noise; with standard errors."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.fitted_effects import FittedEffects, level_sums_of
from skmtl._estimators.level_shares import level_shares
from skmtl._estimators.share_table import share_table

# most tasks and rows that are crossed
_TASKS, _ROWS = 128, 256
PARTS = ["features", "metadata", "task", "task_level", "task_slopes", "noise"]


def variance_shares(estimator, X=None):
    """Return the table of `MultiTaskHypernetRegressor.variance_shares`."""
    check_is_fitted(estimator, "module_")
    if estimator.task_levels != "joint":
        return level_shares(estimator, level_sums_of(estimator), X)
    effects = FittedEffects(estimator)
    features, tasks = _population(estimator, effects, X)
    values = [
        _components(effects, m, *of_member)
        for m, of_member in enumerate(_crossed(effects, features, tasks))
    ]
    # variances, their standard errors; rows are members
    variances, errors = (pd.DataFrame(part, columns=PARTS) for part in zip(*values, strict=True))
    part_of = {name: "task" if "_" in name else "total" for name in PARTS}
    ratios = {"icc": (["task"], ["noise"])}
    if effects.metadata is not None:
        ratios["explained_by_metadata"] = (["metadata"], ["task"])
    return share_table(variances, errors, part_of, ratios)


def _population(estimator, effects, X):
    """Return encoded features (k, d) and numbers of tasks (t,) that represent rows and tasks."""
    if X is None:
        features, tasks = effects.sums.made_up, np.flatnonzero(effects.trained)
    else:
        query = estimator._tables.prediction_rows(X, "average", estimator)
        tasks = np.unique(query.tasks[query.tasks >= 0])
        if len(tasks) < 2:
            raise ValueError(
                f"X has rows of {len(tasks)} known task(s); variances between tasks need at least "
                "two."
            )
        features = query.features
    generator = np.random.default_rng(0)
    if len(features) > _ROWS:
        features = features[np.sort(generator.choice(len(features), _ROWS, replace=False))]
    if len(tasks) > _TASKS:
        tasks = np.sort(generator.choice(tasks, _TASKS, replace=False))
    return features, tasks


def _crossed(effects, features, tasks):
    """Yield what every member predicts for each task and row, expected and actual; and tasks."""
    actual, slopes = effects.of_tasks(features, tasks)
    expected, _ = effects.of_tasks(features, tasks, "expected")
    for m, along in enumerate(slopes):
        yield actual[m], expected[m], along, tasks


def _components(effects, m, actual, expected, along, tasks):
    """Return variances of PARTS, and their standard errors.

    By the law of total variance over rows and tasks, which are crossed: means over tasks of the
    squares of predictions, to which the variances of the predictions' errors are added.
    """
    own, unit = effects.members[m], effects.size**2
    n_tasks = len(actual)
    average = actual.mean(axis=0)
    of_metadata = np.zeros_like(actual)
    if effects.metadata is not None:
        of_metadata = expected - expected.mean(axis=0)
    of_task = actual - average - of_metadata
    errors = own.errors[tasks]
    spread = np.einsum("tki,tij,tkj->tk", along, errors, along)
    mean_slope = along.mean(axis=1)
    level_spread = np.einsum("ti,tij,tj->t", mean_slope, errors, mean_slope)
    total = (of_task**2 + spread).mean(axis=1)
    level = of_task.mean(axis=1) ** 2 + level_spread
    both = (of_task * of_metadata).mean()
    slopes = total.mean() - level.mean()
    # the mean over tasks still has a share of what slopes vary
    features = max(average.var() - slopes / n_tasks, 0.0)
    metadata = max((of_metadata**2).mean() + both, 0.0)
    task = total.mean() + (both if metadata else 0.0)
    noise = own.noise * unit
    values = [features, metadata, task, level.mean(), task - level.mean(), noise]
    # variances are known the better the less the effects of tasks are shrunk
    prior = np.einsum("tki,ij,tkj->tk", along, own.covariance, along).mean(axis=1)
    level_prior = np.einsum("ti,ij,tj->t", mean_slope, own.covariance, mean_slope)
    spread, n_all = spread.mean(axis=1), effects.trained.sum()
    of_tasks = [
        np.std(part, ddof=1) / (_known(left, before) ** 2 * np.sqrt(n_all))
        for part, left, before in (
            (total, spread, prior),
            (level, level_spread, level_prior),
            (total - level, spread - level_spread, prior - level_prior),
        )
    ]
    of_metadata = np.std((of_metadata**2).mean(axis=1), ddof=1) / np.sqrt(n_all)
    of_noise = noise * np.sqrt(2 / own.free)
    return values, [0.0, of_metadata, *of_tasks, of_noise]


def _known(left, prior):
    """Return the share of a variance that the data have resolved, at least 0.05."""
    return max(1 - left.sum() / max(prior.sum(), 1e-300), 0.05)
