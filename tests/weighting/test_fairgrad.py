"""FairGrad: values, and what the method promises."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from skmtl import weighting
from skmtl.weighting._nash import _RIDGE
from tests._weighting import (
    assert_close,
    by_torchjd,
    gradients,
    gramian_of,
    quick,
    seeds,
    weigh,
)


@quick
@example(seed=697, n_tasks=6, alpha=5.0)
@given(seeds, st.integers(1, 6), st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_fairgrad_solves_its_system(seed, n_tasks, alpha):
    g = gradients(1, n_tasks, 6, seed)
    w = weigh(weighting.FairGrad(alpha), g)
    # up to the scale: (G w)^-alpha is a multiple of w. The small addition to the diagonal is part
    # of the system: it counts where gradients are nearly dependent (seed 697, six tasks)
    gramian = gramian_of(g)[0]
    gramian += _RIDGE * torch.diag(gramian.diag())
    slope = (gramian @ w[0]) ** -alpha
    assert_close(slope / slope.mean(), w[0], rtol=1e-4)
    assert (w > 0).all()


def test_fairgrad_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 3, 8)
    for alpha in (0.5, 1.0, 2.0):
        theirs = by_torchjd(aggregation.FairGradWeighting(alpha=alpha), g)
        assert_close(weigh(weighting.FairGrad(alpha), g), theirs, rtol=1e-3)
