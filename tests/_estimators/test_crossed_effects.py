"""Variance components of crossed and nested effects, against the likelihood they maximise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skmtl._estimators import crossed_effects
from skmtl._estimators.crossed_effects import estimate_components


def crossed(seed=0, n_rows=400, sizes=(12, 15), slopes=True):
    """Return labels, ids and regressors by level: intercepts of both, slopes of the first."""
    rng = np.random.default_rng(seed)
    numbers = np.stack([rng.integers(0, size, n_rows) for size in sizes], axis=1)
    x = rng.normal(size=n_rows)
    one, two = rng.normal(size=(sizes[0], 2)) * [1.0, 0.7], 1.5 * rng.normal(size=sizes[1])
    first = np.column_stack([np.ones(n_rows), x]) if slopes else np.ones((n_rows, 1))
    own = (first * one[numbers[:, 0], : first.shape[1]]).sum(axis=1)
    y = 3 + own + two[numbers[:, 1]] + 0.5 * rng.normal(size=n_rows)
    return y, numbers, [first, np.ones((n_rows, 1))], sizes


def restricted_deviance(parameters, y, fixed, columns, ranks):
    """Return -2 log restricted likelihood of variances, dense and in double precision."""
    noise, rest = np.exp(parameters[0]), parameters[1:]
    covariance = noise * np.eye(len(y))
    for design, rank in zip(columns, ranks, strict=True):
        count = rank * (rank + 1) // 2
        root = np.zeros((rank, rank))
        root[np.tril_indices(rank)], rest = rest[:count], rest[count:]
        size = design.shape[1] // rank
        covariance += design @ np.kron(np.eye(size), root @ root.T) @ design.T
    inverse = np.linalg.inv(covariance)
    normal = fixed.T @ inverse @ fixed
    left = y - fixed @ np.linalg.solve(normal, fixed.T @ inverse @ y)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(normal)[1]
    return logs + left @ inverse @ left


def test_estimates_maximise_the_restricted_likelihood():
    y, numbers, slopes, sizes = crossed(n_rows=200, sizes=(8, 10))
    fixed = slopes[0]
    found = estimate_components(y, np.ones(len(y)), fixed, slopes, numbers, sizes)
    columns = [
        crossed_effects._spread(own, numbers[:, level], sizes[level]).toarray()
        for level, own in enumerate(slopes)
    ]
    roots = [np.linalg.cholesky(c)[np.tril_indices(len(c))] for c in found.covariances]
    at = np.concatenate([[np.log(found.noise)], *roots])
    arguments = y, fixed, columns, [2, 1]
    best = minimize(restricted_deviance, at, arguments, method="BFGS", options={"gtol": 1e-3})
    assert restricted_deviance(at, *arguments) < best.fun + 1e-2
    assert_allclose(found.noise, np.exp(best.x[0]), rtol=2e-2)
    assert_allclose(np.sqrt(found.covariances[1]), np.abs([[best.x[4]]]), rtol=2e-2)


def test_draws_agree_with_exact_covariances(monkeypatch):
    y, numbers, slopes, sizes = crossed(n_rows=1500, sizes=(40, 50))
    exact = estimate_components(y, np.ones(len(y)), slopes[0], slopes, numbers, sizes)
    monkeypatch.setattr(crossed_effects, "_MOST_DENSE", 0)
    drawn = estimate_components(y, np.ones(len(y)), slopes[0], slopes, numbers, sizes)
    for one, other in zip(drawn.covariances, exact.covariances, strict=True):
        assert_allclose(one, other, rtol=0.03, atol=0.02)
    assert_allclose(drawn.noise, exact.noise, rtol=0.02)
    assert_allclose(drawn.fixed, exact.fixed, atol=0.02)
    assert_allclose(drawn.known, exact.known, atol=0.02)
    assert drawn.free == pytest.approx(exact.free, rel=0.02)


def test_a_weight_is_as_many_rows():
    y, numbers, slopes, sizes = crossed(slopes=False)
    weights = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    copies = np.repeat(np.arange(len(y)), weights.astype(int))
    fixed = np.ones((len(y), 1))
    repeated = estimate_components(
        y[copies],
        np.ones(len(copies)),
        fixed[copies],
        [own[copies] for own in slopes],
        numbers[copies],
        sizes,
    )
    weighted = estimate_components(y, weights, fixed, slopes, numbers, sizes)
    # the noise of a row of weight 1 differs, since equal rows look like less noise
    for one, other in zip(weighted.covariances, repeated.covariances, strict=True):
        assert_allclose(one, other, rtol=0.05)


def test_missing_ids_have_no_effect():
    y, numbers, slopes, sizes = crossed(slopes=False)
    y = np.append(y, [50.0, 50.0])
    numbers = np.concatenate([numbers, [[-1, -1], [-1, -1]]])
    fixed = np.zeros((len(y), 2))
    fixed[:-2, 0], fixed[-2:, 1] = 1, 1
    slopes = [np.ones((len(y), 1))] * 2
    found = estimate_components(y, np.ones(len(y)), fixed, slopes, numbers, sizes)
    assert_allclose(found.fixed[1], 50, atol=1e-6)
    assert found.covariances[0].item() < 5
