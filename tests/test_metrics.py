"""Scores of many tasks agree with plain loops and with scikit-learn, whatever is missing.

Estimators are small fakes or scikit-learn's own; what they have learned does not matter.
"""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    median_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmtl.metrics
from skmtl import MultiTaskHypernetRegressor
from skmtl.metrics import (
    _mean_task_score,
    _task_labels,
    make_mt_scorer,
    mt_accuracy_score,
    mt_accuracy_scorer,
    mt_average_precision_score,
    mt_average_precision_scorer,
    mt_log_loss,
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_r2_scorer,
    mt_roc_auc_score,
    mt_roc_auc_scorer,
    mt_root_mean_squared_error,
    neg_mt_log_loss_scorer,
    neg_mt_mae_scorer,
    neg_mt_mse_scorer,
    neg_mt_rmse_scorer,
    per_task_score,
    transfer_gain,
)
from tests._asserts import says

REGRESSION = {
    mt_mean_squared_error: mean_squared_error,
    mt_root_mean_squared_error: root_mean_squared_error,
    mt_mean_absolute_error: mean_absolute_error,
    mt_r2_score: r2_score,
}
PROBABILITY = {
    mt_roc_auc_score: roc_auc_score,
    mt_average_precision_score: average_precision_score,
    mt_log_loss: log_loss,
}
SCORERS = {
    "r2": mt_r2_scorer,
    "mse": neg_mt_mse_scorer,
    "rmse": neg_mt_rmse_scorer,
    "mae": neg_mt_mae_scorer,
}
CLASS_SCORERS = {
    "accuracy": mt_accuracy_scorer,
    "auc": mt_roc_auc_scorer,
    "precision": mt_average_precision_scorer,
    "log_loss": neg_mt_log_loss_scorer,
}


def with_gaps(y, random_state=0):
    """The same labels, some of them missing; three of each task remain."""
    gaps = np.random.default_rng(random_state).random(np.shape(y)) < 0.3
    gaps[:3] = False
    if isinstance(y, pd.DataFrame):
        return y.mask(gaps)
    return np.where(gaps, np.nan, y)


@pytest.fixture
def numbers():
    """Labels with gaps, predictions, and weights of the rows."""
    generator = np.random.default_rng(0)
    y_pred = generator.normal(size=(40, 5))
    y_true = with_gaps(y_pred + generator.normal(size=y_pred.shape))
    return y_true, y_pred, generator.uniform(0.5, 2, 40)


@pytest.fixture
def classes():
    """Labels of tasks with 2, 3 and 2 classes, some missing, and probabilities by task."""
    generator = np.random.default_rng(1)
    labels = {
        "ripe": np.array([0, 1]),
        "colour": np.array(["blue", "green", "red"]),
        "sold": np.array([False, True]),
    }
    y_true, y_pred = {}, {}
    for task, names in labels.items():
        y_pred[task] = generator.dirichlet(np.ones(len(names)), 40)
        drawn = [generator.choice(len(names), p=p) for p in y_pred[task]]
        y_true[task] = names[drawn].astype(object)
    gaps = generator.random((40, 3)) < 0.2
    return pd.DataFrame(y_true).mask(gaps), y_pred, labels


