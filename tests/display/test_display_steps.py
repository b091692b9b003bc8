"""Displays of steps: affinity, IT-MTL's choices, losses along candidate steps."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetClassifier
from skmtl.display import (
    AffinityDisplay,
    CandidateChoicesDisplay,
    LossAlongStepsDisplay,
    LossSurfaceDisplay,
)
from skmtl.weighting import ITMTL
from tests._architectures import build, shared_bottom
from tests._tables import make_schools, make_wide

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("no_window")
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0, "early_stopping": False}


@pytest.fixture(scope="module")
def schools():
    X, y = make_schools(n_schools=4, n_rows=16)
    return X.drop(columns="sector"), y


@pytest.fixture(scope="module")
def model(schools):
    method = ITMTL(["equal", "tasks", "pcgrad"])
    settings = {**QUICK, "task_weighting": method, "record_affinity": True, "n_members": 2}
    return shared_bottom(task_id="school", **settings).fit(*schools)


SHOWN = {
    "heatmap": lambda m, d: AffinityDisplay.from_estimator(m),
    "radar": lambda m, d: AffinityDisplay.from_estimator(m, kind="radar"),
    "history": lambda m, d: AffinityDisplay.from_estimator(m, kind="history"),
    "choices": lambda m, d: CandidateChoicesDisplay.from_estimator(m),
    "along": lambda m, d: LossAlongStepsDisplay.from_estimator(m, *d),
    "surface": lambda m, d: LossSurfaceDisplay.from_estimator(m, *d, n_points=5),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_draws_on_new_axes_or_on_those_given(kind, model, schools):
    shown = SHOWN[kind](model, schools)
    assert shown.ax_.figure is shown.figure_
    polar = {"projection": "polar"} if kind == "radar" else {}
    figure, ax = pyplot.subplots(subplot_kw=polar)
    more = {"kind": kind} if isinstance(shown, AffinityDisplay) else {}
    again = shown.plot(ax=ax, **more)
    assert again is shown
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    figure.canvas.draw()


def test_what_shows_nothing_is_an_error(schools):
    bare = shared_bottom(task_id="school", **QUICK)
    for display, more in (
        (AffinityDisplay, ()),
        (CandidateChoicesDisplay, ()),
        (LossAlongStepsDisplay, schools),
        (LossSurfaceDisplay, schools),
    ):
        with pytest.raises(NotFittedError):
            display.from_estimator(bare, *more)
        with pytest.raises(TypeError, match="LinearRegression does not have; fit an estimator of"):
            display.from_estimator(LinearRegression(), *more)
    bare.fit(*schools)
    with pytest.raises(AttributeError, match="record_affinity=True"):
        AffinityDisplay.from_estimator(bare)
    with pytest.raises(AttributeError, match="task_weighting=ITMTL"):
        CandidateChoicesDisplay.from_estimator(bare)
    apart = build(
        "IndependentNetworks",
        task_id="school",
        **{k: v for k, v in QUICK.items() if k != "hidden_layer_sizes"},
    ).fit(*schools)
    with pytest.raises(ValueError, match="no parameters that tasks share"):
        LossAlongStepsDisplay.from_estimator(apart, *schools)


# affinity


def test_the_heat_map_has_the_values(model):
    shown = AffinityDisplay.from_estimator(model)
    np.testing.assert_array_equal(shown.image_.get_array(), model.affinity_)
    texts = [text.get_text() for text in shown.ax_.texts]
    assert texts == [f"{value:.2g}" for value in model.affinity_.to_numpy().ravel()]
    low, high = shown.image_.get_clim()
    assert low == -high
    one = AffinityDisplay.from_estimator(model, member=1)
    expected = model.affinity_history_.loc[1].groupby(level="task").mean()
    np.testing.assert_allclose(one.affinity, expected.loc[model.tasks_])


def test_the_radar_has_a_polygon_for_each_task_that_steps(model):
    shown = AffinityDisplay.from_estimator(model, kind="radar")
    assert len(shown.lines_) == 4
    for i, line in enumerate(shown.lines_):
        _, radius = line.get_data()
        expected = model.affinity_.iloc[i] / np.diag(model.affinity_)
        np.testing.assert_allclose(radius[:4], expected)
        assert radius[0] == radius[4]
        # its own step is the unit
        assert radius[i] == 1
    with pytest.raises(ValueError, match="needs polar axes"):
        shown.plot(kind="radar", ax=pyplot.subplots()[1])
    with pytest.raises(ValueError, match="three tasks or more"):
        AffinityDisplay(model.affinity_.iloc[:2, :2]).plot(kind="radar")


def test_the_course_of_affinity(model):
    shown = AffinityDisplay.from_estimator(model, kind="history", task="school 02")
    history = model.affinity_history_["school 02"].groupby(level=["epoch", "task"]).mean()
    for task, line in zip(model.tasks_, shown.lines_, strict=True):
        np.testing.assert_allclose(line.get_ydata(), history.xs(task, level="task"))
    shown = AffinityDisplay.from_estimator(model, kind="history", member=0)
    table = model.affinity_history_.loc[0].loc[1].to_numpy()
    expected = [(row.sum() - row[i]) / 3 for i, row in enumerate(table)]
    np.testing.assert_allclose([line.get_ydata()[0] for line in shown.lines_], expected)
    with pytest.raises(ValueError, match="'unknown' is not among the tasks"):
        shown.plot(kind="history", task="unknown")
    with pytest.raises(ValueError, match="kind must be one of"):
        shown.plot(kind="pie")
    with pytest.raises(ValueError, match="needs a history"):
        AffinityDisplay(model.affinity_).plot(kind="history")
    with pytest.raises(ValueError, match="member must be an int below"):
        AffinityDisplay.from_estimator(model, member=2)


# choices


def test_shares_of_the_choices(model):
    shown = CandidateChoicesDisplay.from_estimator(model, member=1)
    np.testing.assert_allclose(shown.shares.sum(axis=1), 1)
    assert list(shown.shares.columns) == list(model.candidate_transferences_.columns)
    chosen = model.candidate_choices_.loc[1].loc[3]["candidate"]
    assert shown.shares.loc[3, "equal"] == pytest.approx((chosen == "equal").mean())
    assert [len(bars) for bars in shown.bars_] == [6] * 6
    tops = shown.bars_[-1].patches
    assert [bar.get_y() + bar.get_height() for bar in tops] == pytest.approx([1] * 6)


# losses


def mean_losses(model, X, Y):
    """Mean squared errors of standardised labels, by task."""
    error = (np.asarray(model.predict(X)) - np.asarray(Y)) / np.nanstd(np.asarray(Y), axis=0)
    return np.nanmean(error**2, axis=0)


@pytest.mark.parametrize("candidate", ["equal", 0, 2])
def test_losses_along_a_step_by_hand(candidate):
    X, Y = make_wide()
    model = shared_bottom(weight_averaging=0.0, **QUICK).fit(X, Y)
    name = candidate if candidate == "equal" else f"task {model.tasks_[candidate]}"
    shown = LossAlongStepsDisplay.from_estimator(
        model, X, Y, candidate=name, solver="sgd", learning_rate=0.5, n_points=4
    )
    assert shown.losses.index.tolist() == [0, 1, 2, 3]
    module = copy.deepcopy(model.module_).train()
    rows = torch.as_tensor(model._tables.scale(np.asarray(X)), dtype=torch.float32)
    n_tasks = Y.shape[1]
    tasks = torch.arange(n_tasks).unsqueeze(0)
    rows = rows.expand(1, n_tasks, -1, -1)
    outputs = module(rows, tasks, tasks, shared_rows=True)[0, :, :, 0]
    Z = (np.asarray(Y) - np.nanmean(np.asarray(Y), axis=0)) / np.nanstd(np.asarray(Y), axis=0)
    labelled = torch.as_tensor(~np.isnan(Z.T))
    errors = (outputs - torch.as_tensor(np.nan_to_num(Z.T))).square() * labelled
    losses = errors.sum(1) / labelled.sum()
    (losses.sum() if candidate == "equal" else losses[candidate]).backward()
    for step in range(4):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            parameters = dict(moved.module_.named_parameters())
            gradients = dict(module.named_parameters())
            for p in module.shared_parameters():
                parameters[p] -= step * 0.5 * gradients[p].grad
        np.testing.assert_allclose(
            shown.losses[name].loc[step], mean_losses(moved, X, Y), rtol=1e-4
        )


def test_curves_are_sums_or_tasks(model, schools):
    shown = LossAlongStepsDisplay.from_estimator(model, *schools, reach=2.0, n_points=5, member=1)
    names = ["equal", *(f"task {task}" for task in model.tasks_)]
    assert [line.get_label() for line in shown.lines_] == names
    for name, line in zip(names, shown.lines_, strict=True):
        np.testing.assert_allclose(line.get_ydata(), shown.losses[name].sum(axis=1))
    # all begin where the parameters are
    assert len({round(float(line.get_ydata()[0]), 5) for line in shown.lines_}) == 1
    shown.plot(candidate="task school 01")
    assert [line.get_label() for line in shown.lines_] == list(model.tasks_)
    with pytest.raises(ValueError, match="candidate must be one of"):
        shown.plot(candidate="school 01")
    with pytest.raises(ValueError, match="taken at the representation cannot be shown"):
        LossAlongStepsDisplay.from_estimator(model, *schools, candidates=["mgda-ub"])
    with pytest.raises(ValueError, match="solver must be one of"):
        LossAlongStepsDisplay.from_estimator(model, *schools, solver="lbfgs")


def test_a_surface_holds_the_lines(model, schools):
    line = LossAlongStepsDisplay.from_estimator(model, *schools, candidates=["tasks"], n_points=4)
    shown = LossSurfaceDisplay.from_estimator(model, *schools, n_points=7)
    first, second = model.tasks_[:2]
    assert shown.names == (f"step of task {first}", f"step of task {second}")
    for step in range(4):
        losses = shown.losses.loc[(0.0, float(step))]
        np.testing.assert_allclose(losses, line.losses[f"task {first}"].loc[step], rtol=1e-5)
        losses = shown.losses.loc[(float(step), 0.0)]
        np.testing.assert_allclose(losses, line.losses[f"task {second}"].loc[step], rtol=1e-5)
    total = shown.losses.sum(axis=1)
    assert total.loc[shown.minimum_[::-1]] == total.min()
    shown.plot(task=first)
    assert shown.losses[first].loc[shown.minimum_[::-1]] == shown.losses[first].min()
    with pytest.raises(ValueError, match="'unknown' is not among the tasks"):
        shown.plot(task="unknown")
    with pytest.raises(ValueError, match="a plane needs two directions"):
        LossSurfaceDisplay.from_estimator(model, *schools, directions=["equal"])


def test_random_directions_are_as_long_as_the_parameters(model, schools):
    options = {"directions": "random", "random_state": 0, "n_points": 5}
    one, same, other = (
        LossSurfaceDisplay.from_estimator(model, *schools, **{**options, "random_state": seed})
        for seed in (0, 0, 1)
    )
    assert one.losses.equals(same.losses)
    assert not one.losses.equals(other.losses)
    assert one.losses.index.get_level_values("first").max() == pytest.approx(0.1)


def test_other_architectures_and_classes(schools):
    X, y = schools
    labels = y.gt(y.median())
    hypernet = MultiTaskHypernetClassifier(task_id="school", **QUICK).fit(X, labels)
    shown = LossAlongStepsDisplay.from_estimator(hypernet, X, labels, n_points=3)
    total = shown.losses["equal"].sum(axis=1)
    assert total.iloc[1] < total.iloc[0] < 4
    counts = shared_bottom(task_id="school", loss="poisson", **QUICK).fit(X, y.abs())
    shown = LossAlongStepsDisplay.from_estimator(counts, X, y.abs(), n_points=3)
    assert shown.losses["equal"].sum(axis=1).is_monotonic_decreasing
    drawn = GumbelMatrixRegressor(task_id="school", max_iter=3, random_state=0).fit(X, y)
    before = drawn.predict(X)
    shown = LossAlongStepsDisplay.from_estimator(drawn, X, y, n_points=3)
    assert np.isfinite(shown.losses).all(axis=None)
    np.testing.assert_array_equal(drawn.predict(X), before)
