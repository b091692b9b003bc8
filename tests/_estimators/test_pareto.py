"""`ParetoHypernet`: preferences in, predictions and fronts out, and bad input."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skmtl import ParetoHypernet
from skmtl.model_selection import BatchedGridSearchCV

SHORT = {
    "hidden_layer_sizes": (6,),
    "max_iter": 15,
    "batch_size": 64,
    "learning_rate_init": 5e-3,
    "random_state": 0,
}


def wide(n=240, n_tasks=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    z = X @ rng.normal(size=(4, n_tasks))
    return X, np.tanh(z) + 0.1 * rng.normal(size=(n, n_tasks))


def mixed(n=240, seed=0):
    X, Y = wide(n, 3, seed)
    colour = np.array(["red", "green", "blue"], dtype=object)[np.digitize(Y[:, 2], [-0.4, 0.4])]
    frame = pd.DataFrame({"cost": Y[:, 0], "late": (Y[:, 1] > 0).astype(int), "colour": colour})
    frame.loc[:20, "cost"] = np.nan
    return pd.DataFrame(X, columns=list("abcd")), frame


def long(n=240, seed=0):
    X, Y = wide(n, 3, seed)
    task = np.random.default_rng(seed).integers(0, 3, n)
    table = pd.DataFrame(X, columns=list("abcd")).assign(task=np.array(list("xyz"))[task])
    return table, Y[np.arange(n), task]


@pytest.fixture(scope="module")
def fitted():
    X, Y = wide()
    return ParetoHypernet(**SHORT).fit(X, Y)


@pytest.fixture(scope="module")
def fitted_mixed():
    return ParetoHypernet(**SHORT).fit(*mixed())


# preferences


def test_several_preferences_in_one_call_are_each_of_them(fitted):
    X, _ = wide()
    P = np.array([[1, 3], [1, 1], [0, 2.0]])
    together = fitted.predict(X, preference=P)
    assert together.shape == (3, 240, 2)
    for p, one in zip(P, together, strict=True):
        assert_allclose(fitted.predict(X, preference=p), one, rtol=1e-10, atol=1e-10)


def test_the_scale_of_a_preference_does_not_matter(fitted):
    X, _ = wide()
    assert_array_equal(
        fitted.predict(X, preference=[1, 3]), fitted.predict(X, preference=[0.5, 1.5])
    )
    assert_array_equal(
        fitted.predict(X, preference=[1e300, 1e300]), fitted.predict(X, preference=[1, 1])
    )


def test_preferences_have_names(fitted_mixed):
    X, _ = mixed()
    expected = fitted_mixed.predict(X, preference=[3, 1, 2])
    for named in (
        {"colour": 2, "cost": 3, "late": 1},
        pd.Series({"late": 1, "cost": 3, "colour": 2}),
    ):
        pd.testing.assert_frame_equal(fitted_mixed.predict(X, preference=named), expected)
    several = pd.DataFrame({"late": [1, 1], "cost": [3, 1], "colour": [2, 1]})
    assert_array_equal(fitted_mixed.predict(X, preference=several)[0], expected.to_numpy())


def test_the_constructor_has_the_default(fitted):
    X, _ = wide()
    model = clone(fitted).set_params(preference=[1, 4]).fit(*wide())
    assert_array_equal(model.predict(X), fitted.predict(X, preference=[1, 4]))
    assert_array_equal(fitted.predict(X), fitted.predict(X, preference=[7, 7]))
    # it may be changed without another fit
    model.set_params(preference=[4, 1])
    assert_array_equal(model.predict(X), fitted.predict(X, preference=[4, 1]))


def test_a_view_serves_a_preference(fitted):
    X, _ = wide()
    view = fitted.with_preference([1, 4])
    assert view.preference == [1, 4]
    assert_array_equal(view.predict(X), fitted.predict(X, preference=[1, 4]))
    assert_array_equal(view.predict(X, preference=[1, 1]), fitted.predict(X, preference=[1, 1]))
    assert_array_equal(
        pickle.loads(pickle.dumps(view)).predict(X), fitted.predict(X, preference=[1, 4])
    )
    assert fitted.preference is None
    # what it stores is no longer used
    view.set_params(preference=[3, 1])
    assert_array_equal(view.predict(X), fitted.predict(X, preference=[3, 1]))


@pytest.mark.parametrize("solver", ["linear", "pareto", "chebyshev", "epo"])
def test_more_weight_means_a_lower_loss_with_every_solver(solver):
    # one hidden unit for two tasks
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    Y = np.column_stack([X[:, 0], X[:, 1]]) + 0.05 * rng.normal(size=(600, 2))
    model = ParetoHypernet(
        solver=solver,
        hidden_layer_sizes=(1,),
        activation="identity",
        learning_rate_init=1e-2,
        n_preferences=4,
        batch_size=120,
        max_iter=40,
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)
    front = model.pareto_front(X, Y, preferences=15)
    for task in (0, 1):
        rho = spearmanr(front["preference"][task], front["loss"][task]).statistic
        assert rho < -0.9


# kinds of targets


def test_one_task_has_nothing_to_trade_off():
    X, Y = wide()
    model = ParetoHypernet(**SHORT).fit(X, Y[:, 0])
    assert model.predict(X).shape == (240,)
    assert_array_equal(model.predict(X, preference=[3]), model.predict(X))
    assert model.predict(X, preference=[[1], [2]]).shape == (2, 240)
    assert len(model.pareto_front(X, Y[:, 0])) == 1


def test_numbers_and_classes(fitted_mixed):
    X, Y = mixed()
    assert fitted_mixed.task_types_ == {
        "cost": "regression",
        "late": "binary",
        "colour": "multiclass",
    }
    assert set(fitted_mixed.classes_) == {"late", "colour"}
    predicted = fitted_mixed.predict(X)
    assert predicted.columns.tolist() == ["cost", "late", "colour"]
    several = fitted_mixed.predict_proba(X, preference=np.eye(3) + 0.1)
    one = fitted_mixed.predict_proba(X, preference=[0.1, 0.1, 1.1])
    assert several["colour"].shape == (3, 240, 3)
    for task in ("late", "colour"):
        assert_allclose(several[task][2], one[task], rtol=1e-9)
        assert_allclose(several[task].sum(-1), 1)
    assert fitted_mixed.predict(X, preference=np.eye(3)).shape == (3, 240, 3)
    assert 0 < fitted_mixed.score(X, Y) <= 1


def test_long_form():
    X, y = long()
    model = ParetoHypernet(task_id="task", **{**SHORT, "max_iter": 60}).fit(X, y)
    assert model.tasks_.tolist() == ["x", "y", "z"]
    assert model.predict(X, preference={"x": 1, "y": 2, "z": 3}).shape == (240,)
    assert model.score(X, y) > 0.5
    front = model.pareto_front(X, y, preferences=10)
    for t, task in enumerate(model.tasks_):
        rows = (X["task"] == task).to_numpy()
        for p in (0, 7):
            predicted = model.predict(X, preference=front["preference"].loc[p])
            error = np.mean((predicted - y)[rows] ** 2)
            assert_allclose(front["loss"][task][p], error / model.loss_scales_.iloc[t])


def test_long_form_with_metadata_and_an_unseen_task():
    X, y = long()
    X = X.assign(size=X["task"].map({"x": 1.0, "y": 2.0, "z": 3.0}))
    model = ParetoHypernet(task_id="task", metadata=["size"], **SHORT).fit(X, y)
    new = X.assign(task="new")
    assert np.isfinite(model.predict(new, preference=[[1, 1, 1], [1, 2, 3]])).all()
    plain = ParetoHypernet(task_id="task", unseen_tasks="average", **SHORT).fit(
        X.drop(columns="size"), y
    )
    mean = np.mean([plain.predict(X.drop(columns="size").assign(task=t)) for t in "xyz"], axis=0)
    assert_allclose(plain.predict(new.drop(columns="size")), mean, rtol=1e-9)


def test_classes_in_long_form_and_of_one_task():
    X, y = long()
    labels = np.where(y > 0, "up", "down")
    model = ParetoHypernet(task_id="task", task_types="classification", **SHORT).fit(X, labels)
    assert is_classifier(model)
    assert not is_regressor(model)
    assert is_regressor(ParetoHypernet())
    assert model.classes_.tolist() == ["down", "up"]
    assert model.predict_proba(X, preference=np.eye(3)).shape == (3, 240, 2)
    assert model.score(X, labels) == np.mean(model.predict(X) == labels) > 0.6
    assert model.decision_function(X).shape == (240,)


def test_losses_are_divided_by_those_of_the_best_constant(fitted_mixed):
    X, Y = mixed()
    model = ParetoHypernet(**{**SHORT, "early_stopping": False}).fit(X, Y)
    scales = model.loss_scales_
    assert scales["cost"] == pytest.approx(Y["cost"].var(ddof=0), rel=1e-5)
    share = Y["colour"].value_counts(normalize=True)
    assert scales["colour"] == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)
    front = model.pareto_front(X, Y, preferences=[[1, 1, 1]])
    proba = model.predict_proba(X)["colour"]
    expected = log_loss(Y["colour"], proba, labels=model.classes_["colour"])
    assert front["loss"]["colour"][0] * scales["colour"] == pytest.approx(expected)
    cost = Y["cost"] - model.predict(X)["cost"]
    assert front["loss"]["cost"][0] * scales["cost"] == pytest.approx((cost**2).mean())


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "pinball"])
def test_other_losses_are_divided_by_those_of_the_best_constant(loss):
    X, Y = wide()
    model = ParetoHypernet(loss=loss, quantile=0.8, early_stopping=False, **SHORT).fit(X, 7 * Y)
    y = 7 * Y[:, 0]
    if loss == "absolute_error":
        expected = np.abs(y - np.median(y)).mean()
    elif loss == "pinball":
        d = y - np.quantile(y, 0.8, method="inverted_cdf")
        expected = np.maximum(0.8 * d, -0.2 * d).mean()
    else:
        assert model.loss_scales_[0] < 49 * Y[:, 0].var()
        return
    assert model.loss_scales_[0] == pytest.approx(expected, rel=1e-4)


# fronts


def test_a_front_marks_what_is_dominated(fitted):
    X, Y = wide()
    front = fitted.pareto_front(X, Y, preferences=9)
    assert len(front) == 9
    assert_allclose(front["preference"].sum(axis=1), 1)
    assert_allclose(front["preference"][0], np.linspace(0, 1, 9))
    losses = front["loss"].to_numpy()
    for row, marked in zip(losses, front["dominated"], strict=True):
        beaten = [(other <= row).all() and (other < row).any() for other in losses]
        assert marked == any(beaten)


@pytest.mark.parametrize(("n_tasks", "n_rows"), [(1, 1), (2, 30), (3, 28), (4, 30)])
def test_the_grid_covers_the_simplex(n_tasks, n_rows):
    X, Y = wide(60, n_tasks)
    model = ParetoHypernet(**{**SHORT, "max_iter": 1}).fit(X, Y if n_tasks > 1 else Y[:, 0])
    front = model.pareto_front(X, Y if n_tasks > 1 else Y[:, 0], preferences=30)
    grid = front["preference"].to_numpy()
    assert len(grid) == n_rows
    assert len(np.unique(grid.round(9), axis=0)) == n_rows
    assert_allclose(grid.sum(axis=1), 1)
    for corner in np.eye(n_tasks):
        assert (np.abs(grid - corner).max(axis=1) < 1e-12).any()


def test_a_preference_is_chosen_by_limits(fitted):
    X, Y = wide()
    front = fitted.pareto_front(X, Y, preferences=50)
    limit = front["loss"][0].quantile(0.3)
    chosen = fitted.choose_preference(X, Y, max_loss={0: limit}, minimize=1, preferences=50)
    allowed = front[front["loss"][0] <= limit]
    best = allowed["loss"][1].idxmin()
    assert_array_equal(chosen, front["preference"].loc[best])
    fitted.predict(X, preference=chosen)
    free = fitted.choose_preference(X, Y, preferences=50)
    assert_array_equal(free, front["preference"].loc[front["loss"].mean(axis=1).idxmin()])


# the estimator among others


def test_the_same_seed_is_bitwise_identical_and_members_do_not_meet():
    X, Y = wide()
    rows = {"early_stopping": False}
    one = ParetoHypernet(**SHORT, **rows).fit(X, Y)
    again = ParetoHypernet(**SHORT, **rows).fit(X, Y)
    three = ParetoHypernet(n_members=3, **SHORT, **rows).fit(X, Y)
    P = [[1, 2], [2, 1]]
    assert_array_equal(one.predict(X, preference=P), again.predict(X, preference=P))
    members = three.predict_members(X, preference=P)
    assert members[0].shape == (3, 2, 240)
    assert_allclose(members[0][0], one.predict(X, preference=P)[..., 0], rtol=1e-4, atol=1e-5)
    mean, std = three.predict(X, return_std=True, preference=P)
    assert mean.shape == std.shape == (2, 240, 2)
    assert_allclose(mean[..., 1], members[1].mean(0))
    assert_allclose(std[..., 1], members[1].std(0, ddof=1))
    assert three.predict(X, return_std=True)[1].shape == (240, 2)


def test_in_a_pipeline_and_a_grid():
    X, Y = wide()
    model = make_pipeline(StandardScaler(), ParetoHypernet(**SHORT))
    grid = {"paretohypernet__preference": [[1, 1], [1, 5]]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2


def test_a_batched_search_is_scikit_learn_s():
    X, Y = wide()
    grid = {"alpha": [1e-4, 1e-1], "preference": [[1, 1], [1, 5]]}
    model = ParetoHypernet(**{**SHORT, "max_iter": 5})
    slow = GridSearchCV(model, grid, cv=KFold(2)).fit(X, Y)
    fast = BatchedGridSearchCV(model, grid, cv=KFold(2)).fit(X, Y)
    assert_allclose(
        fast.cv_results_["mean_test_score"], slow.cv_results_["mean_test_score"], atol=1e-4
    )


def test_persistence_and_warm_start(fitted):
    X, Y = wide()
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(loaded.predict(X, preference=[1, 3]), fitted.predict(X, preference=[1, 3]))
    model = ParetoHypernet(warm_start=True, **{**SHORT, "max_iter": 3}).fit(X, Y)
    before = model.pareto_front(X, Y, 5)["loss"].to_numpy().mean()
    for _ in range(5):
        model.fit(X, Y)
    assert model.pareto_front(X, Y, 5)["loss"].to_numpy().mean() < before


def test_fixed_preferences_and_scaled_weights():
    X, Y = wide()
    fixed = [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]
    model = ParetoHypernet(preferences=fixed, weight_scale="sum_abs", **SHORT).fit(X, Y)
    assert np.isfinite(model.predict(X, preference=fixed)).all()
    weights = model.task_weights_.to_numpy()
    assert (np.abs(weights).sum(1) <= 2 + 1e-5).all()
    frame = pd.DataFrame(fixed, columns=[0, 1])
    same = ParetoHypernet(preferences=frame, weight_scale="sum_abs", **SHORT).fit(X, Y)
    assert_array_equal(same.predict(X), model.predict(X))


def test_a_set_of_preferences_for_each_member():
    # as many networks for one preference each as there are members: Pareto MTL
    X, Y = wide()
    P = [[[0.9, 0.1]], [[0.2, 0.8]], [[0.5, 0.5]]]
    settings = {**SHORT, "solver": "pareto", "max_iter": 5}
    together = ParetoHypernet(preferences=P, n_members=3, **settings).fit(X, Y)
    actual = together.predict_members(X, preference=np.concatenate(P))
    other = ParetoHypernet(preferences=P[::-1], n_members=3, **settings).fit(X, Y)
    reversed_ = other.predict_members(X, preference=np.concatenate(P))
    for m, preferences in enumerate(P):
        # the same members, as many as there are, with one of the preferences
        same = ParetoHypernet(preferences=preferences, n_members=3, **settings).fit(X, Y)
        expected = same.predict_members(X, preference=preferences)
        for task in actual:
            assert_allclose(actual[task][m, m], expected[task][m, 0], rtol=1e-4, atol=1e-5)
    assert not np.allclose(actual[0][0, 0], reversed_[0][0, 0], atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 1, 2), (3, 1, 3)])
def test_sets_of_preferences_of_a_wrong_shape(shape):
    X, Y = wide()
    with pytest.raises(ValueError, match="shape"):
        ParetoHypernet(preferences=np.ones(shape), n_members=3, **SHORT).fit(X, Y)


def test_settings_of_the_hypernetwork():
    X, Y = wide()
    full = ParetoHypernet(compression=False, hypernet_width=5, **SHORT).fit(X, Y)
    assert full.predict(X, preference=[1, 2]).shape == (240, 2)
    deep = ParetoHypernet(hypernet_layers=3, preferences="dirichlet", **SHORT).fit(X, Y)
    assert deep.predict(X, preference=[1, 2]).shape == (240, 2)


# any other network


class Convolutions(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.side = int(n_features**0.5)
        self.convolution = nn.Conv2d(1, 3, 2)
        self.head = nn.Linear(3 * (self.side - 1) ** 2, n_outputs)

    def forward(self, x):
        x = self.convolution(x.view(-1, 1, self.side, self.side))
        return self.head(torch.relu(x).flatten(1))


@pytest.mark.parametrize("network", [nn.Linear, Convolutions])
def test_any_network_can_be_written(network):
    X, Y = wide()
    model = ParetoHypernet(
        network=network, n_preferences=2, max_iter=15, learning_rate_init=1e-2, random_state=0
    ).fit(X, Y)
    P = [[1, 2], [2, 1], [1, 1]]
    together = model.predict(X, preference=P)
    assert together.shape == (3, 240, 2)
    for p, one in zip(P, together, strict=True):
        assert_allclose(model.predict(X, preference=p), one, rtol=1e-10)
    assert model.score(X, Y) > 0.3
    state = torch.random.get_rng_state()
    again = clone(model).fit(X, Y)
    assert_array_equal(again.predict(X), model.predict(X))
    assert torch.equal(state, torch.random.get_rng_state())
    view = pickle.loads(pickle.dumps(model.with_preference([1, 2])))
    assert_allclose(view.predict(X), together[0], rtol=1e-10)


def test_any_network_in_long_form_and_with_classes():
    X, y = long()
    model = ParetoHypernet(
        task_id="task", network=nn.Linear, n_preferences=2, max_iter=3, unseen_tasks="average"
    ).fit(X, y)
    mean = np.mean([model.predict(X.assign(task=t)) for t in "xyz"], axis=0)
    assert_allclose(model.predict(X.assign(task="new")), mean)
    model = ParetoHypernet(network=nn.Linear, n_preferences=2, max_iter=3).fit(*mixed())
    assert model.predict_proba(mixed()[0])["colour"].shape == (240, 3)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (
            lambda d, o: nn.Sequential(nn.Linear(d, 4), nn.BatchNorm1d(4), nn.Linear(4, o)),
            ValueError,
            "buffer that forward changes.*BatchNorm",
        ),
        (
            lambda d, o: nn.Sequential(nn.Linear(d, 4), nn.Dropout(0.5), nn.Linear(4, o)),
            ValueError,
            "Dropout",
        ),
        (lambda d, o: nn.Linear(d, o + 1), ValueError, "it must be"),
        (lambda d, o: nn.ReLU(), ValueError, "without parameters"),
        (lambda d, o: torch.relu, TypeError, "factory"),
    ],
)
def test_networks_that_cannot_be_written(network, error, message):
    with pytest.raises(error, match=message):
        ParetoHypernet(network=network, **SHORT).fit(*wide())


# bad input


@pytest.mark.parametrize(
    ("preference", "message"),
    [
        ([1, -1], "negative weight, -1 for the task 1"),
        ([0, 0], "all zero"),
        ([1, np.nan], "not finite"),
        ([1, np.inf], "not finite"),
        ([1, 2, 3], "2 task"),
        ([1], "2 task"),
        (3.0, "2 task"),
        (["a", "b"], "must be numbers"),
        ({0: 1}, r"lacks \[1\]"),
        ({0: 1, 1: 1, 2: 1}, r"names \[2\]"),
        (np.ones((0, 2)), "2 task"),
    ],
)
def test_preferences_that_are_none(fitted, preference, message):
    X, Y = wide()
    with pytest.raises(ValueError, match=message):
        fitted.predict(X, preference=preference)
    if not np.isscalar(preference):
        with pytest.raises(ValueError, match=message):
            ParetoHypernet(preference=preference, **SHORT).fit(X, Y)


def test_a_view_has_one_preference(fitted):
    with pytest.raises(ValueError, match="one preference"):
        fitted.with_preference([[1, 2], [2, 1]])


def test_a_limit_that_no_preference_meets(fitted):
    X, Y = wide()
    best = fitted.pareto_front(X, Y, preferences=20)["loss"][0].min()
    with pytest.raises(ValueError, match=f"no preference meets.*{best:.4g} for 0"):
        fitted.choose_preference(X, Y, max_loss={0: best / 2}, minimize=1, preferences=20)
    with pytest.raises(ValueError, match="together"):
        fitted.choose_preference(X, Y, max_loss={0: best / 2, 1: 0.01}, preferences=20)
    with pytest.raises(ValueError, match=r"\['cost'\] are no tasks"):
        fitted.choose_preference(X, Y, max_loss={"cost": 1})
    with pytest.raises(ValueError, match="at least 1"):
        fitted.pareto_front(X, Y, preferences=0)


def test_classes_that_fit_did_not_see(fitted_mixed):
    X, Y = mixed()
    with pytest.raises(ValueError, match="'violet'.*did not see"):
        fitted_mixed.pareto_front(X, Y.assign(colour="violet"))
    with pytest.raises(ValueError, match="no row with a label of the task 'cost'"):
        fitted_mixed.pareto_front(X, Y.assign(cost=np.nan))


def test_fixed_preferences_of_other_tasks():
    X, Y = mixed()
    preferences = pd.DataFrame(np.eye(3), columns=["late", "cost", "colour"])
    with pytest.raises(ValueError, match="same in that order"):
        ParetoHypernet(preferences=preferences, **SHORT).fit(X, Y)
    with pytest.raises(ValueError, match="3 task"):
        ParetoHypernet(preferences=np.eye(2), **SHORT).fit(X, Y)


def test_parameters_that_do_not_fit_together():
    X, y = long()
    X = X.assign(size=1.0)
    with pytest.raises(ValueError, match="metadata= needs the built-in"):
        ParetoHypernet(task_id="task", metadata=["size"], network=nn.Linear, **SHORT).fit(X, y)
    with pytest.raises(ValueError, match="'loss' parameter"):
        ParetoHypernet(loss="poisson", **SHORT).fit(*wide())
    model = ParetoHypernet(**SHORT).fit(*wide())
    with pytest.raises(AttributeError, match="no task of this model has classes"):
        _ = model.classes_
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("weight", [1e-30, 1e30])
def test_weights_of_any_size(weight):
    X, Y = np.random.default_rng(0).normal(size=(2, 40, 2))
    model = ParetoHypernet(max_iter=3, random_state=0)
    expected = model.fit(X, Y, sample_weight=np.ones(40)).predict(X)
    scaled = model.fit(X, Y, sample_weight=np.full(40, weight)).predict(X)
    np.testing.assert_allclose(scaled, expected, rtol=1e-4, atol=1e-4)
    mixed = np.where(np.arange(40) < 20, weight, 1.0)
    assert np.isfinite(model.fit(X, Y, sample_weight=mixed).predict(X)).all()
