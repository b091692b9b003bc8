"""How difficult a row is: the magnitude of its error relative to that of others of its task."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import KFold

from skmtl._estimators.base_learner import _one_thread
from skmtl._estimators.trees import Trees

# a few small trees: errors are mostly noise, see benchmarks/intervals/LOG.md
_TREES = {"loss": "gamma", "max_iter": 30, "max_leaf_nodes": 4, "l2_regularization": 1.0}
_FEWEST_ROWS, _FEWEST_PER_LEAF, _MOST_LEAVES = 50, 20, 50
# standard errors by which out-of-sample rows have to be more likely with difficulties
_CLEARLY = 2.0
# of a magnitude of zero, relative to the mean
_SMALLEST = 1e-3


def learn_difficulty(inputs, magnitudes, weights):
    """Learn magnitudes, relative to those of the task, from inputs (n, d).

    Returns `Trees`, and factors (n,) of rows that trees have not learned from; or None and ones
    if errors are not clearly more likely with these factors, for an exponential distribution.
    """
    ones, mean = np.ones(len(magnitudes)), np.average(magnitudes, weights=weights)
    if len(magnitudes) < _FEWEST_ROWS or not mean > 0:
        return None, ones
    relative, factors = np.maximum(magnitudes / mean, _SMALLEST), ones.copy()
    for learn, apply in KFold(5, shuffle=True, random_state=0).split(inputs):
        trees = _fitted(inputs[learn], relative[learn], weights[learn])
        factors[apply] = trees.predict(inputs[apply])
    if not clearly_better(relative, factors, weights, np.arange(len(relative))):
        return None, ones
    return _fitted(inputs, relative, weights), factors


def clearly_better(magnitudes, factors, weights, units):
    """Return whether magnitudes (n,) are clearly more likely with factors than without.

    Units (n,), rows or tasks by number, are independent and count the same.
    """
    likelihoods = []
    for scale in (np.ones(len(magnitudes)), factors):
        scale = scale * np.average(magnitudes / scale, weights=weights)
        likelihoods.append(-np.log(scale) - magnitudes / scale)
    totals = np.bincount(units, weights)
    gains = np.bincount(units, weights * (likelihoods[1] - likelihoods[0]))
    gains = gains[totals > 0] / totals[totals > 0]
    return len(gains) > 1 and gains.mean() > _CLEARLY * gains.std(ddof=1) / np.sqrt(len(gains))


def _fitted(inputs, magnitudes, weights):
    # imported when it is needed: it takes long
    from sklearn.ensemble import HistGradientBoostingRegressor

    leaf = max(_FEWEST_PER_LEAF, len(magnitudes) // _MOST_LEAVES)
    model = HistGradientBoostingRegressor(
        **_TREES, min_samples_leaf=leaf, early_stopping=False, random_state=0
    )
    with _one_thread():
        return Trees(model.fit(inputs, magnitudes, sample_weight=weights), "log")
