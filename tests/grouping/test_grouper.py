"""`TaskGrouper`: long and wide form, estimators of skmtl and others, reports."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, MultiTaskElasticNet, Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor

from skmtl import (
    MultiTaskClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    TaskGrouper,
)
from skmtl.datasets import make_related_tasks
from skmtl.grouping import MTGNet, select_groups
from skmtl.metrics import per_task_score
from tests._architectures import build, build_classifier, shared_bottom
from tests._grouping import SMALL, long_table, wide_table


@pytest.mark.parametrize("gains", ["exhaustive", "hoa", "tag", "mtgnet", "random", "auto"])
def test_every_way_to_estimate_gains_ends_in_a_model(gains):
    X, y = wide_table(missing=0.1)
    if gains == "mtgnet":
        gains = MTGNet(embedding_dim=8, max_iter=5, n_members=2)
    model = TaskGrouper(shared_bottom(**SMALL), 2, gains=gains, random_state=0)
    model.fit(X, y)
    assert model.predict(X).shape == y.shape
    assert list(model.predict(X).columns) == list(y.columns)
    assert 1 <= len(model.groups_) <= 2
    assert set(model.assignment_.index) == set("abcd")
    for task, group in model.assignment_.items():
        assert task in group
        assert group in model.groups_
    counts = {"exhaustive": 15, "hoa": 10, "tag": 1, "random": 0, "auto": 15}
    assert model.n_procedures_ == counts.get(gains, 4 + 6 + 1)
    if gains == "tag":
        affinity = model.affinity_.loc[list("abcd"), list("abcd")].to_numpy()
        expected = (affinity[1, 0] + affinity[2, 0]) / 2
        assert model.gains_["a"][("a", "b", "c")] == pytest.approx(expected)


def test_gains_are_relative_reductions_of_the_loss_on_the_same_validation_rows():
    X, y = wide_table()
    train, valid = np.arange(0, 90), np.arange(90, 120)
    model = TaskGrouper(
        RandomForestRegressor(5, random_state=0),
        2,
        gains="exhaustive",
        cv=[(train, valid)],
    ).fit(X, y)

    def loss(group, task):
        forest = RandomForestRegressor(5, random_state=0)
        labels = y[list(group)].to_numpy()[train]
        forest.fit(X.iloc[train], labels[:, 0] if len(group) == 1 else labels)
        predicted = forest.predict(X.iloc[valid]).reshape(len(valid), -1)
        return mean_squared_error(y[task].iloc[valid], predicted[:, group.index(task)])

    for group in [("a", "b"), ("a", "b", "c", "d"), ("b", "d"), ("c",)]:
        for task in group:
            alone = loss((task,), task)
            expected = (alone - loss(group, task)) / alone
            row = model.gains_.index.get_loc(group)
            assert model.gains_[task].iloc[row] == pytest.approx(expected, abs=1e-12)
    assert model.groups_ == [
        g for g in select_groups(model.gains_, 2) if g in set(model.assignment_)
    ]


def test_groups_are_refitted_on_all_rows():
    X, y = wide_table(80, 2)
    model = TaskGrouper(LinearRegression(), 2, gains="exhaustive", random_state=0).fit(X, y)
    expected = LinearRegression().fit(X, y).predict(X)
    np.testing.assert_allclose(model.predict(X), expected)


def test_an_estimator_that_wants_two_dimensions_gets_them_for_one_task():
    X, y = wide_table(60, 2, missing=0.2)
    model = TaskGrouper(MultiTaskElasticNet(0.01), 2, gains="exhaustive", random_state=0)
    assert model.fit(X, y).score(X, y) > 0.3


@pytest.mark.parametrize("encoding", ["onehot", "drop"])
def test_long_form_with_any_estimator(encoding):
    X, y = long_table()
    model = TaskGrouper(
        DecisionTreeRegressor(max_depth=3, random_state=0),
        2,
        gains="exhaustive",
        task_id="task",
        task_encoding=encoding,
        random_state=0,
    ).fit(X, y)
    predicted = model.predict(X)
    for task, group in model.assignment_.items():
        rows = X["task"].isin(group)
        features = X[rows].drop(columns="task")
        if encoding == "onehot" and len(group) > 1:
            features = features.assign(
                **{f"task_{t}": (X["task"][rows] == t).astype(float) for t in group}
            )
        tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(features, y[rows])
        here = (X["task"] == task).to_numpy()
        np.testing.assert_allclose(
            predicted[here], tree.predict(features.loc[X.index[here]]), err_msg=str(task)
        )
    assert 0 < model.score(X, y) <= 1


@pytest.mark.parametrize("ours", [False, True])
def test_a_task_may_be_a_combination_of_columns(ours):
    X, y = long_table()
    X = X.assign(store=X["task"].str[1:].astype(int) // 2, product=X["task"].isin(["t1", "t3"]))
    X, task_id = X.drop(columns="task"), ["store", "product"]
    estimator = shared_bottom(task_id=task_id, **SMALL) if ours else Ridge()
    model = TaskGrouper(estimator, 2, gains="hoa", task_id=task_id, random_state=0).fit(X, y)
    assert set(model.tasks_) == {(0, False), (0, True), (1, False), (1, True)}
    assert all(isinstance(task, tuple) for group in model.groups_ for task in group)
    assert model.predict(X).shape == (len(X),)
    assert model.report(X, y)["gain"].notna().all()


def test_searches_and_scorers_take_it():
    X, y = wide_table(60, 3)
    model = TaskGrouper(Ridge(), 2, gains="hoa", random_state=0)
    search = GridSearchCV(model, {"max_groups": [1, 3], "estimator__alpha": [0.1, 10]}, cv=2)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert per_task_score(search, X, y).index.tolist() == ["a", "b", "c"]


def test_long_form_with_an_estimator_of_ours():
    X, y = long_table()
    estimator = MultiTaskHypernetRegressor(task_id="task", **SMALL)
    model = TaskGrouper(estimator, 2, gains="hoa", random_state=0).fit(X, y)
    assert model.predict(X).shape == (len(X),)
    shuffled = X.sample(frac=1, random_state=0)
    np.testing.assert_allclose(model.predict(shuffled), model.predict(X)[shuffled.index])
    assert model.report(X, y).shape[0] == 4
    with pytest.raises(ValueError, match="not seen in fit, no group serves them: .'new'"):
        model.predict(X.assign(task="new"))


@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(10, random_state=0), build_classifier("SharedBottom", **SMALL)],
    ids=["forest", "ours"],
)
def test_classes_in_wide_form(estimator):
    X, y = wide_table(100, 3)
    # scikit-learn's take columns of one kind only
    y = (y > 0).replace({True: "high", False: "low"})
    if isinstance(estimator, MultiTaskClassifier):
        y["b"] = (y["b"] == "low").astype(int)
    model = TaskGrouper(estimator, 2, gains="exhaustive", random_state=0).fit(X, y)
    assert is_classifier(model)
    assert set(model.predict(X)["c"]) <= {"high", "low"}
    probabilities = model.predict_proba(X)
    assert list(probabilities) == ["a", "b", "c"]
    for task, values in probabilities.items():
        np.testing.assert_allclose(values.sum(axis=1), 1)
        labels = model.classes_[task][values.argmax(axis=1)]
        assert (labels == model.predict(X)[task]).mean() > 0.98
    assert model.score(X, y) > 0.5


def test_classes_in_long_form():
    X, y = long_table()
    y = pd.Series(np.where(y > 0, "yes", "no"))
    model = TaskGrouper(LogisticRegression(), 2, gains="hoa", task_id="task", random_state=0)
    model.fit(X, y)
    assert model.classes_.tolist() == ["no", "yes"]
    proba = model.predict_proba(X)
    assert (model.classes_[proba.argmax(axis=1)] == model.predict(X)).all()
    assert model.report(X, y)["chosen"].notna().all()


def test_numbers_and_classes_in_one_table():
    X, y = wide_table(100, 3)
    y["c"] = np.where(y["c"] > 0, "yes", "no")
    model = TaskGrouper(shared_bottom(**SMALL), 2, gains="hoa", random_state=0).fit(X, y)
    assert model.task_types_ == {"a": "regression", "b": "regression", "c": "binary"}
    assert model.score(X, y) > 0
    assert model.report(X, y)["alone"].notna().all()


def test_report_compares_on_the_rows_that_it_gets():
    X, y = wide_table(150)
    train, test = np.arange(100), np.arange(100, 150)
    model = TaskGrouper(LinearRegression(), 2, gains="hoa", random_state=0)
    model.fit(X.iloc[train], y.iloc[train])
    report = model.report(X.iloc[test], y.iloc[test])
    assert report.index.tolist() == list("abcd")
    loss = mean_squared_error(y["a"].iloc[test], model.predict(X.iloc[test])["a"])
    assert report.loc["a", "chosen"] == pytest.approx(-loss)
    alone = LinearRegression().fit(X.iloc[train], y["a"].iloc[train])
    loss_alone = mean_squared_error(y["a"].iloc[test], alone.predict(X.iloc[test]))
    assert report.loc["a", "alone"] == pytest.approx(-loss_alone)
    assert report.loc["a", "gain"] == pytest.approx((loss_alone - loss) / loss_alone, abs=1e-9)
    assert set(report.attrs["seconds"]) == {"gains", "selection", "training"}
    model.set_params(compare=False).fit(X, y)
    with pytest.raises(ValueError, match="compare=False"):
        model.report(X, y)


def test_scoring_may_be_a_score():
    X, y = wide_table(80, 2)
    model = TaskGrouper(Ridge(), 2, gains="exhaustive", scoring="r2", random_state=0).fit(X, y)
    report = model.report(X, y)
    np.testing.assert_allclose(
        report["gain"], (report["chosen"] - report["alone"]) / report["alone"].abs()
    )


def test_a_table_or_a_function_may_give_the_gains():
    X, y = wide_table(60, 3)
    nan = np.nan
    table = pd.DataFrame([[0.1, 0.1, nan], [nan, nan, 0.0], [-1, -1, 0.5]], columns=["a", "b", "c"])
    model = TaskGrouper(Ridge(), 2, gains=table[["c", "a", "b"]]).fit(X, y)
    assert model.groups_ == [("a", "b"), ("a", "b", "c")]
    assert model.n_procedures_ == 0
    assert model.assignment_["c"] == ("a", "b", "c")
    model.set_params(gains=lambda measurements, groups: measurements(groups), random_state=0).fit(
        X, y
    )
    exact = clone(model).set_params(gains="exhaustive").fit(X, y)
    pd.testing.assert_frame_equal(model.gains_, exact.gains_)


def test_candidates_and_costs_limit_the_choice():
    X, y = wide_table(60, 3)
    candidates = [("a",), ("b",), ("c",), ("a", "b"), ("a", "b", "c")]
    model = TaskGrouper(
        Ridge(),
        3,
        gains="exhaustive",
        candidates=candidates,
        max_cost=1.0,
        group_cost=lambda group: 1.0,
        random_state=0,
    ).fit(X, y)
    assert model.groups_ == [("a", "b", "c")]
    assert set(model.gains_.index) == set(candidates)


def test_auto_leaves_exhaustive_training_when_time_is_short():
    X, y = wide_table(60, 4)
    model = TaskGrouper(Ridge(), 2, random_state=0).fit(X, y)
    assert model.gains_method_ == "exhaustive"
    model.set_params(time_budget=0).fit(X, y)
    assert model.gains_method_ == "mtgnet"


def test_metadata_reach_the_meta_learner_and_predict_gains_of_a_new_task():
    X, y = wide_table(60, 4)
    metadata = pd.DataFrame({"family": [0.0, 0, 1, 1, 0.5]}, index=["a", "b", "c", "d", "new"])
    net = MTGNet(embedding_dim=8, max_iter=5, n_members=2)
    model = TaskGrouper(Ridge(), 2, gains=net, metadata=metadata, random_state=0).fit(X, y)
    gains = model.predict_gains([("a", "new"), ("a", "b")])
    assert gains.columns.tolist() == ["a", "b", "c", "d", "new"]
    assert gains.notna().sum().sum() == 4
    with pytest.raises(ValueError, match="metadata has no row for these tasks: .'d'"):
        clone(model).set_params(metadata=metadata.drop(index="d")).fit(X, y)
    with pytest.raises(ValueError, match="'hoa' has no model that predicts gains"):
        clone(model).set_params(gains="hoa").fit(X, y).predict_gains([("a", "b")])


def test_same_random_state_same_result_and_pickles():
    X, y = wide_table(60, 3)
    model = TaskGrouper(shared_bottom(hidden_layer_sizes=(4,), max_iter=5), random_state=0)
    first = clone(model).fit(X, y)
    second = clone(model).fit(X, y)
    pd.testing.assert_frame_equal(first.gains_, second.gains_)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(again.predict(X), first.predict(X))


def test_sample_weights_reach_the_estimators():
    X, y = wide_table(80, 2)
    weight = np.r_[np.ones(40), np.zeros(40)]
    model = TaskGrouper(LinearRegression(), 1, gains="exhaustive", random_state=0)
    model.fit(X, y, sample_weight=weight)
    expected = LinearRegression().fit(X[:40], y[:40]).predict(X)
    np.testing.assert_allclose(model.predict(X), expected)


def test_the_default_estimator_shares_a_trunk():
    assert is_regressor(TaskGrouper())
    model = TaskGrouper(max_groups=2, gains="random", compare=False)
    X, y = wide_table(40, 2)
    model.set_params(random_state=0).fit(X.to_numpy(), y.to_numpy())
    assert isinstance(model.estimators_[0], MultiTaskRegressor)
    assert isinstance(model.predict(X.to_numpy()), np.ndarray)


@pytest.mark.slow
def test_planted_families_are_found():
    n_found = 0
    for seed in range(10):
        planted = make_related_tasks(
            9, 1.0, 8, n_groups=3, n_sines=1, n_rows=110, noise=0.3, random_state=seed
        )
        test = np.arange(len(planted.data)) % 110 >= 30
        # one network for all tasks of a group, so that families are in each other's way
        model = build(
            "SingleNetwork",
            task_id="task",
            hidden_layer_sizes=(16,),
            max_iter=150,
            n_iter_no_change=20,
            random_state=0,
        )
        grouper = TaskGrouper(model, 3, gains="hoa", cv=3, random_state=seed)
        grouper.fit(planted.data[~test], planted.target[~test])
        families = [tuple(np.flatnonzero(planted.task_groups == k).tolist()) for k in range(3)]
        gain = grouper.report(planted.data[test], planted.target[test])["gain"].mean()
        n_found += sorted(grouper.groups_) == families and gain > 0
    assert n_found >= 9
