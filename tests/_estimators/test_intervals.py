"""Intervals of regressors and sets of classifiers: coverage, shapes, and what they work with."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    load,
)
from skmtl._estimators.intervals import Intervals
from skmtl.architectures import SharedBottom
from skmtl.exceptions import UnknownTasksWarning
from skmtl.metrics import neg_mt_interval_score_scorer
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{UnknownTasksWarning.__module__}.UnknownTasksWarning"
)

N_TASKS, N_ROWS = 24, 24
SETTINGS = {
    "task_id": "task",
    "metadata": ["z"],
    "hidden_layer_sizes": (8,),
    "activation": "tanh",
    "alpha": 0.0,
    "base": None,
    "max_iter": 60,
    "random_state": 0,
}
SHORT = {**SETTINGS, "max_iter": 2}


def make(n_rows=N_ROWS, first=0, seed=0):
    """Return rows of tasks with noise that differs tenfold between them."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(N_TASKS), n_rows)
    # the same tasks, whatever the rows
    of_tasks = np.random.default_rng(first)
    z, noise = of_tasks.normal(size=N_TASKS), np.exp(of_tasks.uniform(-2.3, 0.0, N_TASKS))
    X = pd.DataFrame({"task": task + first, "z": z[task], "x": rng.normal(size=len(task))})
    return X, (X["x"] + X["z"] + noise[task] * rng.normal(size=len(task))).rename("y"), noise


@pytest.fixture(scope="module")
def model():
    X, y, _ = make()
    return MultiTaskHypernetRegressor(intervals=True, **SETTINGS).fit(X, y)


@pytest.fixture(scope="module")
def short():
    X, y, _ = make()
    return MultiTaskHypernetRegressor(intervals=True, **SHORT).fit(X, y)


def inside(bounds, y):
    return (bounds[..., 0] <= y) & (y <= bounds[..., 1])


def test_rows_of_known_tasks_are_covered_task_by_task(model):
    X, y, noise = make(n_rows=100, seed=1)
    covered = inside(model.predict_interval(X), y.to_numpy())
    assert 0.86 < covered.mean() < 0.95
    # 24 rows tell the noise of a task, but not exactly
    by_task = covered.reshape(N_TASKS, 100).mean(axis=1)
    assert by_task.min() > 0.6
    assert (by_task < 0.75).mean() < 0.2
    width = np.diff(model.predict_interval(X)[::100]).ravel()
    assert np.corrcoef(np.log(width), np.log(noise))[0, 1] > 0.9
    assert_allclose(model.residual_std_, noise, rtol=0.6)
    assert model.residual_std_.index.tolist() == list(range(N_TASKS))


def test_rows_of_new_tasks_are_covered(model):
    covered = []
    for first in (100, 200, 300):
        X, y, _ = make(n_rows=40, first=first, seed=2)
        covered.append(inside(model.predict_interval(X), y.to_numpy()).mean())
    assert np.mean(covered) > 0.85
    known = make(n_rows=1, seed=1)[0]
    both = pd.concat([X.head(3), known])
    bounds = model.predict_interval(both)
    assert_allclose(bounds[:3], model.predict_interval(X.head(3)))
    assert_allclose(bounds[3:], model.predict_interval(known))


def test_coverages_are_nested_and_quantiles_agree(model):
    X, _, _ = make(n_rows=2, seed=3)
    several = model.predict_interval(X, coverage=[0.5, 0.8, 0.9])
    assert several.shape == (len(X), 2, 3)
    assert (np.diff(several[:, 0]) <= 0).all()
    assert (np.diff(several[:, 1]) >= 0).all()
    assert_array_equal(several[:, :, 1], model.predict_interval(X, coverage=0.8))
    quantiles = model.predict_quantiles(X, [0.05, 0.5, 0.95])
    assert_array_equal(quantiles[:, [0, 2]], model.predict_interval(X))
    assert_array_equal(quantiles[:, 1], model.predict_quantiles(X, 0.5))


def test_predictions_and_training_do_not_depend_on_intervals(short):
    X, y, _ = make()
    plain = clone(short).set_params(intervals=False).fit(X, y)
    new = X.assign(task=X["task"] + 50)
    for rows in (X, new):
        assert_array_equal(plain.predict(rows), short.predict(rows))
    pd.testing.assert_frame_equal(plain.history_, short.history_)


