"""Variance shares, effects of tasks and explanations of a fitted hypernetwork."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

import skmtl
from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
)
from skmtl.architectures import Hypernetwork, SharedBottom
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

TOTAL = ["features", "metadata", "task", "noise"]
SETTINGS = {"task_id": "task", "random_state": 0, "max_iter": 40, "base": None}


def planted(n_tasks=40, n_rows=12, seed=0):
    """Return rows with intercepts and slopes, and the planted levels and slopes (as `x` is)."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(n_tasks), n_rows)
    x = 10 + 2 * rng.normal(size=len(task))
    level, slope = rng.normal(size=n_tasks), 0.5 + 0.25 * rng.normal(size=n_tasks)
    y = 3 + level[task] + slope[task] * (x - 10) + 0.7 * rng.normal(size=len(task))
    return pd.DataFrame({"task": task, "x": x}), pd.Series(y), level, slope


@pytest.fixture(scope="module")
def table():
    return planted()


@pytest.fixture(scope="module")
def model(table):
    X, y, *_ = table
    return MultiTaskHypernetRegressor(**SETTINGS, hold_out_tasks=False).fit(X, y)


@pytest.fixture(scope="module")
def described():
    """A model with metadata, a category and a date among the features, and two members."""
    rng = np.random.default_rng(1)
    X, y, *_ = planted(24, 10, seed=1)
    w = rng.normal(size=24)[X["task"]]
    kind = rng.choice(["a", "b", "c"], size=len(X))
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(30, size=len(X)), unit="D")
    X = X.assign(w=w, kind=kind, day=day, task="t" + X["task"].astype(str))
    y = y + 2 * w + 1.5 * (kind == "b")
    model = MultiTaskHypernetRegressor(
        **SETTINGS, metadata=["w"], n_members=2, hold_out_tasks=False
    )
    return model.fit(X, y), X, y


def test_shares_are_those_planted(table, model):
    shares = model.variance_shares()
    assert shares.index.tolist() == [
        "features",
        "metadata",
        "task",
        "task_level",
        "task_slopes",
        "noise",
        "icc",
    ]
    share = shares["share"]
    variances = np.array([1.0, 0.0, 1.25, 1.0, 0.25, 0.49])
    assert_allclose(share.iloc[:6], variances / 2.74, atol=0.12)
    assert_allclose(share["icc"], share["task"] / (share["task"] + share["noise"]))
    assert (shares["share_se"].drop(["features", "metadata"]) > 0).all()


def test_shares_add_up(described):
    for X in (None, described[1]):
        shares = described[0].variance_shares(X)
        share, part = shares["share"], shares["part_of"]
        assert part[part == "total"].index.tolist() == TOTAL
        assert_allclose(share[part == "total"].sum(), 1)
        assert_allclose(share[part == "task"].sum(), share["task"])
        assert share["explained_by_metadata"] > 0.5


def test_rows_that_are_given_count(table, model):
    X, *_ = table
    whole = model.variance_shares()
    assert_allclose(model.variance_shares(X)["share"], whole["share"], atol=0.05)
    # features that vary less explain less
    narrow = model.variance_shares(X.assign(x=10 + 0.1 * (X["x"] - 10)))
    assert narrow.loc["features", "variance"] < 0.1 * whole.loc["features", "variance"]
    assert_allclose(narrow.loc["noise", "variance"], whole.loc["noise", "variance"])


def test_effects_are_those_planted(table, model):
    X, y, level, slope = table
    effects = model.task_effects()
    assert effects.index.equals(model.tasks_)
    assert (effects["rows"] == 12).all()
    for name, true in (("level", level), ("slope_x", slope)):
        apart = effects[name] - effects[name].mean()
        assert_allclose(apart.mean(), 0, atol=1e-9)
        assert np.corrcoef(apart, true)[0, 1] > 0.8
        inside = np.abs(apart - (true - true.mean())) < 1.645 * effects[f"{name}_se"]
        assert 0.7 < inside.mean() <= 1
    assert effects["shrinkage"].between(0, 1).all()
    # the mean of a task's rows alone is further from the others than its effect
    assert effects["level"].std() < y.groupby(X["task"]).mean().std() + 0.1


