"""Coverage, width, interval score and pinball loss: values, tasks, scorers and errors."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmtl.metrics import (
    make_mt_scorer,
    mt_interval_coverage,
    mt_interval_coverage_scorer,
    mt_interval_score,
    mt_interval_width,
    mt_pinball_loss,
    neg_mt_interval_score_scorer,
    neg_mt_interval_width_scorer,
    neg_mt_pinball_loss_scorer,
    per_task_score,
)

RNG = np.random.default_rng(0)
Y = np.column_stack([RNG.normal(size=30), 10 * RNG.normal(size=30)])
Y[::4, 0] = np.nan
BOUNDS = np.stack([np.full((30, 2), [-1.0, -5.0]), np.full((30, 2), [1.0, 20.0])], axis=2)


def test_values_are_those_of_the_formulas():
    y, (low, high) = Y[:, 1], BOUNDS[:, 1].T
    below, above = np.maximum(low - y, 0), np.maximum(y - high, 0)
    bounds = BOUNDS[:, 1]
    assert_allclose(mt_interval_coverage(y, bounds), np.mean((low <= y) & (y <= high)))
    assert_allclose(mt_interval_width(y, bounds), 25)
    expected = np.mean(25 + 2 / 0.2 * (below + above))
    assert_allclose(mt_interval_score(y, bounds, coverage=0.8), expected)
    # the score is a sum of two pinball losses
    losses = [mean_pinball_loss(y, b, alpha=a) for a, b in ((0.1, low), (0.9, high))]
    assert_allclose(expected, np.sum(losses) * 2 / 0.2)
    assert_allclose(mt_pinball_loss(y, bounds, levels=[0.1, 0.9]), np.mean(losses))
    assert_allclose(mt_pinball_loss(y, low, levels=0.1), losses[0])


def test_tasks_are_columns_and_missing_labels_are_left_out():
    frame = pd.DataFrame(Y, columns=["a", "b"])
    by_task = mt_interval_coverage(frame, BOUNDS, average=None)
    labelled = ~np.isnan(Y[:, 0])
    one = np.mean(np.abs(Y[labelled, 0]) <= 1)
    assert_allclose(by_task["a"], one)
    assert_allclose(mt_interval_coverage(frame, BOUNDS), by_task.mean())
    counts = np.array([labelled.sum(), 30])
    micro = mt_interval_coverage(frame, BOUNDS, average="micro")
    assert_allclose(micro, np.average(by_task, weights=counts))
    named = {"b": BOUNDS[:, 1], "a": BOUNDS[:, 0]}
    assert_allclose(mt_interval_score(frame, named), mt_interval_score(Y, BOUNDS))


def test_a_weight_of_two_is_the_row_twice():
    weights = RNG.integers(1, 4, size=30)
    rows = np.repeat(np.arange(30), weights)
    for metric in (mt_interval_coverage, mt_interval_width, mt_interval_score):
        assert_allclose(metric(Y, BOUNDS, sample_weight=weights), metric(Y[rows], BOUNDS[rows]))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (BOUNDS[:, :, :1], "a lower and an upper bound"),
        (BOUNDS[:, :, ::-1], "must not be above"),
        (BOUNDS[:, :1], r"shape \(n, k\) for one column"),
        (BOUNDS[:20], "20"),
        ({0: BOUNDS[:, 0]}, "bounds for the tasks"),
        (np.where(BOUNDS > 10, np.nan, BOUNDS), "NaN or infinite"),
    ],
)
def test_wrong_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        mt_interval_coverage(Y, bounds)


def test_wrong_levels_are_refused():
    with pytest.raises(ValueError, match="2 quantiles of each label, but 3 levels"):
        mt_pinball_loss(Y, BOUNDS)
    with pytest.raises(ValueError, match="coverage must be"):
        mt_interval_score(Y, BOUNDS, coverage=1)


class Constant(RegressorMixin, BaseEstimator):
    """Predicts intervals of a given half width."""

    def __init__(self, task_id=None, half=1.0):
        self.task_id, self.half = task_id, half

    def fit(self, X, y):
        self.n_outputs_ = np.ndim(y)
        return self

    def predict(self, X):
        return np.zeros(len(X)) if self.n_outputs_ == 1 else np.zeros((len(X), 2))

    def predict_interval(self, X, coverage=0.9):
        bounds = self.half * coverage * np.array([-1.0, 1.0])
        return np.broadcast_to(bounds, (*self.predict(X).shape, 2))

    def predict_quantiles(self, X, levels):
        return np.stack([self.predict(X)] * len(levels), axis=-1)


def test_scorers_find_tasks_in_long_form():
    X = pd.DataFrame({"task": np.repeat(["a", "b"], [20, 10]), "x": 0.0})
    y = RNG.normal(size=30)
    model = make_pipeline(FunctionTransformer(), Constant("task")).fit(X, y)
    inside = np.abs(y) <= 0.9
    means = [inside[:20].mean(), inside[20:].mean()]
    assert_allclose(mt_interval_coverage_scorer(model, X, y), np.mean(means))
    assert_allclose(per_task_score(model, X, y, scoring=mt_interval_coverage_scorer), means)
    scorer = make_mt_scorer(mt_interval_coverage, coverage=0.5, average="micro")
    assert_allclose(scorer(model, X, y), np.mean(np.abs(y) <= 0.5))
    assert_allclose(neg_mt_interval_width_scorer(model, X, y), -1.8)
    assert_allclose(neg_mt_pinball_loss_scorer(model, X, y) < 0, True)
    assert "coverage=0.5" in repr(scorer)
    # a search asks the best estimator
    grid = {"constant__half": [0.01, 2.0]}
    search = GridSearchCV(model, grid, scoring=neg_mt_interval_score_scorer, cv=KFold(2))
    search.fit(X.sample(frac=1, random_state=0), y)
    assert search.best_params_ == {"constant__half": 2.0}
    assert mt_interval_coverage_scorer(search, X, y) > 0.8


def test_scorers_take_columns_in_wide_form():
    model = Constant(half=10.0).fit(Y, Y)
    model.tasks_ = ["a", "b"]
    frame = pd.DataFrame(Y, columns=["a", "b"])
    expected = mt_interval_score(Y, model.predict_interval(Y))
    assert_allclose(neg_mt_interval_score_scorer(model, Y, frame), -expected)
    assert_allclose(neg_mt_interval_score_scorer(model, Y, frame[["b", "a"]]), -expected)


def test_scorers_say_what_they_need():
    with pytest.raises(AttributeError, match="needs predict_interval"):
        mt_interval_coverage_scorer(FunctionTransformer(), Y, Y)
    with pytest.raises(ValueError, match="has no settings"):
        make_mt_scorer(mt_interval_score, alpha=0.1)
    with pytest.raises(ValueError, match="only takes average and coverage"):
        make_mt_scorer(mt_interval_score, greater_is_better=True)
