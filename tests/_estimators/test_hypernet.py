"""`MultiTaskHypernetRegressor` learns what was planted, and its own methods keep their promises.

Planted problems are small, so that what counts is averaged over several of them.
"""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import mean_squared_error, r2_score
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, EpochTimer

from skmtl import MultiTaskHypernetRegressor
from skmtl._estimators.adapt import _noise
from skmtl.datasets import make_cubic
from tests._tables import (
    FEATURES,
    FULL_BATCH,
    LEARNS,
    METADATA,
    double_precision,
    make_schools,
    metadata_table,
    quick_model,
)


@pytest.fixture(scope="module")
def schools():
    return make_schools()


# what is learned


OPTIONS = [
    {},
    {"target_bias": "plain"},
    {"init": "hyperfan"},
    {"init": "hyperfan", "hypernet_layers": 1, "target_bias": "plain"},
    {"compression": False},
    {"compression": False, "init": "hyperfan"},
    {"compression": False, "target_bias": "plain"},
    {"hypernet_layers": 1},
    {"hypernet_layers": 2, "hypernet_width": 16},
    {"linear_skip": False},
    {"embedding_dim": 0},
    {"embedding_dim": 0, "hypernet_layers": 1},
    {"embedding_alpha": 0.0},
    {"interaction_alpha": 0.0},
    {"embedding_init": "apart"},
    {"metadata": None},
    {"activation": "tanh"},
    {"activation": "logistic"},
    {"activation": "identity"},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (), "compression": False, "linear_skip": False},
    {"hidden_layer_sizes": 8},
    {"hidden_layer_sizes": [8, 4]},
    {"hidden_layer_sizes": np.array([8, 8, 8])},
    {"batch_size": 1_000, "max_iter": 60},
    {"batch_size": 8},
    {"weight_averaging": 0.0},
    {"early_stopping": False},
    {"n_members": 3},
    {"device": "cpu"},
]


@pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda options: ", ".join(f"{k}={v}" for k, v in options.items()) or "-"
)
def test_every_option_learns(schools, options):
    X, y = schools
    held = X.index % 4 == 0
    table = X if options.get("metadata", METADATA) else X.drop(columns=METADATA)
    model = quick_model(**{**LEARNS, **options}).fit(table[~held], y[~held])
    # a constant would have 0, the level of each school alone 0.8
    assert r2_score(y[held], model.predict(table[held])) > 0.95


def test_a_number_of_units_means_one_layer(schools):
    X, y = schools
    expected = quick_model(hidden_layer_sizes=(8,)).fit(X, y).predict(X)
    for sizes in (8, [8], np.array([8]), np.int64(8)):
        assert_array_equal(quick_model(hidden_layer_sizes=sizes).fit(X, y).predict(X), expected)


def test_embeddings_start_apart_in_wide_form_only(schools):
    X, y = schools
    Y = pd.DataFrame({"a": y, "b": -y})
    frozen = {"learning_rate_init": 1e-12, "max_iter": 1}
    long, wide = (
        quick_model(metadata=None, **frozen),
        quick_model(task_id=None, metadata=None, **frozen),
    )

    def spread(model, X, y, **settings):
        return model.set_params(**settings).fit(X, y).task_embeddings_.to_numpy().std(axis=0).min()

    numbers = X[FEATURES]
    assert spread(long, X, y) < 1e-9 < 0.01 < spread(wide, numbers, Y)
    assert spread(long, X, y, embedding_init="apart") > 0.01
    assert spread(wide, numbers, Y, embedding_init="common") < 1e-9


def test_a_strong_penalty_makes_all_embeddings_equal(schools):
    X, y = schools
    X = X.drop(columns=METADATA)

    def spread(strength):
        model = quick_model(metadata=None, embedding_alpha=strength, **LEARNS).fit(X, y)
        return model.task_embeddings_.to_numpy().std(axis=0).max()

    weak = spread(0.1)
    assert spread(1e6) < 0.05 * weak
    assert weak < spread(0.0)


