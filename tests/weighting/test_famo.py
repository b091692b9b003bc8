"""FAMO: values, and what the method promises."""

import pytest

from skmtl import weighting
from tests._weighting import assert_close, losses_for


def test_famo_is_that_of_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.FAMO(4, lr=0.05, weight_decay=1e-2).double()
    method = weighting.FAMO(learning_rate=0.05, alpha=1e-2)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        actual = method.weights(losses[None], state=state)[0]
        assert_close(actual, 4 * losses.grad, rtol=1e-6)
        after = losses_for(seed=step + 1000)
        theirs.update(after[0])
        method.end_step(losses.detach()[None], after, state)