def test_intervals_are_in_the_units_of_y(short):
    X, y, _ = make()
    other = clone(short).fit(X, 1000 * y - 50)
    # other rows are held out: folds depend on the values of rows
    widths = [np.diff(fitted.predict_interval(X)).mean() for fitted in (short, other)]
    assert_allclose(widths[1], 1000 * widths[0], rtol=0.1)
    centres = [fitted.predict_interval(X).mean(axis=1) for fitted in (short, other)]
    assert_allclose(centres[1].mean(), 1000 * centres[0].mean() - 50, atol=100)
    assert_allclose(other.residual_std_.mean(), 1000 * short.residual_std_.mean(), rtol=0.1)


def test_the_same_seed_gives_the_same_intervals(short):
    X, y, _ = make()
    shuffled = np.random.default_rng(0).permutation(len(X))
    again = clone(short).fit(X.iloc[shuffled], y.iloc[shuffled])
    assert_array_equal(again.predict_interval(X), short.predict_interval(X))


@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": False},
        {"early_stopping": True},
        {"learning_rate": "annealed"},
        {"n_members": 3},
        {"preset": "best"},
        {"base": Ridge()},
        {"base": "boosting"},
        {"hold_out_tasks": False},
    ],
)
def test_every_kind_of_fit_has_intervals(short, changes):
    X, y, _ = make()
    fitted = clone(short).set_params(**changes).fit(X, y)
    for rows in (X, X.assign(task=X["task"] + 50)):
        bounds = fitted.predict_interval(rows)
        assert inside(bounds, fitted.predict(rows)).mean() > 0.9
        assert 0.7 < inside(bounds, y.to_numpy()).mean() < 1


def test_other_architectures_have_intervals():
    X, y, _ = make()
    others = {name: SHORT[name] for name in ("task_id", "metadata", "max_iter", "random_state")}
    for estimator in (
        MultiTaskRegressor(SharedBottom(hidden_layer_sizes=(4,)), intervals=True, **others),
        GumbelMatrixRegressor(intervals=True, **others),
    ):
        fitted = estimator.fit(X, y)
        assert 0.8 < inside(fitted.predict_interval(X), y.to_numpy()).mean() < 1
        assert np.isfinite(fitted.predict_interval(X.assign(task=99))).all()
    assert not hasattr(ParetoHypernet(), "predict_interval")


def test_held_out_rows_of_callers_are_not_trained_on_by_folds(short):
    X, y, _ = make()
    fitted = clone(short).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert fitted._intervals.sizes.sum() == len(X) / 2
    assert np.isfinite(fitted.predict_interval(X)).all()


def wide():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    y = pd.DataFrame({"a": X[:, 0] + 0.1 * rng.normal(size=90), "b": 1000 * rng.normal(size=90)})
    y.loc[::3, "a"] = np.nan
    return X, y


def test_wide_form_has_intervals_for_each_column():
    X, y = wide()
    fitted = MultiTaskHypernetRegressor(intervals=True, max_iter=60, random_state=0).fit(X, y)
    bounds = fitted.predict_interval(X)
    assert bounds.shape == (90, 2, 2)
    assert fitted.predict_interval(X, coverage=[0.5, 0.9]).shape == (90, 2, 2, 2)
    assert fitted.predict_quantiles(X).shape == (90, 2, 3)
    labelled = y["a"].notna().to_numpy()
    assert 0.8 < inside(bounds[:, 0], y["a"].to_numpy())[labelled].mean() < 1
    assert 0.8 < inside(bounds[:, 1], y["b"].to_numpy()).mean() < 1
    assert fitted.residual_std_["b"] > 100 * fitted.residual_std_["a"]


def test_mixed_columns_have_intervals_or_sets():
    X, y = wide()
    y["c"] = np.where(X[:, 1] > 0, "up", "down")
    fitted = MultiTaskHypernetRegressor(intervals=True, max_iter=20, random_state=0).fit(X, y)
    assert np.isnan(fitted.predict_interval(X)[:, 2]).all()
    assert np.isfinite(fitted.predict_interval(X)[:, :2]).all()
    assert fitted.predict_set(X)["c"].shape == (90, 2)
    assert list(fitted.predict_set(X)) == ["c"]
    assert np.isnan(fitted.residual_std_["c"])
    _, std = fitted.predict(X, return_std="total")
    assert std["c"].isna().all()
    assert_allclose(std["b"], fitted.residual_std_["b"])


