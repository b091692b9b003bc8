"""Displays: what they show, where they draw, and what they say without matplotlib."""

import builtins

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetRegressor
from skmtl.datasets import make_related_tasks
from skmtl.display import (
    AllocationDisplay,
    AllocationHistoryDisplay,
    ComponentUseDisplay,
    TaskSimilarityDisplay,
)

pyplot = pytest.importorskip("matplotlib.pyplot")
DISPLAYS = [
    AllocationDisplay,
    AllocationHistoryDisplay,
    ComponentUseDisplay,
    TaskSimilarityDisplay,
]


@pytest.fixture(autouse=True)
def no_window():
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module", params=[1, 2])
def model(request):
    data = make_related_tasks(4, 1.0, 6, n_groups=2, n_rows=30, random_state=0)
    return GumbelMatrixRegressor(
        task_id="task",
        layers=(4, 4, 4),
        n_components=(3, 1, 2),
        max_iter=7,
        n_members=request.param,
        random_state=0,
    ).fit(data.data, data.target)


@pytest.mark.parametrize("display", DISPLAYS)
def test_draws_on_new_axes_or_on_those_given(display, model):
    shown = display.from_estimator(model)
    assert shown.ax_.figure is shown.figure_
    figure, ax = pyplot.subplots()
    again = shown.plot(ax=ax)
    assert again is shown
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    figure.canvas.draw()


@pytest.mark.parametrize("display", DISPLAYS)
def test_needs_a_fitted_estimator_that_has_allocations(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(GumbelMatrixRegressor())
    with pytest.raises(TypeError, match="MultiTaskHypernetRegressor does not have"):
        display.from_estimator(MultiTaskHypernetRegressor())


@pytest.mark.parametrize("display", DISPLAYS)
def test_says_how_to_install_matplotlib(display, model, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "skmtl\[plot\]"'):
        display.from_estimator(model)


def test_allocation_is_that_of_the_member(model):
    member = model.module_.n_members - 1
    shown = AllocationDisplay.from_estimator(model, member=member)
    on = model.task_embeddings_
    on = on[member] if model.module_.n_members > 1 else on
    np.testing.assert_array_equal(shown.image_.get_array(), on.to_numpy())
    soft = AllocationDisplay.from_estimator(model, member=member, probabilities=True)
    np.testing.assert_array_equal(soft.allocation.to_numpy() >= 0.5, on.to_numpy() > 0)
    with pytest.raises(ValueError, match="member must be an int below"):
        AllocationDisplay.from_estimator(model, member=2)


def test_similarity_is_the_cosine(model):
    shown = TaskSimilarityDisplay.from_estimator(model)
    np.testing.assert_array_equal(shown.image_.get_array(), model.task_similarity_)


def test_history_has_a_curve_for_every_component(model):
    shown = AllocationHistoryDisplay.from_estimator(model, task=2, layer=2)
    assert len(shown.lines_) == 2
    assert shown.history.index.tolist() == list(range(1, 8))
    table = model.allocation_history_
    expected = table.xs((0, 2), level=("member", "task"))[2]
    np.testing.assert_array_equal(shown.history.to_numpy(), expected.to_numpy())
    with pytest.raises(ValueError, match="layer must be an int below 3"):
        AllocationHistoryDisplay.from_estimator(model, layer=3)
    with pytest.raises(ValueError, match="'unknown' is not among tasks_"):
        AllocationHistoryDisplay.from_estimator(model, task="unknown")


def test_use_is_the_share_of_tasks(model):
    shown = ComponentUseDisplay.from_estimator(model)
    assert [len(bars) for bars in shown.bars_] == [3, 1, 2]
    assert shown.use[1].tolist() == [1.0]
