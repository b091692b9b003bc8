"""Batched searches: the scores of scikit-learn's searches, member by member.

Whatever can be said to a search is said to scikit-learn's as well, and the results compared.
"""

import os
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from joblib.parallel import LokyBackend
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback, EarlyStopping

from skmtl.exceptions import DivergenceError
from skmtl.model_selection import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    LeaveTasksOut,
    TaskKFold,
    _fits,
    _memory,
)
from skmtl.training._optimizer import MemberAdam
from tests._tables import (
    assert_same_model,
    double_precision,
    make_schools,
    make_wide,
    metadata_table,
    quick_classifier,
    quick_model,
)

DIVERGES = 1e25
RATES = {"learning_rate_init": [1e-3, 1e-2]}
# members of one run: these do not change a shape
SIDE_BY_SIDE = {**RATES, "alpha": [0.0, 0.1]}
# of the candidates some stop early and some do not
STOPS_EARLY = {"max_iter": 8, "n_iter_no_change": 1, "tol": 1e-2}
EARLY = pytest.mark.parametrize(
    "early", [{"early_stopping": False}, STOPS_EARLY], ids=["all epochs", "early stopping"]
)


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=4, n_rows=12)


@pytest.fixture
def in_double():
    with double_precision():
        yield


@pytest.fixture
def groups_trained(monkeypatch):
    """How many fits, and how many members, trained side by side, on one thread."""
    sizes = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(jobs, module, **settings):
        sizes.append((len(jobs), sum(len(job.seeds) for job in jobs)))
        return trained(jobs, module, **settings)

    trained = _fits.train
    monkeypatch.setattr(_fits, "train", train)
    yield sizes
    torch.set_num_threads(before)


def brief_model(**changes):
    return quick_model(**{"max_iter": 2, **changes})


def without_stopping(**changes):
    return brief_model(**{"early_stopping": False, **changes})


