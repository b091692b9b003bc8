"""Fits of batched searches that fail, and models that are refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping

from skmtl.exceptions import DivergenceError
from skmtl.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from tests._search import (
    DIVERGES,
    EARLY,
    RATES,
    brief_model,
    compare,
    scaled,
    two_errors,
    without_stopping,
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scoring": ["r2", "neg_max_error"], "refit": "r2", "error_score": -7.0},
        {"scoring": two_errors, "refit": "mse", "error_score": np.nan},
    ],
    ids=["score", "scorers", "function"],
)
@EARLY
# scikit-learn warns of scores that are not finite
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_divergence(schools, in_double, settings, early):
    grid = {"learning_rate_init": [1e-3, DIVERGES, 1e-2]}
    settings = {**settings, "return_train_score": True}
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 6"):
        search = compare(brief_model(**early), grid, *schools, **settings)
    for name, scores in search.cv_results_.items():
        if "_test_" in name and not name.startswith(("std", "rank")):
            assert_array_equal(scores[1], settings.get("error_score", np.nan))


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_divergence_leaves_the_others_alone(schools):
    # wide enough for bitwise identical results, see the laws of the member axis
    model = without_stopping(hidden_layer_sizes=(32,), embedding_dim=8)
    scores = []
    for rate in (DIVERGES, 5e-3):
        grid = {"learning_rate_init": [1e-3, rate, 1e-2]}
        search = BatchedGridSearchCV(model, grid, cv=3)
        if rate == DIVERGES:
            with pytest.warns(FitFailedWarning, match="learning_rate_init is 1e\\+25"):
                search.fit(*schools)
        else:
            search.fit(*schools)
        results = search.cv_results_
        scores.append([results[f"split{k}_test_score"][[0, 2]] for k in range(3)])
    assert np.isfinite(scores[0]).all()
    assert_array_equal(*scores)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_messages_of_divergence_are_those_of_single_fits(schools):
    grid = {"learning_rate_init": [1e-3, DIVERGES]}
    texts = []
    for Search in (GridSearchCV, BatchedGridSearchCV):
        with pytest.warns(FitFailedWarning) as caught:
            Search(brief_model(n_members=2), grid, cv=3).fit(*schools)
        texts.append(str(caught[0].message).splitlines()[-1])
    assert texts[0] == texts[1]
    with pytest.raises(DivergenceError, match="member 0 of 1 is not finite"):
        BatchedGridSearchCV(brief_model(), grid, error_score="raise").fit(*schools)
    with pytest.raises(ValueError, match="All the 10 fits failed(?s:.)*learning_rate_init is"):
        BatchedGridSearchCV(brief_model(), {"learning_rate_init": [DIVERGES, 1e26]}).fit(*schools)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        # within one run with the other candidates
        ("alpha", [0.1, -1.0, "much"]),
        ("learning_rate_init", [1e-3, 0]),
        # refused when parameters are checked, when a network is built, when tensors are placed
        ("n_members", [1, 0, 2.5]),
        ("embedding_dim", [2, -1]),
        ("hidden_layer_sizes", [(8,), (8, 0)]),
        ("device", ["cpu", "nowhere"]),
        ("metadata", [["size"], ["colour"]]),
        ("batch_size", ["auto", 0]),
    ],
)
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_candidates_that_are_refused(schools, in_double, name, values):
    with pytest.warns(FitFailedWarning):
        search = compare(without_stopping(), {"tol": [0.0], **RATES, name: values}, *schools)
    scores, params = search.cv_results_["mean_test_score"], search.cv_results_["params"]
    assert np.isfinite(scores).tolist() == [p[name] == values[0] for p in params]
    for bad in values[1:]:
        reference, search = (
            Search(without_stopping(), {name: [bad]}, error_score="raise")
            for Search in (GridSearchCV, BatchedGridSearchCV)
        )
        with pytest.raises((TypeError, ValueError)) as expected:
            reference.fit(*schools)
        with pytest.raises(type(expected.value)) as raised:
            search.fit(*schools)
        assert str(raised.value) == str(expected.value)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_rows_that_only_some_folds_refuse(schools, in_double):
    X, y = schools
    X = X.copy()
    # too far out to learn from, not too far to predict
    X.loc[0, "status"] = 1e10
    settings = {"scoring": "neg_median_absolute_error", "refit": False, "cv": 3}
    with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 6"):
        search = compare(without_stopping(), RATES, X, y, **settings)
    assert np.isfinite(search.cv_results_["split0_test_score"]).all()


def test_parameters_that_no_estimator_has(schools):
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        BatchedGridSearchCV(brief_model(), {"colour": [1]}).fit(*schools)
    with pytest.raises(ValueError, match="'max_members' parameter of BatchedGridSearchCV"):
        BatchedGridSearchCV(brief_model(), RATES, max_members=0).fit(*schools)
    with pytest.raises(ValueError, match="'max_members' parameter of BatchedRandomizedSearchCV"):
        BatchedRandomizedSearchCV(brief_model(), RATES, max_members=1.5).fit(*schools)
    with pytest.raises(ValueError, match="No fits were performed"):
        BatchedGridSearchCV(brief_model(), []).fit(*schools)
    with pytest.raises(ValueError, match="No fits were performed"):
        BatchedGridSearchCV(brief_model(), RATES, cv=[]).fit(*schools)


@pytest.mark.parametrize(
    "model",
    [Ridge(), DummyRegressor(), Pipeline([("scale", StandardScaler()), ("ridge", Ridge())])],
)
@pytest.mark.parametrize("Search", [BatchedGridSearchCV, BatchedRandomizedSearchCV])
def test_other_estimators(schools, Search, model):
    with pytest.raises(TypeError, match="estimators of skmtl.*got .*Use scikit-learn's"):
        Search(model, {"alpha": [1.0]}).fit(*schools)
    candidates = {"model": [brief_model(), model]}
    if Search is BatchedGridSearchCV:
        with pytest.raises(TypeError, match="estimators of skmtl.*got .*Use scikit-learn's"):
            Search(scaled(brief_model()), candidates).fit(*schools)


def test_estimators_among_the_candidates(schools, in_double, groups_trained):
    models = [without_stopping(), without_stopping(alpha=1.0), without_stopping(embedding_dim=2)]
    grid = {"model": models}
    X, y = schools
    search = BatchedGridSearchCV(scaled(brief_model()), grid, cv=2).fit(X, y)
    reference = GridSearchCV(scaled(brief_model()), grid, cv=2).fit(X, y)
    for k in range(2):
        name = f"split{k}_test_score"
        assert_allclose(search.cv_results_[name], reference.cv_results_[name], rtol=1e-9)
    assert sorted(groups_trained) == [(2, 2), (4, 4)]


class Watches(Callback):
    """A callback that does nothing."""


def test_callbacks(schools, in_double, groups_trained):
    compare(without_stopping(callbacks=[Watches()]), RATES, *schools)
    assert groups_trained == [(4, 4)]
    groups_trained.clear()

    class Local(Watches):
        """What cannot be hashed."""

    compare(without_stopping(callbacks=[Local()]), RATES, *schools)
    assert groups_trained == [(1, 1)] * 4
    # one that steers by one number steers every fit alone
    steering = EarlyStopping(monitor="train_loss", patience=2)
    compare(without_stopping(callbacks=[steering], max_iter=10), RATES, *schools)
