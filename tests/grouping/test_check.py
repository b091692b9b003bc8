"""Lower bounds of gains, and the check of the whole choice on rows without a part in it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor

from skmtl import TaskGrouper
from skmtl.datasets import make_related_tasks
from skmtl.exceptions import HarmfulGroupsWarning
from skmtl.grouping._check import bounds_of_tasks, choose, lower_bounds
from skmtl.grouping._gain_tables import all_groups, gain_table
from tests._grouping import fast, wide_table

LONG = {"gains": "hoa", "task_id": "task", "task_encoding": "drop", "random_state": 0}


def made(n_groups, n_rows=40, noise=0.3):
    """Return rows of six tasks, which are unrelated or in families of the same function."""
    related = make_related_tasks(
        6, 1.0, 16, n_groups=n_groups, n_sines=0, n_rows=n_rows, noise=noise, random_state=0
    )
    return related.data, related.target


@pytest.fixture(scope="module")
def families():
    return TaskGrouper(LinearRegression(), 6, **LONG).fit(*made(2))


def test_a_bound_is_the_mean_over_folds_minus_the_pooled_error():
    groups = all_groups(3)
    rng = np.random.default_rng(0)
    by_fold = np.where(groups, rng.normal(size=(4, *groups.shape)), np.nan)
    by_fold[:, groups.sum(axis=1) == 1] *= 0
    gains = gain_table(groups, by_fold.mean(axis=0), pd.RangeIndex(3))
    bounds = lower_bounds(gains, by_fold)
    pairs = [k for k, group in enumerate(groups) if group.sum() == 2 and group[0]]
    error = np.sqrt(np.mean([by_fold[:, k, 0].var(ddof=1) for k in pairs]) / 4)
    for k in pairs:
        assert bounds.iloc[k, 0] == pytest.approx(gains.iloc[k, 0] - error)
    everything = by_fold[:, -1, 0]
    assert bounds.iloc[-1, 0] == pytest.approx(
        everything.mean() - everything.std(ddof=1) / 2, abs=1e-12
    )
    alone = bounds.to_numpy()[groups.sum(axis=1) == 1]
    np.testing.assert_array_equal(alone[~np.isnan(alone)], 0)


def test_a_single_fold_has_no_error():
    gains = gain_table(all_groups(2), np.ones((3, 2)), pd.RangeIndex(2))
    pd.testing.assert_frame_equal(lower_bounds(gains, gains.to_numpy()[None]), gains)


def test_groups_are_selected_by_bounds(families):
    below = families.gains_ - families.gain_bounds_
    several = families.gains_.notna().sum(axis=1) > 1
    members = families.gains_.notna().to_numpy()
    assert (below.to_numpy()[members & several.to_numpy()[:, None]] > 0).all()
    assert (below.to_numpy()[members & ~several.to_numpy()[:, None]] == 0).all()
    chosen = choose(families.gain_bounds_, len(families.groups_))
    assert chosen.groups == families.groups_
    pd.testing.assert_series_equal(chosen.assignment, families.assignment_)


def test_a_single_split_has_neither_bounds_nor_a_check():
    model = TaskGrouper(LinearRegression(), 6, cv=None, **LONG).fit(*made(2))
    pd.testing.assert_frame_equal(model.gains_, model.gain_bounds_)
    assert model.checked_gains_ is None
    report = model.report(*made(2))
    np.testing.assert_array_equal(report["estimated"], report["bound"])


def test_unrelated_tasks_stay_alone():
    # by one split, groups of them seem to gain
    fooled = TaskGrouper(Ridge(1.0), 6, cv=None, **LONG).fit(*made(6))
    assert max(map(len, fooled.groups_)) > 1
    model = TaskGrouper(Ridge(1.0), 6, **LONG).fit(*made(6))
    assert model.groups_ == [(task,) for task in range(6)]
    report = model.report(*made(6))
    assert (report[["estimated", "bound", "gain"]] == 0).all(axis=None)


def test_families_are_found_with_fewer_groups_than_are_allowed(families):
    assert len(families.groups_) <= 3
    assert {(0, 1, 2), (3, 4, 5)} <= set(families.groups_)
    assert families.checked_gains_.shape == (4, 6)
    report = families.report(*made(2))
    grouped = report["group"].map(len) > 1
    expected = families.checked_gains_.mean()
    np.testing.assert_allclose(report["estimated"], expected.where(grouped, 0.0))
    assert 0 < report["bound"].mean() < report["estimated"].mean()


def test_a_choice_that_fails_the_check_is_not_used(monkeypatch):
    # every fold chooses groups, which are worse than its tasks alone on its rows
    from skmtl.grouping import _check

    monkeypatch.setattr(
        _check, "gains_of_choices", lambda trainer, choices, tasks: np.full((4, 6), -0.1)
    )
    with pytest.warns(HarmfulGroupsWarning, match=r"trained alone.* gain -10\.0%.* error of 0\.0%"):
        model = TaskGrouper(LinearRegression(), 6, **LONG).fit(*made(2))
    assert model.groups_ == [(task,) for task in range(6)]
    assert model.assignment_.tolist() == model.groups_
    # fewer groups than tasks: there is no way to keep tasks alone
    with pytest.warns(HarmfulGroupsWarning, match=r"max_groups=2 .* than alone.*: \[0, 1, 2\]: -1"):
        model = TaskGrouper(LinearRegression(), 2, **LONG).fit(*made(2))
    assert model.groups_ == [(0, 1, 2), (3, 4, 5)]


def test_forced_groups_are_named():
    with pytest.warns(HarmfulGroupsWarning, match="max_groups=2 or the candidates force"):
        TaskGrouper(Ridge(1.0), 2, **LONG).fit(*made(6))
    # the groups of families help, so that nothing is forced on them
    with warnings.catch_warnings():
        warnings.simplefilter("error", HarmfulGroupsWarning)
        TaskGrouper(LinearRegression(), 2, **LONG).fit(*made(2))


def test_checked_gains_are_those_of_models_that_have_not_seen_the_fold():
    X, y = made(2)
    model = TaskGrouper(LinearRegression(), 2, **LONG).fit(X, y)
    tasks = X["task"].to_numpy()
    from skmtl.grouping._data import LongData

    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    splits = LongData(X, y, None, "task").splits(4, seed)
    features = X.drop(columns="task")

    def loss(group, task, fold):
        train, valid = splits[fold]
        rows, here = train[np.isin(tasks[train], group)], valid[tasks[valid] == task]
        line = LinearRegression().fit(features.iloc[rows], y.iloc[rows])
        return ((line.predict(features.iloc[here]) - y.iloc[here]) ** 2).mean()

    families_of = {task: (0, 1, 2) if task < 3 else (3, 4, 5) for task in range(6)}
    for task in range(6):
        alone = [loss([task], task, fold) for fold in range(4)]
        gains = [(alone[k] - loss(families_of[task], task, k)) / np.mean(alone) for k in range(4)]
        np.testing.assert_allclose(model.checked_gains_[task], gains)


def test_mtgnet_and_given_gains():
    X, y = wide_table(60, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HarmfulGroupsWarning)
        model = TaskGrouper(Ridge(), 2, gains=fast(rounds=1), random_state=0).fit(X, y)
    assert model.checked_gains_.shape == (4, 4)
    assert (model.gain_bounds_ <= model.gains_ + 1e-12).to_numpy()[model.gains_.notna()].all()
    for gains in ("random", model.gains_):
        model = TaskGrouper(Ridge(), 4, gains=gains, random_state=0).fit(X, y)
        assert model.checked_gains_ is None


def test_bounds_of_tasks_follow_the_assignment():
    table = pd.DataFrame({"a": [0.0, np.nan, 0.2], "b": [np.nan, 0.0, 0.1]})
    table.index = pd.Index([("a",), ("b",), ("a", "b")], tupleize_cols=False)
    choice = choose(table, 2)
    assert bounds_of_tasks(choice.assignment, None, table).tolist() == [0.2, 0.1]
    gains = pd.DataFrame({"a": [0.1, 0.3], "b": [0.1, 0.1]})
    bounds = bounds_of_tasks(choice.assignment, gains, table)
    np.testing.assert_allclose(bounds, np.array([0.2, 0.1]) - np.sqrt(0.01 / 2))


def test_an_estimator_is_refused_only_if_it_fails():
    X, y = wide_table(40, 3)
    network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0)
    model = TaskGrouper(network, 1, gains="random", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = model.fit(X, y).predict(X)
    assert list(predicted.columns) == ["a", "b", "c"]

    class FirstOutput(Ridge):
        """Predict the first output only."""

        def predict(self, X):
            return super().predict(X)[:, :1]

    with pytest.raises(ValueError, match="FirstOutput cannot learn several outputs.* 1 of 3"):
        TaskGrouper(FirstOutput(), 1, gains="random", random_state=0).fit(X, y).predict(X)
