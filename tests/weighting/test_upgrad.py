"""UPGrad: values, and what the method promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    opposite_halves,
    projections,
    quick,
    seeds,
    weigh,
)


@quick
@given(seeds, st.integers(2, 6), st.floats(0, 6))
def test_upgrad_harms_no_task(seed, n_tasks, decades):
    scale = 10.0 ** torch.linspace(-decades, decades, n_tasks, dtype=torch.float64)
    g = gradients(1, n_tasks, 3, seed) * scale[:, None]
    w = weigh(weighting.UPGrad(), g)
    length = (w.unsqueeze(2) * g).sum(1).norm()
    assert (projections(w, g)[0] / g[0].norm(dim=1) >= -1e-6 * length).all()
    assert (w >= 0).all()


@settings(max_examples=5, deadline=None)
@given(seeds, st.integers(2, 4))
def test_upgrad_projects_each_gradient(seed, n_tasks):
    # onto the dual cone, by Dykstra's alternating projections on half-spaces
    g = gradients(1, n_tasks, 8, seed)[0]
    expected = torch.zeros(8, dtype=torch.float64)
    for own in g:
        x, corrections = own.clone(), torch.zeros_like(g)
        for _ in range(500):
            for t, other in enumerate(g):
                y = x + corrections[t]
                x = y - other * (y @ other / (other @ other)).clamp(max=0)
                corrections[t] = y - x
        expected += x
    assert_close(weigh(weighting.UPGrad(), g[None])[0] @ g, expected, rtol=5e-3, atol=5e-3)


def test_upgrad_of_two_tasks_in_closed_form():
    for cosine in (-0.9, -0.3, 0.0, 0.6):
        # each is freed of its component along the other if they conflict
        expected = [[1 - 2 * min(cosine, 0), 1 - min(cosine, 0) / 2]]
        assert_close(weigh(weighting.UPGrad(), opposite_halves(cosine, 2.0)), expected)


def test_upgrad_is_that_of_torchjd():
    pytest.importorskip("qpsolvers")
    pytest.importorskip("quadprog")
    aggregation = pytest.importorskip("torchjd.aggregation")
    for g in gradients(5, 4, 6):
        ours = weigh(weighting.UPGrad(), g[None])[0] @ g
        theirs = aggregation.UPGradWeighting()(g @ g.T) @ g
        # theirs is the mean, of gradients to which a little is added
        assert_close(ours, 4 * theirs, rtol=5e-3, atol=5e-3)


def test_upgrad_makes_no_step_where_every_direction_harms_a_task():
    g = torch.tensor([[[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]]])
    assert_close(weigh(weighting.UPGrad(), g), [[0.0, 0.0, 0.0]])