# functions: numbers


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
    found = ours(y_true, y_pred, sample_weight=weights, average=None)
    assert_series_equal(found, pd.Series(expected, index=range(5)))
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
    found = mt_mean_squared_error(y_true, y_pred, sample_weight=weights, average=None)
    for t in range(5):
        there = ~np.isnan(y_true[:, t])
        expected = np.average((y_true - y_pred)[there, t] ** 2, weights=weights[there, t])
        assert_allclose(found[t], expected)
    frame = pd.DataFrame(y_true, columns=list("abcde"))
    by_name = pd.DataFrame(weights, columns=list("abcde"))[list("edcba")]
    assert_allclose(
        mt_mean_squared_error(frame, y_pred, sample_weight=by_name, average=None), found
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
    found = mt_mean_absolute_error(y_true, y_pred, average=None)
    assert found.to_dict() == {"a": 0.5, "b": 0.0}
    # without names on one side by position
    found = mt_mean_absolute_error(y_true, y_pred.to_numpy(), average=None)
    assert found.to_dict() == {"a": 2.0, "b": 1.5}
    found = mt_mean_absolute_error(y_true.to_numpy(), y_pred, average=None)
    assert found.to_dict() == {"b": 2.0, "a": 1.5}


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


# functions: classes


def test_accuracy_is_scikit_learns_on_the_labels_of_each_task(classes):
    y_true, probabilities, labels = classes
    y_pred = pd.DataFrame(
        {task: labels[task][p.argmax(axis=1)] for task, p in probabilities.items()}
    )
    weights = np.random.default_rng(0).uniform(size=len(y_true))
    found = mt_accuracy_score(y_true, y_pred, sample_weight=weights, average=None)
    hits = total = 0
    for task in y_true:
        there = y_true[task].notna()
        truth = y_true.loc[there, task].tolist()
        expected = accuracy_score(truth, y_pred.loc[there, task], sample_weight=weights[there])
        assert_allclose(found[task], expected)
        hits += np.sum(weights[there] * (np.array(truth) == y_pred.loc[there, task]))
        total += weights[there].sum()
    micro = mt_accuracy_score(y_true, y_pred, sample_weight=weights, average="micro")
    assert_allclose(micro, hits / total)


def test_accuracy_compares_values_not_types():
    assert mt_accuracy_score([1.0, 0.0, np.nan], [1, 0, 0]) == 1.0
    assert mt_accuracy_score(np.array([1, 0, None], dtype=object), [True, False, True]) == 1.0
    assert mt_accuracy_score(pd.Series(["a", None, "b"]), np.array(["a", "a", "b"])) == 1.0
    y = pd.DataFrame({"a": pd.Categorical(["x", None, "y"]), "b": pd.array([1, None, 2], "Int64")})
    assert mt_accuracy_score(y, [["x", 1], ["y", 1], ["y", 2]]) == 1.0
    assert mt_accuracy_score([["a", np.nan], [None, "b"]], [["a", "b"], ["a", "a"]]) == 0.5


def expected_probability_scores(metric, y_true, y_pred, labels, weights):
    theirs, expected = PROBABILITY[metric], {}
    for task in y_true:
        there = y_true[task].notna().to_numpy()
        truth, probability = y_true.loc[there, task].tolist(), y_pred[task][there]
        options = {"sample_weight": weights[there]}
        if metric is mt_log_loss:
            options["labels"] = labels[task]
        elif len(labels[task]) == 2:
            probability = probability[:, 1]
            truth = np.array(truth) == labels[task][1]
        elif metric is mt_roc_auc_score:
            options |= {"multi_class": "ovr"}
        expected[task] = theirs(truth, probability, **options)
    return pd.Series(expected)


@pytest.mark.parametrize("metric", PROBABILITY)
def test_probability_metric_is_scikit_learns_on_the_labels_of_each_task(classes, metric):
    y_true, y_pred, labels = classes
    weights = np.random.default_rng(0).uniform(0.5, 1, size=len(y_true))
    expected = expected_probability_scores(metric, y_true, y_pred, labels, weights)
    options = {"sample_weight": weights}
    forms = [
        dict(reversed(y_pred.items())),
        {t: y_pred[task] for t, task in enumerate(y_true)},
        list(y_pred.values()),
    ]
    for form in forms:
        assert_series_equal(metric(y_true, form, average=None, **options), expected)
        assert_allclose(metric(y_true, form, **options), expected.mean())
    # no names in the labels: those of the dict
    found = metric(y_true.to_numpy(), y_pred, average=None, **options)
    assert_series_equal(found, expected)
    found = metric(y_true.to_numpy(), forms[2], average=None, **options)
    assert_series_equal(found, expected.set_axis([0, 1, 2]))


@pytest.mark.parametrize("metric", PROBABILITY)
def test_probabilities_of_the_positive_class(classes, metric):
    y_true, y_pred, _ = classes
    tasks = ["ripe", "sold"]
    expected = metric(y_true[tasks], {task: y_pred[task] for task in tasks}, average=None)
    positive = pd.DataFrame({task: y_pred[task][:, 1] for task in reversed(tasks)})
    for form in (
        positive,
        positive[tasks].to_numpy(),
        dict(positive.items()),
        {task: positive[[task]] for task in tasks},
        [positive[task].to_numpy() for task in tasks],
    ):
        assert_series_equal(metric(y_true[tasks], form, average=None), expected)
    single = metric(y_true["ripe"], positive["ripe"])
    assert_allclose([single, metric(y_true["ripe"], y_pred["ripe"])], expected["ripe"])


@pytest.mark.parametrize("metric", PROBABILITY)
def test_classes_in_the_order_of_the_columns(classes, metric):
    y_true, y_pred, labels = classes
    expected = metric(y_true, y_pred, average=None)
    turned = {task: p[:, ::-1] if task == "colour" else p for task, p in y_pred.items()}
    names = {**labels, "colour": labels["colour"][::-1]}
    for given_labels in (names, list(names.values()), {"colour": names["colour"]}):
        found = metric(y_true, turned, labels=given_labels, average=None)
        assert_series_equal(found, expected)


def test_labels_turn_the_positive_class_round():
    y_true, y_pred = ["no", "yes", "yes"], [0.2, 0.7, 0.6]
    assert mt_roc_auc_score(y_true, y_pred) == 1.0
    assert mt_roc_auc_score(y_true, y_pred, labels=["yes", "no"]) == 0.0
    assert mt_roc_auc_score(y_true, y_pred, labels=[["yes", "no"]]) == 0.0


def test_micro_of_probabilities(classes):
    y_true, y_pred, labels = classes
    flags, scores, losses = [], [], []
    for task, names in labels.items():
        for truth, probability in zip(y_true[task], y_pred[task], strict=True):
            if truth is None or truth != truth:
                continue
            losses.append(-np.log(probability[names.tolist().index(truth)]))
            columns = [1] if len(names) == 2 else range(3)
            flags += [truth == names[k] for k in columns]
            scores += [probability[k] for k in columns]
    assert_allclose(mt_log_loss(y_true, y_pred, average="micro"), np.mean(losses))
    found = mt_roc_auc_score(y_true, y_pred, average="micro")
    assert_allclose(found, roc_auc_score(flags, scores))
    found = mt_average_precision_score(y_true, y_pred, average="micro")
    assert_allclose(found, average_precision_score(flags, scores))


def test_classes_without_labels_are_left_out_of_the_area():
    generator = np.random.default_rng(0)
    y_pred = generator.dirichlet(np.ones(4), 30)
    y_true = generator.choice([0, 2, 3], 30)
    narrow = y_pred[:, [0, 2, 3]] / y_pred[:, [0, 2, 3]].sum(axis=1, keepdims=True)
    expected = roc_auc_score(y_true, narrow, multi_class="ovr")
    assert_allclose(mt_roc_auc_score(y_true, y_pred, labels=[[0, 1, 2, 3]]), expected)
    two = np.isin(y_true, [0, 3])
    share = y_pred[two, 3] / (y_pred[two, 0] + y_pred[two, 3])
    found = mt_roc_auc_score(y_true[two], y_pred[two], labels=[[0, 1, 2, 3]])
    assert_allclose(found, roc_auc_score(y_true[two] == 3, share))


def test_single_precision_probabilities_do_not_warn():
    generator = np.random.default_rng(0)
    y_pred = generator.dirichlet(np.ones(5), 50).astype(np.float32)
    y_true = generator.integers(0, 5, 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(mt_log_loss(y_true, y_pred), log_loss(y_true, y_pred), rtol=1e-5)
        assert_allclose(
            mt_roc_auc_score(y_true, y_pred), roc_auc_score(y_true, y_pred, multi_class="ovr")
        )


def test_a_model_that_knows_one_class_only():
    assert mt_log_loss(["a", "a"], [np.ones((2, 1))], labels=[["a"]]) == 0.0
    assert mt_log_loss(["a", "a"], np.ones((2, 1)), labels=["a"]) == 0.0
    with says(ValueError, r"\['b'\]", "stratified"):
        mt_log_loss(["a", "b"], [np.ones((2, 1))], labels=[["a"]])


# what is not defined


@pytest.mark.parametrize("metric", [*REGRESSION, mt_accuracy_score])
def test_tasks_without_labels_are_left_out(metric):
    y_true = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan] * 2, "c": [None] * 2})
    y_pred = pd.DataFrame({name: [1.0, 1.0] for name in "abc"})
    with pytest.warns(UndefinedMetricWarning, match=r"2 task\(s\).*\['b', 'c'\]") as caught:
        found = metric(y_true, y_pred)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found == metric(y_true[["a"]], y_pred[["a"]])
    with pytest.warns(UndefinedMetricWarning):
        by_task = metric(y_true, y_pred, average=None)
    assert by_task.isna().tolist() == [False, True, True]
    # nothing is left out of all labels together
    assert metric(y_true, y_pred, average="micro") == metric(
        y_true[["a"]], y_pred[["a"]], average="micro"
    )


@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("metric", [*REGRESSION, *PROBABILITY, mt_accuracy_score])
def test_nothing_defined_is_nan(metric, average):
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(metric(np.full((3, 2), np.nan), np.full((3, 2), 0.5), average=average))


def test_r2_needs_two_labels():
    y_true = np.array([[1.0, 1.0], [2.0, np.nan], [4.0, np.nan]])
    y_pred = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    with pytest.warns(UndefinedMetricWarning, match="two labels"):
        assert mt_r2_score(y_true, y_pred) == 1.0
    # the single label still counts among all
    assert mt_r2_score(y_true, y_pred, average="micro") < 0
    with pytest.warns(UndefinedMetricWarning, match="of all labels together"):
        assert np.isnan(mt_r2_score(y_true[:, 1:], y_pred[:, 1:], average="micro"))


