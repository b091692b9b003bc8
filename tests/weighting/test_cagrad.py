"""CAGrad: values, and what the method promises."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    opposite_halves,
    quick,
    seeds,
    weigh,
)


@quick
@given(seeds, st.floats(0.05, 0.95), st.integers(2, 6))
def test_cagrad_is_the_best_step_in_the_ball(seed, c, n_tasks):
    g = gradients(1, n_tasks, 5, seed)
    step = (weigh(weighting.CAGrad(c), g)[0] @ g[0]) / n_tasks
    mean = g[0].mean(0)
    assert (step - mean).norm() <= c * mean.norm() * (1 + 1e-6)
    worst = (g[0] @ step).min()
    generator = torch.Generator().manual_seed(seed)
    moves = torch.randn(2000, 5, generator=generator, dtype=torch.float64)
    moves = c * mean.norm() * moves / moves.norm(dim=1, keepdim=True)
    others = ((mean + moves) @ g[0].T).amin(1)
    # the best of many random steps on the border is no better
    assert worst >= others.max() - 1e-6 * g.norm()
    # and what duality promises is reached: the gap between both problems is zero
    x = weigh(weighting.CAGrad(c), g)[0] - 1
    x = x / x.sum()
    dual = (x @ g[0]) @ mean + c * mean.norm() * (x @ g[0]).norm()
    assert_close(worst, dual, rtol=2e-4, atol=1e-6)


def test_cagrad_of_two_tasks_in_closed_form():
    # equal lengths: both tasks are alike, and the step is along the mean
    for cosine in (-0.5, 0.0, 0.7):
        actual = weigh(weighting.CAGrad(0.4), opposite_halves(cosine))
        assert_close(actual, [[1.4, 1.4]], rtol=1e-5)


def test_cagrad_without_room_is_the_sum():
    assert (weigh(weighting.CAGrad(0.0), gradients()) == 1).all()


def test_cagrad_where_no_direction_helps_all_is_the_sum():
    g = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]])
    assert_close(weigh(weighting.CAGrad(), g), [[1.0, 1.0, 1.0]])


def step_of(method, g):
    return weigh(method, g[None])[0] @ g


@quick
@given(seeds, st.integers(2, 5))
def test_cagrad_ignores_tasks_without_a_gradient(seed, n_tasks):
    g = gradients(1, n_tasks, 5, seed)[0]
    with_finished = torch.cat([g, 1e-14 * g[:1]])
    assert_close(step_of(weighting.CAGrad(), with_finished), step_of(weighting.CAGrad(), g))


def test_cagrad_resolves_conflicts_beside_a_finished_task():
    # at this cosine, c = 0.5 has room for a step that harms no task
    g = torch.cat([opposite_halves(-0.12, 10.0)[0], torch.zeros(1, 2, dtype=torch.float64)])
    assert (g @ step_of(weighting.CAGrad(0.5), g) >= -1e-9).all()


@pytest.mark.parametrize(("c", "expected"), [(0.5, [0.25, 1.0]), (2.0, [0.0, 1.0])])
def test_cagrad_of_opposite_tasks_leaves_out_what_they_fight_over(c, expected):
    g = torch.tensor([[1.0, 0.0], [-0.5, 0.0], [0.0, 1.0]], dtype=torch.float64)
    step, total = step_of(weighting.CAGrad(c), g), g.sum(0)
    assert_close(step[1], 1.0)
    assert (total - step).norm() <= c * total.norm() + 1e-9
    if c > 1:
        assert_close(step, expected, atol=1e-6)


def test_cagrad_of_two_opposite_tasks_is_shorter_than_their_sum():
    g = torch.tensor([[1.0, 2.0], [-0.5, -1.0]], dtype=torch.float64)
    assert_close(step_of(weighting.CAGrad(0.3), g), 0.7 * g.sum(0), rtol=1e-6)


def test_cagrad_is_that_of_torchjd():
    pytest.importorskip("cvxpy")
    pytest.importorskip("clarabel")
    aggregation = pytest.importorskip("torchjd.aggregation")
    for g in gradients(5, 4, 6):
        theirs = aggregation.CAGradWeighting(c=0.5)(g @ g.T) @ g
        assert_close(step_of(weighting.CAGrad(), g), 4 * theirs, rtol=1e-3, atol=1e-3)
