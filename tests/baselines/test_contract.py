"""Every baseline keeps the contract of the hypernetworks: forms of data, members, persistence."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, GroupKFold

from skmtl import baselines
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.model_selection._memory import bytes_per_member
from tests._tables import (
    FEATURES,
    METADATA,
    assert_same_model,
    double_precision,
    make_schools,
    make_wide,
    metadata_table,
)

# what takes some hundredths of a second to train
QUICK = {
    "hidden_layer_sizes": (8,),
    "max_iter": 4,
    "batch_size": 64,
    "learning_rate_init": 1e-2,
    "random_state": 0,
}
LEARNS = {**QUICK, "max_iter": 40, "learning_rate_init": 3e-2, "weight_averaging": 0.9}

every = pytest.mark.parametrize("name", baselines.__all__)
regressors = pytest.mark.parametrize("name", [n for n in baselines.__all__ if "Regr" in n])


def build(name, **settings):
    return getattr(baselines, name)(**{**QUICK, **settings})


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=5, n_rows=16)


def labels_for(name, y):
    """Numbers, or strings for a classifier."""
    if not name.endswith("Classifier"):
        return y
    return pd.Series(np.where(y > y.median(), "high", "low"), index=y.index)


@every
def test_learns_long_form_with_metadata(name, schools):
    X, y = schools
    y = labels_for(name, y)
    model = build(name, **{**LEARNS, "task_id": "school", "metadata": METADATA}).fit(X, y)
    assert model.score(X, y) > 0.75
    assert list(model.tasks_) == sorted(X["school"].unique())
    assert not hasattr(model, "task_embeddings_")
    if is_classifier(model):
        assert_allclose(model.predict_proba(X).sum(axis=1), 1)
        assert list(model.classes_) == ["high", "low"]


@every
def test_learns_long_form_without_metadata(name, schools):
    X, y = schools
    X, y = X.drop(columns=METADATA), labels_for(name, y)
    model = build(name, **{**LEARNS, "task_id": "school"}).fit(X, y)
    assert model.score(X, y) > 0.75
    assert model.predict(X.iloc[::-1])[::-1].tolist() == model.predict(X).tolist()


@every
def test_metadata_are_features_more(name, schools):
    X, y = schools
    y = labels_for(name, y)
    settings = {"task_id": "school", "early_stopping": False}
    if name.startswith("SingleTask"):
        settings["one_hot"] = True
    told = build(name, metadata=METADATA, **settings).fit(X, y)
    plain = build(name, **settings).fit(X, y)
    shapes = [[p.shape for p in model.module_.parameters()] for model in (told, plain)]
    assert shapes[0] == shapes[1]
    table = build(name, metadata=metadata_table(X), **settings).fit(X.drop(columns=METADATA), y)
    assert_same_model(told, table)


@every
def test_wide_form_with_missing_labels(name):
    X, Y = make_wide(n_rows=60, n_tasks=3)
    if name.endswith("Classifier"):
        Y = Y.gt(Y.median()).astype(object).where(Y.notna())
    model = build(name, **LEARNS).fit(X, Y)
    assert model.score(X, Y) > 0.7 or name.startswith("SingleTask")
    predictions = model.predict(X)
    assert list(predictions.columns) == list(Y.columns)
    facts = pd.DataFrame({"fact": [0.0, 1.0, 2.0]}, index=Y.columns)
    told = build(name, metadata=facts).fit(X, Y)
    assert told.predict(X).shape == Y.shape


@regressors
def test_columns_of_numbers_and_classes_side_by_side(name):
    X, Y = make_wide(n_rows=60, n_tasks=3)
    Y["t2"] = Y["t2"].gt(0).map({True: "yes", False: "no"}).where(Y["t2"].notna())
    predictions = build(name).fit(X, Y).predict(X)
    assert set(predictions["t2"]) <= {"yes", "no"}
    assert predictions["t0"].dtype == float


@every
def test_tasks_never_seen(name, schools):
    X, y = schools
    y = labels_for(name, y)
    model = build(name, task_id="school").fit(X[[*FEATURES, "school"]], y)
    new = X[[*FEATURES, "school"]].assign(school="another")
    with pytest.raises(ValueError, match="not seen in fit") as raised:
        model.predict(new)
    assert "adapt" not in str(raised.value)
    model.set_params(unseen_tasks="average")
    output = model.decision_function if is_classifier(model) else model.predict
    known = [output(new.assign(school=school)) for school in model.tasks_]
    assert_allclose(output(new), np.mean(known, axis=0))
    told = build(name, task_id="school", metadata=METADATA).fit(X, y)
    assert told.predict(X.assign(school="another", size=3.0)).shape == y.shape


@every
def test_members_are_the_same_alone_and_in_company(name, schools):
    X, y = schools
    y = labels_for(name, y)
    with double_precision():
        alone = build(name, task_id="school").fit(X, y)
        model = build(name, task_id="school", n_members=3).fit(X, y)
    first = alone.predict_members(X)[0]
    assert_allclose(model.predict_members(X)[0], first, rtol=1e-9, atol=1e-9)
    assert not np.allclose(model.predict_members(X)[1], first)


@every
def test_copies_and_clones(name, schools):
    X, y = schools
    y = labels_for(name, y)
    model = build(name, task_id="school").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert_same_model(clone(model).fit(X, y), model)


@every
def test_a_weight_of_two_is_the_row_twice(name, schools):
    X, y = schools
    y = labels_for(name, y)
    weight = np.arange(len(X)) % 3
    rows = np.repeat(np.arange(len(X)), weight)
    settings = {"task_id": "school", "early_stopping": False}
    weighted = build(name, **settings).fit(X, y, sample_weight=weight)
    repeated = build(name, **settings).fit(X.iloc[rows], y.iloc[rows])
    assert_same_model(weighted, repeated)


@every
def test_fit_goes_on_from_the_previous_one(name, schools):
    X, y = schools
    y = labels_for(name, y)
    model = build(name, task_id="school", warm_start=True, early_stopping=False).fit(X, y)
    before = model.score(X, y)
    for _ in range(4):
        model.fit(X, y)
    assert model.score(X, y) > before


@regressors
def test_several_outputs(name, schools):
    X, y = schools
    both = np.column_stack([y, -y])
    model = build(name, **{**LEARNS, "task_id": "school"}).fit(X, both)
    assert model.predict(X).shape == both.shape
    assert model.score(X, both) > 0.7


@regressors
def test_a_search_that_trains_all_candidates_and_folds_side_by_side(name):
    """As scikit-learn's search, also where a fold lacks tasks."""
    X, y = make_schools(n_schools=5, n_rows=8)
    grid = {"learning_rate_init": [1e-3, 3e-2]}
    cv = list(GroupKFold(2).split(X, y, X["school"]))
    assert len({len(set(X["school"].iloc[train])) for train, _ in cv}) == 2
    model = build(name, task_id="school", metadata=METADATA)
    with double_precision():
        ours = BatchedGridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
        theirs = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (ours, theirs)]
    assert_allclose(scores[0], scores[1], rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("SluiceRegressor", "orthogonality_alpha", [0.0, 30.0]),
        ("MultilinearRelationRegressor", "relation_alpha", [0.0, 30.0]),
    ],
)
def test_strengths_of_penalties_are_searched_side_by_side(name, parameter, values, schools):
    X, y = schools
    model = build(name, task_id="school", hidden_layer_sizes=(8, 8))
    assert parameter in model._member_parameters
    with double_precision():
        grid = {parameter: values}
        ours = BatchedGridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
        theirs = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    scores = ours.cv_results_["mean_test_score"]
    assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-7)
    assert scores[0] != scores[1]


def test_a_search_knows_how_many_networks_a_row_passes_through():
    X, y = make_schools(n_schools=40, n_rows=10)
    needed = {
        name: bytes_per_member(build(name, task_id="school")._job(X, y))
        for name in ("SharedBottomRegressor", "CrossStitchRegressor")
    }
    assert needed["CrossStitchRegressor"] > 10 * needed["SharedBottomRegressor"]