def test_a_row_of_weight_zero_is_no_row():
    y_true, y_pred = np.array([[1.0], [2.0], [50.0]]), np.array([[1.0], [3.0], [np.nan]])
    weights = [1, 1, 0]
    assert mt_mean_squared_error(y_true, y_pred, sample_weight=weights) == 0.5
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(mt_mean_squared_error(y_true, y_pred, sample_weight=[0, 0, 0]))


def test_area_needs_two_classes_and_precision_a_positive_label():
    y_true = pd.DataFrame({"a": [0, 1], "b": [0, 0], "c": ["x", "x"], "d": [1, 1]})
    y_pred = np.array([[0.1, 0.9, 0.1, 0.3], [0.8, 0.2, 0.3, 0.4]])
    with pytest.warns(UndefinedMetricWarning, match=r"\['b', 'c', 'd'\].*two classes"):
        assert mt_roc_auc_score(y_true, y_pred) == 1.0
    tasks = ["a", "b", "d"]
    with pytest.warns(UndefinedMetricWarning, match=r": \['b'\].*positive"):
        found = mt_average_precision_score(y_true[tasks], y_pred[:, [0, 1, 3]], average=None)
    assert found.fillna(-1).tolist() == [1.0, -1.0, 1.0]
    # a single class that could be either of two, and it matters which
    with says(ValueError, "'c'", "'x'", "labels="):
        mt_log_loss(y_true, y_pred)


def test_at_most_ten_tasks_are_named():
    with pytest.warns(UndefinedMetricWarning, match=r"12 task\(s\).* 9, \.\.\.\]"):
        mt_r2_score(np.ones((1, 12)), np.ones((1, 12)))


# functions: what is wrong with the input


@pytest.mark.parametrize("metric", [*REGRESSION, mt_accuracy_score, *PROBABILITY])
def test_shapes_must_agree(metric):
    with says(ValueError, "3 row", "y_pred has 4", "same order"):
        metric(np.ones((3, 2)), np.ones((4, 2)))
    with says(ValueError, r"2 column\(s\)", "y_pred has 3", "one for each task"):
        metric(np.ones((3, 2)), np.ones((3, 3)))
    with says(ValueError, "3 row", "sample_weight has 2"):
        metric(np.ones((3, 2)), np.ones((3, 2)), sample_weight=[1, 1])
    with says(ValueError, r"sample_weight has 3", "one for each task"):
        metric(np.ones((3, 2)), np.ones((3, 2)), sample_weight=np.ones((3, 3)))
    with says(ValueError, "average='mean'", "'macro'", "'micro'", "None"):
        metric([0, 1], [0, 1], average="mean")
    with says(TypeError, "y_true is None"):
        metric(None, [0, 1])


def test_names_must_agree():
    y_true = pd.DataFrame({"a": [1.0], "b": [1.0]})
    y_pred = pd.DataFrame({"a": [1.0], "c": [1.0]})
    with says(ValueError, r"Only in y_true: \['b'\]", r"only in y_pred: \['c'\]", "Rename"):
        mt_mean_absolute_error(y_true, y_pred)
    with says(ValueError, "several columns", r"\['a'\]"):
        mt_mean_absolute_error(y_true.set_axis(["a", "a"], axis=1), y_pred)
    with says(ValueError, r"only in y_pred: \['c'\]"):
        mt_log_loss(y_true, {"a": [0.5], "c": [0.5]})
    with says(ValueError, "no probabilities", r"\['b'\]"):
        mt_log_loss(y_true, {"a": np.array([0.5])})
    with says(ValueError, "2 column", "y_pred has 3 entries"):
        mt_log_loss(y_true, [np.array([0.5])] * 3)


def test_predictions_must_be_there():
    y_true = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 3.0]})
    y_pred = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]})
    with says(ValueError, "'b'", "row 1", "needs a prediction"):
        mt_mean_absolute_error(y_true, y_pred)
    with says(ValueError, "'b'", "row 1"):
        mt_accuracy_score(y_true, y_pred)
    with says(ValueError, "'a'", "row 0"):
        mt_roc_auc_score(y_true, {"a": np.full((2, 2), np.inf), "b": np.ones((2, 2))})


def test_values_must_fit():
    with says(ValueError, "numbers", "'red'"):
        mt_r2_score(["red", "blue"], [0.0, 1.0])
    with says(ValueError, "infinite", "row 1"):
        mt_r2_score([0.0, np.inf], [0.0, 1.0])
    with says(ValueError, "strings", "convert"):
        mt_accuracy_score(["1", "2"], [1, 2])
    with says(ValueError, "not negative", "-1", "row 1"):
        mt_r2_score([0.0, 1.0], [0.0, 1.0], sample_weight=[1, -1])
    with says(ValueError, "sample_weight must be numbers", "'x'"):
        mt_r2_score([0.0, 1.0], [0.0, 1.0], sample_weight=[1, "x"])
    with says(ValueError, "differ in length"):
        mt_r2_score([[0.0], [1.0, 2.0]], [0.0, 1.0])
    with says(ValueError, "3 dimensions"):
        mt_r2_score(np.ones((2, 2, 2)), [0.0, 1.0])
    with says(ValueError, "task 0", "greater than 1"):
        mt_log_loss([0, 1], [1.5, 0.5])


def test_classes_must_fit():
    y_true, y_pred = ["a", "b", "c"], np.full((3, 2), 0.5)
    with says(ValueError, "task 0", "'c'", "2 classes", "labels="):
        mt_log_loss(y_true, y_pred)
    with says(ValueError, "no probabilities", r"\['c'\]", "stratified"):
        mt_log_loss(y_true, y_pred, labels=["a", "b"])
    with says(ValueError, "1 classes", "2 classes"):
        mt_log_loss(y_true, y_pred, labels=["a"])
    with says(ValueError, "labels must hold the classes of each task"):
        mt_log_loss(np.ones((3, 2)), [y_pred] * 2, labels=[0, 1])


# estimators for the scorers


class MeanOfTask(RegressorMixin, BaseEstimator):
    """In long form the mean of a task plus `bias`, in wide form that of each column."""

    def __init__(self, task_id=None, bias=0.0):
        self.task_id = task_id
        self.bias = bias

    def fit(self, X, y, sample_weight=None):
        if self.task_id is None:
            self.means_ = np.atleast_1d(np.nanmean(np.asarray(y, dtype=float), axis=0))
            self.columns_ = y.columns if isinstance(y, pd.DataFrame) else None
        else:
            self.means_ = pd.DataFrame(np.asarray(y)).groupby(np.asarray(self._ids(X))).mean()
        return self

    def _ids(self, X):
        return X[self.task_id] if isinstance(X, pd.DataFrame) else X[:, self.task_id]

    def predict(self, X):
        if self.task_id is not None:
            means = self.means_.loc[np.asarray(self._ids(X))].to_numpy() + self.bias
            return means[:, 0] if means.shape[1] == 1 else means
        table = np.tile(self.means_ + self.bias, (len(X), 1))
        if self.columns_ is not None:
            return pd.DataFrame(table, columns=self.columns_)
        return table if table.shape[1] > 1 else table[:, 0]