def test_total_effects_are_levels_and_slopes(table, model):
    total, apart = model.task_effects(total=True), model.task_effects()
    for name in ("level", "slope_x"):
        assert_allclose(total[name] - total[name].mean(), apart[name], atol=1e-9)
    assert 2 < total["level"].mean() < 4
    assert 0.3 < total["slope_x"].mean() < 0.7
    at_twelve = model.task_effects(table[0].assign(x=12.0), total=True)
    assert_allclose(at_twelve["level"].mean(), total["level"].mean() + 1, atol=0.3)


def test_fewer_rows_are_shrunk_more():
    X, y, *_ = planted(30, 12, seed=2)
    few = (X["task"] < 10) & (X.groupby("task").cumcount() >= 2)
    model = MultiTaskHypernetRegressor(**SETTINGS).fit(X[~few], y[~few])
    effects = model.task_effects()
    assert effects["rows"].tolist() == [2] * 10 + [12] * 20
    few, many = effects.iloc[:10], effects.iloc[10:]
    assert few["shrinkage"].min() > many["shrinkage"].max()
    assert few["level_se"].min() > many["level_se"].max()


def test_weights_count_as_rows():
    X, y, *_ = planted(12, 10)
    twice = pd.concat([X, X[X["task"] < 6]]), pd.concat([y, y[X["task"] < 6]])
    weights = np.where(X["task"] < 6, 2, 1)
    models = [
        MultiTaskHypernetRegressor(**SETTINGS).set_params(max_iter=5).fit(*rows, **more)
        for rows, more in ((twice, {}), ((X, y), {"sample_weight": weights}))
    ]
    first, second = (own.task_effects() for own in models)
    assert first["rows"].tolist() == [20] * 6 + [10] * 6
    assert_frame_equal(first, second, rtol=1e-3, atol=1e-3)


def test_columns_of_any_kind_have_slopes(described):
    model, X, _ = described
    effects = model.task_effects()
    names = ["slope_x", "slope_kind=b", "slope_kind=c", "slope_day"]
    assert {*names, "level_by_metadata"} <= set(effects)
    total = model.task_effects(total=True)
    assert_allclose(total["slope_kind=b"].mean(), 1.5, atol=0.6)
    assert total["slope_day"].abs().mean() < 0.2
    w = X.groupby("task", sort=False)["w"].first().loc[model.tasks_]
    assert np.corrcoef(effects["level_by_metadata"], w)[0, 1] > 0.9


def test_spread_of_members_is_in_errors(described):
    model, *_ = described
    assert model.module_.n_members == 2
    assert (model.task_effects()["level_se"] > 0).all()


def test_explanations_add_up(described):
    model, *_ = described
    tasks = model.tasks_[:3]
    whole = {task: model.explain_task(task) for task in tasks}
    one = whole[tasks[0]]
    assert one.index.names == ["kind", "name"]
    assert one.index.tolist() == [
        ("features", "x"),
        ("features", "kind"),
        ("features", "day"),
        ("metadata", "w"),
        ("task", "beyond metadata"),
    ]
    pair = model.explain_task(tasks[0], tasks[1])
    difference = one["contribution"].sum() - whole[tasks[1]]["contribution"].sum()
    assert_allclose(pair["contribution"].sum(), difference, rtol=1e-6)
    back = model.explain_task(tasks[1], tasks[0])
    assert_allclose(back["contribution"], -pair["contribution"], rtol=1e-6, atol=1e-9)
    assert_allclose(model.explain_task(tasks[2], tasks[2])["contribution"], 0, atol=1e-9)
    assert_allclose(back["value"], pair["reference"])


def test_explanations_name_the_cause(described):
    model, X, _ = described
    w = X.groupby("task")["w"].first()
    high, low = w.idxmax(), w.idxmin()
    found = model.explain_task(high, low)
    assert_allclose(found.loc[("metadata", "w"), ["value", "reference"]], [w[high], w[low]])
    expected = 2 * (w[high] - w[low])
    assert_allclose(found.loc[("metadata", "w"), "contribution"], expected, rtol=0.35)


def test_explanations_with_many_columns_add_up():
    rng = np.random.default_rng(0)
    X, y, *_ = planted(10, 10)
    X = X.assign(**{f"z{k}": rng.normal(size=len(X)) for k in range(11)})
    model = MultiTaskHypernetRegressor(**SETTINGS).set_params(max_iter=3).fit(X, y)
    sums = [model.explain_task(*tasks)["contribution"].sum() for tasks in ((0,), (1,), (0, 1))]
    assert_allclose(sums[0] - sums[1], sums[2], rtol=1e-6)


