"""Scores of single tasks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    get_scorer,
    make_scorer,
    median_absolute_error,
    roc_auc_score,
)

from skmtl.metrics import mt_accuracy_scorer, mt_r2_scorer, per_task_score
from tests._asserts import says
from tests._metrics import MeanOfTask, SharesOfTask, by_task, wide_classes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error", "max_error"])
def test_per_task_score_in_wide_form(wide_table, scoring, weighted):
    X, y = wide_table
    scoring = "neg_max_error" if scoring == "max_error" else scoring
    weighted = weighted and scoring != "neg_max_error"
    model = LinearRegression().fit(X, y.fillna(0))
    weights = np.random.default_rng(0).uniform(0.1, 1, 40)
    options = {"sample_weight": weights} if weighted else {}
    actual = per_task_score(model, X, y, scoring=scoring, **options)
    for t, name in enumerate(y):
        there = y[name].notna()
        alone = LinearRegression().fit(X, y[name].fillna(0))
        few = {"sample_weight": weights[there]} if weighted else {}
        expected = get_scorer(scoring)(alone, X[there], y.loc[there, name], **few)
        assert_allclose(actual[name], expected, err_msg=f"{t}")


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
        actual = per_task_score(model, X, y, scoring=scoring)
        assert_series_equal(actual, expected, check_names=False)


@pytest.mark.parametrize(
    "scoring", ["accuracy", "roc_auc_ovr", "neg_log_loss", "f1_macro", "balanced_accuracy"]
)
def test_per_task_score_of_classes_in_wide_form(scoring):
    X, y = wide_classes()
    model = RandomForestClassifier(10, max_depth=2, random_state=0).fit(X, y)
    actual = per_task_score(model, X, y, scoring=scoring)
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

        assert_allclose(actual[name], scorer(Column(), X, y[name]))


def test_per_task_score_by_decision_values():
    X, _ = wide_classes()
    y = (X[:, :2] > 0.3).astype(int)
    model = RidgeClassifier().fit(X, y)
    actual = per_task_score(model, X, y, scoring="roc_auc")
    expected = roc_auc_score(y, model.decision_function(X), average=None)
    assert_allclose(actual, expected)


def test_per_task_score_by_a_function(wide_table, long_table):
    def score(estimator, X, y):
        # other rows than those that are scored
        return -median_absolute_error(y[:3], estimator.predict(X[:3]))

    X, y = wide_table
    model = MeanOfTask().fit(X, y)
    actual = per_task_score(model, X, y, scoring=score)
    for name in y:
        there = np.flatnonzero(y[name].notna())[:3]
        expected = median_absolute_error(y[name].iloc[there], model.predict(X)[name].iloc[there])
        assert_allclose(actual[name], -expected)
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
