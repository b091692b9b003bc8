"""The display of coverage by task."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmtl import MultiTaskHypernetRegressor
from skmtl.display import CoverageDisplay

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
SETTINGS = {"intervals": True, "preset": "fast", "max_iter": 2, "random_state": 0}


def test_known_and_new_tasks_are_told_apart():
    task = np.repeat(np.arange(16), 8)
    X = pd.DataFrame({"task": task, "z": RNG.normal(size=16)[task], "x": RNG.normal(size=128)})
    y = X["x"] + RNG.normal(size=128)
    known = task < 12
    model = MultiTaskHypernetRegressor(task_id="task", metadata=["z"], **SETTINGS)
    model.fit(X[known], y[known])
    display = CoverageDisplay.from_estimator(model, X, y, coverage=0.8)
    assert display.table["new"].tolist() == [False] * 12 + [True] * 4
    assert (display.table["labels"] == 8).all()
    bounds = model.predict_interval(X, coverage=0.8)
    inside = (bounds[:, 0] <= y) & (y <= bounds[:, 1])
    assert_allclose(display.table["coverage"], inside.groupby(task).mean())
    assert len(display.points_) == 2
    assert f"{inside.mean():.1%} of the labels" in display.ax_.get_title()


def test_columns_are_known_tasks():
    X = RNG.normal(size=(60, 2))
    y = pd.DataFrame({"b": X[:, 0], "a": X[:, 1]})
    y.loc[:19, "b"] = np.nan
    model = MultiTaskHypernetRegressor(**SETTINGS).fit(X, y)
    display = CoverageDisplay.from_estimator(model, X, y)
    assert display.table["labels"].to_dict() == {"b": 40, "a": 60}
    assert len(display.points_) == 1
