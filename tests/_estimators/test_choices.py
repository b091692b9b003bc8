"""Parameters that are "auto", presets, time limits: members of one run, of which some are kept."""

import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from skmtl import (
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    load,
)
from skmtl._estimators import choices
from skmtl.architectures import Hypernetwork
from skmtl.model_selection import BatchedGridSearchCV, fit_many

SETTINGS = {
    "task_id": "task",
    "hidden_layer_sizes": (6,),
    "max_iter": 10,
    "learning_rate_init": 3e-2,
    "weight_averaging": 0.8,
    "base": None,
    "random_state": 0,
}
CHOICES = [{"alpha": a, "activation": f} for a in (1e-4, 0.3) for f in ("silu", "tanh")]


def model_of(cls=MultiTaskHypernetRegressor, **changes):
    return cls(**{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(128, 3)), columns=list("abc"))
    X["task"] = np.arange(128) % 4
    return X, np.tanh(3 * X["a"]) + 0.3 * X["task"] + 0.3 * rng.normal(size=128)


@pytest.fixture(scope="module")
def fixed(table):
    """Fits of every choice, each alone."""
    return [model_of(**choice).fit(*table) for choice in CHOICES]


def best_of(models):
    losses = [model.summary()["valid_loss"].mean() for model in models]
    return int(np.argmin(losses))


def test_what_validates_best_is_kept_as_if_it_had_been_given(table, fixed):
    model = model_of().fit(*table)
    best = best_of(fixed)
    assert model.chosen_parameters_ == CHOICES[best]
    assert_array_equal(model.predict(table[0]), fixed[best].predict(table[0]))
    assert model.module_.n_members == 1
    pd.testing.assert_frame_equal(model.history_, fixed[best].history_)


def test_members_share_the_best_choice_in_the_mean(table):
    model = model_of(n_members=2).fit(*table)
    alone = [model_of(n_members=2, **choice).fit(*table) for choice in CHOICES]
    best = best_of(alone)
    assert model.chosen_parameters_ == CHOICES[best]
    assert_array_equal(model.predict(table[0]), alone[best].predict(table[0]))


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"early_stopping": False}, slice(None)),
        ({}, slice(100)),
        ({"validation_fraction": 0.0}, 128),
    ],
)
def test_the_first_ones_hold_where_nothing_can_choose(table, changes, rows):
    X, y = table
    rows = rows if isinstance(rows, slice) else slice(rows)
    model = model_of(**changes)
    if changes.get("validation_fraction") == 0:
        with pytest.warns(UserWarning, match="no task has enough rows"):
            model.fit(X[rows], y[rows])
    else:
        model.fit(X[rows], y[rows])
    assert model.chosen_parameters_ == CHOICES[0]


def test_large_tables_use_the_first_ones(table):
    X, y = (pd.concat([part] * 32, ignore_index=True) for part in table)
    X["a"] += np.arange(len(X)) * 1e-6
    model = model_of(max_iter=1).fit(X, y)
    assert model.chosen_parameters_ == CHOICES[0]


def test_callbacks_see_the_members_of_the_caller(table, fixed):
    class Count(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.module_.n_members)

    seen = []
    model = model_of(callbacks=[Count()]).fit(*table)
    best = best_of(fixed)
    assert model.chosen_parameters_ == CHOICES[best]
    assert_array_equal(model.predict(table[0]), fixed[best].predict(table[0]))
    assert set(seen) == {1}


def test_parameters_that_are_given_stay(table, fixed):
    model = model_of(alpha=0.3).fit(*table)
    assert set(model.chosen_parameters_) == {"activation"}
    best = 2 + best_of(fixed[2:])
    assert_array_equal(model.predict(table[0]), fixed[best].predict(table[0]))
    assert model_of(**CHOICES[1]).fit(*table).chosen_parameters_ == {}


def test_searches_and_fits_of_many_choose_for_each(table):
    X, y = table
    models = [model_of(random_state=seed) for seed in range(2)]
    fit_many(models, X, y)
    for seed, model in enumerate(models):
        alone = model_of(random_state=seed).fit(X, y)
        assert model.chosen_parameters_ == alone.chosen_parameters_
        np.testing.assert_allclose(model.predict(X), alone.predict(X), rtol=1e-4, atol=1e-4)
    search = BatchedGridSearchCV(model_of(), {"alpha": ["auto", 10.0]}, cv=2).fit(X, y)
    assert search.best_params_ == {"alpha": "auto"}
    assert set(search.best_estimator_.chosen_parameters_) == {"alpha", "activation"}


def test_activations_of_a_search_train_in_one_run(table):
    X, y = table
    search = BatchedGridSearchCV(
        model_of(alpha=1e-4), {"activation": ["relu", "tanh"]}, cv=2, refit=False
    ).fit(X, y)
    alone = [
        BatchedGridSearchCV(model_of(alpha=1e-4), {"activation": [name]}, cv=2, refit=False)
        for name in ("relu", "tanh")
    ]
    scores = [one.fit(X, y).cv_results_["mean_test_score"][0] for one in alone]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-4)


