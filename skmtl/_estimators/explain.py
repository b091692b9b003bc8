"""Why a task differs from the average or from another task: contributions that add up."""

from math import comb

import numpy as np
import pandas as pd

from skmtl._estimators.fitted_effects import FittedEffects, task_number

# causes of which all subsets are compared, and orders that are drawn if there are more
_ALL_SUBSETS, _N_ORDERS = 10, 128


def explain_task(estimator, task, other=None):
    """Return the table of `MultiTaskHypernetRegressor.explain_task`."""
    effects = FittedEffects(estimator)
    tables = estimator._tables
    to = _description(effects, task_number(estimator, task))
    if other is None:
        weights = np.mean([sums.counts for sums in effects.sums.members], axis=0)
        weights = weights * effects.trained
        start = (
            np.average(effects.sums.means, axis=0, weights=weights),
            effects.mean_metadata,
            [np.zeros_like(own) for own in to[2]],
        )
    else:
        start = _description(effects, task_number(estimator, other, "other"))
    # the state at the start: what metadata say there, and the deviation
    before = [mean + own for mean, own in zip(effects.mean_states(), start[2], strict=True)]
    if effects.metadata is not None:
        away = start[1] - effects.mean_metadata
        for m, own in enumerate(effects.members):
            before[m] = before[m] + away @ own.by_metadata
    causes = _causes("features", tables.feature_encoder, 0)
    if effects.metadata is not None:
        causes += _causes("metadata", tables.metadata_encoder, 1)
    causes.append(("task", "beyond metadata", 2, None))

    def predict(subsets):
        """Predict (s,) for subsets (s, c) of causes that are as in the task; others as before."""
        features = np.repeat(start[0][None], len(subsets), axis=0)
        metadata = None if start[1] is None else np.repeat(start[1][None], len(subsets), axis=0)
        states = [np.repeat(own[None], len(subsets), axis=0) for own in before]
        for k, (_, _, part, at) in enumerate(causes):
            chosen = subsets[:, k]
            if part == 2:
                for state, own, other in zip(states, to[2], start[2], strict=True):
                    state[chosen] += own - other
                continue
            change = to[part][at] - start[part][at]
            (features, metadata)[part][np.ix_(chosen, at)] += change
            if part == 1:
                for state, own in zip(states, effects.members, strict=True):
                    state[chosen] += change @ own.by_metadata[at]
        return effects.evaluate(features, states, metadata)[0].mean(axis=0)

    contributions = _shapley(predict, len(causes))
    index = pd.MultiIndex.from_tuples([cause[:2] for cause in causes], names=["kind", "name"])
    return pd.DataFrame(
        {
            "value": [_shown(tables, to, cause) for cause in causes],
            "reference": [_shown(tables, start, cause) for cause in causes],
            "contribution": contributions,
        },
        index=index,
    )


def _description(effects, number):
    """Return mean features (d,), metadata (d_m,) or None, and deviations of states, of a task."""
    metadata = None if effects.metadata is None else effects.metadata[number]
    apart = [own.states[number] - own.expected[number] for own in effects.members]
    return effects.sums.means[number], metadata, apart


def _causes(kind, encoder, part):
    return [
        (kind, encoder.columns[column].name, part, at) for column, at in inputs_of(encoder).items()
    ]


def inputs_of(encoder):
    """Return the positions of the inputs that encode each column, by its number."""
    positions = {int(k): [n] for n, k in enumerate(encoder.numeric_)}
    start = len(encoder.numeric_)
    for k, _ in encoder.phases_:
        positions[int(k)] += [start, start + 1]
        start += 2
    for k in encoder.gaps_:
        positions[int(encoder.numeric_[k])].append(start)
        start += 1
    for k, indicators in zip(encoder.categorical_, encoder.indicators_, strict=True):
        positions[int(k)] = list(range(start, start + indicators.n_outputs))
        start += indicators.n_outputs
    return {k: np.array(at, dtype=int) for k, at in sorted(positions.items())}


def _shown(tables, description, cause):
    """Return the mean of a number in its own unit; None for other causes."""
    _, name, part, at = cause
    if part == 2:
        return np.nan
    encoder = (tables.feature_encoder, tables.metadata_encoder)[part]
    column = next(k for k, column in enumerate(encoder.columns) if column.name == name)
    if encoder.columns[column].kind != "numeric":
        return np.nan
    return float(description[part][at[0]] * encoder.scale_[at[0]] + encoder.center_[at[0]])


def _shapley(predict, n_causes):
    """Return Shapley values (c,) of a function of subsets of causes: they sum to its range.

    Exact for few causes, otherwise means over random orders and their reverses (Castro, Gomez and
    Tejada, "Polynomial calculation of the Shapley value", 2009), which add up all the same.
    """
    if n_causes <= _ALL_SUBSETS:
        subsets = (np.arange(2**n_causes)[:, None] >> np.arange(n_causes)) & 1 == 1
        values, sizes = predict(subsets), subsets.sum(axis=1)
        result = np.zeros(n_causes)
        for k in range(n_causes):
            without = np.flatnonzero(~subsets[:, k])
            weights = [1 / (n_causes * comb(n_causes - 1, size)) for size in sizes[without]]
            result[k] = np.dot(weights, values[without + (1 << k)] - values[without])
        return result
    generator, result = np.random.default_rng(0), np.zeros(n_causes)
    for _ in range(_N_ORDERS // 2):
        order = generator.permutation(n_causes)
        for chosen in (order, order[::-1]):
            steps = np.tri(n_causes + 1, n_causes, -1, dtype=bool)
            subsets = np.zeros_like(steps)
            subsets[:, chosen] = steps
            result[chosen] += np.diff(predict(subsets)) / (2 * (_N_ORDERS // 2))
    return result