def test_the_penalty_is_divided_by_the_rows_of_the_table():
    X, y = make_schools(n_rows=10)
    X = X[[*FEATURES, "school"]]
    rows = np.tile(np.arange(len(X)), 20)
    copies = X.iloc[rows].reset_index(drop=True)
    jitter = 1e-9 * np.random.default_rng(0).normal(size=len(rows))

    def spread(table, y, **kwargs):
        model = quick_model(metadata=None, embedding_alpha=20.0, **{**FULL_BATCH, "max_iter": 60})
        return model.fit(table, y, **kwargs).task_embeddings_.to_numpy().std(axis=0)

    with double_precision():
        once = spread(X, y)
        weighted = spread(X, y, sample_weight=np.full(len(X), 20))
        repeated = spread(copies, y.iloc[rows])
        apart = spread(copies.assign(status=copies["status"] + jitter), y.iloc[rows])
    # twenty times the rows, so that the penalty matters little
    assert (weighted > 2 * once).all()
    assert_array_equal(weighted, repeated)
    assert_allclose(repeated, apart, rtol=1e-5)


# the paper's network, small and fast
CUBIC = {
    "hidden_layer_sizes": (16,),
    "linear_skip": False,
    "learning_rate_init": 3e-2,
    "n_iter_no_change": 5,
}


@pytest.fixture(scope="module")
def cubics():
    """Polynomials, and which rows belong to the ten that are not trained on."""
    cubic = make_cubic(n_tasks=60, n_rows=12, random_state=0)
    return cubic, cubic.data["task"] >= 50


@pytest.fixture(scope="module")
def fitted_cubics(cubics):
    cubic, new = cubics
    model = MultiTaskHypernetRegressor("task", cubic.metadata, random_state=0, **CUBIC)
    return model.fit(cubic.data[~new], cubic.target[~new])


def error_on_new_tasks(model, cubics):
    cubic, new = cubics
    return mean_squared_error(cubic.target[new], model.predict(cubic.data[new]))


def test_unseen_tasks_are_predicted_from_their_metadata(cubics, fitted_cubics):
    cubic, new = cubics
    error = error_on_new_tasks(fitted_cubics, cubics)
    assert error < 0.03  # of which 0.01 is noise
    X = cubic.data.drop(columns=cubic.metadata)
    average = MultiTaskHypernetRegressor("task", unseen_tasks="average", random_state=0, **CUBIC)
    average.fit(X[~new], cubic.target[~new])
    assert error < 0.1 * mean_squared_error(cubic.target[new], average.predict(X[new]))
    assert error < 0.1 * cubic.target[new].var()


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate_init": 2e-2, "n_iter_no_change": 5, "alpha": 1e-4, "activation": "silu"},
        pytest.param({}, marks=pytest.mark.slow),
    ],
)
def test_defaults_predict_tasks_never_seen(cubics, changes):
    cubic, new = cubics
    model = MultiTaskHypernetRegressor("task", cubic.metadata, random_state=0, **changes)
    model.fit(cubic.data[~new], cubic.target[~new])
    assert error_on_new_tasks(model, cubics) < 0.15 * cubic.target[new].var()


def test_metadata_of_other_tasks_do_not_help(cubics, fitted_cubics):
    cubic, new = cubics
    # in training every task gets the metadata of the next one
    by_task = cubic.data.groupby("task")[cubic.metadata].first()
    wrong = cubic.data.copy()
    wrong[cubic.metadata] = by_task.to_numpy()[(wrong["task"] + 1) % 50]
    model = MultiTaskHypernetRegressor("task", cubic.metadata, random_state=0, **CUBIC)
    model.fit(wrong[~new], cubic.target[~new])
    assert error_on_new_tasks(model, cubics) > 5 * error_on_new_tasks(fitted_cubics, cubics)


def test_what_if_questions(cubics, fitted_cubics):
    cubic, _ = cubics
    rows = cubic.data.head(1).assign(task="invented", a=0.0, b=0.0, c=0.0, d=0.0)
    queries = pd.concat([rows.assign(d=value) for value in (-0.8, 0.0, 0.8)])
    assert_allclose(fitted_cubics.predict(queries), [-0.8, 0.0, 0.8], atol=0.25)


# adapt


