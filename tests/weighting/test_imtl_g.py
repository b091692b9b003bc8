"""IMTL-G: values, and what the method promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    by_torchjd,
    gradients,
    projections,
    quick,
    seeds,
    weigh,
)


@quick
@given(seeds, st.integers(1, 5))
def test_imtl_g_has_equal_projections(seed, n_tasks):
    g = gradients(1, n_tasks, 6, seed)
    w = weigh(weighting.IMTLG(), g)
    unit = projections(w, g)[0] / g[0].norm(dim=1)
    assert_close(unit, unit.mean().expand(n_tasks), rtol=1e-6)
    assert_close(w.mean(), 1.0)


def test_imtl_g_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    assert_close(weigh(weighting.IMTLG(), g), by_torchjd(aggregation.IMTLGWeighting(), g))