class SharesOfTask(ClassifierMixin, BaseEstimator):
    """Classes as often as in the rows of a task, tilted by a feature; none of other tasks."""

    def __init__(self, task_id=None):
        self.task_id = task_id

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.shares_ = pd.crosstab(X[self.task_id], np.asarray(y), normalize="index")
        return self

    def predict_proba(self, X):
        shares = self.shares_.loc[X[self.task_id], self.classes_].to_numpy()
        tilted = shares * np.exp(X[["x"]].to_numpy() * np.arange(len(self.classes_)))
        return tilted / tilted.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Stored(BaseEstimator):
    """Gives what it was made with, for the rows that X numbers."""

    def __init__(self, predictions, probabilities=None, classes=None):
        self.predictions = predictions
        self.probabilities = probabilities
        self.classes = classes
        if classes is not None:
            self.classes_ = classes

    def predict(self, X):
        return self.predictions.iloc[np.asarray(X).ravel()]

    def predict_proba(self, X):
        rows = np.asarray(X).ravel()
        return {task: p[rows] for task, p in self.probabilities.items()}


@pytest.fixture
def long_table():
    """Rows of three tasks with string ids, of 15, 9 and 6 rows."""
    generator = np.random.default_rng(3)
    school = np.repeat(["north", "south", "east"], [15, 9, 6])
    X = pd.DataFrame({"x": generator.normal(size=30), "school": school})
    y = pd.Series(generator.normal(size=30) + X["x"], name="score")
    order = generator.permutation(30)
    return X.iloc[order], y.iloc[order]


@pytest.fixture
def long_classes(long_table):
    """Labels of the same rows: "north" has all three classes, the others two."""
    X, y = long_table
    labels = pd.qcut(y + 2 * X["x"], 3, labels=["a", "b", "c"]).astype(object)
    labels[X["school"] == "south"] = np.where(y[X["school"] == "south"] > 0, "b", "c")
    labels[X["school"] == "east"] = np.where(y[X["school"] == "east"] > 0.2, "a", "c")
    return X, labels


@pytest.fixture
def wide_table():
    """Three columns with gaps, and features."""
    generator = np.random.default_rng(4)
    X = pd.DataFrame(generator.normal(size=(40, 3)), columns=list("xyz"))
    y = pd.DataFrame(generator.normal(size=(40, 3)) + X.to_numpy(), columns=["u", "v", "w"])
    return X, with_gaps(y)


# scorers: long form


def by_task(function, X, y, y_pred, weights=None):
    """A function of scikit-learn, school by school."""
    scores = {}
    for school in sorted(X["school"].unique()):
        rows = (X["school"] == school).to_numpy()
        options = {} if weights is None else {"sample_weight": weights[rows]}
        scores[school] = function(y[rows], y_pred[rows], **options)
    return pd.Series(scores)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("scorer", "function", "sign"),
    [
        (mt_r2_scorer, r2_score, 1),
        (neg_mt_mse_scorer, mean_squared_error, -1),
        (neg_mt_rmse_scorer, root_mean_squared_error, -1),
        (neg_mt_mae_scorer, mean_absolute_error, -1),
    ],
)
def test_long_form_takes_tasks_from_x(long_table, scorer, function, sign, weighted):
    X, y = long_table
    weights = np.random.default_rng(0).uniform(size=30) if weighted else None
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    expected = sign * by_task(function, X, y, model.predict(X), weights)
    options = {"sample_weight": weights} if weighted else {}
    assert_allclose(scorer(model, X, y, **options), expected.mean())
    found = per_task_score(model, X, y, scoring=scorer, **options)
    assert_series_equal(found, expected, check_names=False)
    assert found.index.name == "school"
    some = X["school"] != "north"
    few = by_task(function, X[some], y[some], model.predict(X[some]))
    assert_allclose(scorer(model, X[some], y[some]), sign * few.mean())


def test_long_form_micro(long_table):
    X, y = long_table
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    scorer = make_mt_scorer(mt_mean_squared_error, average="micro")
    assert_allclose(scorer(model, X, y), -mean_squared_error(y, model.predict(X)))


def test_long_form_with_several_outputs(long_table):
    X, y = long_table
    both = pd.DataFrame({"one": y, "two": y**2})
    model = MeanOfTask("school", bias=0.3).fit(X, both)
    for scorer, function, sign in [
        (mt_r2_scorer, r2_score, 1),
        (neg_mt_rmse_scorer, root_mean_squared_error, -1),
    ]:
        expected = sign * by_task(function, X, both, model.predict(X))
        found = per_task_score(model, X, both, scoring=scorer)
        assert_series_equal(found, expected, check_names=False)
        assert_allclose(scorer(model, X, both), expected.mean())
    found = per_task_score(model, X, both, scoring="r2")
    assert_series_equal(found, by_task(r2_score, X, both, model.predict(X)), check_names=False)


def test_long_form_with_missing_labels(long_table):
    X, y = long_table
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    there = np.arange(30) % 3 > 0
    for scoring in (mt_r2_scorer, "r2", None):
        found = per_task_score(model, X, y.where(there), scoring=scoring)
        assert_series_equal(found, per_task_score(model, X[there], y[there], scoring=scoring))


def test_long_form_accuracy_and_log_loss(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)
    expected = by_task(accuracy_score, X, y, model.predict(X))
    assert_allclose(mt_accuracy_scorer(model, X, y), expected.mean())
    probability = model.predict_proba(X)
    assert (probability == 0).any()
    expected = by_task(lambda y, p: log_loss(y, p, labels=model.classes_), X, y, probability)
    assert_allclose(neg_mt_log_loss_scorer(model, X, y), -expected.mean())


def test_long_form_area_is_that_of_the_classes_of_each_task(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)

    def area(y, probability):
        present = np.isin(model.classes_, y)
        probability = probability[:, present] / probability[:, present].sum(axis=1, keepdims=True)
        if present.sum() == 2:
            return roc_auc_score(y == model.classes_[present][1], probability[:, 1])
        return roc_auc_score(y, probability, multi_class="ovr")

    expected = by_task(area, X, y, model.predict_proba(X))
    found = per_task_score(model, X, y, scoring=mt_roc_auc_scorer)
    assert_series_equal(found, expected, check_names=False)
    assert_allclose(mt_roc_auc_scorer(model, X, y), expected.mean())
    assert 0 < mt_average_precision_scorer(model, X, y) <= 1


