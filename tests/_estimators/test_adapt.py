"""`adapt` and `partial_fit` with rows of known tasks: these move, by how firmly they are known."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import mean_squared_error

import skmtl
from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor
from skmtl.architectures import SharedBottom
from tests._tables import LEARNS, make_schools, quick_classifier, quick_model


@pytest.fixture(scope="module")
def schools():
    return make_schools()


LINES = {
    "embedding_dim": 3,
    "hidden_layer_sizes": (8,),
    "learning_rate_init": 3e-2,
    "max_iter": 60,
    "base": None,
    "random_state": 0,
}


def levels(n_rows, random_state=0, noise=0.5):
    """Tasks that differ in their intercept, of variance 1; `n_rows` are by task."""
    generator = np.random.default_rng(random_state)
    task = np.repeat(np.arange(len(n_rows)), n_rows)
    level = generator.normal(size=len(n_rows))
    X = pd.DataFrame({"x": generator.normal(size=len(task)), "task": task})
    return X, level[task] + X["x"] + noise * generator.normal(size=len(task)), level


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("form", ["none", "columns", "table"])
def test_known_tasks_change_and_all_others_stay_bitwise_identical(schools, form, n_members):
    X, y = schools
    metadata = {"none": None, "columns": ["size", "sector"]}.get(form)
    if form == "table":
        metadata = X.groupby("school")[["size", "sector"]].first()
    if form != "columns":
        X = X.drop(columns=["size", "sector"])
    model = quick_model(metadata=metadata, n_members=n_members, unseen_tasks="average", **LEARNS)
    rest = X["school"] < "school 11"
    model.fit(X[rest], y[rest])
    here = (X["school"] == "school 03") | (X["school"] == "school 04")
    others, before = model.predict(X[~here]), model.predict(X[here])
    history, embeddings = model.history_, model.task_embeddings_
    saved = copy.deepcopy(model)
    assert model.adapt(X[here], y[here] + 4) is model
    # unseen tasks, in the others, are predicted by the mean embedding, which stays, too
    assert_array_equal(model.predict(X[~here]), others)
    assert (model.predict(X[here]) > before + 0.5).mean() > 0.9
    changed = (model.task_embeddings_ != embeddings).any(axis=1)
    assert changed[changed].index.tolist() == ["school 03", "school 04"]
    pd.testing.assert_frame_equal(model.history_, history)
    # undoing is a copy
    assert_array_equal(saved.predict(X[here]), before)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


def test_how_far_a_task_moves_is_as_in_a_mixed_model():
    n_rows = [50, 2, *[15] * 38]
    X, y, _ = levels(n_rows)
    model = MultiTaskHypernetRegressor("task", **LINES).fit(X, y)
    row = pd.DataFrame({"x": [0.0], "task": [0]})
    moves = []
    for task in (0, 1):
        own = row.assign(task=task)
        before = model.predict(own)
        after = copy.deepcopy(model).adapt(own, before + 1).predict(own)
        moves.append(float((after - before)[0]))
    # of variance 1 between tasks and 0.25 within them
    expected = [1 / (count + 1 + 0.25) for count in (50, 2)]
    assert moves[0] == pytest.approx(expected[0], rel=0.4)
    assert moves[1] == pytest.approx(expected[1], rel=0.4)
    assert moves[0] < moves[1] / 6


def test_updates_one_by_one_are_about_one_of_all_rows():
    X, y, level = levels([10] * 30)
    model = MultiTaskHypernetRegressor("task", **LINES).fit(X, y)
    generator = np.random.default_rng(1)
    new = pd.DataFrame({"x": generator.normal(size=40), "task": np.arange(40) % 4})
    # these tasks have changed
    target = level[new["task"]] + 2 + new["x"] + 0.5 * generator.normal(size=40)
    at_once = copy.deepcopy(model).adapt(new, target)
    for part in np.array_split(np.arange(40), 5):
        model.adapt(new.iloc[part], target.iloc[part])
    before = mean_squared_error(target, level[new["task"]] + new["x"])
    assert mean_squared_error(target, at_once.predict(new)) < 0.5 * before
    difference = model.predict(new) - at_once.predict(new)
    assert np.abs(difference).max() < 0.15


def test_known_and_new_tasks_in_one_call(schools):
    X, y = schools
    old, new = X["school"] < "school 09", X["school"] >= "school 10"
    known = X["school"] == "school 02"
    model = quick_model(**LEARNS).fit(X[old], y[old])
    apart = copy.deepcopy(model).adapt(X[new], y[new])
    model.adapt(X[known | new], y[known | new])
    assert model.tasks_.equals(apart.tasks_)
    assert_array_equal(model.predict(X[new]), apart.predict(X[new]))
    assert (model.predict(X[known]) != apart.predict(X[known])).all()
    assert_array_equal(model.predict(X[old & ~known]), apart.predict(X[old & ~known]))
    # a task that adapt has learned is known now, and as firmly as its rows say
    before = model.predict(X[new])
    model.adapt(X[new].head(1), y[new].head(1) + 1)
    moved = np.abs(model.predict(X[new]) - before)
    assert 0 < moved.max() < 0.5


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": "poisson"},
        {"loss": "pinball", "quantile": 0.8},
        {"base": "boosting", "early_stopping": "refit"},
    ],
)
def test_losses_and_a_base(schools, settings):
    X, y = schools
    y = (y - y.min()).round()
    model = quick_model(**LEARNS | settings).fit(X, y)
    here = X["school"] == "school 05"
    others, before = model.predict(X[~here]), model.predict(X[here])
    target = y[here] + 3
    model.adapt(X[here], target)
    assert_array_equal(model.predict(X[~here]), others)
    error = np.abs(target - model.predict(X[here])).mean()
    assert error < 0.9 * np.abs(target - before).mean()


def test_several_outputs(schools):
    X, y = schools
    both = np.column_stack([y, -y])
    model = quick_model(**LEARNS).fit(X, both)
    here = (X["school"] == "school 05").to_numpy()
    before = model.predict(X[here])
    model.adapt(X[here], both[here] + [2, -2])
    move = (model.predict(X[here]) - before).mean(axis=0)
    assert move[0] > 0.2
    assert move[1] < -0.2


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(schools, n_classes):
    X, y = schools
    labels = pd.qcut(y, n_classes, labels=list("abc"[:n_classes])).astype(str)
    model = quick_classifier(task_classes="all", **LEARNS).fit(X, labels)
    here = X["school"] == "school 05"
    others, before = model.predict_proba(X[~here]), model.predict_proba(X[here])
    model.adapt(X[here], np.full(here.sum(), "a"))
    assert_array_equal(model.predict_proba(X[~here]), others)
    assert (model.predict_proba(X[here])[:, 0] > before[:, 0]).mean() > 0.9


def test_a_class_that_a_task_did_not_have(schools):
    X, y = schools
    here = X["school"] == "school 05"
    labels = pd.cut(y, 3, labels=list("abc")).astype(str)
    labels[here] = np.where(X[here]["age"] > 13, "a", "b")
    model = quick_classifier().fit(X, labels)
    with pytest.raises(ValueError, match="y has the label 'c' for the task 'school 05'"):
        model.adapt(X[here], np.full(here.sum(), "c"))


def test_weights_are_repeated_rows(schools):
    X, y = schools
    model = quick_model(**LEARNS).fit(X, y)
    here = X["school"] == "school 05"
    new, target = X[here], y[here] + 1
    weights = np.random.default_rng(0).integers(0, 3, len(new))
    rows = np.repeat(np.arange(len(new)), weights)
    weighted = copy.deepcopy(model).adapt(new, target, sample_weight=weights)
    repeated = copy.deepcopy(model).adapt(new.iloc[rows], target.iloc[rows])
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)


def test_partial_fit(schools):
    X, y = schools
    old, known = X["school"] < "school 10", X["school"] == "school 01"
    model = quick_model().partial_fit(X[old], y[old])
    plain = quick_model().fit(X[old], y[old])
    assert_array_equal(model.predict(X[old]), plain.predict(X[old]))
    rows = known | ~old
    model.partial_fit(X[rows], y[rows] + 1)
    assert_array_equal(model.predict(X), plain.adapt(X[rows], y[rows] + 1).predict(X))
    assert not hasattr(MultiTaskHypernetRegressor(), "partial_fit")
    assert not hasattr(skmtl.MultiTaskRegressor(SharedBottom(), task_id="school"), "partial_fit")
    assert hasattr(MultiTaskHypernetClassifier("school"), "partial_fit")


def test_saved_models_can_be_updated(schools, tmp_path):
    X, y = schools
    model = quick_model(n_members=2).fit(X, y)
    model.save(tmp_path / "model")
    loaded = skmtl.load(tmp_path / "model")
    few = X.head(30)
    for one in (model, loaded):
        one.adapt(few, y.head(30) + 1)
    assert_array_equal(loaded.predict(X), model.predict(X))


def test_models_of_earlier_versions_cannot(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    del model.module_._buffers["curvature"]
    with pytest.raises(ValueError, match="earlier version.*call fit again"):
        model.adapt(X, y)
    new = X.assign(school=X["school"] + " new")
    assert len(model.adapt(new, y).tasks_) == 24


def test_a_base_that_predicts_alone(schools):
    X, y = schools
    model = quick_model(base="boosting", early_stopping="refit").fit(X, y)
    model._blend.weights[:] = 1.0
    with pytest.raises(ValueError, match="base_weights_ is 1.*base=None"):
        model.adapt(X, y)


def test_searches_can_be_updated(schools):
    X, y = schools
    search = skmtl.model_selection.BatchedGridSearchCV(
        quick_model(), {"learning_rate_init": [1e-2, 3e-2]}, cv=2
    ).fit(X, y)
    model = search.best_estimator_
    before = model.predict(X)
    here = X["school"] == "school 05"
    model.adapt(X[here], y[here] + 2)
    assert_array_equal(model.predict(X) != before, here)


def test_reports_of_fit_end_with_an_update(schools):
    X, y = schools
    model = quick_model(**LEARNS).fit(X, y)
    model.variance_shares()
    model.adapt(X.head(5), y.head(5) + 1)
    with pytest.raises(ValueError, match="adapt has changed known tasks since fit. Call fit again"):
        model.variance_shares()
