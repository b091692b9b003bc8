"""Nash-MTL: values, and what the method promises."""

import torch
from hypothesis import given
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


def test_nash_is_proportional_fairness():
    g = gradients(4, 5)
    assert_close(weigh(weighting.NashMTL(), g), weigh(weighting.FairGrad(1.0), g))


@quick
@given(seeds, st.floats(-6, 6))
def test_nash_does_not_look_at_the_length_of_a_gradient(seed, exponent):
    g = gradients(1, 3, 6, seed)
    scales = torch.tensor([1.0, 10**exponent, 1.0]).double()[:, None]
    step = weigh(weighting.NashMTL(), g)[0] @ g[0]
    other = weigh(weighting.NashMTL(), scales * g)[0] @ (scales * g)[0]
    assert_close(other / other.norm(), step / step.norm(), rtol=1e-4, atol=1e-5)


@quick
@given(seeds, st.integers(2, 5))
def test_nash_helps_every_task(seed, n_tasks):
    g = gradients(1, n_tasks, 6, seed)
    assert (projections(weigh(weighting.NashMTL(), g), g) > 0).all()


def test_nash_of_two_tasks_in_closed_form():
    for cosine, ratio in ((0.3, 1.0), (-0.8, 5.0), (0.0, 0.1)):
        actual = weigh(weighting.NashMTL(), opposite_halves(cosine, ratio))[0]
        assert_close(actual[0] / actual[1], ratio, rtol=1e-4)
