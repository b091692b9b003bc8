"""Dynamic weight average: values, and what the method promises."""

import numpy as np
import pytest
import torch

from skmtl import weighting
from tests._weighting import (
    assert_close,
    losses_for,
)


def test_dwa_is_that_of_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.DWA(temperature=1.5)
    method = weighting.DynamicWeightAverage(temperature=1.5)
    state = method.init_state(1, 4)
    for epoch in range(4):
        for batch in range(3):
            losses = losses_for(seed=10 * epoch + batch)[0].requires_grad_()
            theirs(losses).backward()
            assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        theirs.step()
        method.end_epoch(state)


def test_dwa_by_hand():
    method = weighting.DynamicWeightAverage(temperature=2.0)
    state = method.init_state(1, 3)
    absent = torch.tensor([[4.0, 1.0, torch.nan]])
    for losses in (absent, absent / 2, absent / 4):
        weights = method.weights(losses, state=state)
        method.end_epoch(state)
    assert weights[0, 2] == 0
    assert_close(weights[0, :2], [1.0, 1.0])
    losses = torch.tensor([[1.0, 0.5, 1.0]])
    # of the task that was not there, nothing is known
    rates = np.exp(np.array([0.5, 0.5, 1.0]) / 2.0)
    assert_close(method.weights(losses, state=state)[0], 3 * rates / rates.sum(), rtol=1e-5)
