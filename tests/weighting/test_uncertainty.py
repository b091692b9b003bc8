"""Uncertainty weighting: values, and what the method promises."""

import pytest
import torch

from skmtl import weighting
from tests._weighting import assert_close, learned, losses_for


def test_uncertainty_converges_to_the_noise_of_each_task():
    # the variance that is most likely, and half its inverse
    losses = torch.tensor([[0.01, 1.0, 4.0]], dtype=torch.float64)
    method = weighting.UncertaintyWeighting()
    assert_close(learned(method, losses), 0.5 / losses, rtol=1e-3)
    mixed = method.bind([range(3)], ["regression", "classes", "regression"])
    state = mixed.init_state(1, 3)
    for _ in range(3000):
        weights = method.weights(losses, state=state)
    # Kendall's classification: L / sigma^2 + log(sigma) is least at sigma^2 = 2 L
    assert_close(weights, 0.5 / losses, rtol=1e-3)
    assert method.weights(losses)[0, 0] == 0.5
    # the factor is seen at the start, where all variances are 1
    state = mixed.init_state(1, 3)
    assert method.weights(losses, state=state).tolist() == [[0.5, 1.0, 0.5]]


def test_uncertainty_steps_are_those_of_torch():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.UW(4).double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    method = weighting.UncertaintyWeighting(learning_rate=0.05)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        optimizer.step()
        optimizer.zero_grad()
