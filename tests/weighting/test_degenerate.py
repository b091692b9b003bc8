"""Degenerate gradients: zero, repeated, opposite, of very different lengths, of low rank."""

import pytest
import torch

from skmtl import weighting
from tests._weighting import GRADIENT_METHODS, METHODS, gradients, seeded, weigh

aggregation = pytest.importorskip("torchjd.aggregation")


def zero_row(g):
    return torch.cat([g[:3], torch.zeros_like(g[:1])])


def duplicates(g):
    return torch.cat([g[:2], g[:2]])


def opposite(g):
    return torch.cat([g[:3], -g[:1]])


def lengths(g):
    return g * torch.tensor([1e6, 1.0, 1.0, 1e-6], dtype=g.dtype)[:, None]


def low_rank(g):
    # of the same half-space, so that there is a direction that helps all
    plane = g[:, :2].clone()
    plane[:, 0] = plane[:, 0].abs() + 0.1
    return torch.nn.functional.pad(plane, (0, g.shape[1] - 2))


CASES = [zero_row, duplicates, opposite, lengths, low_rank]
# the oracle of each method, where it is defined and exact
ORACLES = {
    "upgrad": (aggregation.UPGradWeighting, [zero_row, duplicates, opposite, low_rank]),
    "mgda": (
        lambda: aggregation.MGDAWeighting(epsilon=1e-9, max_iters=5000),
        [duplicates, low_rank],
    ),
    "aligned-mtl": (aggregation.AlignedMTLWeighting, [duplicates, low_rank]),
    "imtl-g": (aggregation.IMTLGWeighting, [duplicates]),
}


def direction(weights, g):
    step = weights @ g
    return step / step.norm()


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, (_, cases) in ORACLES.items() for case in cases]
)
def test_steps_are_those_of_torchjd(name, case):
    oracle = ORACLES[name][0]
    if name == "upgrad":
        pytest.importorskip("qpsolvers")
        pytest.importorskip("quadprog")
    for seed in range(5):
        g = case(gradients(1, 4, 6, seed)[0])
        ours = direction(weigh(METHODS[name], g[None])[0], g)
        theirs = direction(oracle()(g @ g.T), g)
        assert (ours - theirs).norm() < 0.02


@pytest.mark.parametrize(
    ("name", "case"),
    # the step of MGDA is as short as the shortest gradient, and lost in rounding for `lengths`
    [("upgrad", case) for case in CASES]
    + [("mgda", case) for case in CASES if case is not lengths],
)
def test_no_task_is_harmed(name, case):
    for seed in range(10):
        g = case(gradients(1, 4, 6, seed)[0])
        step = weigh(METHODS[name], g[None])[0] @ g
        assert (g @ step >= -1e-6 * g.norm(dim=1) * step.norm() - 1e-9).all()


@pytest.mark.parametrize("case", CASES)
def test_cagrad_stays_near_the_sum_and_does_best_there(case):
    for seed in range(10):
        g = case(gradients(1, 4, 6, seed)[0])
        total, step = g.sum(0), weigh(weighting.CAGrad(0.5), g[None])[0] @ g
        assert (step - total).norm() <= 0.5 * total.norm() * (1 + 1e-6)
        known = g[g.norm(dim=1) > 0]
        worst = (known @ step).min()
        assert worst >= (known @ total).min() - 1e-6 * known.norm() * total.norm()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_weights_are_finite(name, case):
    method, g = METHODS[name], case(gradients(1, 4, 6)[0])[None]
    weights = weigh(method, g, state=method.init_state(1, 4), generators=seeded(1))
    assert weights.isfinite().all()
