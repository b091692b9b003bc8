"""Members that hold out whole tasks predict those that were never seen."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from skmtl import (
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    load,
)
from skmtl.architectures import SharedBottom
from skmtl.callbacks import TaskLossRecorder
from skmtl.datasets import make_cubic
from skmtl.exceptions import DivergenceError
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

SETTINGS = {
    "task_id": "task",
    "metadata": ["slope"],
    "random_state": 0,
    "max_iter": 30,
    "alpha": 1e-4,
    "activation": "silu",
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(16), 12)
    slope = rng.normal(size=16)[task]
    X = pd.DataFrame({"task": task, "slope": slope, "x": rng.normal(size=len(task))})
    return X, (X["slope"] * X["x"] + 0.3 * rng.normal(size=16)[task]).rename("y")


@pytest.fixture(scope="module")
def model(table):
    return MultiTaskHypernetRegressor(**SETTINGS).fit(*table)


def test_known_tasks_are_predicted_as_without(table, model):
    X, y = table
    without = clone(model).set_params(hold_out_tasks=False).fit(X, y)
    assert_allclose(model.predict(X), without.predict(X), rtol=1e-4, atol=1e-5)
    assert len(model.history_) == len(without.history_)
    assert without._new_tasks is None


def test_new_tasks_have_networks_of_their_own(table, model):
    X, y = table
    new = X.assign(task=X["task"] + 100)
    without = clone(model).set_params(hold_out_tasks=False).fit(X, y)
    assert np.abs(model.predict(new) - without.predict(new)).max() > 1e-3
    # any mixture of known and new rows
    mixed = pd.concat([X, new], ignore_index=True).sample(frac=1, random_state=0)
    expected = np.concatenate([model.predict(X), model.predict(new)])
    assert_allclose(model.predict(mixed), expected[mixed.index], rtol=1e-9)


def test_the_summary_tells(model):
    summary = model.summary()
    assert summary["tasks"].tolist() == ["known"] + ["new"] * 3
    # they stop by tasks that were held out
    assert summary["epochs"].max() <= 30


def test_members_are_as_many(table, model):
    X, y = table
    several = clone(model).set_params(n_members=3, max_iter=3).fit(X, y)
    assert several.predict_members(X.assign(task=99)).shape == (3, len(X))
    assert several.summary()["tasks"].tolist() == ["known"] * 3 + ["new"] * 3
    _, std = several.predict(X.assign(task=99), return_std=True)
    assert (std > 0).all()


@pytest.mark.parametrize("cls", [MultiTaskHypernetRegressor, MultiTaskHypernetClassifier])
def test_members_of_new_tasks_average_several_splits(table, cls):
    X, y = table
    labels = y if cls is MultiTaskHypernetRegressor else (y > 0).astype(int) + (y > 1)
    several = cls(**{**SETTINGS, "max_iter": 5}, n_members=2, base=None).fit(X, labels)
    new = several._new_tasks.module
    assert new.n_members == 4
    rows = X.assign(task=99)
    query = several._query(rows)
    alone = [several._predict_query(query, module=new.part(slice(m, m + 1)))[0] for m in range(4)]
    if cls is MultiTaskHypernetClassifier:
        alone = np.exp(alone)
    expected = np.stack([(alone[0] + alone[2]) / 2, (alone[1] + alone[3]) / 2])
    found = several.predict_members(rows)
    assert_allclose(found, expected.reshape(found.shape), rtol=1e-5)


@pytest.mark.slow
def test_stopping_by_held_out_tasks_helps_new_tasks():
    errors = {True: [], False: []}
    for seed in range(2):
        cubic = make_cubic(n_tasks=50, n_rows=15, random_state=seed)
        X, y, known = cubic.data, cubic.target, cubic.data["task"] < 40
        settings = {"task_id": "task", "metadata": cubic.metadata, "random_state": seed}
        for hold_out in errors:
            fitted = MultiTaskHypernetRegressor(**settings, hold_out_tasks=hold_out)
            fitted.fit(X[known], y[known])
            errors[hold_out].append(np.mean((fitted.predict(X[~known]) - y[~known]) ** 2))
    assert np.mean(errors[True]) < 0.6 * np.mean(errors[False])


def test_any_architecture(table):
    X, y = table
    settings = {name: value for name, value in SETTINGS.items() if name != "activation"}
    fitted = MultiTaskRegressor(SharedBottom(), **settings, hold_out_tasks=True).fit(X, y)
    assert fitted.summary()["tasks"].tolist() == ["known"] + ["new"] * 3
    assert np.isfinite(fitted.predict(X.assign(task=-1))).all()


def test_the_base_for_new_tasks_does_not_see_them(table):
    X, y = table
    few = {**SETTINGS, "max_iter": 4}
    fitted = MultiTaskHypernetRegressor(**few, base="boosting").fit(X, y)
    assert fitted._new_tasks.blend is not fitted._blend
    bases = [base for base in fitted._new_tasks.blend.bases if base is not None]
    assert all(encoder is None for base in bases for encoder in base.encoders)


def test_callbacks_watch_the_members_of_known_tasks(table):
    X, y = table
    few = {**SETTINGS, "max_iter": 4}
    watched = MultiTaskHypernetRegressor(**few, callbacks=[TaskLossRecorder()]).fit(X, y)
    alone = clone(watched).set_params(hold_out_tasks=False).fit(X, y)
    assert_array_equal(watched.history_, alone.history_)
    assert watched.summary()["tasks"].tolist() == ["known"] + ["new"] * 3


@pytest.mark.parametrize(
    "parameters",
    [{"early_stopping": False}, {"metadata": None}, {"hold_out_tasks": False}, {"task_id": None}],
)
def test_auto_keeps_out_where_it_cannot_help(table, parameters):
    X, y = table
    settings = {**SETTINGS, "max_iter": 2, **parameters}
    if settings["task_id"] is None:
        settings["metadata"] = None
    fitted = MultiTaskHypernetRegressor(**settings).fit(X, y)
    assert fitted._new_tasks is None
    assert "tasks" not in fitted.summary()


def test_too_few_tasks(table):
    X, y = table
    few = X["task"] < 7
    assert MultiTaskHypernetRegressor(**SETTINGS).fit(X[few], y[few])._new_tasks is None
    asked = MultiTaskHypernetRegressor(**SETTINGS, hold_out_tasks=True)
    with pytest.raises(ValueError, match="needs at least 8 tasks.*there are 7"):
        asked.fit(X[few], y[few])


@pytest.mark.parametrize(
    ("changes", "with_X_val", "message"),
    [
        ({}, True, "cannot be used with X_val"),
        ({"warm_start": True}, False, "cannot be used with warm_start"),
        ({"validation_fraction": 0.0}, False, "cannot be used with a validation_fraction"),
    ],
)
@pytest.mark.filterwarnings("ignore:no task has enough rows")
def test_what_they_cannot_be_combined_with(table, changes, with_X_val, message):
    X, y = table
    validation = {"X_val": X, "y_val": y} if with_X_val else {}
    wanted = MultiTaskHypernetRegressor(**{**SETTINGS, **changes}, hold_out_tasks=True)
    with pytest.raises(ValueError, match=message):
        wanted.fit(X, y, **validation)
    automatic = MultiTaskHypernetRegressor(**{**SETTINGS, **changes, "max_iter": 1})
    assert automatic.fit(X, y, **validation)._new_tasks is None


def test_a_search_trains_them_only_for_folds_that_ask(table, monkeypatch):
    X, y = table
    trained = []
    finish = MultiTaskHypernetRegressor._finish
    monkeypatch.setattr(
        MultiTaskHypernetRegressor,
        "_finish",
        lambda self, plan, *results: trained.append(len(results)) or finish(self, plan, *results),
    )
    model = MultiTaskHypernetRegressor(**{**SETTINGS, "max_iter": 2})
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    BatchedGridSearchCV(model, grid, cv=TaskKFold("task", 2), refit=False).fit(X, y)
    assert trained == [1] * 4
    trained.clear()
    BatchedGridSearchCV(model, grid, cv=GroupKFold(2), refit=False).fit(X, y, groups=X["task"])
    assert trained == [2] * 4


def test_divergence_names_the_members_of_the_caller(table):
    model = MultiTaskHypernetRegressor(**SETTINGS, n_members=2, learning_rate_init=1e25)
    with pytest.raises(DivergenceError, match="member 0 of 2") as caught:
        model.fit(*table)
    assert set(caught.value.members) <= {0, 1}
    # a search names them as a fit does
    search = BatchedGridSearchCV(
        model, {"alpha": [0.0, 1e-4]}, cv=GroupKFold(2), error_score="raise", refit=False
    )
    with pytest.raises(DivergenceError, match="member 0 of 2"):
        search.fit(*table, groups=table[0]["task"])


def test_files_hold_their_networks(table, model, tmp_path):
    new = table[0].assign(task=99)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_array_equal(loaded.predict(new), model.predict(new))
    pd.testing.assert_frame_equal(loaded.summary(), model.summary())
