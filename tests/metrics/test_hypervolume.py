"""Hypervolume against inclusion and exclusion, and against a fine grid."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl.metrics import hypervolume


def by_inclusion_and_exclusion(points, reference):
    total = 0.0
    for k in range(1, len(points) + 1):
        for subset in combinations(points, k):
            sides = np.maximum(np.subtract(reference, np.max(subset, axis=0)), 0)
            total -= (-1) ** k * np.prod(sides)
    return total


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 3), st.booleans())
@settings(deadline=None, max_examples=80)
def test_exact_volumes(seed, n, n_tasks, rounded):
    points = np.random.default_rng(seed).uniform(0, 1.2, (n, n_tasks))
    # rounded ones tie
    points = points.round(1) if rounded else points
    expected = by_inclusion_and_exclusion(points, np.ones(n_tasks))
    assert hypervolume(points, np.ones(n_tasks)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n_tasks", [2, 3, 5])
def test_the_estimate_is_as_far_off_as_it_says(n_tasks):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1, (7, n_tasks))
    expected = by_inclusion_and_exclusion(points, np.ones(n_tasks))
    away = []
    for seed in range(20):
        volume, error = hypervolume(
            points,
            np.ones(n_tasks),
            method="monte carlo",
            n_samples=2000,
            return_error=True,
            random_state=seed,
        )
        away.append((volume - expected) / error)
    assert 0.5 < np.std(away) < 1.6
    assert abs(np.mean(away)) < 1


def test_many_objectives():
    points = np.full((1, 6), 0.5)
    volume, error = hypervolume(points, np.ones(6), return_error=True)
    assert volume == pytest.approx(0.5**6)
    assert error == 0


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([[0.5, 0.5], [0.1, 1.0], [2, 0]], [1, 1]) == 0.25
    assert hypervolume([[2.0, 2.0]], [1, 1]) == 0
    assert hypervolume([[2.0, 2.0]], [1, 1], return_error=True) == (0, 0)
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0


@pytest.mark.parametrize(
    ("points", "reference", "changes", "message"),
    [
        ([[1, 2, 3]], [1, 1], {}, "shape"),
        ([1, 2], [1, 1], {}, "shape"),
        ([[1, np.nan]], [1, 1], {}, "finite"),
        ([[1, 1]], [[1, 1]], {}, "one number per objective"),
        ([[1, 1]], [1, 1], {"method": "guess"}, "method must be"),
    ],
)
def test_bad_input(points, reference, changes, message):
    with pytest.raises(ValueError, match=message):
        hypervolume(points, reference, **changes)


def test_exact_volumes_of_many_objectives_need_moocore(monkeypatch):
    from skmtl.metrics import _hypervolume

    monkeypatch.setattr(_hypervolume, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="moocore"):
        hypervolume(np.zeros((1, 4)), np.ones(4), method="exact")
    volume, error = hypervolume(np.full((3, 4), 0.5), np.ones(4), return_error=True)
    assert volume == 0.5**4
    assert error == 0


def test_moocore_agrees():
    pytest.importorskip("moocore")
    points = np.random.default_rng(0).uniform(0, 1, (6, 4))
    expected = by_inclusion_and_exclusion(points, np.ones(4))
    assert hypervolume(points, np.ones(4), method="exact") == pytest.approx(expected)
