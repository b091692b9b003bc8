"""The Gumbel-Matrix estimators: what they learn, show and refuse."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn

from skmtl import GumbelMatrixClassifier, GumbelMatrixRegressor
from skmtl.datasets import make_related_tasks, make_rotated_digits
from skmtl.model_selection import BatchedGridSearchCV
from tests._asserts import says
from tests._tables import METADATA, double_precision, make_schools, make_wide, metadata_table

QUICK = {
    "layers": (6, 6),
    "n_components": 3,
    "max_iter": 3,
    "batch_size": 128,
    "random_state": 0,
}
# settings that find a planted pattern in a few seconds
PLANTED = {
    "layers": ((16, 16),),
    "heads": "none",
    "learning_rate_init": 0.01,
    "weight_averaging": 0.0,
    "early_stopping": False,
    "random_state": 0,
}


def quick(**changes):
    return GumbelMatrixRegressor(**{"task_id": "task", **QUICK, **changes})


def two_pairs(n_rows=60, **changes):
    options = {"relatedness": 1.0, "n_features": 8, "n_sines": 2, "n_groups": 2, "random_state": 0}
    data = make_related_tasks(4, n_rows=n_rows, **{**options, **changes})
    return data.data, data.target


@pytest.fixture(scope="module")
def pairs():
    return two_pairs()


@pytest.fixture(scope="module")
def fitted(pairs):
    return quick(n_members=2).fit(*pairs)


def groups_the_pairs(on):
    """Whether the tasks of a pair agree more than those of different pairs."""
    on = np.asarray(on, dtype=bool)
    same = (on[0] == on[1]).mean() + (on[2] == on[3]).mean()
    return same > (on[0] == on[2]).mean() + (on[1] == on[3]).mean()


# what it learns


@pytest.mark.parametrize("schedule", ["all", "one"])
def test_recovers_a_planted_pattern(schedule):
    X, y = two_pairs(n_rows=300)
    model = GumbelMatrixRegressor(
        task_id="task", task_schedule=schedule, batch_size=64, max_iter=35, **PLANTED
    ).fit(X, y)
    assert groups_the_pairs(model.task_embeddings_)
    assert model.task_similarity_.loc[0, 1] > model.task_similarity_.loc[0, 2]


def test_default_recovers_three_families():
    data = make_related_tasks(6, 1.0, 8, n_sines=3, n_groups=3, n_rows=200, random_state=0)
    model = GumbelMatrixRegressor(task_id="task", max_iter=50, random_state=0)
    model.fit(data.data, data.target)
    families = AgglomerativeClustering(3).fit_predict(model.task_embeddings_)
    assert adjusted_rand_score(data.task_groups, families) == 1


def test_copies_of_digits_share_components_and_rotated_ones_do_not():
    digits = make_rotated_digits(n_rows=300, random_state=0)
    model = GumbelMatrixClassifier(task_id="task", max_iter=40, random_state=0)
    model.fit(digits.data, digits.target)
    assert groups_the_pairs(model.task_embeddings_)


def test_budget_turns_connections_off(pairs):
    options = {"max_iter": 60, "initial_probability": 0.8, "early_stopping": False}
    options["learning_rate_init"] = 5e-3
    strict = quick(budget=0.3, budget_penalty=10.0, **options).fit(*pairs)
    on = np.mean([table.to_numpy().mean() for table in strict.allocation_probabilities_])
    assert on < 0.4
    assert quick(**options).fit(*pairs).active_fraction_ > strict.active_fraction_


def test_initial_probability_may_be_a_pattern(pairs):
    X, y = pairs
    prior = np.where(np.eye(4, 6, dtype=bool), 0.9, 0.2)
    table = pd.DataFrame(prior, index=[0, 1, 2, 3]).sample(frac=1, random_state=0)
    for given in (prior, table):
        model = quick(initial_probability=given, learning_rate_init=1e-9, max_iter=1).fit(X, y)
        got = pd.concat(model.allocation_probabilities_, axis=1)
        assert_allclose(got, prior, atol=1e-5)
    assert_array_equal(model.task_embeddings_, prior > 0.5)


# fixed allocations


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        ("shared", np.ones((4, 5))),
        ("separate", np.c_[np.eye(4), np.ones(4)]),
        (np.eye(4, 5, k=1), np.c_[np.eye(4, k=1), np.ones(4)]),
        (pd.DataFrame(np.eye(4, 5), index=[3, 2, 1, 0]), np.c_[np.eye(4)[::-1], np.ones(4)]),
    ],
)
def test_fixed_allocation(pairs, allocation, expected):
    # the component of the second layer is alone there, and always on
    model = quick(allocation=allocation, n_components=(4, 1)).fit(*pairs)
    assert_array_equal(pd.concat(model.allocations_, axis=1), expected)
    assert_array_equal(model.task_embeddings_, expected)
    assert model.active_fraction_ == expected[:, :4].mean()


def test_pattern_of_one_layer_serves_all_layers_of_that_size(pairs):
    model = quick(allocation=np.eye(4, 3)).fit(*pairs)
    assert_array_equal(model.task_embeddings_, np.tile(np.eye(4, 3), 2))


def test_separate_tasks_do_not_touch_each_other(pairs):
    X, y = pairs
    options = {"allocation": "separate", "n_components": 4, "layers": (6,)}
    # every step sees all rows, so that their order does not matter
    options |= {"early_stopping": False, "batch_size": 10**6}
    # the labels of other tasks change places, so that the scale of all stays
    other = y.copy()
    other[X["task"] > 0] = y[X["task"] > 0].sample(frac=1, random_state=1).to_numpy()
    first, second = (quick(**options).fit(X, labels) for labels in (y, other))
    rows = X[X["task"] == 0]
    assert_allclose(first.predict(rows), second.predict(rows), rtol=1e-5, atol=1e-5)
    rows = X[X["task"] == 1]
    assert np.abs(first.predict(rows) - second.predict(rows)).max() > 1e-2


# what it shows


def test_tables_of_what_was_learned(fitted):
    assert [table.shape for table in fitted.allocations_] == [(4, 6), (4, 6)]
    assert fitted.allocations_[0].columns.names == ["member", "component"]
    assert fitted.task_embeddings_.shape == (4, 12)
    assert fitted.task_embeddings_.columns.names == ["member", "layer", "component"]
    assert fitted.task_embeddings_.index.tolist() == fitted.tasks_.tolist()
    soft = np.concatenate([t.to_numpy() for t in fitted.allocation_probabilities_], axis=1)
    hard = np.concatenate([t.to_numpy() for t in fitted.allocations_], axis=1)
    assert_array_equal(soft >= 0.5, hard == 1)
    assert fitted.active_fraction_ == hard.mean()


def test_similarity_is_the_mean_cosine_of_the_members(fitted):
    total = np.zeros((4, 4))
    for member in range(2):
        on = fitted.task_embeddings_[member].to_numpy(dtype=float)
        norms = np.outer(*2 * [np.linalg.norm(on, axis=1)])
        # a task that uses nothing is like itself only
        total += np.where(norms > 0, on @ on.T / np.where(norms > 0, norms, 1), np.eye(4))
    assert_allclose(fitted.task_similarity_, total / 2)


def test_history_ends_at_the_probabilities_of_the_last_epoch(pairs):
    model = quick(early_stopping=False, weight_averaging=0.0).fit(*pairs)
    history = model.allocation_history_
    assert history.index.names == ["member", "epoch", "task"]
    last = history.loc[(0, model.n_iter_)]
    now = np.concatenate([t.to_numpy() for t in model.allocation_probabilities_], axis=1)
    assert_allclose(last, now, atol=1e-6)


def test_long_histories_are_thinned(pairs, monkeypatch):
    monkeypatch.setattr("skmtl.nn._allocation._EPOCHS_KEPT", 20)
    model = quick(max_iter=46, layers=(3,), early_stopping=False).fit(*pairs)
    epochs = model.allocation_history_.index.get_level_values("epoch").unique()
    assert epochs[0] == 1
    assert epochs[-1] >= 44
    assert 10 < len(epochs) <= 21


# prediction


@pytest.mark.parametrize("by_pattern", [True, False])
def test_prediction_by_pattern_is_that_of_the_whole_network(fitted, pairs, by_pattern, monkeypatch):
    expected = fitted.predict(pairs[0])
    monkeypatch.setattr("skmtl.nn._gumbel._WORTH_GROUPING", 0 if by_pattern else 2**60)
    assert_allclose(fitted.predict(pairs[0]), expected, rtol=1e-10)


def test_components_that_are_off_are_not_evaluated(pairs, monkeypatch):
    monkeypatch.setattr("skmtl.nn._gumbel._WORTH_GROUPING", 0)
    pattern = np.zeros((4, 6))
    pattern[:, [0, 3]] = 1
    model = quick(allocation=pattern).fit(*pairs)
    expected = model.predict(pairs[0])
    for layer in model.module_.layers:
        # what is never looked at may hold anything
        for parameter, axis in zip(layer.groups[0].weights, (2,), strict=True):
            parameter.data.moveaxis(axis, 0)[1:] = torch.nan
    assert_array_equal(model.predict(pairs[0]), expected)


def test_sampled_predictions(pairs):
    X, y = pairs
    model = quick(inference="sampled", max_iter=1).fit(X, y)
    assert_array_equal(model.predict(X), model.predict(X))
    fixed = model.predict(X)
    model.set_params(random_state=None)
    assert any(not np.array_equal(model.predict(X), fixed) for _ in range(5))
    model.set_params(inference="most_likely")
    assert_array_equal(model.predict(X), model.predict(X))


def test_threads_that_sample_predictions_do_not_disturb_each_other(pairs):
    X, y = pairs
    model = quick(inference="sampled", max_iter=1).fit(X, y)
    expected = [model.predict(rows) for rows in (X, X[::-1].head(50))]

    def predict(n):
        return model.predict((X, X[::-1].head(50))[n % 2])

    with ThreadPoolExecutor(2) as pool:
        for n, actual in enumerate(pool.map(predict, range(120))):
            assert_array_equal(actual, expected[n % 2])


def test_task_never_seen(pairs):
    X, y = pairs
    model = quick(unseen_tasks="average").fit(X, y)
    assert np.isfinite(model.predict(X.head(3).assign(task=99))).all()
    with pytest.raises(ValueError, match="99"):
        quick().fit(X, y).predict(X.assign(task=99))


@pytest.mark.parametrize("heads", ["auto", "own", "none"])
def test_metadata_give_an_unseen_task_an_allocation(heads):
    X, y = make_schools()
    model = quick(task_id="school", metadata=METADATA, heads=heads).fit(X, y)
    new = X.head(4).assign(school="new")
    assert np.isfinite(model.predict(new)).all()
    # what-if questions: other metadata, another network
    far = model.predict(new.assign(size=60.0))
    assert far.shape == (4,)
    assert model.allocations_[0].shape == (12, 3)
    table = quick(task_id="school", metadata=metadata_table(X)).fit(X.drop(columns=METADATA), y)
    with pytest.raises(ValueError, match="metadata has no row for 1 task"):
        table.predict(new.drop(columns=METADATA))


def test_wide_form():
    X, Y = make_wide()
    for schedule in ("all", "one"):
        model = quick(task_id=None, task_schedule=schedule, max_iter=20).fit(X, Y)
        assert model.predict(X).shape == Y.shape
        assert model.allocations_[0].index.tolist() == Y.columns.tolist()
    mixed = Y.assign(t1=np.where(Y["t1"].isna(), None, Y["t1"] > 0))
    one = quick(task_id=None, task_schedule="one").fit(X, mixed)
    assert one.task_types_["t1"] == "binary"


# members and the tools of scikit-learn


def test_member_is_the_same_alone(pairs):
    X, y = pairs
    options = {"budget": 0.6, "early_stopping": False}
    with double_precision():
        together = quick(n_members=3, **options).fit(X, y)
        alone = quick(**options)
        alone._member_seeds = lambda n_members: together._member_seeds(3)[1:2]
        alone.fit(X, y)
    assert_allclose(together.predict_members(X)[1], alone.predict(X), rtol=1e-9, atol=1e-9)


def test_pickle_and_clone(fitted, pairs):
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict(pairs[0]), fitted.predict(pairs[0]))
    pd.testing.assert_frame_equal(again.allocation_history_, fitted.allocation_history_)
    pattern = np.ones((4, 6))
    assert clone(quick(allocation=pattern)).fit(*pairs).active_fraction_ == 1


def test_warm_start(pairs):
    model = quick(warm_start=True).fit(*pairs)
    first = model.allocation_probabilities_[0]
    again = model.fit(*pairs).allocation_probabilities_[0]
    assert not first.equals(again)


def test_batched_search_equals_a_search(pairs):
    X, y = pairs
    values = {
        "budget": [0.4],
        "allocation": ["shared"],
        "initial_probability": [0.9],
        "temperature": ["paper"],
        "router_multiplier": [1.0],
    }
    # each alone, and together
    grid = [{}, *({name: value} for name, value in values.items()), values]
    model, cv = quick(max_iter=3), KFold(2, shuffle=True, random_state=0)
    with double_precision():
        plain = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
        batched = BatchedGridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
    key = "mean_test_score"
    assert_allclose(batched.cv_results_[key], plain.cv_results_[key], rtol=1e-7)
    assert_array_equal(batched.best_estimator_.predict(X).shape, (len(X),))


def test_schedule_of_one_task_with_uneven_tasks_and_sampling():
    X, y = two_pairs()
    kept = (X["task"] != 0) | (np.arange(len(X)) % 10 == 0)
    for sampling in ("rows", "tasks", "sqrt"):
        model = quick(task_schedule="one", batch_size=7, task_sampling=sampling)
        assert np.isfinite(model.fit(X[kept], y[kept]).history_["train_loss"]).all()


# components of other kinds


class Convolution(nn.Sequential):
    """A small convolution on images of 8 x 8 pixels."""

    def __init__(self, n_inputs):
        super().__init__(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 2, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )


def test_components_that_a_caller_builds():
    digits = make_rotated_digits(n_rows=150, random_state=0)
    options = {"task_id": "task", "max_iter": 25, "learning_rate_init": 1e-2, "random_state": 0}
    components = [[Convolution, Convolution, (18,)], [(16,)] * 3]
    model = GumbelMatrixClassifier(components=components, n_members=2, **options)
    model.fit(digits.data, digits.target)
    assert model.score(digits.data, digits.target) > 0.8
    assert model.allocations_[0].shape == (4, 6)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(digits.data), model.predict(digits.data))
    assert all(len(p) == 2 for p in model.module_.parameters())
    short = clone(model).set_params(max_iter=2)
    one, same = (clone(short).fit(digits.data, digits.target) for _ in range(2))
    assert_array_equal(same.predict_proba(digits.data), one.predict_proba(digits.data))


def test_identity_component(pairs):
    model = quick(components=[[(5,), (5, 5)], ["identity", (5,)]]).fit(*pairs)
    assert [t.shape[1] for t in model.allocations_] == [2, 2]


# bad input


@pytest.mark.parametrize("budget", [0.0, 1.01, -1, "half"])
def test_budget_outside_its_range(pairs, budget):
    with says(InvalidParameterError, "'budget'", r"\(0.0, 1.0\]|\(0, 1\]"):
        quick(budget=budget).fit(*pairs)


@pytest.mark.parametrize(
    ("changes", "patterns"),
    [
        ({"allocation": np.ones((3, 6))}, ["allocation must have the shape", r"\(4, 6\)"]),
        ({"allocation": np.ones(6)}, ["allocation must have the shape", "row for each task"]),
        ({"allocation": np.full((4, 6), 0.5)}, ["0 and 1 only"]),
        ({"allocation": [["a"] * 6] * 4}, ["array of numbers"]),
        ({"allocation": "separate"}, ["3 components for 4 tasks", "n_components to at least 4"]),
        (
            {"allocation": pd.DataFrame(np.ones((4, 6)), index=list("abcd"))},
            ["indexed by task id", "'a'"],
        ),
        ({"initial_probability": np.ones((4, 6))}, ["strictly between", "allocation="]),
        ({"initial_probability": np.full((4, 2), 0.5)}, ["initial_probability must have"]),
        ({"components": [[(5,), (4,)]]}, ["disagree on the width", r"\[5, 4\]", "layer 0"]),
        ({"components": [[(5,)], ["identity", (4,)]]}, ["disagree", "layer 1", "its input, 5"]),
        ({"components": [[(5,)], []]}, ["at least one component"]),
        ({"components": []}, ["at least one component"]),
        ({"components": [["skip"]]}, ["'identity' or a callable", "'skip'"]),
        ({"components": [[(5, 0)]]}, ["positive integer"]),
        ({"components": [["identity", (4,)]], "heads": "none"}, ["without heads all need 1"]),
        ({"n_components": 0}, ["n_components"]),
        ({"n_components": (3, 0)}, ["n_components must be a positive integer"]),
        ({"n_components": (3, 3, 3)}, ["one for each of the 2 layers"]),
        ({"layers": ()}, ["layers is empty"]),
        ({"layers": ((4, -1),)}, ["layers must be a positive integer"]),
        ({"components": [[lambda n: nn.BatchNorm1d(n)]]}, ["buffers", "GroupNorm"]),
        ({"components": [[lambda n: nn.Sequential(nn.Dropout())]]}, ["dropout", "alpha="]),
        ({"components": [[lambda n: nn.Unflatten(1, (1, n))]]}, ["Flatten"]),
    ],
)
def test_architecture_that_cannot_be(pairs, changes, patterns):
    with says(ValueError, *patterns):
        quick(**changes).fit(*pairs)


def test_component_that_is_no_module(pairs):
    with says(TypeError, "torch.nn.Module"):
        quick(components=[[lambda n: n]]).fit(*pairs)


def test_what_is_set_never_warns(pairs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(allocation="shared", budget=0.5, clip_norm=1.0, temperature=0.7).fit(*pairs)