def test_tasks_of_adapt_are_in_the_tables(table, model):
    X, y, *_ = table
    adapted = pickle.loads(pickle.dumps(model))
    before = adapted.task_effects(), adapted.variance_shares()
    adapted.adapt(X.assign(task=X["task"] + 100)[X["task"] < 3], y[X["task"] < 3])
    after = adapted.task_effects()
    assert_frame_equal(after.iloc[:40], before[0])
    assert_frame_equal(adapted.variance_shares(), before[1])
    # the same rows under another id
    assert_allclose(after["level"].iloc[40:], after["level"].iloc[:3], atol=0.3)
    assert adapted.explain_task(100).shape == (2, 3)


def test_reports_survive_saving(table, model, tmp_path):
    model.save(tmp_path / "model")
    for other in (skmtl.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_frame_equal(other.variance_shares(), model.variance_shares())
        assert_frame_equal(other.task_effects(), model.task_effects())
        assert_frame_equal(other.explain_task(3), model.explain_task(3))


def test_no_training_rows_are_kept(model, table):
    X, *_ = table
    encoder = model._tables.feature_encoder
    scaled = (X[["x"]].to_numpy() - encoder.center_[0]) / encoder.scale_[0]
    assert len(model._sums.made_up) == 256
    # the marginal distribution is interpolated
    assert np.isin(model._sums.made_up, scaled).mean() < 0.05


def test_older_models_say_what_to_do(model):
    older = pickle.loads(pickle.dumps(model))
    del older._sums
    with pytest.raises(ValueError, match="Call fit again"):
        older.variance_shares()


@pytest.mark.parametrize("name", ["variance_shares", "task_effects", "explain_task"])
@pytest.mark.parametrize(
    "estimator",
    [
        MultiTaskHypernetClassifier(),
        GumbelMatrixRegressor(),
        ParetoHypernet(),
        MultiTaskRegressor(SharedBottom()),
    ],
)
def test_others_have_no_reports(estimator, name):
    assert not hasattr(estimator, name)


def test_the_architecture_is_what_counts():
    assert hasattr(MultiTaskRegressor(Hypernetwork()), "task_effects")
    with pytest.raises(AttributeError, match="no attribute 'task_effects'") as caught:
        MultiTaskRegressor(SharedBottom()).task_effects()
    assert "SharedBottom does not have: use MultiTaskHypernetRegressor" in str(
        caught.value.__cause__
    )


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"loss": "huber"}, None, "loss='huber'"),
        ({}, "two", "2 output"),
        ({"task_id": None}, None, "task_id='...'"),
        ({"embedding_dim": 0, "metadata": ["w"]}, None, "embedding_dim above 0"),
    ],
)
def test_refusals_say_why(settings, y, message):
    X, one, *_ = planted(6, 5)
    X = X.assign(w=X["task"] % 3)
    y = one if y is None else np.column_stack([one, one])
    model = MultiTaskHypernetRegressor(**SETTINGS | {"max_iter": 1} | settings).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.variance_shares()


def test_unknown_tasks_are_refused(model, table):
    with pytest.raises(ValueError, match="task=999 is not among the tasks"):
        model.explain_task(999)
    with pytest.raises(ValueError, match="other=999 is not among the tasks"):
        model.explain_task(0, 999)
    with pytest.raises(ValueError, match="at least two"):
        model.variance_shares(table[0].head(5))


def test_folds_of_a_search_keep_nothing(table):
    X, y, *_ = table
    X, y = X[X["task"] < 8], y[X["task"] < 8]
    search = BatchedGridSearchCV(
        MultiTaskHypernetRegressor(**SETTINGS).set_params(max_iter=2),
        {"alpha": [0.1, 0.2]},
        cv=TaskKFold("task", 2),
    ).fit(X, y)
    assert search.best_estimator_.variance_shares().shape[1] == 4


def test_tasks_of_one_row_and_several_ids_at_once():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": range(30), "x": rng.normal(size=30)})
    settings = {"max_iter": 2, "random_state": 0, "base": None, "hold_out_tasks": False}
    model = MultiTaskHypernetRegressor("task", **settings).fit(X, X["x"])
    with pytest.raises(ValueError, match="every task was fitted with one row"):
        model.variance_shares()
    model.fit(X.assign(task=X["task"] // 5), X["x"])
    with pytest.raises(ValueError, match="task must be one id of a task, not 2"):
        model.explain_task([0, 1])
