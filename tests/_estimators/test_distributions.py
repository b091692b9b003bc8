"""Distributions of scores: against formulas of conformal prediction, on few numbers."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmtl._estimators.distributions import (
    _OWN_SHARE,
    Distribution,
    TaskDistributions,
    TooFewError,
)
from skmtl._estimators.error_scores import KnownErrors, NewErrors

RNG = np.random.default_rng(0)
NINETY = np.array([0.05, 0.95])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_one_sided_bounds_are_those_of_split_conformal_prediction(level):
    scores = RNG.normal(size=37)
    bounds = Distribution(scores, np.ones(37), 37).quantiles(np.array([level]), one_sided=True)
    # Lei et al. 2018: the ceil((n + 1) level)-th smallest
    assert_allclose(bounds, np.sort(scores)[int(np.ceil(38 * level)) - 1])


def test_mirrored_bounds_are_those_of_magnitudes():
    scores = RNG.normal(size=50) + 0.3
    bounds = Distribution(scores, np.ones(50), 50, symmetric_at=50).quantiles(NINETY)
    half = np.sort(np.abs(scores))[int(np.ceil(51 * 0.9)) - 1]
    assert_allclose(bounds, [-half, half])


def test_both_bounds_of_many_scores_have_their_own_tail():
    scores = RNG.exponential(size=4999)
    bounds = Distribution(scores, np.ones(4999), 4999).quantiles(NINETY)
    ordered = np.sort(scores)
    assert_allclose(bounds, [ordered[249], ordered[4749]])


def test_weights_count_copies():
    scores, copies = RNG.normal(size=40), RNG.integers(1, 4, size=40)
    repeated = np.repeat(scores, copies)
    one = Distribution(scores, copies.astype(float), copies.sum(), 100)
    other = Distribution(repeated, np.ones(len(repeated)), len(repeated), 100)
    assert_allclose(one.quantiles(NINETY), other.quantiles(NINETY))


def test_quantiles_that_were_asked_for_before_are_the_same():
    tasks = RNG.integers(0, 5, size=100)
    scores = TaskDistributions(RNG.normal(size=100), tasks, np.ones(100), 5, 100)
    every = np.arange(5)
    first = scores.quantiles(every, NINETY)
    other = scores.quantiles(every, np.array([0.2, 0.8]))
    assert (other[:, 0] > first[:, 0]).all()
    assert_array_equal(scores.quantiles(every, NINETY), first)
    assert_array_equal(pickle.loads(pickle.dumps(scores)).quantiles(every, NINETY), first)
    assert "_last" not in scores.__getstate__()


def test_quantiles_never_cross():
    distribution = Distribution(RNG.normal(size=300), np.ones(300), 300, 100)
    bounds = distribution.quantiles(np.linspace(0.02, 0.98, 49))
    assert (np.diff(bounds) >= 0).all()


@pytest.mark.parametrize("symmetric_at", [0, 1000])
def test_too_few_scores_tell_how_many_are_needed(symmetric_at):
    def quantiles(n):
        scores = np.arange(n) - n / 2
        return Distribution(scores, np.ones(n), n, symmetric_at).quantiles(NINETY)

    with pytest.raises(TooFewError) as error:
        quantiles(8)
    assert error.value.needed == (9 if symmetric_at else 19)
    assert np.isfinite(quantiles(error.value.needed)).all()
    with pytest.raises(TooFewError):
        quantiles(error.value.needed - 1)


def test_tasks_are_between_their_own_distribution_and_that_of_all():
    tasks = np.repeat([0, 1, 2], [400, 4, 0]).astype(int)
    values = np.concatenate([5 + RNG.normal(size=400), RNG.normal(size=4)])
    scores = TaskDistributions(values, tasks, np.ones(404), 3)
    large, small, empty = scores.quantiles(np.arange(3), NINETY)
    assert_allclose(empty, scores.all.quantiles(NINETY))
    # the small task, whose own scores are near 0, has hardly a say
    assert_allclose(small[1], empty[1], atol=0.2)
    assert 3 < large[0] < 4
    assert scores.add_tasks(2).quantiles(np.array([4]), NINETY) == pytest.approx(empty[None])


def test_a_mixture_is_what_its_definition_says():
    tasks = RNG.integers(0, 3, size=60)
    scores = TaskDistributions(RNG.normal(size=60), tasks, np.ones(60), 3)
    of_task = scores.values[scores.tasks == 1]
    share = len(of_task) / (len(of_task) + _OWN_SHARE)
    (bounds,) = scores.quantiles(np.array([1]), np.array([0.8]), one_sided=True)[0]
    level = 0.8 * 61 / 60

    def cdf(x):
        return share * np.mean(of_task <= x) + (1 - share) * np.mean(scores.values <= x)

    assert cdf(bounds) >= level > cdf(bounds - 1e-6)


def tasks_of_unequal_noise(n_tasks=40, n_rows=60, seed=0):
    rng = np.random.default_rng(seed)
    tasks = np.repeat(np.arange(n_tasks), n_rows)
    scale = np.exp(rng.uniform(-1.5, 0.8, n_tasks))
    return tasks, scale, rng


def test_every_task_is_covered_though_noise_differs_tenfold():
    tasks, scale, rng = tasks_of_unequal_noise()
    errors = KnownErrors(
        scale[tasks] * rng.normal(size=len(tasks)), tasks, np.ones(len(tasks)), np.full(40, 60)
    )
    bounds = errors.quantiles(tasks, NINETY)
    new = scale[tasks] * rng.normal(size=len(tasks))
    inside = (bounds[:, 0] <= new) & (new <= bounds[:, 1])
    assert 0.87 < inside.mean() < 0.93
    assert (inside.reshape(40, 60).mean(axis=1) > 0.75).all()
    assert_allclose(errors.deviations, scale, rtol=0.35)
    # one distribution for all would serve half of the tasks badly
    pooled = np.quantile(np.abs(new), 0.9)
    assert ((np.abs(new) <= pooled).reshape(40, 60).mean(axis=1) < 0.75).sum() > 3


def test_equal_noise_is_pooled():
    rng = np.random.default_rng(1)
    tasks = np.repeat(np.arange(50), 4)
    errors = KnownErrors(rng.normal(size=200), tasks, np.ones(200), np.full(50, 4))
    assert errors.prior_count >= 16
    assert np.ptp(errors.scales) < 0.5 * errors.scales.mean()


def test_small_tasks_have_larger_errors_if_sizes_differ():
    rng = np.random.default_rng(2)
    sizes = np.repeat([2, 50], 40)
    tasks = np.repeat(np.arange(80), sizes)
    noise = np.where(sizes == 2, 2.0, 1.0)[tasks] * rng.normal(size=len(tasks))
    errors = KnownErrors(noise, tasks, np.ones(len(tasks)), sizes)
    assert errors.size_effect[1] > 0
    small, large = errors.scales[:40].mean(), errors.scales[40:].mean()
    assert 1.5 < small / large < 2.5
    more = errors.add_tasks(np.array([2.0, 50.0]))
    assert_allclose(more.scales[80] / more.scales[81], small / large, rtol=0.3)
    assert_array_equal(more.quantiles(tasks, NINETY), errors.quantiles(tasks, NINETY))


def test_rows_of_new_tasks_are_covered_by_the_quantiles_of_tasks():
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 30, size=20)
        tasks = np.repeat(np.arange(20), sizes)
        shift, noise = rng.normal(size=21), rng.normal(size=len(tasks))
        errors = NewErrors(shift[tasks] + 0.5 * noise, tasks, np.ones(len(tasks)))
        ((low, high),) = errors.quantiles([-1], NINETY)
        new = shift[20] + 0.5 * rng.normal(size=50)
        inside.append(np.mean((low <= new) & (new <= high)))
    # at least, see section 3 of Lee, Barber and Willett 2023
    assert 0.88 < np.mean(inside) < 0.98


def test_every_held_out_task_counts_the_same():
    tasks = np.repeat(np.arange(20), [1000] + [10] * 19)
    errors = np.where(tasks == 0, 100.0, np.linspace(-1, 1, len(tasks)))
    scores = NewErrors(errors, tasks, np.ones(len(tasks)))
    ((_, high),) = scores.quantiles([-1], np.array([0.2, 0.8]))
    assert high < 2
