"""Scorers in long form: tasks are found in X."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    get_scorer,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import MultiTaskHypernetRegressor
from skmtl.metrics import (
    _task_labels,
    make_mt_scorer,
    mt_accuracy_scorer,
    mt_average_precision_score,
    mt_average_precision_scorer,
    mt_mean_squared_error,
    mt_r2_scorer,
    mt_roc_auc_score,
    mt_roc_auc_scorer,
    neg_mt_log_loss_scorer,
    neg_mt_mae_scorer,
    neg_mt_mse_scorer,
    neg_mt_rmse_scorer,
    per_task_score,
)
from tests._metrics import MeanOfTask, SharesOfTask, by_task


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("scorer", "function", "sign"),
    [
        (mt_r2_scorer, r2_score, 1),
        (neg_mt_mse_scorer, mean_squared_error, -1),
        (neg_mt_rmse_scorer, root_mean_squared_error, -1),
        (neg_mt_mae_scorer, mean_absolute_error, -1),
    ],
)
def test_long_form_takes_tasks_from_x(long_table, scorer, function, sign, weighted):
    X, y = long_table
    weights = np.random.default_rng(0).uniform(size=30) if weighted else None
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    expected = sign * by_task(function, X, y, model.predict(X), weights)
    options = {"sample_weight": weights} if weighted else {}
    assert_allclose(scorer(model, X, y, **options), expected.mean())
    actual = per_task_score(model, X, y, scoring=scorer, **options)
    assert_series_equal(actual, expected, check_names=False)
    assert actual.index.name == "school"
    others = X["school"] != "north"
    few = by_task(function, X[others], y[others], model.predict(X[others]))
    assert_allclose(scorer(model, X[others], y[others]), sign * few.mean())


def test_long_form_micro(long_table):
    X, y = long_table
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    scorer = make_mt_scorer(mt_mean_squared_error, average="micro")
    assert_allclose(scorer(model, X, y), -mean_squared_error(y, model.predict(X)))


def test_long_form_with_several_outputs(long_table):
    X, y = long_table
    both = pd.DataFrame({"one": y, "two": y**2})
    model = MeanOfTask("school", bias=0.3).fit(X, both)
    for scorer, function, sign in [
        (mt_r2_scorer, r2_score, 1),
        (neg_mt_rmse_scorer, root_mean_squared_error, -1),
    ]:
        expected = sign * by_task(function, X, both, model.predict(X))
        actual = per_task_score(model, X, both, scoring=scorer)
        assert_series_equal(actual, expected, check_names=False)
        assert_allclose(scorer(model, X, both), expected.mean())
    actual = per_task_score(model, X, both, scoring="r2")
    assert_series_equal(actual, by_task(r2_score, X, both, model.predict(X)), check_names=False)


def test_long_form_with_missing_labels(long_table):
    X, y = long_table
    model = MeanOfTask("school", bias=0.3).fit(X, y)
    there = np.arange(30) % 3 > 0
    for scoring in (mt_r2_scorer, "r2", None):
        actual = per_task_score(model, X, y.where(there), scoring=scoring)
        assert_series_equal(actual, per_task_score(model, X[there], y[there], scoring=scoring))


def test_long_form_accuracy_and_log_loss(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)
    expected = by_task(accuracy_score, X, y, model.predict(X))
    assert_allclose(mt_accuracy_scorer(model, X, y), expected.mean())
    probability = model.predict_proba(X)
    assert (probability == 0).any()
    expected = by_task(lambda y, p: log_loss(y, p, labels=model.classes_), X, y, probability)
    assert_allclose(neg_mt_log_loss_scorer(model, X, y), -expected.mean())


def test_long_form_area_is_that_of_the_classes_of_each_task(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)

    def area(y, probability):
        present = np.isin(model.classes_, y)
        probability = probability[:, present] / probability[:, present].sum(axis=1, keepdims=True)
        if present.sum() == 2:
            return roc_auc_score(y == model.classes_[present][1], probability[:, 1])
        return roc_auc_score(y, probability, multi_class="ovr")

    expected = by_task(area, X, y, model.predict_proba(X))
    actual = per_task_score(model, X, y, scoring=mt_roc_auc_scorer)
    assert_series_equal(actual, expected, check_names=False)
    assert_allclose(mt_roc_auc_scorer(model, X, y), expected.mean())
    assert 0 < mt_average_precision_scorer(model, X, y) <= 1


def test_long_form_area_of_two_classes(long_classes):
    X, y = long_classes
    y = (y == "c").map({True: "yes", False: "no"})
    model = SharesOfTask("school").fit(X, y)
    second = model.predict_proba(X)[:, 1]
    expected = by_task(roc_auc_score, X, y == "yes", second)
    assert_allclose(mt_roc_auc_scorer(model, X, y), expected.mean())
    flags = y == "yes"
    micro = make_mt_scorer(mt_roc_auc_score, average="micro")
    assert_allclose(micro(model, X, y), roc_auc_score(flags, second))
    micro = make_mt_scorer(mt_average_precision_score, average="micro")
    assert_allclose(micro(model, X, y), average_precision_score(flags, second))


def test_micro_leaves_out_classes_that_a_task_does_not_have(long_classes):
    X, y = long_classes
    model = SharesOfTask("school").fit(X, y)
    probability, flags, scores = model.predict_proba(X), [], []
    for row, (school, label) in enumerate(zip(X["school"], y, strict=True)):
        for k, name in enumerate(model.classes_):
            if name in set(y[X["school"] == school]):
                flags.append(label == name)
                scores.append(probability[row, k])
    micro = make_mt_scorer(mt_roc_auc_score, average="micro")
    assert_allclose(micro(model, X, y), roc_auc_score(flags, scores))


def test_tasks_are_found_through_pipelines_and_searches(long_table):
    X, y = long_table
    expected = neg_mt_rmse_scorer(MeanOfTask("school").fit(X, y), X, y)
    scaled = ColumnTransformer(
        [("scaled", StandardScaler(), ["x"]), ("task", "passthrough", ["school"])]
    )
    pipeline = make_pipeline(scaled, MeanOfTask(-1)).fit(X, y)
    search = GridSearchCV(pipeline, {"meanoftask__bias": [0.0]}, scoring=neg_mt_rmse_scorer, cv=2)
    inner = GridSearchCV(MeanOfTask("school"), {"bias": [0.0]}, cv=2)
    wrapped = TransformedTargetRegressor(MeanOfTask("school"))
    for model in (pipeline, search, inner, wrapped, make_pipeline(MeanOfTask("school"))):
        model.fit(X, y)
        assert sorted(set(_task_labels(model, X))) == ["east", "north", "south"]
        assert_allclose(neg_mt_rmse_scorer(model, X, y), expected)
        assert len(per_task_score(model, X, y)) == 3
    assert _task_labels(make_pipeline(StandardScaler(), LinearRegression()), X) is None


def test_positions_of_task_ids_are_those_of_fit(long_table):
    X, y = long_table

    class Positions(MeanOfTask):
        feature_names_in_ = np.array(["x", "school"])

        def _ids(self, X):
            return X["school"]

    model = Positions(1).fit(X, y)
    assert (_task_labels(model, X[["school", "x"]]) == X["school"]).all()


def test_task_of_several_columns(long_table):
    X, y = long_table
    X = X.assign(year=np.arange(30) % 2)
    model = MultiTaskHypernetRegressor(["school", "year"], max_iter=1, random_state=0).fit(X, y)
    actual = per_task_score(model, X, y)
    assert actual.index.names == ["school", "year"]
    assert len(actual) == 6
    assert_allclose(mt_r2_scorer(model, X, y), actual.mean())


def test_without_a_task_id_one_column_is_one_task(long_table):
    X, y = long_table
    model = LinearRegression().fit(X[["x"]], y)
    assert_allclose(mt_r2_scorer(model, X[["x"]], y), model.score(X[["x"]], y))
    assert per_task_score(model, X[["x"]], y).index.tolist() == ["score"]
    actual = per_task_score(model, X[["x"]], y.to_numpy(), scoring="r2")
    assert_series_equal(actual, pd.Series([model.score(X[["x"]], y)]))
    classifier = LogisticRegression().fit(X[["x"]], y > 0)
    expected = roc_auc_score(y > 0, classifier.predict_proba(X[["x"]])[:, 1])
    assert_allclose(mt_roc_auc_scorer(classifier, X[["x"]], y > 0), expected)
    assert_allclose(per_task_score(classifier, X[["x"]], y > 0, scoring="roc_auc"), expected)


def test_hypernetwork_in_long_form(long_table):
    X, y = long_table
    model = MultiTaskHypernetRegressor(task_id="school", max_iter=2, random_state=0).fit(X, y)
    expected = by_task(r2_score, X, y, model.predict(X))
    for scoring in (None, "r2", mt_r2_scorer, get_scorer("r2")):
        actual = per_task_score(model, X, y, scoring=scoring)
        assert_series_equal(actual, expected, check_names=False)
    assert_allclose(mt_r2_scorer(model, X, y), expected.mean())
    folds = KFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(model, X, y, cv=folds, scoring=mt_r2_scorer, error_score="raise")
    assert np.isfinite(scores).all()