def planted_lines(random_state, n_tasks=30, n_rows=20):
    """Lines with an intercept and a slope per task, both of variance 1, and noise."""
    generator = np.random.default_rng(random_state)
    task = np.repeat(np.arange(n_tasks), n_rows)
    lines = generator.normal(size=(n_tasks, 2))
    X = pd.DataFrame(
        {"x": generator.normal(size=len(task)), "task": [f"task {number:02d}" for number in task]}
    )
    y = lines[task, 0] + lines[task, 1] * X["x"] + 0.3 * generator.normal(size=len(task))
    position = np.arange(len(task)) % n_rows
    new = task >= n_tasks - 8
    return X, y, ~new, new & (position < 5), new & (position >= 5)


def mixed_model(X, y, rows):
    """Predictions of new tasks by the mixed model that knows the true variances."""
    design = np.column_stack([np.ones(len(X)), X["x"]])
    predictions = pd.Series(np.nan, index=X.index)
    for task in X["task"][rows].unique():
        here = (X["task"] == task).to_numpy()
        few = here & rows
        gram = design[few].T @ design[few] + 0.3**2 * np.eye(2)
        predictions[here] = design[here] @ np.linalg.solve(gram, design[few].T @ y[few])
    return predictions


@pytest.fixture(scope="module")
def adapted_errors():
    """Errors on new tasks: with the mean embedding, after `adapt`, of the mixed model."""
    errors = []
    for seed in (0, 1, 2):
        X, y, old, few, rest = planted_lines(seed)
        model = MultiTaskHypernetRegressor(
            "task",
            embedding_dim=3,
            hidden_layer_sizes=(8,),
            learning_rate_init=3e-2,
            batch_size=128,
            max_iter=80,
            unseen_tasks="average",
            random_state=seed,
        ).fit(X[old], y[old])
        before = mean_squared_error(y[rest], model.predict(X[rest]))
        after = mean_squared_error(y[rest], model.adapt(X[few], y[few]).predict(X[rest]))
        best = mean_squared_error(y[rest], mixed_model(X, y, few)[rest])
        errors.append({"before": before, "after": after, "best": best})
    return pd.DataFrame(errors)


def test_adapt_beats_the_mean_embedding(adapted_errors):
    assert adapted_errors["after"].mean() < 0.5 * adapted_errors["before"].mean()


def test_adapt_is_about_as_good_as_a_mixed_model(adapted_errors):
    assert (adapted_errors["after"] < 0.3 * adapted_errors["before"]).all()
    assert adapted_errors["after"].mean() < 1.5 * adapted_errors["best"].mean()


def of_form(X, form):
    """Return the table without metadata, with metadata columns, or with a table of metadata."""
    if form == "columns":
        return X, METADATA
    return X.drop(columns=METADATA), None if form == "none" else metadata_table(X)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("form", ["none", "columns", "table"])
def test_adapt_adds_tasks_and_leaves_the_others_alone(schools, form, n_members):
    X, y = schools
    X, metadata = of_form(X, form)
    old, later = X["school"] < "school 08", X["school"] >= "school 10"
    new = ~old & ~later
    model = quick_model(metadata=metadata, n_members=n_members, unseen_tasks="average")
    model.fit(X[old], y[old])
    before, embeddings = model.predict(X[old]), model.task_embeddings_
    history = model.history_
    unseen = model.predict(X[later])

    assert model.adapt(X[new], y[new]) is model
    assert_array_equal(model.predict(X[old]), before)
    assert_array_equal(model.predict(X[later]), unseen)
    assert model.tasks_.tolist() == [f"school {number:02d}" for number in range(10)]
    assert model.task_embeddings_.index.equals(model.tasks_)
    pd.testing.assert_frame_equal(model.task_embeddings_.iloc[:8], embeddings, check_exact=True)
    assert (model.task_embeddings_.iloc[8:].nunique() == 2).all()
    pd.testing.assert_frame_equal(model.history_, history)

    # and once more
    known, between = X[old | new], model.predict(X[old | new])
    model.adapt(X[later], y[later])
    assert_array_equal(model.predict(known), between)
    assert_array_equal(model.predict(X[old]), before)
    assert len(model.tasks_) == len(model.task_embeddings_) == 12
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("form", ["none", "columns", "table"])
def test_adapt_fits_the_new_rows_better(schools, form):
    X, y = schools
    # the level of a new school is not what its metadata suggest
    y = y.where(X["school"] < "school 09", y + 5)
    X, metadata = of_form(X, form)
    old = X["school"] < "school 09"
    few = ~old & (X.groupby("school").cumcount() < 8)
    rest = ~old & ~few
    model = quick_model(metadata=metadata, unseen_tasks="average", **LEARNS).fit(X[old], y[old])
    before = mean_squared_error(y[rest], model.predict(X[rest]))
    after = mean_squared_error(y[rest], model.adapt(X[few], y[few]).predict(X[rest]))
    assert after < 0.6 * before


