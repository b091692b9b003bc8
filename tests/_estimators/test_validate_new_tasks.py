"""Validation rows of tasks that were not trained on are predicted as `predict` does."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold

from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
)
from skmtl.callbacks import TaskLossRecorder
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold, fit_many

SETTINGS = {"task_id": "task", "metadata": ["slope"], "random_state": 0}
REGRESSORS = [MultiTaskHypernetRegressor, MultiTaskRegressor, GumbelMatrixRegressor]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    sizes = rng.integers(8, 16, size=12)
    task = np.repeat(np.arange(12), sizes)
    slope = rng.normal(size=12)[task]
    X = pd.DataFrame({"task": task, "slope": slope, "x": rng.normal(size=len(task))})
    return X, (X["slope"] * X["x"] + 0.1 * rng.normal(size=len(X))).rename("y")


def parts(X, y, new=(10, 11), known=()):
    """Training rows, and validation rows of new tasks and every third row of known ones."""
    held_out = X["task"].isin(new) | (X["task"].isin(known) & (np.arange(len(X)) % 3 == 0))
    return X[~held_out], y[~held_out], X[held_out], y[held_out]


@pytest.mark.parametrize("known", [(), (0, 3)])
@pytest.mark.parametrize("cls", REGRESSORS)
def test_the_loss_is_that_of_predictions(table, cls, known):
    X, y, X_val, y_val = parts(*table, known=known)
    model = cls(**SETTINGS, max_iter=1).fit(X, y, X_val=X_val, y_val=y_val)
    expected = np.mean((model.predict(X_val) - y_val) ** 2) / y.var(ddof=0)
    assert_allclose(model.history_["valid_loss"], expected, rtol=1e-4)
    assert_allclose(model.tasks_, np.arange(10))


@pytest.mark.parametrize("sampling", ["tasks", "sqrt"])
def test_new_tasks_count_as_sampling_says(table, sampling):
    X, y, X_val, y_val = parts(*table, known=(0, 3))
    model = MultiTaskHypernetRegressor(**SETTINGS, max_iter=1, task_sampling=sampling)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    losses = (model.predict(X_val) - y_val) ** 2 / y.var(ddof=0)
    by_task = losses.groupby(X_val["task"]).mean()
    # known tasks by their training rows, new ones by those that they have
    rows = X["task"].value_counts().reindex(by_task.index).fillna(X_val["task"].value_counts())
    weights = np.ones(len(by_task)) if sampling == "tasks" else np.sqrt(rows)
    expected = np.average(by_task, weights=weights)
    assert_allclose(model.history_["valid_loss"], expected, rtol=1e-4)


def test_a_table_of_metadata_describes_new_tasks(table):
    X, y, X_val, y_val = parts(*table)
    columns = MultiTaskHypernetRegressor(**SETTINGS, max_iter=3)
    columns.fit(X, y, X_val=X_val, y_val=y_val)
    by_task = table[0].groupby("task")[["slope"]].first()
    model = MultiTaskHypernetRegressor(**SETTINGS | {"metadata": by_task}, max_iter=3)
    model.fit(X.drop(columns="slope"), y, X_val=X_val.drop(columns="slope"), y_val=y_val)
    assert_allclose(model.history_, columns.history_, rtol=1e-6)


def test_training_stops_when_new_tasks_are_predicted_best(table):
    X, y, X_val, y_val = parts(*table)
    # what is learned of the other tasks is wrong for these
    y_val = -y_val
    model = MultiTaskHypernetRegressor(**SETTINGS, max_iter=300, n_iter_no_change=10)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    losses = model.history_["valid_loss"]
    assert len(losses) < 100
    actual = np.mean((model.predict(X_val) - y_val) ** 2) / y.var(ddof=0)
    assert_allclose(actual, losses.min(), rtol=1e-4)


@pytest.mark.parametrize("cls", [MultiTaskHypernetClassifier, MultiTaskClassifier])
def test_new_tasks_can_have_all_classes(table, cls):
    X, y = table
    label = pd.cut(y, [-np.inf, -0.3, 0.3, np.inf], labels=list("abc")).astype(str)
    label = label.where((X["task"] > 2) | (label != "a"), "b")
    X, label, X_val, label_val = parts(X, label)
    model = cls(**SETTINGS, max_iter=1).fit(X, label, X_val=X_val, y_val=label_val)
    expected = log_loss(label_val, model.predict_proba(X_val), labels=model.classes_)
    assert_allclose(model.history_["valid_loss"], expected, rtol=1e-4)


def test_losses_by_task_are_those_of_known_tasks(table):
    X, y, X_val, y_val = parts(*table, known=(0, 3))
    model = MultiTaskHypernetRegressor(**SETTINGS, max_iter=1, callbacks=[TaskLossRecorder()])
    model.fit(X, y, X_val=X_val, y_val=y_val)
    losses = (model.predict(X_val) - y_val) ** 2 / y.var(ddof=0)
    expected = losses.groupby(X_val["task"]).mean().reindex(range(10))
    assert_allclose(model.callbacks_[0].table_.iloc[0], expected, rtol=1e-4)


def test_searches_and_several_estimators(table):
    X, y, X_val, y_val = parts(*table)
    model = MultiTaskHypernetRegressor(**SETTINGS, max_iter=8, early_stopping=True)
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    # the second splitter leaves tasks out, which are then new in each fold
    for cv in TaskKFold("task", 3, shuffle=True, random_state=0), KFold(3):
        rows = {"X_val": pd.concat([X_val, X[::4]]), "y_val": pd.concat([y_val, y[::4]])}
        searches = [
            search(model, grid, cv=cv, error_score="raise", refit=False).fit(X, y, **rows)
            for search in (BatchedGridSearchCV, GridSearchCV)
        ]
        scores = [search.cv_results_["mean_test_score"] for search in searches]
        assert_allclose(*scores, rtol=1e-4, atol=1e-5)
    other = MultiTaskHypernetRegressor(**SETTINGS | {"random_state": 1}, max_iter=8)
    alone = model.fit(X, y, X_val=X_val, y_val=y_val).history_
    subset = X["task"] > 3
    fit_many([model, other], [(X, y, None, X_val, y_val), (X[subset], y[subset], None, X, y)])
    assert_allclose(model.history_, alone, rtol=1e-4)


def test_tasks_that_cannot_be_predicted_are_refused(table):
    X, y, X_val, y_val = parts(*table)
    for model, message in [
        (MultiTaskHypernetRegressor(task_id="task"), r"\[10, 11\], and have no metadata"),
        (ParetoHypernet(task_id="task", metadata=["slope"]), r"rows: \[10, 11\]\."),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, X_val=X_val, y_val=y_val)
    spelt = X_val.assign(task=X_val["task"].map({10: "3", 11: "11"}))
    with pytest.raises(ValueError, match="task id .3."):
        MultiTaskHypernetRegressor(**SETTINGS).fit(X, y, X_val=spelt, y_val=y_val)
