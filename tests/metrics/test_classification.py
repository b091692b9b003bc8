"""Metrics of classes agree with plain loops and with scikit-learn, whatever is missing."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, roc_auc_score

from skmtl.metrics import (
    mt_accuracy_score,
    mt_average_precision_score,
    mt_log_loss,
    mt_roc_auc_score,
)
from tests._asserts import says
from tests._metrics import PROBABILITY


def test_accuracy_is_scikit_learns_on_the_labels_of_each_task(classes):
    y_true, probabilities, labels = classes
    y_pred = pd.DataFrame(
        {task: labels[task][p.argmax(axis=1)] for task, p in probabilities.items()}
    )
    weights = np.random.default_rng(0).uniform(size=len(y_true))
    actual = mt_accuracy_score(y_true, y_pred, sample_weight=weights, average=None)
    hits = total = 0
    for task in y_true:
        there = y_true[task].notna()
        truth = y_true.loc[there, task].tolist()
        expected = accuracy_score(truth, y_pred.loc[there, task], sample_weight=weights[there])
        assert_allclose(actual[task], expected)
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
    actual = metric(y_true.to_numpy(), y_pred, average=None, **options)
    assert_series_equal(actual, expected)
    actual = metric(y_true.to_numpy(), forms[2], average=None, **options)
    assert_series_equal(actual, expected.set_axis([0, 1, 2]))


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
        actual = metric(y_true, turned, labels=given_labels, average=None)
        assert_series_equal(actual, expected)


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
    actual = mt_roc_auc_score(y_true, y_pred, average="micro")
    assert_allclose(actual, roc_auc_score(flags, scores))
    actual = mt_average_precision_score(y_true, y_pred, average="micro")
    assert_allclose(actual, average_precision_score(flags, scores))


def test_the_area_ignores_classes_without_labels():
    generator = np.random.default_rng(0)
    y_pred = generator.dirichlet(np.ones(4), 30)
    y_true = generator.choice([0, 2, 3], 30)
    narrow = y_pred[:, [0, 2, 3]] / y_pred[:, [0, 2, 3]].sum(axis=1, keepdims=True)
    expected = roc_auc_score(y_true, narrow, multi_class="ovr")
    assert_allclose(mt_roc_auc_score(y_true, y_pred, labels=[[0, 1, 2, 3]]), expected)
    two = np.isin(y_true, [0, 3])
    share = y_pred[two, 3] / (y_pred[two, 0] + y_pred[two, 3])
    actual = mt_roc_auc_score(y_true[two], y_pred[two], labels=[[0, 1, 2, 3]])
    assert_allclose(actual, roc_auc_score(y_true[two] == 3, share))


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
