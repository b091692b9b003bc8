"""MGDA: values, and what the method promises."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    by_torchjd,
    gradients,
    gramian_of,
    losses_for,
    opposite_halves,
    projections,
    quick,
    seeds,
    weigh,
)


@quick
@given(seeds, st.integers(2, 4))
def test_mgda_is_the_best_of_the_simplex(seed, n_tasks):
    gramian = gramian_of(gradients(1, n_tasks, 5, seed))
    w = weigh(weighting.MGDA(), gradients(1, n_tasks, 5, seed))[0] / n_tasks
    grid = np.array(
        [p for p in itertools.product(np.linspace(0, 1, 21), repeat=n_tasks - 1) if sum(p) <= 1]
    )
    grid = torch.from_numpy(np.column_stack([grid, 1 - grid.sum(1)]))
    others = torch.einsum("ni,ij,nj->n", grid, gramian[0], grid)
    assert (w @ gramian[0] @ w) <= others.min() + 1e-12
    assert (w >= 0).all()
    assert_close(w.sum(), 1.0)


@quick
@given(seeds, st.integers(2, 8))
def test_mgda_helps_every_task(seed, n_tasks):
    g = gradients(1, n_tasks, 5, seed)
    w = weigh(weighting.MGDA(), g)
    # and all that have a weight equally
    gained = projections(w, g)[0] / n_tasks
    square = (w @ gramian_of(g)[0] @ w.mT).item() / n_tasks**2
    assert (gained >= square - 1e-9).all()
    assert_close(gained[w[0] > 1e-6], np.full(int((w[0] > 1e-6).sum()), square), atol=1e-8)


@pytest.mark.parametrize(("cosine", "ratio"), [(-0.5, 1.0), (0.0, 2.0), (0.9, 3.0), (-0.9, 0.2)])
def test_mgda_of_two_tasks_in_closed_form(cosine, ratio):
    g = opposite_halves(cosine, ratio)
    a, b = g[0]
    gamma = float(((b - a) @ b / (b - a).square().sum()).clamp(0, 1))
    assert_close(weigh(weighting.MGDA(), g)[0], [2 * gamma, 2 - 2 * gamma], atol=1e-7)


def test_mgda_agrees_with_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    actual = weigh(weighting.MGDA(), g)
    theirs = by_torchjd(aggregation.MGDAWeighting(epsilon=1e-9, max_iters=1000), g)
    # whose steps converge slowly
    assert_close(actual, theirs, atol=0.1)
    # exact, so never longer

    def lengths(w):
        return torch.einsum("mi,mij,mj->m", w, gramian_of(g), w)

    assert (lengths(actual) <= lengths(theirs) + 1e-9).all()


def test_normalised_mgda_is_that_of_scaled_gradients():
    g, losses = gradients(2), losses_for(2)
    lengths = g.norm(dim=2)
    for name, size in {"l2": lengths, "loss": losses, "loss+": losses * lengths}.items():
        actual = weighting.MGDA(name).weights(losses, gramian_of(g))
        expected = weigh(weighting.MGDA(), g / size.unsqueeze(2))
        assert_close(actual, expected, atol=1e-8)


def test_mgda_pinned():
    g = torch.tensor([[[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]]])
    assert_close(weigh(weighting.MGDA(), g), [[1.2, 0.8]], rtol=1e-6)