def test_adapt_with_several_outputs(schools):
    X, y = schools
    old = X["school"] < "school 09"
    both = np.column_stack([y, -y])
    model = quick_model().fit(X[old], both[old]).adapt(X[~old], both[~old])
    assert model.predict(X).shape == (240, 2)


def test_adapt_with_two_id_columns(schools):
    X, y = schools
    number = X["school"].str[-2:].astype(int)
    X = X.drop(columns="school").assign(district=np.where(number < 6, "a", "b"), number=number % 6)
    old = (X["district"] == "a") | (X["number"] < 4)
    model = quick_model(task_id=["district", "number"]).fit(X[old], y[old])
    before = model.predict(X[old])
    model.adapt(X[~old], y[~old])
    assert_array_equal(model.predict(X[old]), before)
    assert len(model.tasks_) == 12
    assert list(model.tasks_[-2:]) == [("b", 4), ("b", 5)]


def test_adapt_twice_is_bitwise_identical(schools):
    X, y = schools
    old = X["school"] < "school 09"
    model = quick_model(n_members=2).fit(X[old], y[old])
    other = copy.deepcopy(model)
    order = np.random.default_rng(0).permutation((~old).sum())
    new, targets = X[~old], y[~old]
    model.adapt(new, targets)
    other.adapt(new.iloc[order], targets.iloc[order])
    assert_array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize(("batch_size", "tolerance"), [(10**6, 1e-5), ("auto", 0.15)])
def test_adapt_to_rows_that_are_equal(batch_size, tolerance):
    X, y = make_schools(noise=3)
    X = X[[*FEATURES, "school"]]
    old = X["school"] < "school 09"
    # four rows, a hundred times each, far from what the mean embedding predicts
    new = pd.DataFrame({"status": np.tile([0.0, 1.0], 200), "age": 13.0, "school": "new"})
    targets = np.repeat([8.0, 9.0], 200)
    jitter = 1e-9 * np.random.default_rng(0).normal(size=400)
    one_each = [0, 1, 200, 201]
    with double_precision():
        model = quick_model(metadata=None, max_iter=100, learning_rate_init=1e-2)
        model.fit(X[old], y[old]).set_params(batch_size=batch_size)

        def adapted(rows, targets):
            return copy.deepcopy(model).adapt(rows, targets).predict(new.head(2))

        actual = adapted(new, targets)
        apart = adapted(new.assign(status=new["status"] + jitter), targets)
        few = adapted(new.iloc[one_each], targets[one_each])
    assert_allclose(actual, apart, atol=tolerance)
    # the fewer rows there are, the stronger the penalty
    assert actual[0] - few[0] > 0.6


@pytest.mark.parametrize("which", ["best validation loss", "last training loss"])
def test_the_penalty_of_adapt_is_that_of_the_remaining_loss(schools, which):
    X, y = schools
    model = quick_model(n_members=2).fit(X, y)
    best = which == "best validation loss"
    model.history_ = pd.DataFrame(
        {
            "member": [0, 0, 0, 1, 1],
            "epoch": [1, 2, 3, 1, 2],
            "train_loss": [9.0, 8.0, 7.0, 6.0, 5.0],
            "valid_loss": [4.0, 1.0, 3.0, 0.5, 2.0] if best else [np.nan] * 5,
        }
    )
    assert _noise(model).tolist() == ([1.0, 0.5] if best else [7.0, 5.0])
    # other losses have another likelihood
    target = model._targets.parts[0]
    target.loss = "absolute_error"
    assert _noise(model).tolist() == ([0.5, 0.25] if best else [3.5, 2.5])
    target.loss, target.size = "poisson", np.array([4.0])
    assert _noise(model).tolist() == [0.125, 0.125]


