"""Transfer gains."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal

from skmtl.metrics import transfer_gain
from tests._asserts import says


def test_transfer_gain_of_errors():
    actual = transfer_gain([1.0, 3.0, 2.0], [2.0, 2.0, 2.0])
    assert_series_equal(actual, pd.Series([0.5, -0.5, 0.0]))


def test_transfer_gain_of_scores():
    actual = transfer_gain([0.9, -0.5], [0.6, -1.0], greater_is_better=True)
    assert_allclose(actual, [0.5, 0.5])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.1, 1e6)), min_size=1))
@settings(deadline=None, max_examples=30)
def test_transfer_gain_is_the_share_of_the_error_that_is_gone(pairs):
    multi, single = np.array(pairs).T
    actual = transfer_gain(multi, single)
    assert (actual <= 1).all()
    assert_allclose(single * (1 - actual), multi, atol=1e-6)
    scores = transfer_gain(-multi, -single, greater_is_better=True)
    assert_allclose(scores, actual)


def test_transfer_gain_matches_labels():
    multi = pd.Series({"a": 1.0, "b": 2.0})
    for single in (pd.Series({"b": 4.0, "a": 4.0}), {"b": 4.0, "a": 4.0}, [4.0, 4.0]):
        assert_series_equal(transfer_gain(multi, single), pd.Series({"a": 0.75, "b": 0.5}))
    actual = transfer_gain([1.0, 2.0], {"a": 4.0, "b": 4.0})
    assert_series_equal(actual, pd.Series({"a": 0.75, "b": 0.5}))


def test_transfer_gain_without_an_error_to_compare_with():
    actual = transfer_gain([0.0, 1.0, np.nan], [0.0, 0.0, 1.0])
    assert actual.fillna(-1).tolist() == [0.0, -1.0, -1.0]


def test_what_transfer_gain_refuses():
    with says(ValueError, r"Only in multi: \['a'\]", r"only in single: \['c'\]"):
        transfer_gain({"a": 1.0, "b": 1.0}, {"b": 1.0, "c": 1.0})
    with says(ValueError, "multi has 1 tasks, but single has 2"):
        transfer_gain([1.0], [1.0, 2.0])
    with says(ValueError, "negative", "greater_is_better=True"):
        transfer_gain([-1.0], [-2.0])
    with says(ValueError, "single has several", r"\['a'\]"):
        transfer_gain([1.0, 1.0], pd.Series([1.0, 2.0], index=["a", "a"]))
    with says(ValueError, "multi has 2 dimensions"):
        transfer_gain(np.ones((2, 2)), [1.0, 2.0])
