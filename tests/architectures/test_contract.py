"""Every architecture keeps the contract of the estimators: forms of data, members, persistence."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, GroupKFold

from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
)
from skmtl.architectures import (
    Architecture,
    CrossStitch,
    GumbelMatrix,
    Hypernetwork,
    SharedBottom,
)
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.model_selection._memory import bytes_per_member
from skmtl.nn import SharedBottomNetwork
from tests import _architectures
from tests._architectures import NAMES
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
    "max_iter": 2,
    "batch_size": 128,
    "learning_rate_init": 1e-2,
    "random_state": 0,
}
LEARNS = {**QUICK, "max_iter": 25, "learning_rate_init": 5e-2, "weight_averaging": 0.8}

every = pytest.mark.parametrize("name", NAMES)
kinds = pytest.mark.parametrize("kind", [MultiTaskRegressor, MultiTaskClassifier])


def build(name, kind=MultiTaskRegressor, **settings):
    return _architectures.build(name, kind, **{**QUICK, **settings})


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=5, n_rows=16)


def labels_for(kind, y):
    """Numbers, or strings for a classifier."""
    if kind is not MultiTaskClassifier:
        return y
    return pd.Series(np.where(y > y.median(), "high", "low"), index=y.index)


@kinds
@every
def test_learns_long_form_with_metadata(name, kind, schools):
    X, y = schools
    y = labels_for(kind, y)
    model = build(name, kind, **{**LEARNS, "task_id": "school", "metadata": METADATA}).fit(X, y)
    assert model.score(X, y) > 0.75
    assert list(model.tasks_) == sorted(X["school"].unique())
    assert not hasattr(model, "task_embeddings_")
    if is_classifier(model):
        assert_allclose(model.predict_proba(X).sum(axis=1), 1)
        assert list(model.classes_) == ["high", "low"]


@every
def test_learns_long_form_without_metadata(name, schools):
    X, y = schools
    X = X.drop(columns=METADATA)
    model = build(name, **{**LEARNS, "task_id": "school"}).fit(X, y)
    assert model.score(X, y) > 0.75
    assert model.predict(X.iloc[::-1])[::-1].tolist() == model.predict(X).tolist()


@every
def test_metadata_are_features_more(name, schools):
    X, y = schools
    settings = {"task_id": "school", "early_stopping": False}
    if name == "SingleNetwork":
        settings["one_hot"] = True
    with_metadata = build(name, metadata=METADATA, **settings).fit(X, y)
    plain = build(name, **settings).fit(X, y)
    shapes = [[p.shape for p in model.module_.parameters()] for model in (with_metadata, plain)]
    assert shapes[0] == shapes[1]
    table = build(name, metadata=metadata_table(X), **settings).fit(X.drop(columns=METADATA), y)
    assert_same_model(with_metadata, table)


@kinds
@every
def test_wide_form_with_missing_labels(name, kind):
    X, Y = make_wide(n_rows=60, n_tasks=3)
    if kind is MultiTaskClassifier:
        Y = Y.gt(Y.median()).astype(object).where(Y.notna())
    model = build(name, kind, **LEARNS).fit(X, Y)
    assert model.score(X, Y) > 0.8
    predictions = model.predict(X)
    assert list(predictions.columns) == list(Y.columns)
    table = pd.DataFrame({"size": [0.0, 1.0, 2.0]}, index=Y.columns)
    with_metadata = build(name, kind, metadata=table).fit(X, Y)
    assert with_metadata.predict(X).shape == Y.shape


@every
def test_columns_of_numbers_and_of_classes(name):
    X, Y = make_wide(n_rows=60, n_tasks=3)
    Y["t2"] = Y["t2"].gt(0).map({True: "yes", False: "no"}).where(Y["t2"].notna())
    predictions = build(name).fit(X, Y).predict(X)
    assert set(predictions["t2"]) <= {"yes", "no"}
    assert predictions["t0"].dtype == float


@kinds
@every
def test_tasks_never_seen(name, kind, schools):
    X, y = schools
    y = labels_for(kind, y)
    model = build(name, kind, task_id="school").fit(X[[*FEATURES, "school"]], y)
    new = X[[*FEATURES, "school"]].assign(school="another")
    with pytest.raises(ValueError, match="not seen in fit") as raised:
        model.predict(new)
    assert "adapt" not in str(raised.value)
    model.set_params(unseen_tasks="average")
    output = model.decision_function if is_classifier(model) else model.predict
    known = [output(new.assign(school=school)) for school in model.tasks_]
    assert_allclose(output(new), np.mean(known, axis=0))
    with_metadata = build(name, kind, task_id="school", metadata=METADATA).fit(X, y)
    assert with_metadata.predict(X.assign(school="another", size=3.0)).shape == y.shape


@every
def test_copies_and_clones(name, schools):
    X, y = schools
    model = build(name, task_id="school").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert_same_model(clone(model).fit(X, y), model)


@every
def test_a_weight_of_two_is_the_row_twice(name, schools):
    X, y = schools
    weight = np.arange(len(X)) % 3
    rows = np.repeat(np.arange(len(X)), weight)
    settings = {"task_id": "school", "early_stopping": False}
    weighted = build(name, **settings).fit(X, y, sample_weight=weight)
    repeated = build(name, **settings).fit(X.iloc[rows], y.iloc[rows])
    assert_same_model(weighted, repeated)


@every
def test_fit_goes_on_from_the_previous_one(name, schools):
    X, y = schools
    model = build(name, task_id="school", warm_start=True, early_stopping=False).fit(X, y)
    before = model.score(X, y)
    for _ in range(4):
        model.fit(X, y)
    assert model.score(X, y) > before


@every
def test_several_outputs(name, schools):
    X, y = schools
    both = np.column_stack([y, -y])
    model = build(name, **{**LEARNS, "task_id": "school"}).fit(X, both)
    assert model.predict(X).shape == both.shape
    assert model.score(X, both) > 0.7


@every
def test_a_search_that_trains_all_candidates_and_folds_in_parallel(name):
    """As scikit-learn's search, also where a fold lacks tasks."""
    X, y = make_schools(n_schools=5, n_rows=8)
    grid = {"learning_rate_init": [1e-3, 3e-2]}
    cv = list(GroupKFold(2).split(X, y, X["school"]))
    assert len({len(set(X["school"].iloc[train])) for train, _ in cv}) == 2
    model = build(name, task_id="school", metadata=METADATA, max_iter=2)
    with double_precision():
        ours = BatchedGridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
        theirs = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (ours, theirs)]
    assert_allclose(scores[0], scores[1], rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("Sluice", "orthogonality_alpha", [0.0, 30.0]),
        ("MultilinearRelation", "relation_alpha", [0.0, 30.0]),
    ],
)
def test_penalties_of_members_may_differ_in_one_run(name, parameter, values, schools):
    X, y = schools
    model = build(name, task_id="school", hidden_layer_sizes=(8, 8))
    assert parameter in model.architecture.member_parameters
    with double_precision():
        grid = {f"architecture__{parameter}": values}
        ours = BatchedGridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
        theirs = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    scores = ours.cv_results_["mean_test_score"]
    assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-7)
    assert scores[0] != scores[1]


