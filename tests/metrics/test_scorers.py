"""Scorers in scikit-learn's tools, and scorers of other functions."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import brier_score_loss, get_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate

import skmtl.metrics
from skmtl.metrics import (
    make_mt_scorer,
    mt_mean_squared_error,
    mt_r2_score,
    mt_r2_scorer,
    mt_roc_auc_scorer,
    neg_mt_rmse_scorer,
    per_task_score,
)
from tests._asserts import says
from tests._metrics import CLASS_SCORERS, SCORERS, MeanOfTask, SharesOfTask, by_task, wide_classes


def test_cross_validation_with_several_scorers_and_missing_labels(wide_table):
    X, y = wide_table
    actual = cross_validate(
        MeanOfTask(), X, y, cv=KFold(3), scoring={**SCORERS, "own": _max_error}, error_score="raise"
    )
    for fold, (train, test) in enumerate(KFold(3).split(X)):
        model = MeanOfTask().fit(X.iloc[train], y.iloc[train])
        for name, scorer in SCORERS.items():
            expected = scorer(model, X.iloc[test], y.iloc[test])
            assert_allclose(actual[f"test_{name}"][fold], expected)


def _max_error(estimator, X, y):
    return -float(np.nanmax(np.abs(estimator.predict(X).to_numpy() - y.to_numpy())))


def test_cross_validation_of_classes_in_wide_form():
    X, y = wide_classes()
    actual = cross_validate(
        RandomForestClassifier(5, random_state=0), X, y, cv=3, scoring=CLASS_SCORERS
    )
    assert all(np.isfinite(actual[f"test_{name}"]).all() for name in CLASS_SCORERS)


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
    actual = permutation_importance(
        model, X, y, scoring=mt_r2_scorer, sample_weight=np.ones(30), n_repeats=1
    )
    assert actual.importances_mean[0] == 0


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
    requests = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight=True)
    named = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight="w")
    ignores = make_mt_scorer(mt_mean_squared_error).set_score_request(sample_weight=False)
    scorers = {"requests": requests, "ignores": ignores}
    actual = cross_validate(
        model, X, y, cv=KFold(2), scoring=scorers, params={"sample_weight": weights}
    )
    by_name = cross_val_score(model, X, y, cv=KFold(2), scoring=named, params={"w": weights})
    for fold, (train, test) in enumerate(KFold(2).split(X)):
        fitted = clone(model).fit(X.iloc[train], y.iloc[train])
        weighted = requests(fitted, X.iloc[test], y.iloc[test], sample_weight=weights[test])
        assert_allclose([actual["test_requests"][fold], by_name[fold]], weighted)
        assert_allclose(actual["test_ignores"][fold], requests(fitted, X.iloc[test], y.iloc[test]))
    search = GridSearchCV(model, {"bias": [0.0]}, cv=KFold(2), scoring=requests)
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


def _largest(y_true, y_pred):
    return np.max(np.abs(y_true - y_pred))


def test_custom_function_of_one_task(long_table, wide_table):
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


def test_custom_function_with_settings_and_weights(wide_table):
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


def test_custom_function_of_probabilities(long_classes):
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
