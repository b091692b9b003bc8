"""Smooth Chebyshev: values, and what the method promises."""

import pytest
import torch

from skmtl import weighting
from tests._weighting import assert_close, losses_for


@pytest.mark.parametrize("preference", [None, [0.1, 0.2, 0.3, 0.4]])
def test_chebyshev_is_that_of_torchjd(preference):
    scalarization = pytest.importorskip("torchjd.scalarization")
    chosen = None if preference is None else torch.tensor(preference, dtype=torch.float64)
    ideal = torch.tensor([0.1, 0.0, 0.2, 0.05], dtype=torch.float64)
    theirs = scalarization.STCH(0.2, chosen, ideal)
    losses = losses_for()[0].requires_grad_()
    theirs(losses).backward()
    method = weighting.SmoothChebyshev(0.2, preference, ideal.numpy())
    expected = losses.grad / losses.grad.mean()
    assert_close(method.weights(losses[None])[0], expected, rtol=1e-10)


def test_chebyshev_goes_to_the_largest_loss():
    losses = torch.tensor([[1.0, 1.1, 0.9]])
    assert_close(weighting.SmoothChebyshev(1e-4).weights(losses), [[0.0, 3.0, 0.0]], atol=1e-5)
    assert_close(weighting.SmoothChebyshev(1e4).weights(losses), torch.ones(1, 3), rtol=1e-4)
