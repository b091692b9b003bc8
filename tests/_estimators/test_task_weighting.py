"""`task_weighting` of estimators: forms of the parameter, records, persistence, searches."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetRegressor
from skmtl.datasets import make_related_tasks
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.weighting import (
    ITMTL,
    Affinity,
    CAGrad,
    DynamicWeightAverage,
    EqualWeights,
    FixedWeights,
    PCGrad,
    UncertaintyWeighting,
    normalized_affinity,
)
from skmtl.weighting._base import METHODS
from tests._architectures import NAMES as ARCHITECTURES
from tests._architectures import build, build_classifier, shared_bottom
from tests._tables import make_schools, make_wide, quick_classifier, quick_model

QUICK = {
    "hidden_layer_sizes": (8,),
    "max_iter": 3,
    "batch_size": 64,
    "learning_rate_init": 1e-2,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def schools():
    return make_schools(n_schools=5, n_rows=16)


@pytest.fixture(scope="module")
def wide():
    return make_wide()


def trunk(**changes):
    return shared_bottom(**{**QUICK, **changes})


@pytest.mark.parametrize("name", [name for name in METHODS if name != "mgda-ub"])
def test_every_method_trains_every_form(name, schools, wide):
    X, y = schools
    for model in (quick_model(task_weighting=name), trunk(task_id="school", task_weighting=name)):
        X_model = X if isinstance(model, MultiTaskHypernetRegressor) else X.drop(columns="sector")
        model.fit(X_model, y)
        assert np.isfinite(model.predict(X_model)).all()
        weights = model.task_weights_
        assert weights.shape == (model.n_iter_, 5)
        assert list(weights.columns) == list(model.tasks_)
        assert np.isfinite(weights.to_numpy()).all()
    X, Y = wide
    model = trunk(task_weighting=name).fit(X, Y)
    assert np.isfinite(np.asarray(model.predict(X))).all()


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("method", ["uncertainty", ("uncertainty", "pcgrad")])
def test_every_architecture_weighs_tasks(name, method, schools):
    X, y = schools
    model = build(name, task_id="school", task_weighting=method, **QUICK)
    if "Independent" in name and not isinstance(method, str):
        with pytest.raises(ValueError, match="here tasks share none"):
            model.fit(X, y)
        return
    model.fit(X, y)
    assert (model.task_weights_ != 1).to_numpy().any()


def test_mgda_at_the_representation_needs_wide_form(schools, wide):
    X, Y = wide
    trunk(task_weighting="mgda-ub").fit(X, Y)
    with pytest.raises(ValueError, match="every row, and so its representation, belongs to one"):
        trunk(task_id="school", task_weighting="mgda-ub").fit(*schools)


def test_equal_weights_are_recorded_as_ones(schools):
    model = quick_model().fit(*schools)
    assert (model.task_weights_ == 1).all(axis=None)
    other = quick_model(task_weighting=EqualWeights()).fit(*schools)
    assert_array_equal(model.predict(schools[0]), other.predict(schools[0]))
    assert model.task_weights_.index.names == ["member", "epoch"]


def test_weights_have_a_row_for_every_member_and_epoch(schools):
    model = quick_model(task_weighting="dwa", n_members=3, max_iter=4).fit(*schools)
    assert len(model.task_weights_) == len(model.history_)
    expected = model.history_[["member", "epoch"]].to_numpy()
    assert_array_equal(np.array(model.task_weights_.index.to_list()), expected)
    # of two epochs nothing is known yet
    assert_allclose(model.task_weights_.xs(1, level="epoch"), 1.0)
    assert not np.allclose(model.task_weights_.xs(4, level="epoch"), 1.0)


def test_weights_by_name_of_the_task(schools):
    X, y = schools
    names = sorted(X["school"].unique())
    by_name = quick_model(task_weighting=FixedWeights({names[2]: 5.0})).fit(X, y)
    by_number = quick_model(task_weighting=FixedWeights([1, 1, 5, 1, 1])).fit(X, y)
    assert_array_equal(by_name.predict(X), by_number.predict(X))
    assert by_name.task_weights_[names[2]].eq(5).all()
    composed = quick_model(task_weighting=(FixedWeights({names[2]: 5.0}), CAGrad(0.0))).fit(X, y)
    assert_allclose(composed.task_weights_, by_name.task_weights_)


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        ("pcgard", ValueError, "Known names are aligned-mtl, cagrad"),
        (("pcgrad", "mgda"), ValueError, "for losses and then one for gradients"),
        (3, ValueError, "task_weighting"),
        (len, TypeError, "task_weighting must be"),
        (FixedWeights([1.0] * 6), ValueError, "6 weights for 5 tasks"),
    ],
)
def test_what_is_not_a_method_is_an_error(method, error, message, schools):
    with pytest.raises(error, match=message):
        quick_model(task_weighting=method).fit(*schools)


def test_parameters_of_methods_are_parameters_of_the_estimator(schools):
    model = quick_model(task_weighting=CAGrad(c=0.3))
    assert model.get_params()["task_weighting__c"] == 0.3
    model.set_params(task_weighting__c=0.1)
    assert model.task_weighting.c == 0.1
    assert "CAGrad(c=0.1)" in repr(model)
    copied = clone(model).fit(*schools)
    assert copied.task_weighting is not model.task_weighting


def test_fits_leave_the_callers_object_alone_and_pickles_keep_the_state(schools):
    method = UncertaintyWeighting()
    before = dict(vars(method))
    model = quick_model(task_weighting=method, n_members=2, warm_start=True).fit(*schools)
    assert vars(method) == before
    loaded = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(loaded.task_weights_, model.task_weights_)
    # a fit that goes on, goes on with what was learned
    assert_array_equal(
        loaded.fit(*schools).predict(schools[0]), model.fit(*schools).predict(schools[0])
    )
    assert model.task_weights_.xs(1, level="epoch").ne(0.5).all(axis=None)
    model.set_params(task_weighting="imtl-l").fit(*schools)
    assert_allclose(model.task_weights_.xs(1, level="epoch"), 1.0, atol=0.2)


def test_the_same_random_state_is_bitwise_identical(schools):
    for name in ("pcgrad", "random"):
        one, other = (quick_model(task_weighting=name).fit(*schools) for _ in range(2))
        assert_array_equal(one.predict(schools[0]), other.predict(schools[0]))


def test_new_tasks_are_adapted_to_without_weights(schools):
    X, y = schools
    new = X["school"] == "school 00"
    model = quick_model(metadata=None, task_weighting="pcgrad").fit(X[~new], y[~new])
    columns = list(model.task_weights_.columns)
    model.adapt(X[new], y[new])
    assert list(model.task_weights_.columns) == columns
    assert np.isfinite(model.predict(X)).all()


def test_classes_and_mixed_columns(schools):
    X, y = schools
    labels = y.gt(y.median()).map({True: "high", False: "low"})
    model = quick_classifier(task_weighting=("uncertainty", "mgda")).fit(X, labels)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    "method", ["uncertainty", "pcgrad", FixedWeights({"school 02": 3.0}), ("dwa", "gradvac")]
)
def test_a_batched_search_gives_the_scores_of_single_fits(method, schools):
    X, y = schools
    model = quick_model(task_weighting=method)
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    folds = KFold(2, shuffle=True, random_state=0)
    ours = BatchedGridSearchCV(model, grid, cv=folds).fit(X, y)
    theirs = GridSearchCV(model, grid, cv=folds).fit(X, y)
    for key in ("split0_test_score", "split1_test_score"):
        assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=1e-4, atol=1e-5)
    assert_allclose(
        ours.best_estimator_.task_weights_, theirs.best_estimator_.task_weights_, rtol=1e-3
    )


def test_methods_are_searched_as_other_parameters(schools):
    grid = {"task_weighting": ["equal", "pcgrad", PCGrad(), DynamicWeightAverage()]}
    search = BatchedGridSearchCV(quick_model(), grid, cv=2).fit(*schools)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2] != scores[0]


def test_a_method_of_torchjd(schools):
    aggregation = pytest.importorskip("torchjd.aggregation")
    model = quick_model(task_weighting=aggregation.MGDAWeighting(), n_members=2).fit(*schools)
    # on the simplex of the tasks of each batch
    assert model.task_weights_.sum(axis=1).between(0.8, 1.5).all()
    assert np.isfinite(pickle.loads(pickle.dumps(model)).predict(schools[0])).all()


# affinity


def test_affinity_is_a_table_of_tasks(schools):
    X, y = schools
    model = quick_model(record_affinity=True, n_members=2).fit(X, y)
    assert list(model.affinity_.index) == list(model.affinity_.columns) == list(model.tasks_)
    assert np.isfinite(model.affinity_.to_numpy()).all()
    # a step helps the task that makes it; single rows of little loss make outliers of means
    history = model.affinity_history_
    assert (np.diag(history.groupby(level="task").median()) > 0).all()
    assert history.index.names == ["member", "epoch", "task"]
    assert len(history) == 2 * model.n_iter_ * 5
    plain = quick_model(n_members=2).fit(X, y)
    assert_array_equal(plain.predict(X), model.predict(X))
    loaded = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(loaded.affinity_, model.affinity_)
    with pytest.raises(AttributeError, match="record_affinity=True"):
        _ = plain.affinity_


def test_affinity_now_and_then(wide):
    X, Y = wide
    model = trunk(record_affinity=7, task_weighting="pcgrad").fit(X, Y)
    assert model.affinity_.shape == (Y.shape[1], Y.shape[1])
    assert len(model.affinity_history_) <= 3 * model.n_iter_


def test_affinity_of_a_search_is_that_of_single_fits(schools):
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    model = quick_model(record_affinity=True)
    search = BatchedGridSearchCV(model, grid, cv=2).fit(*schools)
    single = clone(model).set_params(**search.best_params_).fit(*schools)
    assert_allclose(search.best_estimator_.affinity_, single.affinity_, rtol=1e-3, atol=1e-6)


def test_affinity_needs_shared_parameters(schools):
    X, y = schools
    model = build("IndependentNetworks", task_id="school", record_affinity=True, **QUICK)
    with pytest.raises(ValueError, match="here tasks share none"):
        model.fit(X, y)
    new = X["school"] == "school 00"
    model = quick_model(metadata=None, record_affinity=True).fit(X[~new], y[~new])
    assert len(model.adapt(X[new], y[new]).affinity_) == 4


def test_settings_of_affinity(schools):
    X, y = schools
    bare = quick_model(record_affinity=Affinity()).fit(X, y)
    pd.testing.assert_frame_equal(
        bare.affinity_, quick_model(record_affinity=True).fit(X, y).affinity_
    )
    rate = bare.learning_rate_init
    divided = quick_model(record_affinity=Affinity(per_learning_rate=True)).fit(X, y)
    assert_allclose(divided.affinity_ * rate, bare.affinity_, rtol=1e-6)
    tables = {
        order: quick_model(record_affinity=Affinity(approximate=order, heads_first=False))
        .fit(X, y)
        .affinity_.to_numpy()
        for order in (None, 1, 2)
    }
    errors = [np.abs(tables[None] - tables[order]).mean() for order in (1, 2)]
    assert 0 < errors[1] < errors[0]
    model = quick_model(record_affinity=Affinity(every=3))
    assert clone(model).set_params(record_affinity__every=4).record_affinity.every == 4
    for wrong, message in (
        (Affinity(every=0.5), "every must be an int of at least 1"),
        (Affinity(approximate=3), "approximate must be None, 1 or 2"),
    ):
        with pytest.raises(ValueError, match=message):
            quick_model(record_affinity=wrong).fit(X, y)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_affinity_of_every_order(name, schools):
    if "Independent" in name:
        pytest.skip("its tasks share nothing")
    for order in (None, 1, 2):
        model = build(
            name, task_id="school", record_affinity=Affinity(every=5, approximate=order), **QUICK
        ).fit(*schools)
        assert np.isfinite(model.affinity_.to_numpy()).all()


@pytest.mark.parametrize("order", [None, 1, 2])
def test_affinity_of_allocations_that_are_drawn(order):
    data = make_related_tasks(4, 1.0, 6, n_groups=2, n_rows=30, random_state=0)
    settings = {"task_id": "task", "max_iter": 5, "budget": 0.5, "random_state": 0}
    plain = GumbelMatrixRegressor(**settings).fit(data.data, data.target)
    options = Affinity(approximate=order)
    model = GumbelMatrixRegressor(record_affinity=options, **settings).fit(data.data, data.target)
    assert_array_equal(plain.predict(data.data), model.predict(data.data))
    assert np.isfinite(model.affinity_.to_numpy()).all()


def test_affinity_of_losses_that_can_be_negative_is_an_error(schools):
    X, y = schools
    with pytest.raises(ValueError, match="loss='poisson' can be negative"):
        quick_model(record_affinity=True, loss="poisson").fit(X, y.abs())


def test_normalized_affinity_is_the_papers():
    table = pd.DataFrame(
        [[0.4, 0.1, 0.3], [0.2, 0.2, 0.1], [-0.4, 0.0, -0.1]], list("abc"), list("abc")
    )
    score = normalized_affinity(table)
    assert list(score.index) == list(score.columns) == list("abc")
    for b in "abc":
        for a in "ab":
            assert score.loc[b, a] == pytest.approx(1 - table.loc[b, a] / table.loc[a, a])
    # its own step does it harm
    assert score["c"].isna().all()
    assert_array_equal(normalized_affinity(table.to_numpy()), score)
    with pytest.raises(ValueError, match="square table"):
        normalized_affinity([[1.0, 2.0]])


# IT-MTL


def test_choices_are_tables(schools):
    X, y = schools
    method = ("uncertainty", ITMTL(["equal", "tasks", CAGrad(c=0.1), ("dwa", "pcgrad")]))
    model = quick_model(task_weighting=method, n_members=2).fit(X, y)
    values, choices = model.candidate_transferences_, model.candidate_choices_
    tasks = [f"task {task}" for task in model.tasks_]
    assert list(values.columns) == ["equal", *tasks, "CAGrad(c=0.1)", "dwa + pcgrad"]
    assert values.index.names == choices.index.names == ["member", "epoch", "step"]
    n_steps = choices.index.get_level_values("step").max()
    assert len(values) == 2 * model.n_iter_ * n_steps
    best = values.idxmax(axis=1)
    assert (choices["candidate"].astype(str) == best).all()
    assert_array_equal(choices["transference"], values.max(axis=1))
    assert np.isfinite(choices["transference"]).all()
    # single tasks: weights of the others are 0
    assert (model.task_weights_ != 1).to_numpy().any()
    loaded = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(loaded.candidate_choices_, choices)
    with pytest.raises(AttributeError, match=r"task_weighting=ITMTL\(...\)"):
        _ = quick_model().fit(X, y).candidate_choices_


def test_a_search_keeps_the_choices_of_the_best(schools):
    X, y = schools
    # folds without a school
    folds = list(GroupKFold(3).split(X, y, X["school"]))
    model = quick_model(task_weighting=ITMTL(), unseen_tasks="average")
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    search = BatchedGridSearchCV(model, grid, cv=folds).fit(X, y)
    theirs = GridSearchCV(model, grid, cv=folds).fit(X, y)
    key = "mean_test_score"
    assert_allclose(search.cv_results_[key], theirs.cv_results_[key], rtol=1e-3, atol=1e-4)
    single = clone(model).set_params(**search.best_params_).fit(X, y)
    choices = search.best_estimator_.candidate_choices_
    pd.testing.assert_index_equal(choices.index, single.candidate_choices_.index)
    same = choices["candidate"] == single.candidate_choices_["candidate"]
    assert same.mean() > 0.95


def test_candidates_by_name_of_the_task(schools):
    X, y = schools
    names = sorted(X["school"].unique())
    pair = FixedWeights({name: float(name in names[:2]) for name in names})
    model = quick_model(task_weighting=ITMTL([pair])).fit(X, y)
    assert list(model.candidate_transferences_.columns) == [repr(pair)]
    assert_array_equal(model.task_weights_.mean(), [1, 1, 0, 0, 0])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_chooses(name, schools):
    X, y = schools
    if "Independent" in name:
        pytest.skip("its tasks share nothing")
    for order in (None, 1, 2):
        model = build_classifier(
            name, task_id="school", task_weighting=ITMTL(approximate=order), **QUICK
        ).fit(X, y.gt(y.median()))
        values = model.candidate_transferences_
        assert np.isfinite(values["equal"]).all()
        assert values.nunique(axis=1).max() > 1


@pytest.mark.parametrize("order", [None, 1, 2])
def test_choices_among_allocations_that_are_drawn(order):
    data = make_related_tasks(4, 1.0, 6, n_groups=2, n_rows=30, random_state=0)
    settings = {"task_id": "task", "max_iter": 5, "budget": 0.5, "random_state": 0}
    method = ITMTL(["equal", "pcgrad"], approximate=order)
    model = GumbelMatrixRegressor(task_weighting=method, n_members=2, **settings)
    model.fit(data.data, data.target)
    assert set(model.candidate_choices_["candidate"]) == {"equal", "pcgrad"}
    assert np.isfinite(model.predict(data.data)).all()
