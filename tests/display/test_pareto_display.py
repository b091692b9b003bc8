"""The display of fronts: what it shows for two, three and more tasks."""

import numpy as np
import pandas as pd
import pytest

from skmtl import MultiTaskHypernetRegressor, ParetoHypernet
from skmtl._estimators.preferences import front_table, preference_grid
from skmtl.display import ParetoFrontDisplay

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("no_window")


def front(n_tasks, n=20):
    preferences = preference_grid(n, n_tasks)
    losses = np.exp(-3 * preferences)
    # one point that another one beats
    if n_tasks > 1:
        losses[1] = losses[0] + 0.1
    return front_table(preferences, losses, pd.Index([f"task {t}" for t in range(n_tasks)]))


def test_two_tasks_are_a_curve():
    table = front(2)
    display = ParetoFrontDisplay(table, chosen=[1, 3]).plot()
    sound, marked, chosen = display.ax_.collections[:3]
    losses = table["loss"].to_numpy()
    kept = ~table["dominated"].to_numpy()
    np.testing.assert_allclose(sound.get_offsets(), losses[kept])
    np.testing.assert_allclose(marked.get_offsets(), losses[~kept])
    nearest = np.abs(table["preference"].to_numpy() - [0.25, 0.75]).sum(axis=1).argmin()
    np.testing.assert_allclose(chosen.get_offsets(), losses[[nearest]])
    assert display.ax_.get_xlabel() == "loss of task 0"


@pytest.mark.parametrize("task", [None, "task 2"])
def test_three_tasks_are_a_triangle(task):
    table = front(3)
    display = ParetoFrontDisplay(table, chosen={"task 0": 1, "task 1": 0, "task 2": 0})
    display.plot(task=task)
    points = display.ax_.collections[0]
    losses = table["loss"].mean(axis=1) if task is None else table["loss"][task]
    np.testing.assert_allclose(points.get_array(), losses)
    positions = points.get_offsets()
    # all corners are as far from each other
    corners = [positions[table["preference"][f"task {t}"] == 1][0] for t in range(3)]
    apart = [np.linalg.norm(corners[i] - corners[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(apart, 1)
    np.testing.assert_allclose(display.ax_.collections[2].get_offsets()[0], corners[0])


def test_more_tasks_are_lines():
    table = front(5)
    display = ParetoFrontDisplay(table, chosen=np.ones(5)).plot()
    lines = display.ax_.lines
    assert len(lines) == len(table) + 1
    np.testing.assert_allclose(lines[-1].get_ydata(), table["loss"].to_numpy()[5])
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == list(table["loss"].columns)
    assert len(ParetoFrontDisplay(table).plot().ax_.lines) == len(table)


def test_of_an_estimator():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    model = ParetoHypernet(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(X, X)
    _, ax = pyplot.subplots()
    display = ParetoFrontDisplay.from_estimator(
        model.set_params(preference=[1, 2]), X, X, preferences=10, ax=ax, s=5
    )
    assert display.ax_ is ax
    assert display.chosen == [1, 2]
    pd.testing.assert_frame_equal(display.front, model.pareto_front(X, X, preferences=10))


def test_what_cannot_be_shown():
    with pytest.raises(ValueError, match="at least two tasks"):
        ParetoFrontDisplay(front(1)).plot()
    with pytest.raises(TypeError, match="fit a ParetoHypernet"):
        ParetoFrontDisplay.from_estimator(MultiTaskHypernetRegressor(), None, None)
    with pytest.raises(ValueError, match="negative"):
        ParetoFrontDisplay(front(2), chosen=[-1, 2]).plot()