class Forbidden(Callback):
    """Must not be called once it is forbidden."""

    allowed = True

    def on_train_begin(self, net, **kwargs):
        assert type(self).allowed

    on_epoch_begin = on_batch_begin = on_grad_computed = on_epoch_end = on_train_begin


def test_adapt_calls_no_callbacks(schools, tmp_path, monkeypatch):
    X, y = schools
    old = X["school"] < "school 09"
    # there are no validation rows, so that those that watch their loss would break
    callbacks = [
        EarlyStopping(patience=50, sink=lambda _: None),
        Checkpoint(load_best=True, dirname=tmp_path, sink=lambda _: None),
        EpochTimer(),
        Forbidden(),
    ]
    model = quick_model(callbacks=callbacks).fit(X[old], y[old])
    plain = quick_model().fit(X[old], y[old]).adapt(X[~old], y[~old])
    history, used = model.history_, model.callbacks_
    saved = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Forbidden, "allowed", False)
    model.adapt(X[~old], y[~old])
    assert_array_equal(model.predict(X), plain.predict(X))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == saved != {}
    assert model.history_ is history
    assert model.callbacks_ is used
    # what fit would refuse does not matter either
    model.set_params(callbacks=[EarlyStopping], n_members=2)
    few = X[~old].assign(school="few").drop_duplicates("school")
    assert len(model.adapt(few, y[few.index]).tasks_) == 13


def test_weights_in_adapt(schools):
    X, y = schools
    old = X["school"] < "school 09"
    model = quick_model().fit(X[old], y[old])
    new, targets = X[~old], y[~old]
    weights = np.random.default_rng(0).integers(0, 3, len(new))
    rows = np.repeat(np.arange(len(new)), weights)
    weighted = copy.deepcopy(model).adapt(new, targets, sample_weight=weights)
    repeated = copy.deepcopy(model).adapt(new.iloc[rows], targets.iloc[rows])
    assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_adapt_to_a_task_with_one_row(schools):
    X, y = schools
    old = X["school"] < "school 11"
    one = X[~old].head(1)
    model = quick_model().fit(X[old], y[old])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.adapt(one, y[one.index])
    assert model.tasks_[-1] == "school 11"
    assert np.isfinite(model.predict(X)).all()


def test_adapt_does_not_change_a_copy(schools):
    X, y = schools
    old = X["school"] < "school 09"
    model = quick_model(metadata=None).fit(X[old], y[old])
    copied = copy.deepcopy(model)
    model.adapt(X[~old], y[~old])
    assert len(copied.tasks_) == 9
    with pytest.raises(ValueError, match="not seen in fit"):
        copied.predict(X)


def test_a_fit_after_adapt_starts_afresh(schools):
    X, y = schools
    old = X["school"] < "school 09"
    model = quick_model().fit(X[old], y[old]).adapt(X[~old], y[~old])
    assert_array_equal(model.fit(X, y).predict(X), quick_model().fit(X, y).predict(X))


# metadata_importance


@pytest.fixture(scope="module")
def many_schools():
    """Return schools with one irrelevant column of metadata; the last ten are not trained on."""
    X, y = make_schools(n_schools=40, n_rows=12)
    luck = np.random.default_rng(5).normal(size=40)
    X = X.assign(luck=luck[X["school"].str[-2:].astype(int)])
    return X, y, X["school"] >= "school 30"


MANY_METADATA = ["luck", "size", "sector"]


@pytest.fixture(scope="module", params=["columns", "table"])
def model_of_many(request, many_schools):
    """A fitted model, the rows it takes, their targets, and which of them are new."""
    X, y, new = many_schools
    metadata = MANY_METADATA
    if request.param == "table":
        metadata = X[["school", *MANY_METADATA]].drop_duplicates().set_index("school").sort_index()
        X = X.drop(columns=MANY_METADATA)
    model = quick_model(metadata=metadata, embedding_dim=2, **LEARNS)
    return model.fit(X[~new], y[~new]), X, y, new


