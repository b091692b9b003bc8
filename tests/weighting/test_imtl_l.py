"""IMTL-L: values, and what the method promises."""

import pytest
import torch

from skmtl import weighting
from tests._weighting import assert_close, learned, losses_for, run


def test_imtl_l_steps_are_those_of_torch():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.IMTLL(4).double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    method = weighting.IMTLL(learning_rate=0.05)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        optimizer.step()
        optimizer.zero_grad()


def test_imtl_l_makes_all_losses_one():
    losses = torch.tensor([[0.01, 1.0, 40.0]], dtype=torch.float64)
    assert_close(learned(weighting.IMTLL(), losses, 5000) * losses, torch.ones(1, 3), rtol=1e-3)


def test_uncertainty_and_imtl_l_differ_by_a_factor():
    batches = [(losses_for(2, seed=s), None) for s in range(8)]
    uncertainty, _ = run(weighting.UncertaintyWeighting(), batches, [0, 1])
    imtl, _ = run(weighting.IMTLL(), batches, [0, 1])
    assert_close(2 * uncertainty, imtl, rtol=1e-6)