def test_several_numbers_per_row():
    X, y, _ = make()
    fitted = MultiTaskHypernetRegressor(intervals=True, **SHORT)
    fitted.fit(X, np.column_stack([y, -100 * y]))
    assert fitted.predict_interval(X, [0.5, 0.9]).shape == (len(X), 2, 2, 2)
    assert fitted.predict_quantiles(X.assign(task=99), 0.5).shape == (len(X), 2)
    assert fitted.residual_std_.shape == (N_TASKS, 2)
    assert fitted.predict(X.assign(task=99), return_std="total")[1].shape == (len(X), 2)


def test_counts_have_no_negative_bounds():
    X, y, _ = make()
    fitted = MultiTaskHypernetRegressor(intervals=True, loss="poisson", **SHORT)
    counts = np.floor(np.exp(y - 1))
    bounds = fitted.fit(X, counts).predict_interval(X)
    assert bounds.min() == 0
    assert inside(bounds, counts.to_numpy()).mean() > 0.85


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sets_of_classes_hold_their_share(n_classes):
    X, y, _ = make()
    codes = np.clip(np.digitize(y, [-0.5, 0.7]), 0, n_classes - 1)
    names = pd.Series(np.array(["low", "mid", "high"])[codes], name="level")
    even = np.arange(len(X)) % 2 == 0
    settings = {**SETTINGS, "max_iter": 20}
    fitted = MultiTaskHypernetClassifier(intervals=True, **settings).fit(X[even], names[even])
    rows, truth = X[~even], names[~even].to_numpy()
    sets = fitted.predict_set(rows, coverage=[0.6, 0.9])
    assert sets.shape == (len(rows), n_classes, 2)
    assert sets.dtype == bool
    # nested, never empty, and the largest probability is inside
    assert (sets[..., 0] <= sets[..., 1]).all()
    assert sets[np.arange(len(rows)), fitted.predict_proba(rows).argmax(axis=1)].all()
    shares = [sets[:, :, k][truth[:, None] == fitted.classes_].mean() for k in range(2)]
    assert shares[1] > 0.85
    assert shares[0] <= shares[1]
    assert fitted.predict_set(rows.assign(task=99)).shape == (len(rows), n_classes)
    assert not hasattr(fitted, "predict_interval")


def test_std_can_include_the_noise(short):
    X, y, _ = make()
    mean, std = short.predict(X, return_std="total")
    assert_array_equal(mean, short.predict(X))
    assert_allclose(std, short.residual_std_[X["task"]])
    three = clone(short).set_params(n_members=3).fit(X, y)
    _, spread = three.predict(X, return_std=True)
    _, std = three.predict(X, return_std="total")
    assert_allclose(std**2, spread**2 + three.residual_std_[X["task"]].to_numpy() ** 2)
    assert (three.predict(X.assign(task=99), return_std="total")[1] > 0).all()


def test_calibration_by_rows_of_the_caller(short):
    X, y, _ = make()
    plain = clone(short).set_params(intervals=False).fit(X, y)
    rows, labels, _ = make(n_rows=20, seed=4)
    plain.calibrate(rows, labels + 30)
    # errors of about 30, whatever the model says
    bounds = plain.predict_interval(X, coverage=0.5)
    assert inside(bounds, y.to_numpy() + 30).mean() > 0.4
    assert inside(bounds, y.to_numpy()).mean() < 0.1
    with pytest.raises(ValueError, match="calibrate"):
        plain.predict_interval(X.assign(task=99))
    others, labels, _ = make(n_rows=20, first=100)
    before = plain.predict_interval(X)
    plain.calibrate(others, labels - 30)
    assert_array_equal(plain.predict_interval(X), before)
    new, labels, _ = make(n_rows=5, first=200)
    assert inside(plain.predict_interval(new), labels.to_numpy() - 30).mean() > 0.8
    assert (plain.predict_interval(new)[:, 0] < -25).all()