def test_long_form_area_of_two_classes(long_classes):
    X, y = long_classes
    y = (y == "c").map({True: "yes", False: "no"})
    model = SharesOfTask("school").fit(X, y)
    second = model.predict_proba(X)[:, 1]
    expected = by_task(roc_auc_score, X, y == "yes", second)
    assert_allclose(mt_roc_auc_scorer(model, X, y), expected.mean())
    flags = y == "yes"
    micro = make_mt_scorer(mt_roc_auc_score, average="micro")
    assert_allclose(micro(model, X, y), roc_auc_score(flags, second))
    micro = make_mt_scorer(mt_average_precision_score, average="micro")
    assert_allclose(micro(model, X, y), average_precision_score(flags, second))


def test_micro_leaves_out_classes_that_a_task_does_not_have(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)
    probability, flags, scores = model.predict_proba(X), [], []
    for row, (school, label) in enumerate(zip(X["school"], y, strict=True)):
        for k, name in enumerate(model.classes_):
            if name in set(y[X["school"] == school]):
                flags.append(label == name)
                scores.append(probability[row, k])
    micro = make_mt_scorer(mt_roc_auc_score, average="micro")
    assert_allclose(micro(model, X, y), roc_auc_score(flags, scores))


def test_tasks_are_found_through_pipelines_and_searches(long_table):
    X, y = long_table
    expected = neg_mt_rmse_scorer(MeanOfTask("school").fit(X, y), X, y)
    scaled = ColumnTransformer(
        [("scaled", StandardScaler(), ["x"]), ("task", "passthrough", ["school"])]
    )
    pipeline = make_pipeline(scaled, MeanOfTask(-1)).fit(X, y)
    search = GridSearchCV(pipeline, {"meanoftask__bias": [0.0]}, scoring=neg_mt_rmse_scorer, cv=2)
    inner = GridSearchCV(MeanOfTask("school"), {"bias": [0.0]}, cv=2)
    wrapped = TransformedTargetRegressor(MeanOfTask("school"))
    for model in (pipeline, search, inner, wrapped, make_pipeline(MeanOfTask("school"))):
        model.fit(X, y)
        assert sorted(set(_task_labels(model, X))) == ["east", "north", "south"]
        assert_allclose(neg_mt_rmse_scorer(model, X, y), expected)
        assert len(per_task_score(model, X, y)) == 3
    assert _task_labels(make_pipeline(StandardScaler(), LinearRegression()), X) is None


def test_positions_of_task_ids_are_those_of_fit(long_table):
    X, y = long_table

    class Positions(MeanOfTask):
        feature_names_in_ = np.array(["x", "school"])

        def _ids(self, X):
            return X["school"]

    model = Positions(1).fit(X, y)
    assert (_task_labels(model, X[["school", "x"]]) == X["school"]).all()


def test_task_of_several_columns(long_table):
    X, y = long_table
    X = X.assign(year=np.arange(30) % 2)
    model = MultiTaskHypernetRegressor(["school", "year"], max_iter=1, random_state=0).fit(X, y)
    found = per_task_score(model, X, y)
    assert found.index.names == ["school", "year"]
    assert len(found) == 6
    assert_allclose(mt_r2_scorer(model, X, y), found.mean())


def test_without_a_task_id_one_column_is_one_task(long_table):
    X, y = long_table
    model = LinearRegression().fit(X[["x"]], y)
    assert_allclose(mt_r2_scorer(model, X[["x"]], y), model.score(X[["x"]], y))
    assert per_task_score(model, X[["x"]], y).index.tolist() == ["score"]
    found = per_task_score(model, X[["x"]], y.to_numpy(), scoring="r2")
    assert_series_equal(found, pd.Series([model.score(X[["x"]], y)]))
    classifier = LogisticRegression().fit(X[["x"]], y > 0)
    expected = roc_auc_score(y > 0, classifier.predict_proba(X[["x"]])[:, 1])
    assert_allclose(mt_roc_auc_scorer(classifier, X[["x"]], y > 0), expected)
    assert_allclose(per_task_score(classifier, X[["x"]], y > 0, scoring="roc_auc"), expected)


def test_hypernetwork_in_long_form(long_table):
    X, y = long_table
    model = MultiTaskHypernetRegressor(task_id="school", max_iter=2, random_state=0).fit(X, y)
    expected = by_task(r2_score, X, y, model.predict(X))
    for scoring in (None, "r2", mt_r2_scorer, get_scorer("r2")):
        found = per_task_score(model, X, y, scoring=scoring)
        assert_series_equal(found, expected, check_names=False)
    assert_allclose(mt_r2_scorer(model, X, y), expected.mean())
    folds = KFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(model, X, y, cv=folds, scoring=mt_r2_scorer, error_score="raise")
    assert np.isfinite(scores).all()


# scorers: wide form


def test_wide_form_takes_tasks_from_y(wide_table):
    X, y = wide_table
    model = RandomForestRegressor(5, random_state=0).fit(X, y.fillna(0))
    y_pred = model.predict(X)
    for name, function in zip(SCORERS, [mt_r2_score, *list(REGRESSION)[:3]], strict=True):
        sign = 1 if name == "r2" else -1
        assert_allclose(SCORERS[name](model, X, y), sign * function(y, y_pred))
        by_column = per_task_score(model, X, y, scoring=SCORERS[name])
        assert_series_equal(by_column, sign * function(y, y_pred, average=None))


def test_wide_form_predictions_are_matched_by_name(wide_table):
    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    turned = y[["w", "u", "v"]]
    assert_allclose(mt_r2_scorer(model, X, turned), mt_r2_scorer(model, X, y))
    for scoring in (None, "r2"):
        found = per_task_score(model, X, turned, scoring=scoring)
        assert_series_equal(found, per_task_score(model, X, y, scoring=scoring)[["w", "u", "v"]])


def wide_classes(n_rows=60):
    generator = np.random.default_rng(5)
    X = generator.normal(size=(n_rows, 3))
    colour = np.array(["blue", "green", "red"])[np.digitize(X[:, 0], [-0.4, 0.4])]
    ripe = np.where(X[:, 1] + generator.normal(size=n_rows) > 0, "yes", "no")
    return X, pd.DataFrame({"colour": colour, "ripe": ripe})


def test_wide_form_classes_of_a_forest():
    X, y = wide_classes()
    model = RandomForestClassifier(10, max_depth=2, random_state=0).fit(X, y)
    gaps = y.mask(np.random.default_rng(0).random(y.shape) < 0.2)
    y_pred = model.predict_proba(X)
    expected = {
        "accuracy": mt_accuracy_score(gaps, model.predict(X)),
        "auc": mt_roc_auc_score(gaps, y_pred),
        "precision": mt_average_precision_score(gaps, y_pred),
        "log_loss": -mt_log_loss(gaps, y_pred),
    }
    for name, scorer in CLASS_SCORERS.items():
        assert_allclose(scorer(model, X, gaps), expected[name])
    # classes are the model's, even if not all are among the labels
    few = gaps[gaps["colour"] != "red"]
    X_few = X[(gaps["colour"] != "red").to_numpy()]
    expected = mt_log_loss(few, model.predict_proba(X_few), labels=model.classes_)
    assert_allclose(neg_mt_log_loss_scorer(model, X_few, few), -expected)
    with says(ValueError, "'colour'", "labels="):
        mt_log_loss(few, model.predict_proba(X_few))


