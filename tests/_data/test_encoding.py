"""Encoded columns, against scikit-learn's transformers and formulas."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl._data.columns import learn_columns, read_columns
from skmtl._data.encoding import MOST_CATEGORIES, ColumnEncoder


def encoder_of(frame, **changes):
    """Return a fitted encoder, and a function that encodes frames."""
    positions = list(range(frame.shape[1]))
    columns = learn_columns(frame, positions, "features")
    encoder = ColumnEncoder(columns, **changes)

    def read(table):
        return read_columns(table, positions, columns, "features", None)

    encoder.fit(read(frame))
    return encoder, lambda table: encoder.transform(read(table), "feature")


def test_numbers_are_standardised():
    X = pd.DataFrame(np.random.default_rng(0).normal(3, 2, (50, 3)), columns=list("abc"))
    scaler = StandardScaler().fit(X.to_numpy())
    for output in ("default", "pandas"):
        with config_context(transform_output=output):
            encoder, encode = encoder_of(X)
            assert type(encode(X)) is np.ndarray
            assert_allclose(encode(X), scaler.transform(X.to_numpy()), rtol=1e-12)
    assert encoder.n_outputs == 3


def test_gaps_are_the_mean_and_have_an_indicator():
    X = pd.DataFrame({"a": [1.0, 3.0, np.nan, 5.0], "b": [1.0, 2.0, 3.0, 4.0]})
    encoder, encode = encoder_of(X)
    assert encoder.n_outputs == 3
    actual = encode(X)
    size = np.std([1, 3, 5])
    assert_allclose(actual[:, 0], [-2 / size, 0, 0, 2 / size])
    assert_allclose(actual[:, 2], [-0.25, -0.25, 0.75, -0.25])
    # a gap where training rows have none is the mean, without an indicator
    assert_allclose(encode(pd.DataFrame({"a": [3.0], "b": [np.nan]})), [[0, 0, -0.25]])


def test_categories_are_centred_indicators():
    X = pd.DataFrame({"w": ["a", "b", "b", "c", None, "c"]})
    _, encode = encoder_of(X)
    expected = OneHotEncoder(sparse_output=False).fit_transform(X)
    assert_allclose(encode(X), expected - expected.mean(axis=0), atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(encode(pd.DataFrame({"w": ["z"]})), np.zeros((1, 4)), atol=1e-12)


def test_two_categories_are_one_column():
    X = pd.DataFrame({"w": ["a", "b", "b", "b"]})
    encoder, encode = encoder_of(X)
    assert encoder.n_outputs == 1
    assert_allclose(encode(X)[:, 0], [-0.75, 0.25, 0.25, 0.25])
    assert_allclose(encode(pd.DataFrame({"w": ["z", None]})), np.zeros((2, 1)), atol=1e-12)


def test_rare_categories_share_a_column():
    X = pd.DataFrame(
        {"w": [f"w{k}" for k in range(200)] + [f"w{k}" for k in range(MOST_CATEGORIES - 1)] * 2}
    )
    encoder, encode = encoder_of(X)
    assert encoder.n_outputs == MOST_CATEGORIES
    shared = encode(pd.DataFrame({"w": ["w150", "w199", "w0"]}))
    assert_allclose(shared[0], shared[1])
    assert not np.allclose(shared[0], shared[2])
    assert_allclose(
        encode(pd.DataFrame({"w": ["new"]})), np.zeros((1, MOST_CATEGORIES)), atol=1e-12
    )


@pytest.mark.parametrize("calendar", [True, False])
def test_dates_have_a_number_and_phases(calendar):
    X = pd.DataFrame({"d": pd.date_range("2023-01-01", periods=800, freq="18h")})
    encoder, encode = encoder_of(X, calendar=calendar)
    assert encoder.n_outputs == (7 if calendar else 1)
    actual = encode(X)
    seconds = (X["d"] - pd.Timestamp(0)).dt.total_seconds().to_numpy()
    assert_allclose(actual[:, 0], (seconds - seconds.mean()) / seconds.std())
    # phases count a tenth of numbers
    for k, days in enumerate((365.2425, 7, 1) if calendar else ()):
        angle = 2 * np.pi * seconds / 86_400 / days
        expected = (
            StandardScaler().fit_transform(np.column_stack([np.sin(angle), np.cos(angle)])) / 10
        )
        assert_allclose(actual[:, 1 + 2 * k : 3 + 2 * k], expected, atol=1e-6)


def test_sample_weights_are_repeats():
    X = pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "w": list("abca")})
    weights = np.array([1, 3, 2, 1])
    columns = learn_columns(X, [0, 1], "features")
    values = read_columns(X, [0, 1], columns, "features", None)
    weighted = ColumnEncoder(columns).fit(values, weights)
    repeated = ColumnEncoder(columns).fit(np.repeat(values, weights, axis=0))
    actual, expected = (e.transform(values, "feature") for e in (weighted, repeated))
    assert_allclose(actual, expected, atol=1e-12)
