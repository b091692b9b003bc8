"""Random effects from sums by task: the mixed model that they are estimates of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmtl._estimators.fit_sums import made_up_rows
from skmtl._estimators.random_effects import RandomEffects, StateSums, effective_directions


def one_way(n_tasks=40, n_rows=6, seed=0):
    """Return labels (T, n) with random intercepts, and their sums for networks that predict 0."""
    rng = np.random.default_rng(seed)
    y = 2 + rng.normal(size=(n_tasks, 1)) + rng.normal(size=(n_tasks, n_rows))
    return y, sums_of(y)


def sums_of(y):
    tasks = np.repeat(np.arange(len(y)), y.shape[1])
    nothing, ones = np.empty((y.size, 0)), np.ones(y.size)
    features = ones[:, None]
    return StateSums.of_rows(
        np.eye(1), np.array([-1]), tasks, features, nothing, y.ravel(), ones, len(y)
    )


def estimate(sums, metadata=None, trained=None):
    n_tasks = len(sums.counts)
    trained = np.ones(n_tasks, dtype=bool) if trained is None else trained
    return RandomEffects.of(sums, np.empty((n_tasks, 0)), trained, metadata)


def test_variances_are_those_of_analysis_of_variance():
    y, sums = one_way()
    n_tasks, n_rows = y.shape
    means = y.mean(axis=1)
    within = ((y - means[:, None]) ** 2).sum() / (n_tasks * (n_rows - 1))
    between = means.var(ddof=1) - within / n_rows
    effects = estimate(sums)
    assert_allclose(effects.noise, within, rtol=2e-3)
    assert_allclose(effects.covariance, [[between]], rtol=2e-3)
    # best linear unbiased predictions, and the errors of them (Henderson)
    known = between / (between + within / n_rows)
    assert_allclose(
        (effects.states - effects.expected)[:, 0],
        known * (means - means.mean()),
        rtol=2e-2,
        atol=1e-3,
    )
    error = between * (1 - known) + known**2 * (between + within / n_rows) / n_tasks
    assert_allclose(effects.errors[:, 0, 0], error, rtol=1e-2)
    assert effects.n_iter < 500


def test_zero_variance_stays_small():
    rng = np.random.default_rng(3)
    effects = estimate(sums_of(rng.normal(size=(60, 10))))
    assert effects.covariance[0, 0] < 0.03
    assert np.abs(effects.states - effects.expected).max() < 0.2


def test_metadata_explain_means():
    rng = np.random.default_rng(0)
    metadata = rng.normal(size=(50, 2))
    y = (metadata @ [1.0, 0.0])[:, None] + 0.3 * rng.normal(size=(50, 1)) + rng.normal(size=(50, 8))
    with_metadata, without = estimate(sums_of(y), metadata), estimate(sums_of(y))
    assert with_metadata.covariance < 0.3 * without.covariance
    assert_allclose(with_metadata.by_metadata[:, 0], [1.0, 0.0], atol=0.2)
    difference = with_metadata.expected - with_metadata.expected.mean(axis=0)
    centred = metadata - metadata.mean(axis=0)
    assert_allclose(centred @ with_metadata.by_metadata, difference, atol=1e-8)


def test_other_tasks_take_no_part_but_have_effects():
    y, _ = one_way()
    y[-5:] += 100
    trained = np.arange(len(y)) < len(y) - 5
    effects, alone = estimate(sums_of(y), trained=trained), estimate(sums_of(y[:-5]))
    assert_allclose(effects.covariance, alone.covariance)
    assert (effects.states[-5:, 0] > 50).all()


def test_sums_of_parts_are_sums_of_all():
    rng = np.random.default_rng(0)
    tasks, features, slopes = (
        rng.integers(4, size=30),
        rng.normal(size=(30, 2)),
        rng.normal(size=(30, 3)),
    )
    errors, weights = rng.normal(size=30), rng.random(30)
    embeddings = rng.normal(size=(4, 3))
    basis, terms = effective_directions(embeddings, features, tasks, slopes, errors, weights, 4)

    def of(rows):
        arrays = (values[rows] for values in (tasks, features, slopes, errors, weights))
        return StateSums.of_rows(basis, terms, *arrays, 4)

    whole, parts = of(slice(None)), of(slice(12)) + of(slice(12, None))
    for name in ("products", "gradients", "squares", "counts"):
        assert_allclose(getattr(parts, name), getattr(whole, name))
    assert_allclose(whole.counts, np.bincount(tasks, weights, minlength=4))


def test_directions_leave_out_what_changes_nothing():
    rng = np.random.default_rng(0)
    tasks = np.repeat(np.arange(20), 10)
    embeddings = rng.normal(size=(20, 3)) * [1.0, 1.0, 0.0]
    slopes = rng.normal(size=(200, 3)) * [1.0, 0.0, 1.0]
    features = rng.normal(size=(200, 12))
    errors, weights = rng.normal(size=200), np.ones(200)
    basis, terms = effective_directions(embeddings, features, tasks, slopes, errors, weights, 20)
    # one direction of the embedding, and eight of the thirteen terms
    assert basis.shape == (3 + 8, 1 + 8)
    assert np.abs(basis[0, 0]) > 100 * np.abs(basis[2, 0])
    assert len(terms) == 8


@pytest.mark.parametrize("seed", [0, 1])
def test_made_up_rows_look_like_those_they_stand_for(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=500)
    features = np.column_stack([np.exp(x), x + rng.normal(size=500), rng.integers(2, size=500)])
    made_up = made_up_rows(features)
    assert made_up.shape == (256, 3)
    assert_allclose(made_up.mean(axis=0), features.mean(axis=0), atol=0.1)
    ranks = [np.argsort(np.argsort(rows[:, :2], axis=0), axis=0) for rows in (made_up, features)]
    assert_allclose(*(np.corrcoef(rank.T)[0, 1] for rank in ranks), atol=0.07)
    assert set(made_up[:, 2]) == {0.0, 1.0}
    # no row is one of those it was made from
    assert not (made_up[:, None] == features).all(axis=2).any()