@pytest.mark.parametrize(
    "model",
    [
        MultiOutputClassifier(LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        MLPClassifier((4,), max_iter=300, solver="lbfgs", random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_wide_form_of_zero_and_one(model):
    X, _ = wide_classes()
    y = (X[:, :2] + np.random.default_rng(0).normal(size=(60, 2)) > 0).astype(int)
    model = clone(model).fit(X, y)
    gaps = with_gaps(y)
    probability = model.predict_proba(X)
    if isinstance(probability, list):
        probability = np.column_stack([p[:, 1] for p in probability])
    for name, metric in zip(["auc", "precision", "log_loss"], PROBABILITY, strict=True):
        expected = metric(gaps, probability, average=None)
        sign = -1 if metric is mt_log_loss else 1
        found = per_task_score(model, X, gaps, scoring=CLASS_SCORERS[name])
        assert_series_equal(found, sign * expected)
    for scoring, metric in [("roc_auc", mt_roc_auc_score), ("neg_log_loss", mt_log_loss)]:
        sign = -1 if metric is mt_log_loss else 1
        found = per_task_score(model, X, gaps, scoring=scoring)
        assert_series_equal(found, sign * metric(gaps, probability, average=None))


def mixed(n_rows=30):
    """One column of numbers, one of classes, and a model that knows which is which."""
    generator = np.random.default_rng(6)
    y = pd.DataFrame({"size": generator.normal(size=n_rows)})
    y["ripe"] = np.where(generator.random(n_rows) > 0.5, "yes", "no")
    predictions = pd.DataFrame({"size": y["size"] + 0.5, "ripe": ["yes"] * n_rows})
    probabilities = {"ripe": generator.dirichlet(np.ones(2), n_rows)}
    X = np.arange(n_rows)[:, None]
    return X, y, predictions, probabilities


@pytest.mark.parametrize(
    "known",
    [
        {"size": None, "ripe": np.array(["no", "yes"])},
        {"ripe": np.array(["no", "yes"])},
        [None, np.array(["no", "yes"])],
    ],
)
def test_each_scorer_looks_at_the_tasks_it_is_for(known):
    X, y, predictions, probabilities = mixed()
    model = Stored(predictions, probabilities, known)
    expected = mean_squared_error(y["size"], predictions["size"])
    assert_allclose(neg_mt_mse_scorer(model, X, y), -expected)
    assert_allclose(mt_accuracy_scorer(model, X, y), (y["ripe"] == "yes").mean())
    auc = roc_auc_score(y["ripe"] == "yes", probabilities["ripe"][:, 1])
    turned = y[["ripe", "size"]]
    assert_allclose(mt_roc_auc_scorer(model, X, y), auc)
    if not isinstance(known, list):
        assert_allclose(mt_roc_auc_scorer(model, X, turned), auc)
    assert_allclose(neg_mt_mse_scorer(model, X, turned), -expected)
    scores = per_task_score(model, X, turned)
    assert scores.index.tolist() == ["ripe", "size"]
    assert_allclose(scores["size"], r2_score(y["size"], predictions["size"]))
    assert_allclose(scores["ripe"], (y["ripe"] == "yes").mean())


def test_kinds_of_tasks_without_known_classes():
    X, y, predictions, probabilities = mixed()
    model = Stored(predictions, probabilities)
    model.task_types_ = {"size": "regression", "ripe": "binary"}
    known = Stored(predictions, probabilities, {"ripe": np.array(["no", "yes"])})
    for scorer in (neg_mt_mse_scorer, mt_accuracy_scorer, mt_roc_auc_scorer):
        assert_allclose(scorer(model, X, y), scorer(known, X, y))
    assert_series_equal(per_task_score(model, X, y), per_task_score(known, X, y))


def test_mean_task_score():
    _, y, predictions, _ = mixed()
    y = y.mask(np.random.default_rng(0).random(y.shape) < 0.3)
    weights = np.random.default_rng(1).uniform(size=30)
    there = y["size"].notna(), y["ripe"].notna()
    expected = np.mean(
        [
            r2_score(y["size"][there[0]], predictions["size"][there[0]]),
            accuracy_score(y["ripe"][there[1]].tolist(), predictions["ripe"][there[1]]),
        ]
    )
    kinds = ["regression", "classification"]
    assert_allclose(_mean_task_score(y, predictions, kinds), expected)
    assert_allclose(_mean_task_score(y[["ripe", "size"]], predictions, kinds), expected)
    assert_allclose(_mean_task_score(y.to_numpy(), predictions.to_numpy(), kinds), expected)
    weighted = _mean_task_score(y, predictions, kinds, weights)
    assert weighted != expected
    with says(ValueError, "2 column", "1 entries"):
        _mean_task_score(y, predictions, ["regression"])
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(_mean_task_score(y.mask(y.notna()), predictions, kinds))


# scorers: scikit-learn's tools


def test_cross_validation_with_several_scorers_and_missing_labels(wide_table):
    X, y = wide_table
    found = cross_validate(
        MeanOfTask(), X, y, cv=KFold(3), scoring={**SCORERS, "own": _max_error}, error_score="raise"
    )
    for fold, (train, test) in enumerate(KFold(3).split(X)):
        model = MeanOfTask().fit(X.iloc[train], y.iloc[train])
        for name, scorer in SCORERS.items():
            expected = scorer(model, X.iloc[test], y.iloc[test])
            assert_allclose(found[f"test_{name}"][fold], expected)


def _max_error(estimator, X, y):
    return -float(np.nanmax(np.abs(estimator.predict(X).to_numpy() - y.to_numpy())))


def test_cross_validation_of_classes_in_wide_form():
    X, y = wide_classes()
    found = cross_validate(
        RandomForestClassifier(5, random_state=0), X, y, cv=3, scoring=CLASS_SCORERS
    )
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in CLASS_SCORERS)


def test_grid_search_with_several_scorers_in_two_processes(long_table):
    X, y = long_table
    search = GridSearchCV(
        MeanOfTask("school"),
        {"bias": [-1.0, 0.0, 1.0]},
        cv=KFold(3),
        scoring=SCORERS,
        refit="rmse",
        n_jobs=2,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"bias": 0.0}
    assert {f"mean_test_{name}" for name in SCORERS} <= set(search.cv_results_)
    assert_allclose(search.score(X, y), neg_mt_rmse_scorer(search, X, y))
    assert clone(search).scoring.keys() == SCORERS.keys()


def test_permutation_importance_passes_weights(long_table):
    X, y = long_table
    model = MeanOfTask("school").fit(X, y)
    found = permutation_importance(
        model, X, y, scoring=mt_r2_scorer, sample_weight=np.ones(30), n_repeats=1
    )
    assert found.importances_mean[0] == 0


ALL_SCORERS = [*SCORERS.values(), *CLASS_SCORERS.values()]


@pytest.mark.parametrize("scorer", ALL_SCORERS, ids=repr)
def test_scorers_can_be_copied_and_pickled(scorer, tmp_path):
    joblib.dump(scorer, tmp_path / "scorer")
    for other in (
        pickle.loads(pickle.dumps(scorer)),
        copy.deepcopy(scorer),
        clone(scorer, safe=False),
        joblib.load(tmp_path / "scorer"),
    ):
        assert repr(other) == repr(scorer)
        assert other._metric.greater_is_better == scorer._metric.greater_is_better


@pytest.mark.parametrize("scorer", ALL_SCORERS, ids=repr)
def test_a_scorer_prints_as_it_was_made(scorer):
    assert repr(eval(repr(scorer), vars(skmtl.metrics))) == repr(scorer)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_weights_by_metadata_routing(long_table):
    X, y = long_table
    X, y = X.reset_index(drop=True), y.reset_index(drop=True)
    weights = np.random.default_rng(0).integers(0, 2, 30).astype(float)
    model = MeanOfTask("school", bias=0.5).set_fit_request(sample_weight=False)
    asks = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight=True)
    named = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight="w")
    ignores = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight=False)
    scorers = {"asks": asks, "ignores": ignores}
    found = cross_validate(
        model, X, y, cv=KFold(2), scoring=scorers, params={"sample_weight": weights}
    )
    by_name = cross_val_score(model, X, y, cv=KFold(2), scoring=named, params={"w": weights})
    for fold, (train, test) in enumerate(KFold(2).split(X)):
        fitted = clone(model).fit(X.iloc[train], y.iloc[train])
        weighted = asks(fitted, X.iloc[test], y.iloc[test], sample_weight=weights[test])
        assert_allclose([found["test_asks"][fold], by_name[fold]], weighted)
        assert_allclose(found["test_ignores"][fold], asks(fitted, X.iloc[test], y.iloc[test]))
    search = GridSearchCV(model, {"bias": [0.0]}, cv=KFold(2), scoring=asks)
    search.fit(X, y, sample_weight=weights)
    undecided = make_mt_scorer(mt_mean_squared_error)
    with says(ValueError, "sample_weight", "make_mt_scorer"):
        cross_val_score(
            model, X, y, cv=KFold(2), scoring=undecided, params={"sample_weight": weights}
        )
    no_weights = make_mt_scorer(_largest)
    assert not no_weights.get_metadata_routing().score.requests