def scaled(model, **settings):
    """A Pipeline that scales the features of the schools and keeps the names of the columns."""
    scale = make_column_transformer(
        (StandardScaler(), ["status", "age"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    steps = [("scale", scale.set_output(transform="pandas")), ("model", model)]
    return Pipeline(steps, **settings)


def classes_of(y, *shares):
    """Strings: in which of the parts of y a number lies."""
    return pd.Series(np.array(["low", "mid", "top"])[np.searchsorted(y.quantile(shares), y)])


def two_errors(model, X, y):
    predicted = model.predict(X)
    return {"mae": -mean_absolute_error(y, predicted), "mse": -mean_squared_error(y, predicted)}


def assert_same_results(search, reference, atol=1e-9):
    """All columns are equal but the times; those of scores but for rounding."""
    results, expected = search.cv_results_, reference.cv_results_
    assert list(results) == list(expected)
    assert results["params"] == expected["params"]
    for name, values in expected.items():
        got = results[name]
        assert got.shape == values.shape if hasattr(values, "shape") else len(got) == len(values)
        if "_time" in name:
            assert (got >= 0).all()
        elif name.startswith("param_"):
            assert got.dtype == values.dtype
            assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(values))
            assert got.compressed().tolist() == values.compressed().tolist()
        elif name.startswith("rank_"):
            assert_array_equal(got, values)
        elif name != "params":
            assert_allclose(got, values, rtol=0, atol=atol, err_msg=name)
    assert search.n_splits_ == reference.n_splits_
    assert search.multimetric_ == reference.multimetric_
    for name in ("best_index_", "best_params_", "best_score_", "best_estimator_", "scorer_"):
        assert hasattr(search, name) == hasattr(reference, name), name
    if hasattr(search, "best_index_"):
        assert search.best_index_ == reference.best_index_
        assert search.best_params_ == reference.best_params_
    if hasattr(search, "best_score_"):
        assert_allclose(search.best_score_, reference.best_score_, rtol=0, atol=atol)


def compare(model, grid, X, y, *, fit=None, max_members="auto", atol=1e-9, **settings):
    """Search both ways.

    Returns
    -------
    search : BatchedGridSearchCV
        Fitted.
    """
    settings = {"cv": 3, **settings}
    reference = GridSearchCV(model, grid, **settings).fit(X, y, **(fit or {}))
    search = BatchedGridSearchCV(model, grid, max_members=max_members, **settings)
    assert search.fit(X, y, **(fit or {})) is search
    assert_same_results(search, reference, atol)
    if hasattr(search, "best_estimator_"):
        models = [
            getattr(s.best_estimator_, "steps", [(0, s.best_estimator_)])[-1][1]
            for s in (search, reference)
        ]
        assert_same_model(*models)
    return search


# the same scores


@EARLY
@pytest.mark.parametrize("n_members", [1, 2])
def test_regressor(schools, in_double, early, n_members):
    grid = [
        SIDE_BY_SIDE,
        {"embedding_alpha": [0.0, 1.0], "weight_averaging": [0.0], "learning_rate_init": [0.1]},
    ]
    compare(brief_model(n_members=n_members, **early), grid, *schools)


@EARLY
def test_regressor_in_single_precision(schools, early):
    compare(brief_model(**early), {"learning_rate_init": [1e-3, 1e-1]}, *schools, atol=1e-5)


def test_candidates_of_many_shapes(schools, in_double, groups_trained):
    grid = [
        {"hidden_layer_sizes": [(8,), (4, 4)], **RATES},
        {"embedding_dim": [2], "alpha": [0.0, 1.0]},
        {"max_iter": [2], "metadata": [["size"], ["sector", "size"]]},
        {"n_members": [2], "batch_size": [7, "auto"]},
    ]
    compare(without_stopping(), grid, *schools, cv=2)
    assert sorted(groups_trained) == [(2, 2)] * 2 + [(2, 4)] * 2 + [(4, 4)] * 3


def test_metadata_of_a_table(schools, in_double, groups_trained):
    X, y = schools
    facts = metadata_table(X)
    model = without_stopping(metadata=facts)
    grid = {**RATES, "metadata": [facts, facts[["size"]]]}
    compare(model, grid, X.drop(columns=["size", "sector"]), y)
    assert [size for size, _ in groups_trained] == [6, 6]


@pytest.mark.parametrize("seed", [np.int64(3), np.random.RandomState(3)], ids=["int", "state"])
def test_random_states(schools, in_double, seed):
    compare(brief_model(random_state=seed), {"alpha": [0.0, 1.0]}, *schools)
    grid = {"random_state": [0, 1, np.random.RandomState(2)]}
    compare(brief_model(random_state=seed), grid, *schools, cv=2)


def test_no_random_state(schools):
    X, y = schools
    search = BatchedGridSearchCV(brief_model(random_state=None), {"alpha": [0.1] * 2}, cv=2)
    scores = search.fit(X, y).cv_results_["split0_test_score"]
    assert scores[0] != scores[1]


@EARLY
@pytest.mark.parametrize("shares", [(0.5,), (0.2, 0.7)], ids=["two classes", "three classes"])
def test_classifier(schools, in_double, early, shares):
    X, y = schools
    settings = {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}
    compare(quick_classifier(**early), SIDE_BY_SIDE, X, classes_of(y, *shares), **settings)


def test_classes_and_tasks_that_a_fold_lacks(schools, in_double, groups_trained):
    X, y = schools
    y = classes_of(y, 0.3, 0.7)
    rows, school = np.arange(len(X)), X["school"].to_numpy()
    # of one task, of all tasks, a task as a whole, and none
    tests = [
        np.flatnonzero((y == "mid") & (school == "school 02")),
        np.flatnonzero(y == "mid"),
        np.flatnonzero(school == "school 01"),
        rows[::5],
    ]
    assert all(len(test) for test in tests)
    splits = [(np.setdiff1d(rows, test), test) for test in tests]
    model = quick_classifier(**STOPS_EARLY, task_sampling="sqrt")
    compare(model, {**RATES, "class_weight": [None, "balanced"]}, X, y, cv=splits)
    # without "mid" there are two classes and one output
    assert sorted(size for size, _ in groups_trained) == [2, 2, 6, 6]


@pytest.mark.parametrize(
    "cv",
    [
        TaskKFold("school", 3, shuffle=True, random_state=0),
        LeaveTasksOut("school", 3, random_state=0),
        ShuffleSplit(2, random_state=0),
        KFold(2),
        PredefinedSplit(np.arange(48) % 3 - 1),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_splitters(schools, in_double, cv):
    search = compare(brief_model(**STOPS_EARLY), RATES, *schools, cv=cv)
    assert search.n_splits_ in (2, 3)


def test_embeddings_that_start_apart(schools, in_double):
    # folds have different tasks, and as many draws as tasks
    X, y = schools
    cv = LeaveTasksOut("school", 3, random_state=0)
    compare(brief_model(embedding_init="apart"), RATES, X, y, cv=cv)


def test_groups(schools, in_double):
    groups = np.arange(48) % 7
    search = compare(brief_model(), RATES, *schools, cv=GroupKFold(3), fit={"groups": groups})
    assert search.n_splits_ == 3


@EARLY
def test_wide_form(in_double, early):
    X, Y = make_wide(n_rows=60)
    compare(brief_model(task_id=None, metadata=None, **early), SIDE_BY_SIDE, X, Y)


def test_wide_form_with_columns_of_all_kinds(in_double):
    X, Y = make_wide(n_rows=60)
    Y["yes"] = np.where(Y["t0"].isna(), None, np.where(Y["t0"] > 0, "yes", "no"))
    Y["kind"] = np.select([X["x0"] < -0.5, X["x0"] < 0.5], ["u", "v"], "w")
    facts = pd.DataFrame({"fact": np.arange(5.0)}, index=Y.columns)
    for changes in ({"metadata": None}, {"metadata": facts, **STOPS_EARLY}):
        model = brief_model(task_id=None, **changes)
        compare(model, RATES, X, Y, cv=2)
    model = quick_classifier(task_id=None, metadata=None)
    compare(model, RATES, X, Y[["yes", "kind"]], cv=KFold(2))


def test_several_outputs_and_losses(schools, in_double):
    X, y = schools
    both = np.column_stack([y, X["status"]])
    compare(without_stopping(), {**RATES, "loss": ["huber", "squared_error"]}, X, both)
    compare(without_stopping(), {**RATES, "task_sampling": ["rows", "tasks"]}, X, y)


def test_arrays_and_lists(schools, in_double):
    X, y = schools
    model = brief_model(task_id=2, metadata=[3, 4])
    table = X.assign(school=X["school"].str[-2:].astype(float)).to_numpy()
    compare(model, RATES, table, y.to_numpy())
    compare(model, RATES, table.tolist(), y.tolist())


def test_sample_weight(schools, in_double):
    weights = np.arange(48) % 4 / 2
    for early in ({"early_stopping": False}, STOPS_EARLY):
        fit = {"sample_weight": weights}
        compare(brief_model(**early), RATES, *schools, fit=fit, return_train_score=True)


def test_validation_rows_of_the_caller(schools, in_double):
    X, y = schools
    fit = {"X_val": X.head(20), "y_val": y.head(20)}
    compare(brief_model(**STOPS_EARLY, random_state=None), {"random_state": [0, 1]}, X, y, fit=fit)


# pipelines


def test_pipeline(schools, in_double, groups_trained):
    grid = {
        "model__learning_rate_init": [1e-3, 1e-2],
        "scale__standardscaler__with_mean": [True, False],
    }
    search = compare(scaled(brief_model(**STOPS_EARLY)), grid, *schools)
    # steps before the model do not matter to its shapes
    assert groups_trained == [(12, 12)]
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
    # a lambda or a local function cannot be told from another one, and is called for every fit
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
        compare(model, RATES, X, y, fit=fit, cv=GroupKFold(3))
        ignores = Counts().set_fit_request(sample_weight=False)
        asks = Counts().set_fit_request(sample_weight=True)
        for count in (ignores, asks):
            steps = [("count", count), ("model", model)]
            grid = {"model__learning_rate_init": [1e-3, 1e-2]}
            compare(Pipeline(steps), grid, X, y, fit=fit, cv=GroupKFold(3))


# scores, and what is kept


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
    counts = [search.cv_results_[f"split{k}_test_score"] for k in range(3)]
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


def test_the_search_stands_for_its_best_model(schools):
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
        cross_val_score(search, X, y, cv=3), cross_val_score(reference, X, y, cv=3), rtol=1e-9
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


# what fails


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
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"):
        search = compare(brief_model(**early), grid, *schools, **settings)
    for name, scores in search.cv_results_.items():
        if "_test_" in name and not name.startswith(("std", "rank")):
            assert_array_equal(scores[1], settings.get("error_score", np.nan))


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_divergence_leaves_the_others_alone(schools):
    # as wide as layers have to be for the same bits, see the laws of the member axis
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
    X.loc[0, "status"] = 1e200
    with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 6"):
        search = compare(
            without_stopping(), RATES, X, y, scoring="neg_median_absolute_error", refit=False
        )
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
    assert groups_trained == [(6, 6)]
    groups_trained.clear()

    class Local(Watches):
        """What cannot be hashed."""

    compare(without_stopping(callbacks=[Local()]), RATES, *schools)
    assert groups_trained == [(1, 1)] * 6
    # one that steers by one number steers every fit alone
    steering = EarlyStopping(monitor="train_loss", patience=2)
    compare(without_stopping(callbacks=[steering], max_iter=10), RATES, *schools)


# how members train


def test_members_per_run(schools, in_double, groups_trained):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    reference = GridSearchCV(brief_model(), grid, cv=3).fit(*schools)
    for max_members, expected in [(1, 1), (3, 3), (4, 3), (100, 9), ("auto", 9)]:
        groups_trained.clear()
        search = BatchedGridSearchCV(brief_model(), grid, cv=3, max_members=max_members)
        assert_same_results(search.fit(*schools), reference)
        assert max(n for _, n in groups_trained) <= expected
        assert sum(n for _, n in groups_trained) == 9
    groups_trained.clear()
    search.set_params(estimator__n_members=2, max_members=5).fit(*schools)
    assert {members for _, members in groups_trained} <= {2, 4}
    # a fit is not divided
    groups_trained.clear()
    search.set_params(estimator__n_members=2, max_members=1).fit(*schools)
    assert groups_trained == [(1, 2)] * 9


def test_memory_bounds_the_members(schools, in_double, groups_trained, monkeypatch):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    reference = GridSearchCV(brief_model(), grid, cv=3).fit(*schools)
    for free, most in [(0, 1), (10**15, 9)]:
        groups_trained.clear()
        monkeypatch.setattr(_memory, "free_memory", lambda device, free=free: free)
        search = BatchedGridSearchCV(brief_model(), grid, cv=3, n_jobs=1)
        assert_same_results(search.fit(*schools), reference)
        assert max(members for _, members in groups_trained) <= most
        assert sum(members for _, members in groups_trained) == 9


def test_free_memory():
    free = _memory.free_memory(torch.device("cpu"))
    assert 2**20 < free < 2**50


def test_members_that_have_stopped_leave(schools, groups_trained, monkeypatch):
    trained, epochs = [], []

    def step(optimizer, **arguments):
        trained.append(len(optimizer.buffer))
        return stepped(optimizer, **arguments)

    def score(model, X, y):
        assert len(model.history_) == model.n_iter_
        epochs.append(model.n_iter_)
        return 0.0

    stepped = MemberAdam.step
    monkeypatch.setattr(MemberAdam, "step", step)
    # with the first three no epoch improves by more than tol
    grid = {"learning_rate_init": [1e-9, 2e-9, 3e-9, 1e-3]}
    settings = {"max_iter": 60, "n_iter_no_change": 2, "tol": 1e-4, "interaction_alpha": 0.0}
    model = brief_model(early_stopping=True, **settings)
    BatchedGridSearchCV(model, grid, cv=2, scoring=score, refit=False).fit(*schools)
    assert groups_trained == [(8, 8)]
    assert sorted(epochs)[:6] == [3] * 6
    assert min(sorted(epochs)[6:]) > 10
    n_batches = 2  # of 20 rows, in batches of 16
    # nobody trains on, but for those that wait until half of a run have stopped
    assert sum(epochs) <= sum(trained) / n_batches <= sum(epochs) + max(epochs)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_are_as_many_as_those_of_torch(schools, in_double, groups_trained, n_threads):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    torch.set_num_threads(n_threads)
    search = BatchedGridSearchCV(brief_model(), grid, cv=2).fit(*schools)
    assert torch.get_num_threads() == n_threads
    assert sorted(groups_trained) == [(6 // n_threads, 6 // n_threads)] * n_threads
    assert_same_results(search, GridSearchCV(brief_model(), grid, cv=2).fit(*schools))


def test_progress_is_for_terminals(schools, capsys):
    BatchedGridSearchCV(brief_model(), RATES, cv=2, verbose=1).fit(*schools)
    assert capsys.readouterr() == ("", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(schools, in_double, groups_trained):
    torch.set_num_threads(4)
    X, y = schools
    model = brief_model(device="cuda", **STOPS_EARLY)
    reference = GridSearchCV(model, SIDE_BY_SIDE, cv=3).fit(X, y)
    search = BatchedGridSearchCV(model, SIDE_BY_SIDE, cv=3).fit(X, y)
    assert groups_trained == [(12, 12)]
    assert_same_results(search, reference, atol=1e-6)


# processes and machines


def mean_error_and_process():
    """A scorer that other processes need not import."""

    def score(model, X, y):
        return {"mae": -mean_absolute_error(y, model.predict(X)), "process": os.getpid()}

    return score


def assert_spread(backend, X, y, **changes):
    """The scores are those of one process, but two others have worked."""
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2], "embedding_dim": [2, 3]}
    settings = {"cv": 2, "scoring": mean_error_and_process(), "refit": "mae"}
    alone = BatchedGridSearchCV(brief_model(), grid, **settings).fit(X, y)
    with joblib.parallel_config(backend=backend):
        search = BatchedGridSearchCV(brief_model(), grid, **settings, **changes).fit(X, y)
    processes = set()
    for k in range(2):
        name = f"split{k}_test_mae"
        assert_allclose(search.cv_results_[name], alone.cv_results_[name], rtol=0, atol=1e-5)
        processes |= set(search.cv_results_[f"split{k}_test_process"])
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert search.best_params_ == alone.best_params_
    assert_same_model(search.best_estimator_, alone.best_estimator_)


@pytest.mark.parametrize("generates", [True, False], ids=["generator", "list"])
def test_processes(schools, generates, monkeypatch):
    monkeypatch.setattr(LokyBackend, "supports_return_generator", generates)
    assert_spread("loky", *schools, n_jobs=2)


def test_dask_cluster(schools):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert_spread("dask", *schools)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_errors_from_other_processes(schools):
    grid = {"learning_rate_init": [1e-3, DIVERGES]}
    search = BatchedGridSearchCV(brief_model(), grid, cv=2, n_jobs=2)
    with pytest.warns(FitFailedWarning, match="DivergenceError"):
        search.fit(*schools)
    with pytest.raises(DivergenceError, match="member 0 of 1"):
        search.set_params(error_score="raise").fit(*schools)