def test_what_was_chosen_is_kept_by_later_steps(table, tmp_path):
    X, y = table
    model = model_of(warm_start=True).fit(X, y)
    chosen = model.chosen_parameters_
    model.set_params(max_iter=2).fit(X, y)
    assert model.chosen_parameters_ == chosen
    new = X.assign(task=X["task"] + 10)[:40]
    model.adapt(new, y[:40])
    model.save(tmp_path / "model.skmtl")
    loaded = load(tmp_path / "model.skmtl")
    assert loaded.chosen_parameters_ == chosen
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.module_.activation.each == [chosen["activation"]]


def test_other_estimators_and_forms(table):
    X, y = table
    generic = MultiTaskRegressor(
        Hypernetwork(hidden_layer_sizes=(8,)), alpha="auto", max_iter=3, task_id="task"
    )
    assert set(generic.fit(X, y).chosen_parameters_) == {"alpha", "activation"}
    classes = model_of(MultiTaskHypernetClassifier, max_iter=3).fit(X, y > 0.5)
    assert set(classes.chosen_parameters_) == {"alpha", "activation"}
    wide = np.column_stack([y[:128], -y[:128]])
    model = model_of(task_id=None, max_iter=3).fit(X[:128].drop(columns="task"), wide)
    assert set(model.chosen_parameters_) == {"alpha", "activation"}


def test_a_choice_that_diverges_is_not_made(table, monkeypatch):
    monkeypatch.setattr(choices, "_AUTOMATIC", {"learning_rate_init": (1e30, 1e-2)})
    model = model_of(learning_rate_init=1e-2, alpha=0.0, activation="relu", max_iter=4)
    model._parameter_constraints = {**model._parameter_constraints, "learning_rate_init": [str]}
    model.learning_rate_init = "auto"
    model.fit(*table)
    assert model.chosen_parameters_ == {"learning_rate_init": 1e-2}


@pytest.fixture(scope="module")
def best(table):
    return model_of(preset="best", alpha="auto").fit(*table)


def test_best_averages_the_settings_that_validate_best(table, best):
    kept = pd.DataFrame(best.chosen_parameters_)
    assert 1 < len(kept) == best.module_.n_members <= 4
    assert {"alpha", "activation", "embedding_alpha", "learning_rate_init"} <= set(kept)
    losses = best.summary()["valid_loss"]
    assert losses.max() <= 1.25 * losses.min()


def test_each_member_of_best_is_the_fit_of_its_settings_alone(table):
    X, y = table
    halves = X[:64], y[:64], None, X[64:], y[64:]
    settings = {"preset": "best", "early_stopping": True, "max_iter": 4}
    best = model_of(**settings).fit(*halves)
    tried = choices.alternatives(best._plan(*halves))
    of_tried = [plan.chosen for plan in tried]
    assert len({tuple(sorted(chosen.items())) for chosen in of_tried}) == 16
    number = of_tried.index(pd.DataFrame(best.chosen_parameters_).iloc[0].to_dict())
    alone = model_of(**{**settings, "preset": "default", **of_tried[number]})
    alone._member_seeds = lambda n_members: tried[number].seeds
    expected = alone.fit(*halves).predict(X)
    np.testing.assert_allclose(best.predict_members(X)[0], expected, rtol=1e-4, atol=1e-4)


def test_best_has_no_worse_loss_than_the_default(table, fixed, best):
    assert best.summary()["valid_loss"].min() <= min(
        model.summary()["valid_loss"].min() for model in fixed
    )


def test_best_keeps_as_many_as_are_wanted(table, tmp_path):
    X, y = table
    model = model_of(preset="best", n_members=6, max_iter=4, task_id=None)
    model.fit(X.drop(columns="task"), y)
    assert model.module_.n_members == 6
    model.save(tmp_path / "model.skmtl")
    loaded = load(tmp_path / "model.skmtl")
    assert loaded.chosen_parameters_ == model.chosen_parameters_


def test_fast_adds_nothing(table):
    X, y = table
    changes = {"base": "auto", "hold_out_tasks": "auto", "unseen_tasks": "average"}
    fast = model_of(preset="fast", **changes).fit(X, y)
    plain = model_of(early_stopping=True, hold_out_tasks=False, **CHOICES[0]).fit(X, y)
    assert_array_equal(fast.predict(X), plain.predict(X))
    assert list(fast.summary()["epochs"]) == list(plain.summary()["epochs"])


@pytest.mark.parametrize("preset", ["default", "best"])
def test_the_best_so_far_is_kept_when_time_is_over(table, preset):
    X, y = table
    settings = {"max_iter": 10**6, "n_iter_no_change": 10**6, "tol": 0.0, "preset": preset}
    start = time.monotonic()
    model = model_of(time_limit=2.0, **settings).fit(X, y)
    assert time.monotonic() - start < 10
    assert model.score(X, y) > 0.3
    assert 1 <= len(model.summary()) <= 4


def test_a_time_limit_that_is_not_reached_changes_nothing(table, fixed):
    model = model_of(time_limit=1e6).fit(*table)
    best = best_of(fixed)
    assert_array_equal(model.predict(table[0]), fixed[best].predict(table[0]))


@pytest.mark.parametrize("changes", [{"time_limit": 0}, {"preset": "good"}])
def test_bad_input(table, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        model_of(**changes).fit(*table)


def test_preferences_have_one_decay():
    with pytest.raises(ValueError, match="alpha"):
        ParetoHypernet(alpha="auto").fit(np.ones((9, 2)), np.ones((9, 2)))