def test_score_requests_need_routing():
    with says(RuntimeError, "enable_metadata_routing=True"):
        make_mt_scorer(mt_r2_score).set_score_request(sample_weight=True)


# scorers of one's own


def _largest(y_true, y_pred):
    return np.max(np.abs(y_true - y_pred))


def test_own_function_of_one_task(long_table, wide_table):
    scorer = make_mt_scorer(_largest, greater_is_better=False)
    X, y = long_table
    model = MeanOfTask("school").fit(X, y)
    assert_allclose(scorer(model, X, y), -by_task(_largest, X, y, model.predict(X)).mean())
    micro = make_mt_scorer(_largest, greater_is_better=False, average="micro")
    assert_allclose(micro(model, X, y), -_largest(y, model.predict(X)))
    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    difference = (y - model.predict(X)).abs()
    assert_allclose(scorer(model, X, y), -difference.max().mean())
    assert_allclose(micro(model, X, y), -difference.max().max())
    with says(TypeError, "_largest", "no parameter sample_weight"):
        scorer(model, X, y, sample_weight=np.ones(len(X)))


def test_own_function_with_settings_and_weights(wide_table):
    X, y = wide_table
    model, weights = MeanOfTask().fit(X, y), np.random.default_rng(0).uniform(size=40)
    scorer = make_mt_scorer(mean_pinball_loss, greater_is_better=False, alpha=0.1)
    expected = []
    for name in y:
        there = y[name].notna()
        expected.append(
            mean_pinball_loss(
                y.loc[there, name],
                model.predict(X).loc[there, name],
                sample_weight=weights[there],
                alpha=0.1,
            )
        )
    assert_allclose(scorer(model, X, y, sample_weight=weights), -np.mean(expected))


def test_own_function_of_probabilities(long_classes):
    X, y = long_classes
    y = (y == "c").astype(int)
    model = SharesOfTask("school").fit(X, y)
    scorer = make_mt_scorer(
        brier_score_loss, greater_is_better=False, response_method="predict_proba"
    )
    expected = by_task(brier_score_loss, X, y, model.predict_proba(X)[:, 1])
    assert_allclose(scorer(model, X, y), -expected.mean())
    assert "predict_proba" in repr(scorer)


def test_what_no_scorer_can_be_made_of():
    with says(TypeError, "function", "mt_r2_score"):
        make_mt_scorer("r2")
    with says(TypeError, "function"):
        make_mt_scorer(mt_r2_scorer)
    with says(TypeError, "function"):
        make_mt_scorer(get_scorer("r2"))
    with says(ValueError, "one number", "per_task_score"):
        make_mt_scorer(mt_r2_score, average=None)
    with says(ValueError, "average='mean'"):
        make_mt_scorer(mt_r2_score, average="mean")
    with says(ValueError, "mt_r2_score", "leave"):
        make_mt_scorer(mt_r2_score, greater_is_better=False)
    with says(ValueError, "response_method='transform'", "predict_proba"):
        make_mt_scorer(_largest, response_method="transform")


def test_what_a_scorer_cannot_score(wide_table, long_table):
    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    with says(AttributeError, "predict_proba", "MeanOfTask"):
        mt_roc_auc_scorer(model, X, y)
    with says(ValueError, "pass y"):
        mt_r2_scorer(model, X, None)
    X, y = long_table
    model = MeanOfTask("school").fit(X, y)
    with says(ValueError, "X has 30 rows", "29"):
        long_labels = MeanOfTask("school").fit(X, y)
        long_labels.predict = lambda X: np.zeros(29)
        mt_r2_scorer(long_labels, X, y[:29])
    with says(ValueError, "X has 30 rows", "29"):
        per_task_score(model, X, y[:29], scoring="r2")
    with says(ValueError, "'school'", "not in X"):
        mt_r2_scorer(_Renamed("school"), X.rename(columns={"school": "s"}), y)


class _Renamed(MeanOfTask):
    def predict(self, X):
        return np.zeros(len(X))


