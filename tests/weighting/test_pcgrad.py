"""PCGrad: values, and what the method promises."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    gramian_of,
    projections,
    quick,
    seeded,
    seeds,
    weigh,
)


def slow_pcgrad(g, orders):
    """The paper's algorithm, on the gradients themselves."""
    total = 0
    for i, order in enumerate(orders):
        h = g[i].clone()
        for j in order:
            if j != i and h @ g[j] < 0:
                h -= (h @ g[j]) / (g[j] @ g[j]) * g[j]
        total = total + h
    return total


@quick
@given(seeds, st.integers(1, 7))
def test_pcgrad_is_the_algorithm_of_the_paper(seed, n_tasks):
    g = gradients(2, n_tasks, 5, seed)
    w = weigh(weighting.PCGrad(), g, generators=seeded(2, seed))
    for m, generator in enumerate(seeded(2, seed)):
        orders = torch.rand(n_tasks, n_tasks, generator=generator).argsort(dim=1).tolist()
        assert_close(w[m] @ g[m], slow_pcgrad(g[m], orders), rtol=1e-8, atol=1e-10)


def test_pcgrad_of_two_tasks_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    # where there is but one order
    g = gradients(20, 2, 3)
    theirs = torch.stack([aggregation.PCGradWeighting()(gramian_of(one)) for one in g])
    assert_close(weigh(weighting.PCGrad(), g), theirs)


def test_pcgrad_is_on_average_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(1, 5, 4, seed=3)
    torch.manual_seed(0)
    method = aggregation.PCGradWeighting()
    theirs = torch.stack([method(gramian_of(g[0])) for _ in range(400)]).mean(0)
    ours = weigh(weighting.PCGrad(), g.expand(400, -1, -1), generators=seeded(400)).mean(0)
    assert_close(ours, theirs, rtol=0.05)


@quick
@given(seeds)
def test_pcgrad_of_two_tasks_helps_both(seed):
    g = gradients(1, 2, 3, seed)
    assert (projections(weigh(weighting.PCGrad(), g), g) >= -1e-10).all()


def test_pcgrad_leaves_gradients_alone_that_do_not_conflict():
    g = gradients(3).abs()
    assert (weigh(weighting.PCGrad(), g) == 1).all()


def test_orders_are_those_of_the_member():
    g = gradients(1, 6, 4).expand(2, -1, -1)
    first = weigh(weighting.PCGrad(), g, generators=seeded(2))
    assert torch.equal(first, weigh(weighting.PCGrad(), g, generators=seeded(2)))
    assert not torch.equal(first[0], first[1])
