"""Metrics of numbers agree with plain loops and with scikit-learn, whatever is missing."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score

from skmtl.metrics import (
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_root_mean_squared_error,
)
from tests._metrics import PROBABILITY, REGRESSION, with_gaps


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("ours", "theirs"), REGRESSION.items())
def test_regression_metric_is_scikit_learns_on_the_labels_of_each_task(
    numbers, ours, theirs, weighted
):
    y_true, y_pred, weights = numbers
    expected = []
    for t in range(5):
        there = ~np.isnan(y_true[:, t])
        weight = weights[there] if weighted else None
        expected.append(theirs(y_true[there, t], y_pred[there, t], sample_weight=weight))
    weights = weights if weighted else None
    actual = ours(y_true, y_pred, sample_weight=weights, average=None)
    assert_series_equal(actual, pd.Series(expected, index=range(5)))
    macro = ours(y_true, y_pred, sample_weight=weights)
    assert isinstance(macro, float)
    assert_allclose(macro, np.mean(expected))


@pytest.mark.parametrize("weighted", [False, True])
def test_micro_takes_all_labels_together(numbers, weighted):
    y_true, y_pred, weights = numbers
    squares = absolutes = deviations = total = 0.0
    for t in range(5):
        labels = [(y_true[i, t], weights[i] if weighted else 1) for i in range(40)]
        labels = [(y, w) for y, w in labels if y == y]
        mean = sum(w * y for y, w in labels) / sum(w for _, w in labels)
        for i in range(40):
            if np.isnan(y_true[i, t]):
                continue
            w = weights[i] if weighted else 1
            squares += w * (y_true[i, t] - y_pred[i, t]) ** 2
            absolutes += w * abs(y_true[i, t] - y_pred[i, t])
            deviations += w * (y_true[i, t] - mean) ** 2
            total += w
    options = {"sample_weight": weights if weighted else None, "average": "micro"}
    assert_allclose(mt_mean_squared_error(y_true, y_pred, **options), squares / total)
    assert_allclose(mt_root_mean_squared_error(y_true, y_pred, **options), np.sqrt(squares / total))
    assert_allclose(mt_mean_absolute_error(y_true, y_pred, **options), absolutes / total)
    assert_allclose(mt_r2_score(y_true, y_pred, **options), 1 - squares / deviations)


def test_levels_of_tasks_explain_nothing_in_micro_r2():
    y_true = np.array([[1.0, 101.0], [3.0, 103.0]])
    assert mt_r2_score(y_true, [[2.0, 102.0], [2.0, 102.0]], average="micro") == 0.0


def test_micro_r2_of_constant_labels_is_as_scikit_learn_has_it():
    y = np.ones((3, 2))
    assert mt_r2_score(y, y, average="micro") == r2_score(y[:, 0], y[:, 0]) == 1.0
    assert mt_r2_score(y, y + 1, average="micro") == r2_score(y[:, 0], y[:, 0] + 1) == 0.0


@pytest.mark.parametrize(("ours", "theirs"), REGRESSION.items())
def test_macro_of_complete_labels_is_the_uniform_average(numbers, ours, theirs):
    _, y_pred, weights = numbers
    y_true = y_pred[::-1] ** 2
    assert_allclose(ours(y_true, y_pred), theirs(y_true, y_pred))
    assert_allclose(
        ours(y_true, y_pred, sample_weight=weights),
        theirs(y_true, y_pred, sample_weight=weights),
    )


def test_weights_of_single_labels(numbers):
    y_true, y_pred, _ = numbers
    weights = np.random.default_rng(2).uniform(size=y_true.shape)
    actual = mt_mean_squared_error(y_true, y_pred, sample_weight=weights, average=None)
    for t in range(5):
        there = ~np.isnan(y_true[:, t])
        expected = np.average((y_true - y_pred)[there, t] ** 2, weights=weights[there, t])
        assert_allclose(actual[t], expected)
    frame = pd.DataFrame(y_true, columns=list("abcde"))
    by_name = pd.DataFrame(weights, columns=list("abcde"))[list("edcba")]
    assert_allclose(
        mt_mean_squared_error(frame, y_pred, sample_weight=by_name, average=None), actual
    )


@pytest.mark.parametrize("average", ["macro", "micro", None])
def test_a_single_column_is_one_task(average):
    y_true, y_pred = [1.0, np.nan, 3.0], [1.5, 2.0, 3.0]
    for truth in (y_true, np.array(y_true), pd.Series(y_true), np.array(y_true)[:, None]):
        assert_allclose(mt_mean_squared_error(truth, y_pred, average=average), 0.125)
    assert mt_r2_score(pd.Series(y_true, name="a"), y_pred, average=None).index.tolist() == ["a"]


def test_columns_are_matched_by_name_and_rows_by_position():
    y_true = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[7, 8])
    y_pred = pd.DataFrame({"b": [3.0, 4.0], "a": [1.0, 3.0]}, index=[8, 7])
    actual = mt_mean_absolute_error(y_true, y_pred, average=None)
    assert actual.to_dict() == {"a": 0.5, "b": 0.0}
    # without names on one side by position
    actual = mt_mean_absolute_error(y_true, y_pred.to_numpy(), average=None)
    assert actual.to_dict() == {"a": 2.0, "b": 1.5}
    actual = mt_mean_absolute_error(y_true.to_numpy(), y_pred, average=None)
    assert actual.to_dict() == {"b": 2.0, "a": 1.5}


@pytest.mark.parametrize("dtype", ["Float64", "Int64", object, "float32"])
def test_types_of_pandas(dtype):
    y_true = pd.DataFrame({"a": [1, 2, None], "b": [3, None, 5]}, dtype=dtype)
    assert mt_mean_absolute_error(y_true, np.full((3, 2), 2.0), average=None).tolist() == [0.5, 2]


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_order_empty_rows_and_repeated_rows(data):
    n, n_tasks = data.draw(st.integers(4, 8)), data.draw(st.integers(1, 3))
    generator = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    y_pred = generator.normal(size=(n, n_tasks))
    y_true = generator.normal(size=(n, n_tasks))
    y_true[generator.random(y_true.shape) < data.draw(st.sampled_from([0.0, 0.4]))] = np.nan
    # the same row twice gives a task a second label, a weight of 2 does not
    assume(((~np.isnan(y_true)).sum(axis=0) != 1).all())
    twice = generator.integers(1, 3, n)
    order = generator.permutation(n)
    average = data.draw(st.sampled_from(["macro", "micro", None]))
    for metric in REGRESSION:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            expected = metric(y_true, y_pred, average=average)
            assert_allclose(metric(y_true[order], y_pred[order], average=average), expected)
            more = np.vstack([y_true, np.full((2, n_tasks), np.nan)])
            assert_allclose(
                metric(more, np.vstack([y_pred, y_pred[:2]]), average=average), expected
            )
            assert_allclose(
                metric(y_true, y_pred, sample_weight=twice, average=average),
                metric(
                    np.repeat(y_true, twice, axis=0),
                    np.repeat(y_pred, twice, axis=0),
                    average=average,
                ),
            )


@given(st.integers(0, 10_000), st.sampled_from(list(PROBABILITY)))
@settings(deadline=None, max_examples=30)
def test_order_empty_rows_and_repeated_rows_with_probabilities(seed, metric):
    generator = np.random.default_rng(seed)
    y_true = pd.DataFrame({"a": generator.integers(0, 2, 12), "b": generator.integers(0, 3, 12)})
    y_true = with_gaps(y_true, random_state=seed)
    y_pred = [generator.dirichlet(np.ones(k), 12) for k in (2, 3)]
    twice, order = generator.integers(0, 3, 12), generator.permutation(12)
    options = {"labels": [[0, 1], [0, 1, 2]]}
    for average in ("macro", "micro"):
        options["average"] = average
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            expected = metric(y_true, y_pred, **options)
            permuted = metric(y_true.iloc[order], [p[order] for p in y_pred], **options)
            more = pd.concat([y_true, y_true.iloc[:1] * np.nan])
            longer = metric(more, [np.vstack([p, p[:1]]) for p in y_pred], **options)
            weighted = metric(y_true, y_pred, sample_weight=twice, **options)
            repeated = metric(
                y_true.iloc[np.repeat(np.arange(12), twice)],
                [np.repeat(p, twice, axis=0) for p in y_pred],
                **options,
            )
        assert_allclose(permuted, expected)
        assert_allclose(longer, expected)
        assert_allclose(weighted, repeated)