def test_a_search_over_architectures():
    X, y = make_schools(n_schools=5, n_rows=8)
    grid = [
        {"architecture": [SharedBottom(), CrossStitch(self_weight=0.5)]},
        {"architecture__head_layer_sizes": [(), (4,)]},
    ]
    model = build("SharedBottom", task_id="school")
    with double_precision():
        ours = BatchedGridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
        theirs = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    scores = ours.cv_results_["mean_test_score"]
    assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-7)
    assert len(set(scores.round(10))) >= 3


def test_a_search_knows_how_many_networks_a_row_passes_through():
    X, y = make_schools(n_schools=40, n_rows=10)
    needed = {
        name: bytes_per_member(build(name, task_id="school")._plan(X, y))
        for name in ("SharedBottom", "CrossStitch")
    }
    assert needed["CrossStitch"] > 10 * needed["SharedBottom"]


class Doubled(Architecture):
    """An architecture of a user, twice as wide as its parameter."""

    def __init__(self, width=4):
        self.width = width

    def build(self, shape, seeds, members):
        return SharedBottomNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=(2 * self.width,),
            head_layer_sizes=(),
            activation="relu",
        )


def test_an_architecture_of_the_user(schools):
    X, y = schools
    settings = {**QUICK, "task_id": "school"}
    del settings["hidden_layer_sizes"]
    doubled = MultiTaskRegressor(Doubled(), **settings).fit(X, y)
    same = MultiTaskRegressor(SharedBottom(hidden_layer_sizes=(8,)), **settings).fit(X, y)
    assert_array_equal(doubled.predict(X), same.predict(X))
    assert_same_model(clone(doubled).fit(X, y), doubled)


def test_what_is_no_architecture_is_refused(schools):
    with pytest.raises(TypeError, match="architecture must be an object of skmtl.architectures"):
        MultiTaskRegressor("shared", task_id="school").fit(*schools)


def test_flat_estimators_are_their_architectures(schools):
    """The papers' estimators are the generic one with an architecture, bitwise."""
    X, y = schools
    settings = {k: v for k, v in QUICK.items() if k != "hidden_layer_sizes"} | {"task_id": "school"}
    flat = MultiTaskHypernetRegressor(embedding_dim=3, **settings).fit(X, y)
    nested = MultiTaskRegressor(Hypernetwork(embedding_dim=3), **settings).fit(X, y)
    assert_array_equal(flat.predict(X), nested.predict(X))
    assert nested.task_embeddings_.equals(flat.task_embeddings_)
    new = X.assign(school=X["school"] + " new")
    adapted = [model.adapt(new, y).predict(new) for model in (flat, nested)]
    assert_array_equal(*adapted)
    assert not hasattr(MultiTaskRegressor(SharedBottom()), "adapt")
    settings["early_stopping"] = False
    modular = GumbelMatrixRegressor(layers=(4,), **settings).fit(X, y)
    nested = MultiTaskRegressor(GumbelMatrix(layers=(4,)), **settings).fit(X, y)
    assert_array_equal(modular.predict(X), nested.predict(X))
