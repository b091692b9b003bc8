"""Effects of tasks with standard errors: levels, slopes, and how far they are shrunk."""

import numpy as np
import pandas as pd

from skmtl._estimators.fitted_effects import FittedEffects


def task_effects(estimator, X=None, total=False):
    """Return the table of `MultiTaskHypernetRegressor.task_effects`."""
    effects = FittedEffects(estimator)
    if X is None:
        reference = np.zeros(estimator._tables.n_features)
    else:
        query = estimator._tables.prediction_rows(X, "average", estimator)
        reference = query.features.mean(axis=0)
    names, rows, weights = _contrasts(estimator._tables.feature_encoder, reference)
    tasks = np.arange(len(effects.trained))
    actual, along = effects.of_tasks(rows, tasks)
    expected, _ = effects.of_tasks(rows, tasks, "expected")
    values, expected = actual @ weights.T, expected @ weights.T
    if not total:
        means = values[:, effects.trained].mean(axis=1, keepdims=True)
        values, expected = values - means, expected - means
    variances, pulled = zip(
        *(
            _of_member(own, slopes, weights, total)
            for own, slopes in zip(effects.members, along, strict=True)
        ),
        strict=True,
    )
    variance = np.mean(variances, axis=0)
    if len(values) > 1:
        variance = variance + values.var(axis=0, ddof=1)
    columns = {"rows": np.mean([sums.counts for sums in effects.sums.members], axis=0)}
    if np.allclose(columns["rows"], np.round(columns["rows"])):
        columns["rows"] = np.round(columns["rows"]).astype(np.int64)
    for k, name in enumerate(names):
        columns[name] = values.mean(axis=0)[:, k]
        columns[f"{name}_se"] = np.sqrt(variance[:, k])
        if not k:
            if effects.metadata is not None:
                columns["level_by_metadata"] = expected.mean(axis=0)[:, 0]
            columns["shrinkage"] = np.mean(pulled, axis=0)
    return pd.DataFrame(columns, index=estimator.tasks_)


def _of_member(own, slopes, weights, total):
    """Return variances (T, c) of the errors of contrasts, and the shrinkage of levels (T,)."""
    # derivatives of contrasts by the coordinates of the embedding
    along = np.einsum("ck,tkr->tcr", weights, slopes)
    errors = own.total_errors if total else own.errors
    variance = np.einsum("tci,tij,tcj->tc", along, errors, along)
    level = along[:, 0]
    prior = np.einsum("ti,ij,tj->t", level, own.covariance, level)
    left = np.einsum("ti,tij,tj->t", level, own.errors, level)
    pulled = np.divide(left, prior, out=np.ones_like(left), where=prior > 0)
    return np.maximum(variance, 0.0), np.clip(pulled, 0.0, 1.0)


def _contrasts(encoder, reference):
    """Return names of effects, rows (k, d) around the reference, and weights (c, k) of the rows.

    The first effect is the level. Slopes of numbers are over one standard deviation to either side,
    per unit of the column (per day of dates and durations); categories are compared with the first
    one.
    """
    names, rows, weights = ["level"], [reference], [{0: 1.0}]

    def add(row):
        rows.append(row)
        return len(rows) - 1

    for k, column in enumerate(encoder.numeric_):
        kind, scale = encoder.columns[column].kind, encoder.scale_[k]
        if kind == "empty":
            continue
        unit = 86_400.0 if kind in ("date", "duration") else 1.0
        step = np.zeros(len(reference))
        step[k] = 1.0
        size = unit / (2 * scale)
        names.append(f"slope_{encoder.columns[column].name}")
        weights.append({add(reference + step): size, add(reference - step): -size})
    start = len(reference) - sum(own.n_outputs for own in encoder.indicators_)
    for column, own in zip(encoder.categorical_, encoder.indicators_, strict=True):
        at = slice(start, start + own.n_outputs)
        codes = _frequent(own)
        encoded = (own.of(codes) - encoder.center_[at]) / encoder.scale_[at]
        numbers = []
        for values in encoded:
            row = reference.copy()
            row[at] = values
            numbers.append(add(row))
        for code, number in list(zip(codes, numbers, strict=True))[1:]:
            shown = encoder.columns[column].show(code).strip("'")
            names.append(f"slope_{encoder.columns[column].name}={shown}")
            weights.append({number: 1.0, numbers[0]: -1.0})
        start = at.stop
    matrix = np.zeros((len(names), len(rows)))
    for c, pairs in enumerate(weights):
        for number, weight in pairs.items():
            matrix[c, number] = weight
    return names, np.array(rows), matrix


def _frequent(indicators):
    """Return the categories that do not share their indicator with others."""
    positions = indicators.positions
    shared = np.bincount(positions + 1, minlength=indicators.n_outputs + 1)[positions + 1] > 1
    return indicators.categories[~shared & ~np.isnan(indicators.categories)]
