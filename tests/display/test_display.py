"""Displays: what they show, where they draw, and what they say without matplotlib."""

import builtins

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetRegressor
from skmtl.callbacks import TaskLossRecorder
from skmtl.datasets import make_cubic, make_related_tasks
from skmtl.display import (
    AllocationDisplay,
    AllocationHistoryDisplay,
    ComponentUseDisplay,
    LearningCurvesDisplay,
    PerTaskScoreDisplay,
    TaskEmbeddingDisplay,
    TaskSimilarityDisplay,
)
from skmtl.metrics import per_task_score
from tests._architectures import build

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("no_window")
DISPLAYS = [
    AllocationDisplay,
    AllocationHistoryDisplay,
    ComponentUseDisplay,
    TaskSimilarityDisplay,
]


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


@pytest.fixture(scope="module")
def cubic_models():
    cubic = make_cubic(6, 12, random_state=0)
    models = [
        MultiTaskHypernetRegressor("task", list("abcd"), max_iter=5, n_members=k, random_state=0)
        for k in (1, 2)
    ]
    return cubic, [model.fit(cubic.data, cubic.target) for model in models]


@pytest.mark.parametrize("member", [0, 1])
def test_learning_curves_are_the_history(cubic_models, member):
    model = cubic_models[1][member]
    display = LearningCurvesDisplay.from_estimator(model)
    assert len(display.lines_) == 2 * (member + 1)
    wanted = [
        part[column]
        for _, part in model.history_.groupby("member")
        for column in ("train_loss", "valid_loss")
    ]
    for line, values in zip(display.lines_, wanted, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 6))
        np.testing.assert_array_equal(line.get_ydata(), values)
    one = LearningCurvesDisplay.from_estimator(model, member=member)
    np.testing.assert_array_equal(one.lines_[-1].get_ydata(), wanted[-1])
    with pytest.raises(ValueError, match="member must be an int below"):
        LearningCurvesDisplay.from_estimator(model, member=2)


def test_learning_curves_by_task():
    cubic = make_cubic(3, 20, random_state=0)
    model = MultiTaskHypernetRegressor(
        "task", max_iter=4, n_members=2, callbacks=[TaskLossRecorder()], random_state=0
    )
    X = cubic.data[["x", "task"]].assign(task=cubic.data["task"].map("abc".__getitem__))
    model.fit(X, cubic.target)
    table = model.callbacks_[0].table_
    for member, wanted in ((None, table.groupby(level="epoch").mean()), (1, table.loc[1])):
        display = LearningCurvesDisplay.from_estimator(model, by_task=True, member=member)
        assert [line.get_label() for line in display.lines_] == ["a", "b", "c"]
        for line, (_, values) in zip(display.lines_, wanted.items(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), values)
    model.set_params(callbacks=None).fit(X, cubic.target)
    with pytest.raises(ValueError, match="callbacks=\\[TaskLossRecorder"):
        LearningCurvesDisplay.from_estimator(model, by_task=True)


def test_learning_curves_without_validation():
    cubic = make_cubic(3, 10, random_state=0)
    model = MultiTaskHypernetRegressor("task", max_iter=3, early_stopping=False)
    model.fit(cubic.data[["x", "task"]], cubic.target)
    assert len(LearningCurvesDisplay.from_estimator(model).lines_) == 1


def test_scores_of_two_models_by_task(cubic_models):
    cubic, models = cubic_models
    _, ax = pyplot.subplots()
    display = PerTaskScoreDisplay.from_estimators(
        *models, cubic.data, cubic.target, scoring="neg_mean_squared_error", ax=ax
    )
    assert display.ax_ is ax
    scores = [
        per_task_score(model, cubic.data, cubic.target, scoring="neg_mean_squared_error")
        for model in models
    ]
    np.testing.assert_array_equal(display.points_.get_offsets(), np.column_stack(scores))
    better = int((scores[1] > scores[0]).sum())
    assert f"better on {better} of 6" in ax.get_title()
    assert "neg_mean_squared_error" in ax.get_xlabel()
    other = PerTaskScoreDisplay.from_estimator(
        models[1], cubic.data, cubic.target, baseline=models[0], names=("one", "two")
    )
    assert other.ax_.get_xlabel().startswith("one")
    # tasks without a score are not counted
    gap = scores[0].mask(scores[0].index == 0)
    assert "of 5 tasks" in PerTaskScoreDisplay(gap, scores[1]).plot().ax_.get_title()


def test_embeddings_keep_their_distances(cubic_models):
    model = cubic_models[1][1]
    display = TaskEmbeddingDisplay.from_estimator(model, color="d", member=1)
    table = model.task_embeddings_[1].to_numpy()
    centred = table - table.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    np.testing.assert_allclose(display.explained, variance[:2] / variance.sum(), rtol=1e-6)
    # distances from the mean along two axes
    np.testing.assert_allclose(
        (display.positions.to_numpy() ** 2).sum(axis=0), variance[:2], rtol=1e-6
    )
    np.testing.assert_array_equal(display.points_[0].get_array(), display.color)
    constant = cubic_models[0].data.groupby("task")["d"].first()
    np.testing.assert_allclose(display.color, constant)
    # the dots, and the bar that explains their colours
    assert [text.get_text() for text in display.ax_.texts] == [str(task) for task in model.tasks_]
    assert len(display.figure_.axes) == 2


def test_embeddings_by_words(cubic_models):
    model = cubic_models[1][0]
    words = pd.Series(list("uvuvvw"), index=model.tasks_, name="family").iloc[::-1]
    display = TaskEmbeddingDisplay.from_estimator(model, color=words)
    assert [len(points.get_offsets()) for points in display.points_] == [2, 3, 1]
    assert display.ax_.get_legend().get_title().get_text() == "family"
    with pytest.raises(ValueError, match="no value for the tasks \\[0, 1\\]"):
        TaskEmbeddingDisplay.from_estimator(model, color=words.drop([0, 1]))
    with pytest.raises(ValueError, match="'depth' is not among the metadata"):
        TaskEmbeddingDisplay.from_estimator(model, color="depth")


def test_embeddings_that_are_not_there(cubic_models):
    cubic, models = cubic_models
    without = build("SingleNetwork", task_id="task", max_iter=1).fit(cubic.data, cubic.target)
    with pytest.raises(AttributeError, match="SingleNetwork learns no embeddings"):
        TaskEmbeddingDisplay.from_estimator(without)
    none = clone(models[0]).set_params(embedding_dim=0, max_iter=1)
    with pytest.raises(ValueError, match="embedding_dim=0"):
        TaskEmbeddingDisplay.from_estimator(none.fit(cubic.data, cubic.target))
    one = clone(models[0]).set_params(embedding_dim=1, max_iter=1)
    display = TaskEmbeddingDisplay.from_estimator(one.fit(cubic.data, cubic.target))
    assert (display.positions["second"] == 0).all()
