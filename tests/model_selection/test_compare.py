"""Comparison with other methods: errors are those of the methods by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss

import skmtl
from skmtl.datasets import make_clinic_visits
from skmtl.display import ComparisonDisplay
from skmtl.model_selection import LeaveTasksOut, TaskKFold
from skmtl.model_selection._rivals import RIVALS
from tests._asserts import says

VISITS = make_clinic_visits(n_tasks=8, n_rows=12, random_state=0)
ROLES = VISITS.task_id, VISITS.metadata
QUICK = {"max_iter": 3, "base": None, "hold_out_tasks": False, "random_state": 0}
INSTALLED = [name for name, rival in RIVALS.items() if rival.is_installed]


def regressor(*roles, **settings):
    return skmtl.MultiTaskHypernetRegressor(*roles, **QUICK | settings)


def test_errors_are_those_of_cross_validation_by_hand():
    X, y = VISITS.data, VISITS.target
    table = skmtl.compare(regressor(*ROLES), X, y, cv=3, rivals=["mean of the task"])
    assert table["known"].is_monotonic_increasing
    splits = {
        "known": TaskKFold("clinic", 3, shuffle=True, random_state=0),
        "new": LeaveTasksOut("clinic", 3, random_state=0),
    }
    for kind, cv in splits.items():
        ours, means = [], []
        for train, test in cv.split(X):
            model = regressor(*ROLES).fit(X.iloc[train], y.iloc[train])
            ours.append(np.sqrt(np.mean((model.predict(X.iloc[test]) - y.iloc[test]) ** 2)))
            by_task = y.iloc[train].groupby(X["clinic"].iloc[train]).mean()
            mean = X["clinic"].iloc[test].map(by_task).fillna(y.iloc[train].mean())
            means.append(np.sqrt(np.mean((mean - y.iloc[test]) ** 2)))
        for name, errors in (("MultiTaskHypernetRegressor", ours), ("mean of the task", means)):
            assert table.loc[name, kind] == pytest.approx(np.mean(errors))
            assert table.loc[name, f"{kind}_error"] == pytest.approx(
                np.std(errors, ddof=1) / 3**0.5
            )


def test_methods_find_what_is_linear():
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(20), 15)
    X = pd.DataFrame({"task": task, "x": rng.normal(size=300), "z": rng.normal(size=20)[task]})
    y = 2 * X["x"] + 3 * X["z"] + rng.normal(size=20)[task] + 0.1 * rng.normal(size=300)
    table = skmtl.compare(regressor("task", ["z"]), X, y, cv=2)
    # the noise, and the noise with that of the tasks
    assert table.loc["linear, both", "known"] == pytest.approx(0.1, rel=0.2)
    assert table.loc["linear, metadata", "new"] < 1.5
    assert (table.loc["mean of the task"] > table.loc["linear, both"])[["known", "new"]].all()
    assert set(table.index) == {"MultiTaskHypernetRegressor", *INSTALLED}


def test_one_task():
    X = VISITS.data[["age", "emergency"]]
    y = VISITS.target
    table = skmtl.compare(regressor(), X, y, cv=2)
    assert table.columns.tolist() == ["known", "known_error", "seconds"]
    # no tasks: indicators say nothing
    assert "linear, metadata" in table.index
    assert "linear, both" not in table.index
    with says(ValueError, "linear, both does not suit this table: it needs several tasks"):
        skmtl.compare(regressor(), X, y, cv=2, rivals=["linear, both"])


def test_tasks_of_one_row():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": range(40), "z": rng.normal(size=40), "x": rng.normal(size=40)})
    model = regressor("task", ["z"])
    table = skmtl.compare(model, X, X["x"] + X["z"], cv=2, rivals=["linear, metadata"])
    assert table.columns.tolist() == ["new", "new_error", "seconds"]
    assert table.index[0] == "linear, metadata"


def test_classes():
    y = np.where(VISITS.target > VISITS.target.median(), "high", "low")
    y[:3] = "rare"
    model = skmtl.MultiTaskHypernetClassifier(*ROLES, **QUICK)
    names = ["mean of the task", "linear, both", "HistGradientBoosting"]
    table = skmtl.compare(model, VISITS.data, y, cv=2, rivals=names)
    assert np.isfinite(table[["known", "new"]]).all(axis=None)
    guess = log_loss(y, np.tile(np.unique(y, return_counts=True)[1] / len(y), (len(y), 1)))
    assert table.loc["linear, both", "known"] < guess


def test_without_metadata_new_tasks_are_averages():
    X = VISITS.data[["clinic", "age"]]
    table = skmtl.compare(regressor("clinic"), X, VISITS.target, cv=2, rivals=[])
    assert np.isfinite(table["new"]).all()
    assert len(table) == 1


def test_more_folds_than_tasks():
    few = make_clinic_visits(n_tasks=3, n_rows=10, random_state=0)
    model = regressor(few.task_id, few.metadata)
    table = skmtl.compare(model, few.data, few.target, cv=5, rivals=[])
    assert np.isfinite(table["new_error"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": LinearRegression()}, "takes an estimator of skmtl, got LinearRegression"),
        ({"cv": 1}, "cv must be an int of at least 2, got 1"),
        ({"rivals": ["trees"]}, "rivals must be 'auto' or a list of.*got \\['trees'\\]"),
        ({"rivals": "LightGBM"}, "rivals must be 'auto' or a list of"),
        ({"y": VISITS.data[["age", "sex"]]}, "compare takes labels of shape"),
    ],
)
def test_bad_input(change, message):
    arguments = {"model": regressor(*ROLES), "X": VISITS.data, "y": VISITS.target} | change
    with says((TypeError, ValueError), message):
        skmtl.compare(**arguments)


def test_more_than_255_tasks():
    task = np.repeat(np.arange(300), 3)
    X = pd.DataFrame({"task": task, "x": np.linspace(0, 1, 900)})
    y = X["x"] + task / 100
    names = ["HistGradientBoosting"]
    table = skmtl.compare(regressor("task"), X, y, cv=3, rivals=names)
    model = HistGradientBoostingRegressor(random_state=0)
    train, test = next(TaskKFold("task", 3, shuffle=True, random_state=0).split(X))
    by_hand = model.fit(X.iloc[train], y.iloc[train]).predict(X.iloc[test])
    error = np.sqrt(np.mean((by_hand - y.iloc[test]) ** 2))
    assert table.loc[names[0], "known"] == pytest.approx(error, rel=0.3)


def test_display():
    pytest.importorskip("matplotlib").use("agg")
    table = skmtl.compare(
        regressor(*ROLES), VISITS.data, VISITS.target, cv=2, rivals=["linear, both"]
    )
    display = ComparisonDisplay(table).plot()
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == list(table.index)
    x, _ = display.dots_[1].lines[0].get_data()
    np.testing.assert_array_equal(x, table["new"])
    assert len(ComparisonDisplay(table[["known", "known_error"]]).plot().dots_) == 1