@pytest.mark.parametrize("which", ["new", "known"])
def test_importance_of_metadata_that_help_and_that_do_not(model_of_many, which):
    model, X, y, new = model_of_many
    rows = new if which == "new" else ~new
    actual = model.metadata_importance(X[rows], y[rows], n_repeats=5, random_state=0)
    assert sorted(actual.index) == sorted(MANY_METADATA)
    assert list(actual.columns) == ["importance_mean", "importance_std"]
    assert actual["importance_mean"].is_monotonic_decreasing
    assert actual.index[0] == "size"
    assert actual.index[-1] == "luck"
    importance = actual["importance_mean"]
    assert importance["size"] > 0.3
    assert importance["sector"] > 0.03
    assert abs(importance["luck"]) < 0.05
    assert (actual["importance_std"] >= 0).all()


def test_importance_leaves_model_and_table_alone(model_of_many):
    model, X, y, _ = model_of_many
    before, predictions = X.copy(), model.predict(X)
    table = model.metadata.copy() if isinstance(model.metadata, pd.DataFrame) else None
    parameters = {k: v.clone() for k, v in model.module_.state_dict().items() if v is not None}
    model.metadata_importance(X, y, n_repeats=1, random_state=0)
    pd.testing.assert_frame_equal(X, before)
    assert_array_equal(model.predict(X), predictions)
    if table is not None:
        pd.testing.assert_frame_equal(model.metadata, table)
    for name, value in parameters.items():
        assert_array_equal(model.module_.state_dict()[name], value)


def test_importance_with_a_seed_is_the_same_twice(model_of_many):
    model, X, y, _ = model_of_many
    first, second, other = (
        model.metadata_importance(X, y, n_repeats=2, random_state=seed) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not other.equals(first)


def test_importance_by_another_score_and_with_weights(model_of_many):
    model, X, y, _ = model_of_many
    settings = {"n_repeats": 2, "random_state": 0}
    by_error = model.metadata_importance(X, y, scoring="neg_mean_squared_error", **settings)
    by_default = model.metadata_importance(X, y, **settings)
    assert_allclose(
        by_error["importance_mean"],
        by_default["importance_mean"].loc[by_error.index] * y.var(ddof=0),
        rtol=1e-6,
    )
    even = model.metadata_importance(X, y, sample_weight=np.ones(len(y)), **settings)
    pd.testing.assert_frame_equal(even, by_default)
    weights = np.where(y > y.median(), 5.0, 1.0)
    weighted = model.metadata_importance(X, y, sample_weight=weights, **settings)
    assert not np.allclose(weighted["importance_mean"], by_default["importance_mean"])


def test_importance_for_arrays(schools):
    X, y = schools
    model = quick_model(task_id=2, metadata=[3, -1]).fit(X.to_numpy(), y)
    actual = model.metadata_importance(X.to_numpy(), y, random_state=0)
    named = quick_model().fit(X, y).metadata_importance(X, y, random_state=0)
    assert sorted(actual.index) == [3, 4]
    assert_allclose(actual.to_numpy(), named.to_numpy())


def test_importance_when_columns_are_in_another_order(schools):
    X, y = schools
    model = quick_model().fit(X, y)
    pd.testing.assert_frame_equal(
        model.metadata_importance(X[X.columns[::-1]], y, random_state=0),
        model.metadata_importance(X, y, random_state=0),
    )


def test_importance_with_several_outputs_and_members(schools):
    X, y = schools
    both = np.column_stack([y, -y])
    model = quick_model(n_members=2).fit(X, both)
    actual = model.metadata_importance(X, both, random_state=0)
    assert np.isfinite(actual.to_numpy()).all()


def test_importance_after_adapt(schools):
    X, y = schools
    old = X["school"] < "school 09"
    model = quick_model().fit(X[old], y[old]).adapt(X[~old], y[~old])
    actual = model.metadata_importance(X, y, random_state=0)
    assert sorted(actual.index) == sorted(METADATA)
    assert np.isfinite(actual.to_numpy()).all()
