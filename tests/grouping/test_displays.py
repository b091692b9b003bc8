"""Displays of task grouping: what they show, and where they draw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from skmtl import TaskGrouper
from skmtl.display import (
    GainPredictionDisplay,
    GroupBudgetDisplay,
    GroupEncodingDisplay,
    TaskGroupsDisplay,
)
from skmtl.grouping import MTGNet

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("no_window")


@pytest.fixture(scope="module")
def grouper():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = pd.DataFrame(X @ rng.normal(size=(3, 4)) + rng.normal(size=(80, 4)), columns=list("abcd"))
    net = MTGNet(embedding_dim=8, max_iter=5, n_members=2)
    return TaskGrouper(Ridge(), 2, gains=net, random_state=0).fit(X, y)


def test_groups_are_columns_with_a_dot_for_every_task(grouper):
    shown = TaskGroupsDisplay.from_estimator(grouper)
    assert shown.gains.index.tolist() == grouper.groups_
    matrix = shown.image_.get_array()
    assert matrix.shape == (4, len(grouper.groups_))
    for k, group in enumerate(grouper.groups_):
        inside = [task in group for task in "abcd"]
        assert (~np.ma.getmaskarray(matrix)[:, k]).tolist() == inside
    dots = [tuple(line.get_xydata()[0]) for line in shown.ax_.lines]
    served = [grouper.groups_.index(grouper.assignment_[task]) for task in "abcd"]
    assert dots == [(k, t) for t, k in enumerate(served)]
    assert [label.get_text() for label in shown.ax_.get_yticklabels()] == list("abcd")


def test_budgets_show_the_best_mean_gain(grouper):
    shown = GroupBudgetDisplay.from_estimator(grouper)
    assert shown.mean_gains.index.tolist() == [1, 2, 3, 4]
    assert (shown.mean_gains.diff().dropna() >= -1e-12).all()
    best = grouper.gain_bounds_.max().mean()
    assert shown.mean_gains[4] == pytest.approx(best)


def test_budgets_may_show_other_gains_than_are_selected_by():
    gains = pd.DataFrame({"a": [0.5, 0.0, np.nan], "b": [0.5, np.nan, 0.0]})
    true = pd.DataFrame({"a": [-0.5, 0.0, np.nan], "b": [0.1, np.nan, 0.0]})
    assert GroupBudgetDisplay.from_table(gains, true=true).mean_gains.tolist() == [-0.2, -0.2]
    only = gains.iloc[1:]
    assert np.isnan(GroupBudgetDisplay.from_table(only).mean_gains[1])


def test_predictions_are_compared_where_both_are_known():
    rng = np.random.default_rng(0)
    true = pd.DataFrame(rng.normal(size=(20, 3))).mask(rng.random((20, 3)) < 0.3)
    shown = GainPredictionDisplay.from_tables(true, 2 * true, rows=np.arange(20) < 10)
    assert shown.spearman == pytest.approx(1)
    assert len(shown.true) == true.iloc[:10].notna().sum().sum()
    assert len(shown.points_.get_offsets()) == len(shown.true)
    with pytest.raises(ValueError, match="the tables have the shapes"):
        GainPredictionDisplay.from_tables(true, true.iloc[:3])


def test_encodings_are_points_coloured_by_gain(grouper):
    gains = grouper.gains_
    shown = GroupEncodingDisplay.from_net(grouper.gain_model_, gains, "b", random_state=0)
    expected = gains["b"].dropna().to_numpy()
    assert shown.points.shape == (len(expected), 2)
    np.testing.assert_array_equal(shown.points_.get_array(), expected)
    few = gains[gains["b"].notna()].iloc[:2]
    few = pd.concat([few, gains[gains["b"].isna()]])
    with pytest.raises(ValueError, match="only 2 groups have the task 'b'"):
        GroupEncodingDisplay.from_net(grouper.gain_model_, few, "b")


@pytest.mark.parametrize("display", [TaskGroupsDisplay, GroupBudgetDisplay])
def test_draws_on_given_axes_and_needs_a_fitted_grouper(display, grouper):
    shown = display.from_estimator(grouper)
    figure, ax = pyplot.subplots()
    assert shown.plot(ax=ax) is shown
    assert shown.figure_ is figure
    figure.canvas.draw()
    with pytest.raises(NotFittedError):
        display.from_estimator(TaskGrouper())
    with pytest.raises(TypeError, match="shows a fitted TaskGrouper, got Ridge"):
        display.from_estimator(Ridge())