def test_calibration_counts_weights_as_copies(short):
    rows, labels, _ = make(n_rows=5, seed=4)
    weights = 1 + np.arange(len(rows)) % 3
    one = clone(short).set_params(intervals=False).fit(*make()[:2])
    other = pickle.loads(pickle.dumps(one))
    one.calibrate(rows, labels, sample_weight=weights)
    copies = np.repeat(np.arange(len(rows)), weights)
    other.calibrate(rows.iloc[copies], labels.iloc[copies])
    assert_allclose(one.predict_interval(rows), other.predict_interval(rows), rtol=1e-9)


def test_files_and_pickles_keep_intervals(short, tmp_path):
    X, _, _ = make()
    short.save(tmp_path / "model")
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(short))):
        for rows in (X, X.assign(task=X["task"] + 50)):
            assert_array_equal(other.predict_interval(rows), short.predict_interval(rows))
    older = pickle.loads(pickle.dumps(short))
    del older._intervals, older.intervals
    assert older.predict(X).shape == (len(X),)
    with pytest.raises(ValueError, match="without intervals"):
        older.predict_interval(X)


def test_adapted_tasks_are_known(short):
    X, y, _ = make(n_rows=6, first=100)
    other = pickle.loads(pickle.dumps(short)).adapt(X, y)
    assert other.residual_std_.shape == (2 * N_TASKS,)
    # without errors of their own they have those of all tasks
    adapted, known = (np.diff(other.predict_interval(rows)) for rows in (X, make()[0]))
    assert known.min() < np.median(adapted) < known.max()
    assert_array_equal(other.predict_interval(make()[0]), short.predict_interval(make()[0]))


def test_the_last_rows_calibrate_if_time_matters():
    rng = np.random.default_rng(0)
    day = np.tile(np.arange(40), 12)
    X = pd.DataFrame({"task": np.repeat(np.arange(12), 40), "day": day, "x": rng.normal(size=480)})
    # the last fifth is noisy
    y = X["x"] + np.where(day < 32, 0.1, 2.0) * rng.normal(size=480)
    settings = {**SETTINGS, "metadata": None, "intervals": "known", "max_iter": 5}
    fits = [
        MultiTaskHypernetRegressor(interval_time=time, **settings).fit(X, y)
        for time in (None, "day")
    ]
    widths = [np.diff(fitted.predict_interval(X)).mean() for fitted in fits]
    assert widths[1] > widths[0]
    # a fifth of the rows of each task has errors
    assert len(fits[1]._intervals.known[0].scores.values) == 12 * 8


