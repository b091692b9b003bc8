"""GradNorm: values, and what the method promises."""

import torch

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    gramian_of,
    losses_for,
)


def test_gradnorm_follows_the_gradient_of_its_loss():
    method = weighting.GradNorm(alpha=0.7, learning_rate=0.05)
    state, first = method.init_state(1, 4), losses_for(seed=0)
    w = torch.ones(4, dtype=torch.float64)
    optimizer = torch.optim.Adam([w.requires_grad_()], lr=0.05)
    for step in range(20):
        g, losses = gradients(seed=step), losses_for(seed=step)
        actual = method.weights(losses, gramian_of(g), state)[0]
        assert_close(actual, w.detach(), rtol=1e-6)
        lengths = g[0].norm(dim=1)
        ratio = losses[0] / first[0]
        target = (w * lengths).mean().detach() * (ratio / ratio.mean()) ** 0.7
        # in units of the mean length, as is documented
        loss = (w * lengths - target).abs().sum() / (w * lengths).mean().detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.data *= 4 / w.data.sum()


def test_gradnorm_makes_gradients_equally_long():
    method, g = weighting.GradNorm(alpha=0.0, learning_rate=0.01), gradients()
    state = method.init_state(1, 4)
    for _ in range(2000):
        w = method.weights(losses_for(), gramian_of(g), state)
    lengths = w[0] * g[0].norm(dim=1)
    assert_close(lengths, lengths.mean().expand(4), rtol=0.1)
