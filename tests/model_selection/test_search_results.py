"""Scorers of batched searches, and what the fitted search holds."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score

from skmtl.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from tests._search import (
    RATES,
    STOPS_EARLY,
    assert_same_results,
    brief_model,
    classes_of,
    compare,
    two_errors,
)
from tests._tables import assert_same_model, quick_classifier


def test_several_scorers(schools, in_double):
    names = ["r2", "neg_mean_absolute_error"]
    for scoring in (names, dict(zip("ab", names, strict=True)), names[:1]):
        refit = list(scoring)[-1]
        search = compare(
            brief_model(), RATES, *schools, scoring=scoring, refit=refit, return_train_score=True
        )
        assert list(search.scorer_) == list(scoring)
        compare(brief_model(), RATES, *schools, scoring=scoring, refit=False)
    with pytest.raises(ValueError, match="refit"):
        BatchedGridSearchCV(brief_model(), RATES, scoring=names).fit(*schools)


def test_scorer_that_returns_several_scores(schools, in_double):
    compare(brief_model(), RATES, *schools, scoring=two_errors, refit="mse")
    search = compare(brief_model(), RATES, *schools, scoring=two_errors, refit=False)
    assert search.scorer_ is two_errors
    with pytest.raises(ValueError, match="refit"):
        BatchedGridSearchCV(brief_model(), RATES, scoring=two_errors, refit="r2").fit(*schools)


@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_one_scorer(schools, in_double, scoring):
    compare(brief_model(**STOPS_EARLY), RATES, *schools, scoring=scoring, return_train_score=True)


def test_every_fit_stops_on_its_own(schools, in_double):
    def epochs(model, X, y):
        return model.n_iter_

    search = compare(brief_model(**STOPS_EARLY), RATES, *schools, scoring=epochs)
    counts = [search.cv_results_[f"split{k}_test_score"] for k in range(2)]
    assert 1 < np.min(counts) < np.max(counts) == STOPS_EARLY["max_iter"]


def test_refit_by_a_function(schools, in_double):
    search = compare(brief_model(), RATES, *schools, refit=lambda results: 1)
    assert search.best_index_ == 1
    with pytest.raises(TypeError):
        BatchedGridSearchCV(brief_model(), RATES, cv=2, refit=lambda results: "1").fit(*schools)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_scorer_that_fails(schools, in_double):
    def fails(model, X, y):
        if model.alpha:
            raise ValueError("what a scorer says")
        return 1.0

    with pytest.warns(UserWarning, match="what a scorer says"):
        compare(brief_model(), {"alpha": [0.0, 1.0]}, *schools, scoring=fails)
    with pytest.raises(ValueError, match="what a scorer says"):
        BatchedGridSearchCV(
            brief_model(), {"alpha": [0.0, 1.0]}, scoring=fails, error_score="raise"
        ).fit(*schools)


def test_the_search_acts_as_its_best_model(schools):
    X, y = schools
    search = BatchedGridSearchCV(brief_model(), RATES, cv=2)
    with pytest.raises(NotFittedError):
        search.predict(X)
    search.fit(X, y)
    best = search.best_estimator_
    assert_same_model(best, brief_model(**search.best_params_).fit(X, y))
    assert_array_equal(search.predict(X), best.predict(X))
    assert search.score(X, y) == best.score(X, y)
    assert search.n_features_in_ == X.shape[1]
    assert search.feature_names_in_.tolist() == X.columns.tolist()
    assert search.refit_time_ > 0
    assert not hasattr(search, "predict_proba")
    search = BatchedGridSearchCV(quick_classifier(), RATES, cv=2).fit(X, classes_of(y, 0.5))
    assert search.classes_.tolist() == ["low", "mid"]
    assert search.predict_proba(X).shape == (48, 2)
    search.set_params(refit=False).fit(X, classes_of(y, 0.5))
    with pytest.raises(AttributeError):
        search.predict(X)


def test_clone_pickle_and_score_of_a_search(schools, in_double):
    X, y = schools
    settings = {"cv": 2, "max_members": 3, "n_jobs": 1, "error_score": 0.0}
    search = BatchedGridSearchCV(brief_model(), RATES, **settings)
    assert clone(search).get_params(deep=False)["max_members"] == 3
    assert "estimator__alpha" in search.get_params()
    for name, value in settings.items():
        assert f"{name}={value!r}" in repr(search)
    reference = GridSearchCV(brief_model(), RATES, cv=2)
    assert_allclose(
        cross_val_score(search, X, y, cv=2), cross_val_score(reference, X, y, cv=2), rtol=1e-9
    )
    search.fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    assert_array_equal(again.predict(X), search.predict(X))
    assert_same_results(again, search, atol=0)


def test_randomized_search(schools, in_double):
    distributions = [
        {"learning_rate_init": loguniform(1e-4, 1e-1), "hidden_layer_sizes": [(8,), (9,)]},
        {"alpha": loguniform(1e-5, 1.0)},
    ]
    settings = {"n_iter": 5, "cv": 2}
    for seed in (0, np.random.RandomState(0)):
        reference = RandomizedSearchCV(
            brief_model(), distributions, random_state=clone(seed, safe=False), **settings
        )
        search = BatchedRandomizedSearchCV(
            brief_model(), distributions, random_state=clone(seed, safe=False), **settings
        )
        assert_same_results(search.fit(*schools), reference.fit(*schools))
        assert_same_model(search.best_estimator_, reference.best_estimator_)
    assert clone(search).n_iter == 5