def test_difficult_rows_have_wider_intervals(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": np.repeat(np.arange(6), 100), "x": rng.uniform(-1, 1, size=600)})
    noise = np.where(X["x"] > 0, 1.0, 0.1)
    y = noise * rng.normal(size=600)
    fitted = MultiTaskHypernetRegressor(
        **{**SETTINGS, "metadata": None, "intervals": "known", "max_iter": 10}
    ).fit(X, y)
    width = np.diff(fitted.predict_interval(X)).ravel()
    assert width[noise == 1].mean() > 4 * width[noise < 1].mean()
    fitted.save(tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict_interval(X), fitted.predict_interval(X))
    # other rows do not change what is difficult
    fitted.calibrate(X, y)
    width = np.diff(fitted.predict_interval(X)).ravel()
    assert width[noise == 1].mean() > 4 * width[noise < 1].mean()


def test_what_is_impossible_is_refused(short):
    X, y, _ = make()
    few = X["task"] < 9
    settings = {**SHORT, "intervals": "new"}
    with pytest.raises(ValueError, match="at least 10 tasks.*there are 9"):
        MultiTaskHypernetRegressor(**settings).fit(X[few], y[few])
    with pytest.raises(ValueError, match="unseen_tasks='average'"):
        MultiTaskHypernetRegressor(**{**settings, "metadata": None}).fit(X, y)
    with pytest.raises(ValueError, match="needs task_id"):
        MultiTaskHypernetRegressor(intervals="new").fit(*wide())
    with pytest.raises(ValueError, match="interval_time='x'"):
        MultiTaskHypernetRegressor(interval_time="x", **SHORT).fit(X, y)
    for wrong in (0, 1, 1.5, "0.9", [0.5, 1], [], [[0.5]]):
        with pytest.raises(ValueError, match="coverage must be strictly between 0 and 1"):
            short.predict_interval(X, coverage=wrong)
    with pytest.raises(ValueError, match=r"coverage=0.999 needs errors of at least \d+ tasks"):
        short.predict_interval(X.assign(task=99), coverage=0.999)
    with pytest.raises(ValueError, match=r"levels=0.9999 needs errors of at least \d+ labels"):
        short.predict_quantiles(X, 0.9999)


def test_models_say_which_intervals_they_have():
    X, y, _ = make()
    plain = MultiTaskHypernetRegressor(**SHORT).fit(X, y)
    with pytest.raises(ValueError, match="fitted without intervals.*intervals=True"):
        plain.predict_interval(X)
    with pytest.raises(ValueError, match="fitted without intervals"):
        plain.predict(X, return_std="total")
    assert not hasattr(plain, "residual_std_")
    known = clone(plain).set_params(intervals="known").fit(X, y)
    with pytest.raises(ValueError, match="known tasks only"):
        known.predict_interval(X.assign(task=99))
    new = clone(plain).set_params(intervals="new").fit(X, y)
    assert np.isfinite(new.predict_interval(X.assign(task=99))).all()
    with pytest.raises(ValueError, match="new tasks only"):
        new.predict_interval(X)
    few = X["task"] < 9
    both = clone(plain).set_params(intervals=True).fit(X[few], y[few])
    assert np.isfinite(both.predict_interval(X[few])).all()
    with pytest.raises(ValueError, match="at least 10 tasks"):
        both.predict_interval(X.assign(task=99))


def test_a_search_learns_intervals_only_if_they_are_scored(monkeypatch):
    X, y, _ = make(n_rows=6)
    calls = []
    learned = Intervals.learned
    monkeypatch.setattr(Intervals, "learned", lambda *args: calls.append(1) or learned(*args))
    model = MultiTaskHypernetRegressor(intervals="known", **SHORT)
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    for scoring, n_fits in ((None, 1), ("r2", 1), (neg_mt_interval_score_scorer, 5)):
        calls.clear()
        search = BatchedGridSearchCV(model, grid, cv=TaskKFold("task", 2), scoring=scoring)
        search.fit(X, y)
        # the best one is fitted again
        assert len(calls) == n_fits
        assert np.isfinite(search.best_score_)
        assert search.best_estimator_.predict_interval(X).shape == (len(X), 2)


def test_a_checkpoint_changes_nothing(short, tmp_path):
    X, y, _ = make()
    other = clone(short).set_params(checkpoint_dir=tmp_path).fit(X, y)
    assert_array_equal(other.predict_interval(X), short.predict_interval(X))


def test_a_task_without_second_row_has_no_errors():
    X, y, _ = make(n_rows=1)
    model = MultiTaskHypernetRegressor(intervals="known", **{**SHORT, "early_stopping": False})
    with pytest.raises(ValueError, match="one row only"):
        model.fit(X, y)
    more = pd.concat([X, X.head(12).assign(x=2.0), X.head(12).assign(x=3.0)])
    bounds = model.fit(more, np.r_[y, y[:12], y[:12]]).predict_interval(X, coverage=0.8)
    assert np.isfinite(bounds).all()


def test_what_cannot_be_held_out():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": np.repeat(np.arange(12), 5), "x": rng.normal(size=60), "time": 1})
    settings = {"max_iter": 2, "random_state": 0, "base": None, "unseen_tasks": "average"}
    model = MultiTaskHypernetRegressor("task", intervals=True, interval_time="time", **settings)
    with pytest.raises(ValueError, match="no task has rows of two different times"):
        model.fit(X, X["x"])
    one = X.drop(columns="time").groupby("task").head(1)
    known = MultiTaskHypernetRegressor("task", intervals="known", **settings)
    with pytest.raises(ValueError, match="one row only: use intervals='new'"):
        known.fit(one, one["x"])
    both = MultiTaskHypernetRegressor("task", intervals=True, **settings).fit(one, one["x"])
    assert np.isfinite(both.predict_interval(one.assign(task=99))).all()
