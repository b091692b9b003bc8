"""Importances of columns, measured on held-out rows of a fit, and selections that use them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import RFECV, SelectFromModel

from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor, MultiTaskRegressor, load
from skmtl.architectures import SharedBottom
from skmtl.model_selection import TaskKFold

SETTINGS = {"task_id": "task", "random_state": 0, "max_iter": 30, "hold_out_tasks": False}


@pytest.fixture(scope="module")
def table():
    """Rows in which a matters most, then c, then the metadata w."""
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(12), 20)
    w = rng.normal(size=12)[task]
    X = pd.DataFrame(rng.normal(size=(240, 4)), columns=list("abcd"))
    X.insert(0, "task", task)
    y = 2 * X["a"] + X["c"] + w + 0.3 * rng.normal(size=240)
    return X.assign(w=w), y


@pytest.fixture(scope="module")
def model(table):
    return MultiTaskHypernetRegressor(**SETTINGS, metadata=["w"]).fit(*table)


def test_columns_that_matter_have_importance(table, model):
    found = pd.Series(model.feature_importances_, index=table[0].columns)
    assert found["a"] > found["c"] > 10 * found[["b", "d"]].max()
    assert found["w"] > found["b"]
    assert (found >= 0).all()
    assert found.idxmax() == "task"


def test_units_are_those_of_the_loss(table, model):
    y = table[1]
    # shuffling a column of variance 1 and slope 2 adds twice its variance
    expected = 2 * 4 / y.var()
    assert 0.6 * expected < model.feature_importances_[1] < 1.5 * expected


def test_models_that_are_saved_have_them(model, tmp_path):
    model.save(tmp_path / "model")
    found = load(tmp_path / "model").feature_importances_
    assert (found == model.feature_importances_).all()


def test_without_held_out_rows_there_are_none(table):
    X, y = table
    model = MultiTaskHypernetRegressor(**SETTINGS | {"max_iter": 1}, base=None)
    model.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(model, "feature_importances_")
    with pytest.raises(AttributeError, match="early_stopping='refit'"):
        _ = model.feature_importances_
    assert not hasattr(MultiTaskHypernetRegressor(), "feature_importances_")


def test_classes_have_them(table):
    X, y = table
    model = MultiTaskHypernetClassifier(**SETTINGS).fit(X, pd.cut(y, 3, labels=["l", "m", "h"]))
    found = dict(zip(X, model.feature_importances_, strict=True))
    assert found["a"] > 3 * max(found["b"], found["d"])


def test_wide_form_has_them(table):
    X, y = table
    wide = pd.DataFrame({"y": y, "z": X["d"] > 0}).assign(y=y.where(y.index % 3 > 0))
    model = MultiTaskRegressor(SharedBottom(), max_iter=40, random_state=0)
    model.fit(X[list("abcd")], wide)
    found = model.feature_importances_
    assert min(found[0], found[3]) > found[1]


def test_several_members_and_a_table_of_metadata(table):
    X, y = table
    metadata = X.groupby("task")[["w"]].first()
    model = MultiTaskHypernetRegressor(**SETTINGS, metadata=metadata, n_members=2)
    found = model.fit(X.drop(columns="w"), y).feature_importances_
    assert found.shape == (5,)
    assert found[1] > found[2]


def test_selects_from_model(table):
    X, y = table
    model = MultiTaskHypernetRegressor(**SETTINGS, metadata=["w"])
    select = SelectFromModel(model, threshold="0.2*mean").set_output(transform="pandas")
    kept = select.fit(X, y).transform(X).columns
    assert {"task", "a", "c"} <= set(kept)
    assert not {"b", "d"} & set(kept)


def test_recursive_elimination_keeps_the_task(table):
    X, y = table
    numbers = X[["task", *"abcd"]].to_numpy()
    model = MultiTaskHypernetRegressor(**SETTINGS | {"task_id": 0, "max_iter": 5}, base=None)
    select = RFECV(
        model,
        step=2,
        min_features_to_select=3,
        cv=TaskKFold(0, 2, shuffle=True, random_state=0),
    ).fit(numbers, y)
    assert select.ranking_[0] == select.ranking_[1] == 1


def test_classes_that_shuffled_tasks_do_not_have():
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(6), 10)
    X = pd.DataFrame({"task": task, "x": rng.normal(size=60)})
    # each task has two of the three classes
    y = np.array(["low", "mid", "high"])[(task % 3 + rng.integers(0, 2, 60)) % 3]
    model = MultiTaskHypernetClassifier("task", max_iter=2, random_state=0).fit(X, y)
    assert np.isfinite(model.feature_importances_).all()
