"""Batched searches of pipelines."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmtl.model_selection import BatchedGridSearchCV
from tests._search import RATES, STOPS_EARLY, brief_model, compare, scaled, without_stopping
from tests._tables import assert_same_model


def test_pipeline(schools, in_double, groups_trained):
    grid = {
        "model__learning_rate_init": [1e-3, 1e-2],
        "scale__standardscaler__with_mean": [True, False],
    }
    search = compare(scaled(brief_model(**STOPS_EARLY)), grid, *schools)
    # steps before the model do not matter to its shapes
    assert groups_trained == [(8, 8)]
    assert search.best_estimator_[-1].n_iter_ > 0
    search = BatchedGridSearchCV(scaled(brief_model()), {"scale": ["passthrough"]}, cv=3)
    assert_same_model(search.fit(*schools).best_estimator_[-1], brief_model().fit(*schools))


def test_steps_are_fitted_once_for_each_fold(schools, groups_trained, monkeypatch):
    seen = []

    def note(X):
        seen.append(len(X))
        return X

    steps = [("note", FunctionTransformer(note)), ("model", without_stopping())]
    grid = {"model__alpha": [0.0, 0.1, 1.0]}
    X, y = schools
    # a lambda or a local function cannot be compared with another one, and is called for each fit
    BatchedGridSearchCV(Pipeline(steps), grid, cv=3, refit=False).fit(X, y)
    assert sorted(seen) == [16] * 9 + [32] * 9
    steps[0] = ("count", Counts())
    monkeypatch.setattr(Counts, "fitted", [])
    BatchedGridSearchCV(Pipeline(steps), grid, cv=3, refit=False, max_members=100).fit(X, y)
    assert Counts.fitted == [32] * 3


class Counts(StandardScaler):
    """Changes nothing, and notes how often it is fitted."""

    fitted = None

    def fit(self, X, y=None, sample_weight=None):
        self.fitted.append(len(X))
        self.n_features_in_ = X.shape[1]
        self.weight_ = None if sample_weight is None else np.sum(sample_weight)
        return self

    def transform(self, X, copy=None):
        return X if self.weight_ is None else X.assign(age=X["age"] * self.weight_)


def test_pipeline_of_one_step_and_of_what_cannot_be_hashed(schools, in_double):
    compare(Pipeline([("model", brief_model())]), {"model__alpha": [0.0, 1.0]}, *schools)
    older = FunctionTransformer(lambda X: X.assign(age=X["age"] + 1))
    model = Pipeline([("older", older), ("model", brief_model())])
    compare(model, {"model__alpha": [0.0, 1.0]}, *schools)


def test_fit_parameters_of_a_pipeline(schools, in_double, monkeypatch):
    monkeypatch.setattr(Counts, "fitted", [])
    X, y = schools
    model = Pipeline([("count", Counts()), ("model", brief_model())])
    grid = {"model__learning_rate_init": [1e-3, 1e-2]}
    weights = np.arange(48) % 3 + 1.0
    for step in ("model", "count"):
        search = compare(model, grid, X, y, fit={f"{step}__sample_weight": weights})
        assert search.best_score_ != compare(model, grid, X, y).best_score_
    for name in ("sample_weight", "nobody__sample_weight"):
        for Search in (GridSearchCV, BatchedGridSearchCV):
            with pytest.raises((ValueError, KeyError)):
                Search(model, grid, cv=3).fit(X, y, **{name: weights})


def test_metadata_routing(schools, in_double, monkeypatch):
    monkeypatch.setattr(Counts, "fitted", [])
    X, y = schools
    fit = {"sample_weight": np.arange(48) % 3 + 1.0, "groups": np.arange(48) % 7}
    with sklearn.config_context(enable_metadata_routing=True):
        model = brief_model().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        compare(model, RATES, X, y, fit=fit, cv=GroupKFold(2))
        ignores = Counts().set_fit_request(sample_weight=False)
        requests = Counts().set_fit_request(sample_weight=True)
        for count in (ignores, requests):
            steps = [("count", count), ("model", model)]
            grid = {"model__learning_rate_init": [1e-3, 1e-2]}
            compare(Pipeline(steps), grid, X, y, fit=fit, cv=GroupKFold(2))