# one score per task


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error", "max_error"])
def test_per_task_score_in_wide_form(wide_table, scoring, weighted):
    X, y = wide_table
    scoring = "neg_max_error" if scoring == "max_error" else scoring
    weighted = weighted and scoring != "neg_max_error"
    model = LinearRegression().fit(X, y.fillna(0))
    weights = np.random.default_rng(0).uniform(0.1, 1, 40)
    options = {"sample_weight": weights} if weighted else {}
    found = per_task_score(model, X, y, scoring=scoring, **options)
    for t, name in enumerate(y):
        there = y[name].notna()
        alone = LinearRegression().fit(X, y[name].fillna(0))
        few = {"sample_weight": weights[there]} if weighted else {}
        expected = get_scorer(scoring)(alone, X[there], y.loc[there, name], **few)
        assert_allclose(found[name], expected, err_msg=f"{t}")


@pytest.mark.parametrize("form", ["long", "wide"])
def test_per_task_score_by_default(form, long_table, wide_table):
    X, y = long_table if form == "long" else wide_table
    model = MeanOfTask("school" if form == "long" else None).fit(X, y)
    expected = per_task_score(model, X, y, scoring=mt_r2_scorer)
    assert_series_equal(per_task_score(model, X, y), expected)
    weights = np.random.default_rng(0).uniform(size=len(X))
    assert_series_equal(
        per_task_score(model, X, y, sample_weight=weights),
        per_task_score(model, X, y, scoring=mt_r2_scorer, sample_weight=weights),
    )


def test_per_task_score_of_classes(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)
    expected = by_task(accuracy_score, X, y, model.predict(X))
    for scoring in (None, "accuracy", mt_accuracy_scorer):
        found = per_task_score(model, X, y, scoring=scoring)
        assert_series_equal(found, expected, check_names=False)


@pytest.mark.parametrize(
    "scoring", ["accuracy", "roc_auc_ovr", "neg_log_loss", "f1_macro", "balanced_accuracy"]
)
def test_per_task_score_of_classes_in_wide_form(scoring):
    X, y = wide_classes()
    model = RandomForestClassifier(10, max_depth=2, random_state=0).fit(X, y)
    found = per_task_score(model, X, y, scoring=scoring)
    scorer = get_scorer(scoring)
    for t, name in enumerate(y):

        class Column(ClassifierMixin, BaseEstimator):
            task, classes_ = t, model.classes_[t]

            def fit(self, X, y):
                """Nothing to learn."""

            def predict(self, X):
                return model.predict(X)[:, self.task]

            def predict_proba(self, X):
                return model.predict_proba(X)[self.task]

        assert_allclose(found[name], scorer(Column(), X, y[name]))


def test_per_task_score_by_decision_values():
    X, _ = wide_classes()
    y = (X[:, :2] > 0.3).astype(int)
    model = RidgeClassifier().fit(X, y)
    found = per_task_score(model, X, y, scoring="roc_auc")
    expected = roc_auc_score(y, model.decision_function(X), average=None)
    assert_allclose(found, expected)


def test_per_task_score_by_a_function(wide_table, long_table):
    def score(estimator, X, y):
        # other rows than those that are scored
        return -median_absolute_error(y[:3], estimator.predict(X[:3]))

    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    found = per_task_score(model, X, y, scoring=score)
    for name in y:
        there = np.flatnonzero(y[name].notna())[:3]
        expected = median_absolute_error(y[name].iloc[there], model.predict(X)[name].iloc[there])
        assert_allclose(found[name], -expected)
    X, y = long_table
    model = MeanOfTask("school").fit(X, y)
    assert len(per_task_score(model, X, y, scoring=score)) == 3


def test_per_task_score_without_labels(wide_table):
    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    empty = y.assign(v=np.nan)
    assert per_task_score(model, X, empty, scoring="r2").isna().tolist() == [False, True, False]
    with pytest.warns(UndefinedMetricWarning, match=r"\['v'\]"):
        assert per_task_score(model, X, empty).isna().tolist() == [False, True, False]


def test_per_task_score_names_the_task_of_an_error(wide_table):
    X, y = wide_table
    scorer = make_scorer(lambda y_true, y_pred: 1 / (len(y_true) - 3))
    y = y.assign(v=y["v"].where(np.arange(40) < 3))
    with pytest.raises(ZeroDivisionError) as caught:
        per_task_score(MeanOfTask().fit(X, y), X, y, scoring=scorer)
    assert "'v'" in caught.value.__notes__[0]


def test_what_per_task_score_refuses(wide_table, long_table):
    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    with says(TypeError, "is not a single scorer", "once for each"):
        per_task_score(model, X, y, scoring=["r2"])
    with says(ValueError, "'neg_root_mean_squared_error'", "'r3'"):
        per_task_score(model, X, y, scoring="r3")
    X, y = long_table
    model = MeanOfTask("school").fit(X, y)
    with says(ValueError, "one weight for each row"):
        per_task_score(model, X, y, scoring="r2", sample_weight=np.ones((30, 3)))


def test_predictions_are_made_once_in_wide_form(wide_table):
    X, y = wide_table
    calls = []

    class Counting(MeanOfTask):
        def predict(self, X):
            calls.append(len(X))
            return super().predict(X)

    model = Counting().fit(X, y)
    for scoring in ("r2", None, mt_r2_scorer):
        calls.clear()
        per_task_score(model, X, y, scoring=scoring)
        assert calls == [40]


# transfer gain


def test_transfer_gain_of_errors():
    found = transfer_gain([1.0, 3.0, 2.0], [2.0, 2.0, 2.0])
    assert_series_equal(found, pd.Series([0.5, -0.5, 0.0]))


def test_transfer_gain_of_scores():
    found = transfer_gain([0.9, -0.5], [0.6, -1.0], greater_is_better=True)
    assert_allclose(found, [0.5, 0.5])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.1, 1e6)), min_size=1))
@settings(deadline=None, max_examples=30)
def test_transfer_gain_is_the_share_of_the_error_that_is_gone(pairs):
    multi, single = np.array(pairs).T
    found = transfer_gain(multi, single)
    assert (found <= 1).all()
    assert_allclose(single * (1 - found), multi, atol=1e-6)
    scores = transfer_gain(-multi, -single, greater_is_better=True)
    assert_allclose(scores, found)


def test_transfer_gain_matches_labels():
    multi = pd.Series({"a": 1.0, "b": 2.0})
    for single in (pd.Series({"b": 4.0, "a": 4.0}), {"b": 4.0, "a": 4.0}, [4.0, 4.0]):
        assert_series_equal(transfer_gain(multi, single), pd.Series({"a": 0.75, "b": 0.5}))
    found = transfer_gain([1.0, 2.0], {"a": 4.0, "b": 4.0})
    assert_series_equal(found, pd.Series({"a": 0.75, "b": 0.5}))


def test_transfer_gain_without_an_error_to_compare_with():
    found = transfer_gain([0.0, 1.0, np.nan], [0.0, 0.0, 1.0])
    assert found.fillna(-1).tolist() == [0.0, -1.0, -1.0]


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
