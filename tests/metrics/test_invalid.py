"""Scores that are not defined, and input that does not fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning

from skmtl.metrics import (
    mt_accuracy_score,
    mt_average_precision_score,
    mt_log_loss,
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_roc_auc_score,
)
from tests._asserts import says
from tests._metrics import PROBABILITY, REGRESSION


@pytest.mark.parametrize("metric", [*REGRESSION, mt_accuracy_score])
def test_tasks_without_labels_are_ignored(metric):
    y_true = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan] * 2, "c": [None] * 2})
    y_pred = pd.DataFrame({name: [1.0, 1.0] for name in "abc"})
    with pytest.warns(UndefinedMetricWarning, match=r"2 task\(s\).*\['b', 'c'\]") as caught:
        actual = metric(y_true, y_pred)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert actual == metric(y_true[["a"]], y_pred[["a"]])
    with pytest.warns(UndefinedMetricWarning):
        by_task = metric(y_true, y_pred, average=None)
    assert by_task.isna().tolist() == [False, True, True]
    # all labels together lack none
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
        actual = mt_average_precision_score(y_true[tasks], y_pred[:, [0, 1, 3]], average=None)
    assert actual.fillna(-1).tolist() == [1.0, -1.0, 1.0]
    # a single class that could be either of two, and it matters which
    with says(ValueError, "'c'", "'x'", "labels="):
        mt_log_loss(y_true, y_pred)


def test_at_most_ten_tasks_are_named():
    with pytest.warns(UndefinedMetricWarning, match=r"12 task\(s\).* 9, \.\.\.\]"):
        mt_r2_score(np.ones((1, 12)), np.ones((1, 12)))


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
