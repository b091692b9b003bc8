"""Aligned-MTL: values, and what the method promises."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    gramian_of,
    quick,
    seeds,
    weigh,
)


@quick
@given(seeds, st.integers(1, 5), st.sampled_from(["min", "rmse"]))
def test_aligned_gradients_are_orthogonal_and_equally_long(seed, n_tasks, scale):
    g = gradients(1, n_tasks, 6, seed)[0]
    step = weigh(weighting.AlignedMTL(scale), g[None])[0] @ g
    u, s, v = torch.linalg.svd(g, full_matrices=False)
    size = s.min() if scale == "min" else s.square().mean().sqrt()
    assert_close(step, size * (u @ v).sum(0), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl_is_that_of_torchjd(scale):
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    method = aggregation.AlignedMTLWeighting(scale_mode=scale)
    theirs = torch.stack([method(gramian_of(one)) for one in g])
    assert_close(weigh(weighting.AlignedMTL(scale), g), 4 * theirs)


def test_rounding_is_no_direction():
    # rank 2, in single precision: a third eigenvalue is noise, and must not become the scale
    g = gradients(1, 2, 50).float()
    g = torch.cat([g, g.sum(1, keepdim=True)], dim=1)
    single = weigh(weighting.AlignedMTL(), g)
    double = weigh(weighting.AlignedMTL(), g.double())
    assert_close(single, double, rtol=1e-2, atol=1e-3)
    assert single.abs().max() > 0.1
