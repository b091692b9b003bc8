"""Displays of effects, shrinkage, variance shares and dependence by task."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetRegressor
from skmtl.display import (
    ShrinkageDisplay,
    TaskDependenceDisplay,
    TaskEffectsDisplay,
    VarianceSharesDisplay,
)

pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("no_window")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(12), 8)
    X = pd.DataFrame({"x": rng.normal(size=96), "task": task, "z": rng.normal(size=96)})
    return X, X["x"] + rng.normal(size=12)[task] + 0.3 * rng.normal(size=96)


@pytest.fixture(scope="module")
def model(table):
    return MultiTaskHypernetRegressor(task_id="task", max_iter=15, random_state=0).fit(*table)


def test_effects_are_drawn_in_order_with_intervals(model):
    display = TaskEffectsDisplay.from_estimator(model, effect="slope_x", coverage=0.8)
    effects = model.task_effects()
    drawn = display.bars_[0].get_xdata()
    assert_allclose(drawn, np.sort(effects["slope_x"]))
    ends = np.array([path[:, 0] for path in display.bars_[2][0].get_segments()])
    width = norm.ppf(0.9) * effects.sort_values("slope_x")["slope_x_se"]
    assert_allclose(ends[:, 1] - ends[:, 0], 2 * width)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == [str(task) for task in effects["slope_x"].sort_values().index]


def test_raw_levels_are_further_apart(model, table):
    display = ShrinkageDisplay.from_estimator(model, *table)
    X, y = table
    residuals = (y - model.predict(X)).groupby(X["task"]).mean()
    expected = model.task_effects()["level"] + residuals
    assert_allclose(display.points_.get_offsets()[:, 0], expected)
    assert_allclose(display.rows, 8)


def test_bars_are_shares(model):
    display = VarianceSharesDisplay.from_estimator(model)
    shares = model.variance_shares()
    widths = [bar.get_width() for bar in display.bars_][::-1]
    assert_allclose(widths, shares.loc[shares["part_of"] != "ratio", "share"])


@pytest.mark.parametrize("frame", [True, False])
def test_curves_are_partial_dependences(table, frame):
    X, y = table
    X, task, feature = (X, "task", "x") if frame else (X.to_numpy(), 1, 0)
    model = MultiTaskHypernetRegressor(task_id=task, max_iter=5, random_state=0).fit(X, y)
    display = TaskDependenceDisplay.from_estimator(model, X, feature, n_points=4)
    assert display.curves.shape == (4, 12)
    assert len(display.curves_) == 13
    rows = pd.DataFrame(X).iloc[np.linspace(0, 95, 50).astype(int)].copy()
    rows.isetitem(0, np.full(50, display.curves.index[2]))
    rows.isetitem(1, np.full(50, 7))
    expected = model.predict(rows if frame else rows.to_numpy()).mean()
    assert_allclose(display.curves.iloc[2, 7], expected)


def test_metadata_stay_those_of_the_task(table):
    X, y = table
    X = X.assign(w=X["task"] % 5)
    model = MultiTaskHypernetRegressor(
        task_id="task", metadata=["w"], max_iter=5, random_state=0, hold_out_tasks=False
    ).fit(X, y)
    curves = TaskDependenceDisplay.from_estimator(model, X, "x", n_points=2).curves
    rows = X.iloc[np.linspace(0, 95, 50).astype(int)].assign(x=curves.index[0], task=3, w=3)
    assert_allclose(curves.loc[curves.index[0], 3], model.predict(rows).mean())


def test_wrong_names_are_refused(model, table):
    with pytest.raises(ValueError, match="Did you mean 'slope_x'"):
        TaskEffectsDisplay.from_estimator(model, effect="slope_X")
    with pytest.raises(ValueError, match="coverage"):
        TaskEffectsDisplay.from_estimator(model, coverage=90)
    for feature, message in (("y", "not a column"), ("task", "must be a feature")):
        with pytest.raises(ValueError, match=message):
            TaskDependenceDisplay.from_estimator(model, table[0], feature)
    alone = MultiTaskHypernetRegressor(max_iter=1).fit(table[0][["x"]], table[1])
    with pytest.raises(ValueError, match="need an estimator with task_id"):
        TaskDependenceDisplay.from_estimator(alone, table[0][["x"]], "x")


@pytest.mark.parametrize("display", [TaskEffectsDisplay, VarianceSharesDisplay])
def test_needs_a_hypernetwork(display, table):
    with pytest.raises(TypeError, match="MultiTaskHypernetRegressor"):
        display.from_estimator(object())
    model = GumbelMatrixRegressor(task_id="task", max_iter=1).fit(*table)
    with pytest.raises(AttributeError, match="no attribute"):
        display.from_estimator(model)
