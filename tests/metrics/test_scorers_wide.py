"""Scorers in wide form: tasks are the columns of y."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score, roc_auc_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier

from skmtl.metrics import (
    _mean_task_score,
    mt_accuracy_score,
    mt_accuracy_scorer,
    mt_average_precision_score,
    mt_log_loss,
    mt_r2_score,
    mt_r2_scorer,
    mt_roc_auc_score,
    mt_roc_auc_scorer,
    neg_mt_log_loss_scorer,
    neg_mt_mse_scorer,
    per_task_score,
)
from tests._asserts import says
from tests._metrics import (
    CLASS_SCORERS,
    PROBABILITY,
    REGRESSION,
    SCORERS,
    MeanOfTask,
    wide_classes,
    with_gaps,
)


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
        actual = per_task_score(model, X, turned, scoring=scoring)
        assert_series_equal(actual, per_task_score(model, X, y, scoring=scoring)[["w", "u", "v"]])


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
        actual = per_task_score(model, X, gaps, scoring=CLASS_SCORERS[name])
        assert_series_equal(actual, sign * expected)
    for scoring, metric in [("roc_auc", mt_roc_auc_score), ("neg_log_loss", mt_log_loss)]:
        sign = -1 if metric is mt_log_loss else 1
        actual = per_task_score(model, X, gaps, scoring=scoring)
        assert_series_equal(actual, sign * metric(gaps, probability, average=None))


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
