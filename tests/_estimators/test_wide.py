"""Wide form: one row is an example of every task, and labels may be missing.

Long form, which has a row for each label and so nothing that could be missing, is the oracle.
"""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score

from skmtl._data.rows import TrainingRows
from skmtl.exceptions import UnlabelledRowsWarning
from tests._asserts import says
from tests._tables import (
    FULL_BATCH,
    LEARNS,
    assert_same_model,
    double_precision,
    exploded,
    make_wide,
    member_of,
    quick_classifier,
    quick_model,
)

# columns start alike, as tasks of long form do, so that the two can be compared
WIDE = {"task_id": None, "metadata": None, "embedding_init": "common", "batch_size": 32}


def wide_model(**changes):
    return quick_model(**{**WIDE, **changes})


def wide_classifier(**changes):
    return quick_classifier(**{**WIDE, **changes})


@pytest.fixture
def table():
    return make_wide()


@pytest.fixture
def in_double():
    with double_precision():
        yield


def above(Y, *thresholds):
    """Classes 0, 1, ... of numbers; missing ones stay missing."""
    return sum((threshold < Y).astype(float) for threshold in thresholds).where(Y.notna())


def standardised(Y):
    return (Y - Y.mean()) / Y.std(ddof=0)


# long form is the same


def with_quartiles(Y):
    """The labels of each column, bent at the median so that its quartiles are -1, 0 and 1."""
    low, middle, high = np.nanquantile(Y, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    return (Y - middle) / np.where(middle > Y, middle - low, high - middle)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("described", [False, True], ids=["", "metadata"])
@pytest.mark.parametrize("changes", [{}, {"n_members": 2, "embedding_alpha": 3.0, "alpha": 0.1}])
def test_numbers_learn_what_long_form_learns(table, described, changes):
    X, Y = table
    Y = standardised(Y)
    metadata = pd.DataFrame({"size": [1.0, -2.0, 4.0]}, index=Y.columns) if described else None
    settings = {"metadata": metadata, **FULL_BATCH, **changes}
    model = wide_model(**settings).fit(X, Y)
    long = quick_model(task_id="task", **settings).fit(*exploded(X, Y))
    assert long.tasks_.equals(model.tasks_)
    assert_allclose(model.history_["train_loss"], long.history_["train_loss"], rtol=1e-9)
    assert_allclose(model.task_embeddings_, long.task_embeddings_, rtol=1e-7, atol=1e-9)
    predictions = model.predict(X)
    for task in Y:
        assert_allclose(predictions[task], long.predict(X.assign(task=task)), atol=1e-9)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize(
    ("loss", "prepare"),
    [
        ("absolute_error", with_quartiles),
        ("huber", with_quartiles),
        ("pinball", with_quartiles),
        ("poisson", lambda Y: Y.abs() / Y.abs().mean()),
    ],
)
def test_every_loss_learns_what_long_form_learns(loss, prepare):
    # an odd number of labels, as many in each column, so that quartiles are labels
    X, Y = make_wide(n_rows=81, missing=0)
    Y = prepare(Y.mask(np.arange(81)[:, None] % 3 == np.arange(3)))
    settings = {"loss": loss, "quantile": 0.8, **FULL_BATCH}
    model = wide_model(**settings).fit(X, Y)
    long = quick_model(task_id="task", metadata=None, **settings)
    long.fit(*exploded(X, Y))
    assert_allclose(model.history_["train_loss"], long.history_["train_loss"], rtol=1e-9)
    predictions = model.predict(X)
    for task in Y:
        assert_allclose(predictions[task], long.predict(X.assign(task=task)), atol=1e-8)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("thresholds", [(1.0,), (0.0, 1.0, 2.0)], ids=["two", "four"])
def test_classes_learn_what_long_form_learns(table, thresholds):
    X, Y = table
    Y = above(Y, *thresholds)
    assert (Y.nunique() == len(thresholds) + 1).all()
    model = wide_classifier(**FULL_BATCH).fit(X, Y)
    long = quick_classifier(task_id="task", metadata=None, **FULL_BATCH).fit(*exploded(X, Y))
    assert_allclose(model.history_["train_loss"], long.history_["train_loss"], rtol=1e-9)
    actual = model.predict_proba(X)
    assert list(actual) == list(Y)
    for task in Y:
        expected = long.predict_proba(X.assign(task=task))
        if len(thresholds) == 1:
            expected = expected[:, 1]
        assert_allclose(actual[task], expected, atol=1e-9)


@pytest.mark.usefixtures("in_double")
def test_weights_of_labels_are_weights_of_rows_in_long_form(table):
    X, Y = table
    Y = above(Y, 1.0)
    weights = np.random.default_rng(0).uniform(0, 3, Y.shape)
    weights[weights < 0.5] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnlabelledRowsWarning)
        model = wide_classifier(**FULL_BATCH).fit(X, Y, sample_weight=weights)
    long = quick_classifier(task_id="task", metadata=None, **FULL_BATCH)
    long.fit(*exploded(X, Y), sample_weight=weights[Y.notna()])
    assert_allclose(model.history_["train_loss"], long.history_["train_loss"], rtol=1e-9)
    for task, actual in model.predict_proba(X).items():
        assert_allclose(actual, long.predict_proba(X.assign(task=task))[:, 1], atol=1e-9)


@pytest.mark.usefixtures("in_double")
def test_validation_rows_decide_what_they_decide_in_long_form(table):
    X, Y = table
    Y = above(Y, 1.0)
    changes = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 60, "tol": 1e-2}
    settings = {**FULL_BATCH, **changes}
    train, held = slice(0, 60), slice(60, None)
    model = wide_classifier(**settings).fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
    x, y = exploded(X[held], Y[held])
    long = quick_classifier(task_id="task", metadata=None, **settings)
    long.fit(*exploded(X[train], Y[train]), X_val=x, y_val=y)
    assert model.n_iter_ == long.n_iter_ < 60
    for name in ("train_loss", "valid_loss"):
        assert_allclose(model.history_[name], long.history_[name], rtol=1e-9)
    for task, actual in model.predict_proba(X).items():
        assert_allclose(actual, long.predict_proba(X.assign(task=task))[:, 1], atol=1e-9)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("sampling", ["rows", "tasks", "sqrt"])
def test_the_validation_loss_is_that_of_the_labels_there_are(table, sampling):
    X, Y = table
    train, held = slice(0, 50), slice(50, None)
    model = wide_model(task_sampling=sampling, **LEARNS)
    model.fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
    errors = ((model.predict(X[held]) - Y[held]) / Y[train].std(ddof=0)) ** 2
    counts = Y[train].notna().sum()
    shares = {"rows": errors.notna().sum(), "tasks": counts**0.0, "sqrt": counts**0.5}[sampling]
    expected = np.average(errors.mean(), weights=shares)
    assert model.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-9)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("sampling", ["rows", "tasks", "sqrt"])
def test_the_loss_of_an_epoch_is_that_of_the_labels_there_are(table, sampling):
    X, Y = table
    # nothing is learned, so that the loss is that of the predictions
    changes = {**FULL_BATCH, "max_iter": 1, "learning_rate_init": 1e-12}
    model = wide_model(task_sampling=sampling, **changes).fit(X, Y)
    errors = ((model.predict(X) - Y) / Y.std(ddof=0)) ** 2
    counts = Y.notna().sum()
    shares = {"rows": counts, "tasks": counts**0.0, "sqrt": counts**0.5}[sampling]
    expected = np.average(errors.mean(), weights=shares)
    assert model.history_["train_loss"].item() == pytest.approx(expected, rel=1e-8)


# what must not matter


@pytest.mark.parametrize("form", ["frame", "array"])
def test_rows_without_a_label_change_nothing_and_are_reported_once(table, form):
    X, Y = table
    model = wide_model(n_members=2).fit(X, Y)
    # far out, and even without features
    more = pd.concat([X.head(3) * 1e6, X.tail(2) * np.nan, X])
    labels = pd.concat([Y.head(5) * np.nan, Y])
    if form == "array":
        model = wide_model(n_members=2).fit(X.to_numpy(), Y.to_numpy())
        more, labels = more.to_numpy(), labels.to_numpy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = wide_model(n_members=2).fit(more, labels)
    said = [w for w in caught if issubclass(w.category, UnlabelledRowsWarning)]
    assert len(said) == 1
    assert re.match("5 of 85 rows", str(said[0].message))
    assert said[0].filename == __file__
    assert_same_model(again, model)
    assert_array_equal(again.predict(more[5:]), model.predict(more[5:]))


def test_rows_with_labels_of_some_task_are_not_reported(table):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wide_model().fit(*table)
    assert not [w for w in caught if issubclass(w.category, UnlabelledRowsWarning)]


@pytest.mark.parametrize("changes", [{}, {"task_sampling": "sqrt"}, {"n_members": 2}, LEARNS])
def test_the_order_of_the_rows_does_not_matter(table, changes):
    X, Y = table
    order = np.random.default_rng(1).permutation(len(X))
    model = wide_model(**changes).fit(X, Y)
    assert_same_model(wide_model(**changes).fit(X.iloc[order], Y.iloc[order]), model)


@pytest.mark.usefixtures("in_double")
def test_the_order_of_the_tasks_does_not_matter_where_all_rows_are_in_a_batch(table):
    # in small batches it does, a little: rows are drawn in an order that depends on what they hold
    X, Y = table
    Y = Y.assign(t1=above(Y["t1"], 1.0), t3=above(Y["t2"], 1.0, 2.0).map("class {:.0f}".format))
    Y["t3"] = Y["t3"].where(Y["t2"].notna(), None)
    model = wide_model(**FULL_BATCH).fit(X, Y)
    shuffled = wide_model(**FULL_BATCH).fit(X, Y[["t3", "t1", "t0", "t2"]])
    assert list(shuffled.predict(X)) == ["t3", "t1", "t0", "t2"]
    actual, expected = shuffled.predict(X), model.predict(X)
    assert_allclose(actual[["t0", "t2"]], expected[["t0", "t2"]], atol=1e-9)
    for task, probabilities in model.predict_proba(X).items():
        assert_allclose(shuffled.predict_proba(X)[task], probabilities, atol=1e-9)


def test_labels_of_one_task_scale_with_its_unit_alone(table):
    X, Y = table
    with double_precision():
        model = wide_model(**FULL_BATCH).fit(X, Y)
        other = wide_model(**FULL_BATCH).fit(X, Y.assign(t1=1e6 * Y["t1"] - 3e6))
    expected = model.predict(X).assign(t1=lambda frame: 1e6 * frame["t1"] - 3e6)
    assert_allclose(other.predict(X), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("changes", [{}, {"task_sampling": "tasks"}, LEARNS])
def test_a_weight_of_two_is_the_row_twice(table, changes):
    X, Y = table
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    model = wide_model(**changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnlabelledRowsWarning)
        weighted = wide_model(**changes).fit(X, Y, sample_weight=weights)
    repeated = model.fit(X.iloc[rows], Y.iloc[rows])
    assert_same_model(weighted, repeated)
    assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_one_weight_per_label_that_is_the_same_along_a_row_is_one_per_row(table):
    X, Y = table
    weights = np.random.default_rng(0).uniform(0.1, 3, len(X))
    by_row = wide_model().fit(X, Y, sample_weight=weights)
    for by_label in (np.tile(weights[:, None], 3), pd.DataFrame({t: weights for t in Y})):
        assert_same_model(wide_model().fit(X, Y, sample_weight=by_label), by_row)


def test_weights_in_a_frame_belong_to_the_columns_of_their_name(table):
    X, Y = table
    weights = pd.DataFrame(np.random.default_rng(0).uniform(0.1, 3, Y.shape), columns=Y.columns)
    model = wide_model().fit(X, Y, sample_weight=weights)
    assert_same_model(wide_model().fit(X, Y, sample_weight=weights[["t2", "t0", "t1"]]), model)
    with says(ValueError, "sample_weight", "'t1'"):
        wide_model().fit(X, Y, sample_weight=weights.rename(columns={"t1": "u"}))


def test_a_label_of_weight_zero_is_a_missing_label(table):
    X, Y = table
    weights = (np.random.default_rng(0).random(Y.shape) > 0.2).astype(float)
    # whatever the value
    odd = Y.mask((weights == 0) & Y.notna(), 1e9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnlabelledRowsWarning)
        weighted = wide_model().fit(X, odd, sample_weight=weights)
        missing = wide_model().fit(X, Y.where(weights > 0))
    assert_same_model(weighted, missing)


@pytest.mark.usefixtures("in_double")
def test_a_label_of_weight_two_is_the_label_twice(table):
    X, Y = table
    Y = above(Y, 1.0)
    weights = np.random.default_rng(0).integers(1, 3, Y.shape)
    settings = {"embedding_alpha": 0.0, **FULL_BATCH}
    weighted = wide_classifier(**settings).fit(X, Y, sample_weight=weights)
    again = Y.where(weights == 2).dropna(how="all")
    twice = wide_classifier(**settings).fit(
        pd.concat([X, X.loc[again.index]]), pd.concat([Y, again])
    )
    assert_allclose(weighted.history_["train_loss"], twice.history_["train_loss"], rtol=1e-9)
    for task, actual in weighted.predict_proba(X).items():
        assert_allclose(actual, twice.predict_proba(X)[task], atol=1e-9)


def test_the_same_fit_twice_is_bitwise_identical(table):
    first, second = (wide_model(n_members=2).fit(*table) for _ in range(2))
    assert_same_model(first, second)
    pd.testing.assert_frame_equal(first.history_, second.history_, check_exact=True)


@pytest.mark.parametrize("changes", [{}, {"task_sampling": "sqrt"}, {"batch_size": 16}])
@pytest.mark.parametrize("kind", ["numbers", "events", "classes", "mixed"])
def test_a_member_does_not_depend_on_how_many_there_are(table, kind, changes):
    X, Y = table
    Y = {
        "numbers": Y,
        "events": above(Y, 1.0),
        "classes": above(Y, 0.0, 1.0),
        "mixed": Y.assign(t1=above(Y["t1"], 1.0), t3=above(Y["t2"], 1.0, 2.0)),
    }[kind]
    model = wide_model if kind == "numbers" else wide_classifier
    alone = model(**changes).fit(X, Y)
    first = member_of(model(n_members=3, **changes).fit(X, Y), 0)
    for name, value in alone.module_.named_parameters():
        actual = dict(first.module_.named_parameters())[name]
        assert_array_equal(actual.detach(), value.detach(), err_msg=name)


def test_predictions_do_not_depend_on_other_rows(table):
    X, Y = table
    model = wide_model(n_members=2).fit(X, Y)
    alone = pd.concat([model.predict(X.iloc[[row]]) for row in range(5)])
    pd.testing.assert_frame_equal(model.predict(X).head(5), alone, rtol=1e-12)


def test_many_rows_are_predicted_in_chunks(table):
    X, Y = table
    model = wide_model().fit(X, Y)
    many = pd.concat([X] * 300)  # of three tasks: more than are evaluated at once
    assert_allclose(model.predict(many)[-80:], model.predict(X), rtol=1e-12)


# rows set aside


@given(
    n_rows=st.integers(1, 40),
    n_tasks=st.integers(1, 5),
    missing=st.floats(0, 0.95),
    most_copies=st.integers(1, 3),
    percent=st.integers(0, 99),
    keeps_rows=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=100)
def test_no_task_gives_more_than_its_share_of_labels(
    n_rows, n_tasks, missing, most_copies, percent, keeps_rows, seed
):
    generator = np.random.default_rng(seed)
    weights = generator.random((n_rows, n_tasks)) * (generator.random((n_rows, n_tasks)) > missing)
    weights[weights.sum(1) == 0, 0] = 1
    rows = np.arange(n_rows, dtype=float)
    targets = np.where(weights > 0, rows[:, None], np.nan)
    copies = generator.integers(1, most_copies + 1, n_rows)
    examples = TrainingRows(rows[:, None], None, targets, weights, copies)
    kept = generator.random(n_rows) < 0.3 if keeps_rows else None
    train, valid = examples.split(percent / 100, torch.Generator().manual_seed(seed), kept)
    given_away = (valid.weights > 0).T @ valid.copies
    share = percent * ((weights > 0).T @ copies) // 100
    assert (given_away <= share).all()
    numbers = [part.features[:, 0].astype(int) for part in (train, valid)]
    together = np.zeros(n_rows, dtype=int)
    for part, rows in zip((train, valid), numbers, strict=True):
        assert len(np.unique(rows)) == len(rows)
        together[rows] += part.copies
        # a row that is on both sides is there with its share of the weight
        assert_allclose(part.weights, weights[rows] * (part.copies / copies[rows])[:, None])
    assert_array_equal(together, copies)
    if kept is not None:
        assert set(np.flatnonzero(kept)) <= set(numbers[0])
    # no row that stays could have been given as well
    left = share - given_away
    for row, n_copies in zip(numbers[0], train.copies, strict=True):
        if kept is None or not kept[row] or n_copies > 1:
            assert (left[weights[row] > 0] <= 0).any()
    if not keeps_rows and (weights > 0).all():
        assert (given_away == share).all()


def test_one_row_of_every_class_of_every_task_is_trained_on():
    # the rare classes of t1 have one row each
    X, Y = make_wide(n_rows=60, missing=0.1)
    Y = above(Y, 0.0)
    Y["t1"] = (np.arange(60) % 6 == 0).astype(float) * np.arange(60) // 6
    for seed in range(3):
        model = wide_classifier(validation_fraction=0.9, random_state=seed).fit(X, Y)
        assert model.classes_per_task_["t1"].tolist() == list(range(10))
        assert np.isfinite(model.history_["valid_loss"]).all()


# tables in and out


def test_a_frame_comes_back_as_a_frame(table):
    X, Y = table
    model = wide_model().fit(X, Y)
    actual = model.predict(X)
    assert isinstance(actual, pd.DataFrame)
    assert actual.columns.equals(Y.columns)
    assert actual.index.equals(X.index)
    assert actual.notna().all(axis=None)
    assert (actual.dtypes == np.float64).all()
    assert model.tasks_.equals(Y.columns)
    assert model.task_types_ == dict.fromkeys(Y, "regression")
    assert model.task_embeddings_.index.equals(Y.columns)


@pytest.mark.parametrize("to_array", [np.asarray, lambda Y: Y.to_numpy().tolist()])
def test_an_array_comes_back_as_an_array(table, to_array):
    X, Y = table
    frame = wide_model().fit(X, Y)
    array = wide_model().fit(X, to_array(Y))
    assert_same_model(array, frame)
    assert type(array.predict(X)) is np.ndarray
    assert_array_equal(array.predict(X), frame.predict(X))
    assert array.predict(X).shape == Y.shape
    assert array.tasks_.tolist() == [0, 1, 2]
    assert array.score(X, to_array(Y)) == frame.score(X, Y)


def test_features_without_an_index(table):
    X, Y = table
    model = wide_model().fit(X.to_numpy(), Y)
    assert model.predict(X.to_numpy()).index.tolist() == list(range(80))
    expected = wide_model().fit(X, Y).predict(X)[:7]
    assert_allclose(model.predict(X.to_numpy()[:7]), expected, rtol=1e-12)


def test_rows_are_matched_by_position_not_by_index(table):
    X, Y = table
    shuffled = Y.set_axis(np.random.default_rng(0).permutation(len(Y)))
    assert_same_model(wide_model().fit(X, shuffled), wide_model().fit(X, Y))


@pytest.mark.parametrize("columns", [[3, 1, 2], ["a", 7, ("b", 2)], pd.Index([0.5, 1.5, 2.5])])
def test_columns_of_any_name(table, columns):
    X, Y = table
    model = wide_model().fit(X, Y)
    named = wide_model().fit(X, Y.set_axis(pd.Index(columns, tupleize_cols=False), axis=1))
    assert list(named.predict(X).columns) == list(columns)
    assert list(named.task_types_) == list(columns)
    assert_same_model(named, model)


def test_columns_with_two_levels(table):
    X, Y = table
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    named = wide_model().fit(X, Y.set_axis(columns, axis=1))
    assert named.predict(X).columns.equals(columns)
    assert np.isfinite(named.score(X, Y.set_axis(columns, axis=1)))


def test_one_column_in_a_frame_is_a_table_of_one_task(table):
    X, Y = table
    Y = Y[["t1"]]
    rows = Y["t1"].notna()
    with double_precision():
        with pytest.warns(UnlabelledRowsWarning):
            model = wide_model(**FULL_BATCH).fit(X, Y)
        alone = wide_model(**FULL_BATCH).fit(X[rows], Y.loc[rows, "t1"])
    actual = model.predict(X)
    assert list(actual) == ["t1"]
    assert actual.shape == (80, 1)
    assert_allclose(actual["t1"], alone.predict(X), atol=1e-9)
    expected = r2_score(Y["t1"][rows], actual["t1"][rows])
    assert model.score(X, Y) == pytest.approx(expected)


def test_thirty_tasks():
    X, Y = make_wide(n_rows=150, n_tasks=30, missing=0.7)
    model = wide_model(**LEARNS).fit(X, Y)
    assert model.predict(X).shape == (150, 30)
    truth = make_wide(n_rows=150, n_tasks=30, missing=0, noise=0)[1]
    errors = (model.predict(X) - truth).mask(Y.notna())
    # the labels that were missing
    assert np.nanmean(errors**2) < 0.1 * truth.to_numpy().var()


def test_missing_labels_are_predicted(table):
    X, Y = table
    truth = make_wide(missing=0, noise=0)[1]
    model = wide_model(**LEARNS).fit(X, Y)
    gone = Y.isna().to_numpy()
    for task, actual in model.predict(X).items():
        rows = gone[:, Y.columns.get_loc(task)]
        assert r2_score(truth[task][rows], actual[rows]) > 0.8


# validation rows of one's own


def test_validation_labels_with_columns_in_another_order(table):
    X, Y = table
    settings = {"X_val": X[60:], "y_val": Y[60:]}
    model = wide_model(**LEARNS).fit(X[:60], Y[:60], **settings)
    for y_val in (Y[60:][["t2", "t0", "t1"]], Y[60:].to_numpy(), Y[60:].assign(t9=1.0)[[*Y]]):
        settings["y_val"] = y_val
        assert_same_model(wide_model(**LEARNS).fit(X[:60], Y[:60], **settings), model)


def test_validation_rows_without_a_label_change_nothing(table):
    X, Y = table
    model = wide_model(**LEARNS).fit(X[:60], Y[:60], X_val=X[60:], y_val=Y[60:])
    x = pd.concat([X[60:], 1e3 * X[:4]])
    y = pd.concat([Y[60:], np.nan * Y[:4]])
    assert_same_model(wide_model(**LEARNS).fit(X[:60], Y[:60], X_val=x, y_val=y), model)


def test_validation_rows_of_some_tasks_only(table):
    X, Y = table
    partly_labelled = Y[60:].assign(t0=np.nan)
    with double_precision():
        model = wide_model(**LEARNS).fit(X[:60], Y[:60], X_val=X[60:], y_val=partly_labelled)
    errors = ((model.predict(X[60:]) - partly_labelled) / Y[:60].std(ddof=0)) ** 2
    assert model.history_["valid_loss"].min() == pytest.approx(np.nanmean(errors))


def test_validation_labels_that_do_not_fit(table):
    X, Y = table
    for y_val, patterns in [
        (Y.rename(columns={"t1": "tt"}), ["lacks these columns", "'t1'"]),
        (Y.drop(columns="t1"), ["2 columns", "3 tasks"]),
        (Y.to_numpy()[:, :2], ["2 columns", "3 tasks"]),
    ]:
        with says(ValueError, *patterns):
            wide_model().fit(X, Y, X_val=X, y_val=y_val)


def test_validation_rows_of_which_none_has_a_label(table):
    X, Y = table
    with says(ValueError, "y_val", "label"):
        wide_model().fit(X, Y, X_val=X, y_val=Y * np.nan)


def test_validation_labels_that_fit_did_not_see(table):
    X, Y = table
    C = above(Y, 1.0).map({0: "no", 1: "yes"}.get, na_action="ignore").astype(object)
    odd = C.copy()
    odd.loc["row 077", "t1"] = "perhaps"
    with says(ValueError, "'t1'", "'perhaps'", "row 77", "no.*yes"):
        wide_classifier().fit(X, C, X_val=X, y_val=odd)


# metadata of tasks


@pytest.fixture
def metadata():
    return pd.DataFrame({"size": [1.0, 2.0, 5.0], "luck": [0, 1, 0]}, index=["t0", "t1", "t2"])


def test_metadata_are_looked_up_by_column(table, metadata):
    X, Y = table
    model = wide_model(metadata=metadata).fit(X, Y)
    shuffled = pd.concat([metadata, metadata.set_axis(["u", "v", "w"])]).sample(
        frac=1, random_state=0
    )
    assert_same_model(wide_model(metadata=shuffled).fit(X, Y), model)
    swapped = metadata.set_axis(["t1", "t0", "t2"])
    other = wide_model(metadata=swapped).fit(X, Y)
    assert not np.allclose(other.predict(X), model.predict(X))


def test_metadata_by_position_for_an_array(table, metadata):
    X, Y = table
    model = wide_model(metadata=metadata).fit(X, Y)
    array = wide_model(metadata=metadata.set_axis([0, 1, 2])).fit(X, Y.to_numpy())
    assert_array_equal(array.predict(X), model.predict(X))


def test_tasks_that_only_their_metadata_tell_apart(table, metadata):
    X, Y = table
    model = wide_model(metadata=metadata[["size"]], embedding_dim=0, **LEARNS).fit(X, Y)
    assert model.score(X, Y) > 0.5
    with says(ValueError, "embedding_dim=0", "metadata="):
        wide_model(embedding_dim=0).fit(X, Y)


def test_importance_of_metadata(table, metadata):
    X, Y = table
    model = wide_model(metadata=metadata, embedding_dim=0, **LEARNS).fit(X, Y)
    actual = model.metadata_importance(X, Y, random_state=0)
    assert sorted(actual.index) == ["luck", "size"]
    assert actual["importance_mean"]["size"] > 0.02
    assert model.metadata.equals(metadata)


def test_metadata_that_do_not_fit(table, metadata):
    X, Y = table
    with says(ValueError, r"no row for 1 task\(s\)", "'t1'"):
        wide_model(metadata=metadata.drop("t1")).fit(X, Y)
    for metadata in (["x0"], "x0"):
        with says(ValueError, "wide form", "DataFrame", "columns of y"):
            wide_model(metadata=metadata).fit(X, Y)


# bad labels


@pytest.mark.parametrize("classifier", [False, True], ids=["regressor", "classifier"])
def test_a_column_without_labels_is_named(table, classifier):
    X, Y = table
    model = wide_classifier() if classifier else wide_model()
    Y = above(Y, 1.0).assign(empty=np.nan, void=None)
    with says(ValueError, "no label at all", r"\['empty', 'void'\]"):
        model.fit(X, Y)
    with says(ValueError, "no label at all", r"\[3\]"):
        model.fit(X, Y.drop(columns="void").to_numpy())


def test_a_column_without_weight_is_named(table):
    X, Y = table
    weights = np.ones(Y.shape)
    weights[:, 1] = 0
    with says(ValueError, "no label", "'t1'"):
        wide_model().fit(X, Y, sample_weight=weights)


def test_no_label_at_all(table):
    X, Y = table
    with says(ValueError, "label"):
        wide_model().fit(X, Y * np.nan)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("form", ["frame", "array"])
@pytest.mark.parametrize("kind", ["regressor", "classifier", "class of regressor"])
def test_infinity_is_named_by_column_and_row(table, value, form, kind):
    X, Y = table
    assert Y["t1"][:50].isna().any()
    if kind != "regressor":
        Y = above(Y, 0.0, 1.0)
    Y.iloc[50, 1] = value
    column = "'t1'" if form == "frame" else "1"
    model = wide_model() if kind != "classifier" else wide_classifier()
    if kind == "class of regressor":
        model.task_types = {"t1" if form == "frame" else 1: "classification"}
    with says(ValueError, "infinity", f"column {column}", r"row 50\b"):
        model.fit(X, Y if form == "frame" else Y.to_numpy())


def test_negative_counts_are_named_by_column_and_row(table):
    X, Y = table
    Y = Y.abs()
    Y.iloc[50, 1] = -2
    with says(ValueError, "negative", "'t1'", "-2", r"row 50\b"):
        wide_model(loss="poisson").fit(X, Y)


def test_columns_of_the_same_name(table):
    X, Y = table
    twice = pd.concat([Y, Y[["t1"]]], axis=1)
    with says(ValueError, "same name", r"\['t1'\]", "rename"):
        wide_model().fit(X, twice)
    model = wide_model().fit(X, Y)
    with says(ValueError, "same name", r"\['t1'\]"):
        model.score(X, twice)


@pytest.mark.parametrize(
    ("types", "patterns"),
    [
        ({"t9": "regression"}, ["task_types", "'t9'", "'t0', 't1', 't2'"]),
        ({"t1": "number"}, ["task_types", "'t1'", "'number'", "'regression'", "'binary'"]),
        ({"t1": None}, ["task_types", "'t1'"]),
        ({"t1": "binary"}, ["'t1'", "binary", "3 classes"]),
        ({"t2": "regression"}, ["'t2'", "regression", "not numbers"]),
        ("guess", ["task_types"]),
        (["regression"] * 3, ["task_types"]),
    ],
)
def test_types_that_cannot_be(table, types, patterns):
    X, Y = table
    Y = Y.assign(t1=above(Y["t1"], 0.0, 1.0), t2=Y["t2"].gt(1).map({True: "a", False: "b"}))
    with says(ValueError, *patterns):
        wide_model(task_types=types).fit(X, Y)


def test_types_where_there_is_one_column(table):
    X, Y = table
    with says(ValueError, "task_types", "wide form", "'infer'"):
        wide_model(task_types={"t0": "regression"}).fit(X, Y["t0"].fillna(0))


def test_weights_that_do_not_fit(table):
    X, Y = table
    with says(ValueError, "sample_weight", r"\(80, 2\)", r"\(80,\)", r"\(80, 3\)"):
        wide_model().fit(X, Y, sample_weight=np.ones((80, 2)))
    with says(ValueError, "sample_weight", "80"):
        wide_model().fit(X, Y, sample_weight=np.ones(79))
    with says(ValueError, "[Nn]egative"):
        wide_model().fit(X, Y, sample_weight=np.where(Y > 1, -1, 1))
    with says(ValueError, "at least one non-zero"):
        wide_model().fit(X, Y, sample_weight=np.zeros((80, 3)))


def test_sparse_labels(table):
    X, Y = table
    with says((ValueError, TypeError), "sparse"):
        wide_classifier().fit(X, sparse.csr_matrix(above(Y, 1.0).fillna(0)))


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_scikit_learns_folds_refuse_missing_classes(table):
    X, Y = table
    with says(ValueError, "NaN"):
        cross_val_score(wide_classifier(), X, above(Y, 1.0), cv=3)


def test_adapt_is_for_long_form(table):
    X, Y = table
    with says(ValueError, "adapt", "task_id"):
        wide_model().fit(X, Y).adapt(X, Y)


@pytest.mark.parametrize("name", ["a", "b"])
def test_labels_of_several_types_in_a_column_are_named(table, name):
    X, Y = table
    Y = Y.assign(a="x", b="y").astype({"a": object, "b": object})
    Y.loc[Y.index[:40], ["a", "b"]] = "z"
    Y.loc["row 050", name] = 3
    with says(ValueError, f"column '{name}'", "int", "str"):
        wide_classifier().fit(X, Y)


# scores


def score_by_hand(model, X, Y, weights=None):
    actual = model.predict(X)
    scores = []
    for t, task in enumerate(actual):
        rows = Y[task].notna().to_numpy()
        weight = None if weights is None else weights[rows, t]
        metric = r2_score if model.task_types_[task] == "regression" else accuracy_score
        scores.append(metric(Y[task][rows].tolist(), actual[task][rows], sample_weight=weight))
    return np.mean(scores)


def test_score_is_the_mean_over_tasks(table):
    X, Y = table
    Y = Y.assign(t1=above(Y["t1"], 1.0))
    model = wide_model(**LEARNS).fit(X, Y)
    assert set(model.task_types_.values()) == {"regression", "binary"}
    expected = score_by_hand(model, X, Y)
    assert 0.6 < expected < 1
    assert model.score(X, Y) == pytest.approx(expected, rel=1e-12)
    assert model.score(X, Y[["t2", "t0", "t1"]]) == pytest.approx(expected, rel=1e-12)
    assert model.score(X, Y.to_numpy()) == pytest.approx(expected, rel=1e-12)


def test_score_with_weights(table):
    X, Y = table
    model = wide_model(**LEARNS).fit(X, Y)
    weights = np.random.default_rng(0).uniform(0, 3, Y.shape)
    assert model.score(X, Y, sample_weight=weights) == pytest.approx(
        score_by_hand(model, X, Y, weights), rel=1e-12
    )
    by_row = np.tile(weights[:, :1], 3)
    assert model.score(X, Y, sample_weight=weights[:, 0]) == pytest.approx(
        score_by_hand(model, X, Y, by_row), rel=1e-12
    )


def test_score_of_labels_that_fit_did_not_see(table):
    X, Y = table
    Y = above(Y, 1.0)
    model = wide_classifier(**LEARNS).fit(X, Y)
    other = Y.assign(t1=Y["t1"].mask(np.arange(len(X)) < 20, 9))
    actual = model.predict(X)
    expected = [(actual[t] == other[t])[other[t].notna()].mean() for t in Y]
    assert model.score(X, other) == pytest.approx(np.mean(expected), rel=1e-12)
    assert model.score(X, other) < model.score(X, Y)


def test_score_of_labels_that_do_not_fit(table):
    X, Y = table
    model = wide_model().fit(X, Y)
    with says(ValueError, "lacks", "'t1'"):
        model.score(X, Y.rename(columns={"t1": "u"}))
    with says(ValueError, "2 columns", "3 tasks"):
        model.score(X, Y.to_numpy()[:, :2])


# scikit-learn's tools


def test_cross_val_score_with_missing_labels(table):
    scores = cross_val_score(wide_model(**LEARNS), *table, cv=3, error_score="raise")
    assert (scores > 0.5).all()


def test_grid_search_with_missing_labels(table):
    grid = {"embedding_dim": [1, 3], "task_sampling": ["rows", "tasks"]}
    search = GridSearchCV(wide_model(), grid, cv=2, error_score="raise").fit(*table)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(table[0]).index.equals(table[0].index)
    assert search.score(*table) == search.best_estimator_.score(*table)


def test_classifiers_with_missing_labels_take_a_splitter(table):
    X, Y = table
    Y = above(Y, 0.0, 1.0)
    scores = cross_val_score(wide_classifier(**LEARNS), X, Y, cv=KFold(3), error_score="raise")
    assert (scores > 0.5).all()
    grid = {"class_weight": [None, "balanced"]}
    search = GridSearchCV(wide_classifier(), grid, cv=KFold(2), error_score="raise").fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert list(search.predict_proba(X)) == list(Y)


def test_cross_val_predict_with_missing_labels(table):
    X, Y = table
    actual = cross_val_predict(wide_model(**LEARNS), X, Y, cv=3)
    assert actual.shape == Y.shape
    assert r2_score(Y["t0"].dropna(), actual[Y["t0"].notna(), 0]) > 0.5


def test_permutation_importance_with_missing_labels(table):
    X, Y = table
    model = wide_model(**LEARNS).fit(X, Y)
    actual = permutation_importance(model, X, Y, n_repeats=2, random_state=0)
    assert np.isfinite(actual.importances_mean).all()
    assert actual.importances_mean.max() > 0.3


def test_pickled_models_predict_the_same(table):
    X, Y = table
    Y = Y.assign(t1=above(Y["t1"], 1.0).map({0: "no", 1: "yes"}.get, na_action="ignore"))
    model = wide_model(n_members=2).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.predict(X), model.predict(X), check_exact=True)
    assert_array_equal(again.predict_proba(X)["t1"], model.predict_proba(X)["t1"])
    assert again.task_types_ == model.task_types_


def test_pickles_hold_no_training_rows():
    X, Y = make_wide(n_rows=5_000)
    assert len(pickle.dumps(wide_model(max_iter=1, batch_size=1_000).fit(X, Y))) < 50_000


def test_fit_leaves_the_labels_as_they_are(table):
    X, Y = table
    before = X.copy(), Y.copy()
    wide_model().fit(X, Y).score(X, Y)
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_frame_equal(Y, before[1])
    array, weights = Y.to_numpy().copy(), np.ones(Y.shape)
    wide_classifier(class_weight="balanced").fit(X, above(Y, 1.0), sample_weight=weights)
    wide_model().fit(X, array, sample_weight=weights)
    assert_array_equal(array, Y.to_numpy())
    assert (weights == 1).all()


def test_two_members_are_averaged(table):
    X, Y = table
    model = wide_model(n_members=2).fit(X, Y)
    assert model.task_embeddings_.shape == (3, 6)
    members = [member_of(model, number).predict(X) for number in range(2)]
    assert not np.allclose(*members)
    assert_allclose(model.predict(X), sum(members) / 2, rtol=1e-10)


# going on


def test_warm_start_goes_on(table):
    X, Y = table
    model = wide_model(warm_start=True, early_stopping=False).fit(X, Y)
    first = model.history_["train_loss"]
    second = model.fit(X, Y).history_["train_loss"]
    assert second.iloc[0] < first.iloc[0]
    assert second.iloc[-1] < first.iloc[-1]
    # other rows, in which other labels are missing
    assert np.isfinite(model.fit(X[::2], Y[::2]).predict(X)).all(axis=None)


def test_warm_start_that_learns_nothing_predicts_the_same(table):
    X, Y = table
    model = wide_model(warm_start=True).fit(X, Y)
    before = model.predict(X)
    model.set_params(learning_rate_init=1e-12, max_iter=1)
    assert_allclose(model.fit(X, 3 * Y + 1).predict(X), before, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda Y: Y.rename(columns={"t1": "u"}),
        lambda Y: Y[["t1", "t0", "t2"]],
        lambda Y: Y[["t0", "t1"]].fillna(0),
        lambda Y: Y["t0"].fillna(0),
        lambda Y: Y.assign(t1=above(Y["t1"], 1.0)),
    ],
    ids=["renamed", "reordered", "fewer", "one", "classes"],
)
def test_warm_start_with_other_tasks_is_refused(table, change):
    X, Y = table
    model = wide_model(warm_start=True).fit(X, Y)
    before = model.predict(X)
    with says(ValueError, "warm_start"):
        model.fit(X, change(Y))
    assert_array_equal(model.predict(X), before)


# labels of every type


def small_integers(Y):
    return above(Y, 0.0, 1.0)


@pytest.mark.parametrize("dtype", ["int64", "int8", "Int64", "float32", "Float64", "object"])
def test_whole_numbers_of_every_type(dtype):
    X, Y = make_wide(missing=0)
    Y = small_integers(Y)
    expected = wide_classifier().fit(X, Y)
    model = wide_classifier().fit(X, Y.astype(dtype))
    assert_same_model(model, expected)
    assert_array_equal(model.predict(X).astype(float), expected.predict(X))
    assert model.task_types_ == dict.fromkeys(Y, "multiclass")
    assert [c.tolist() for c in model.classes_per_task_.values()] == [[0, 1, 2]] * 3
    assert model.score(X, Y.astype(dtype)) == expected.score(X, Y)
    # to a regressor they are numbers
    numbers = wide_model().fit(X, Y.astype(dtype))
    assert_same_model(numbers, wide_model().fit(X, Y))
    assert numbers.task_types_ == dict.fromkeys(Y, "regression")
    assert (numbers.predict(X).dtypes == np.float64).all()


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "object"])
def test_missing_whole_numbers_of_every_type(table, dtype):
    X, Y = table
    Y = small_integers(Y)
    typed = Y.astype(dtype)
    if dtype == "object":
        typed = typed.where(Y.notna(), None)
    assert typed.isna().equals(Y.isna())
    model, expected = wide_classifier().fit(X, typed), wide_classifier().fit(X, Y)
    assert_same_model(model, expected)
    assert_array_equal(model.predict(X).astype(float), expected.predict(X))
    assert model.score(X, typed) == pytest.approx(expected.score(X, Y), rel=1e-12)
    assert_same_model(wide_model().fit(X, typed), wide_model().fit(X, Y))


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object", "category", "int"])
@pytest.mark.parametrize("missing", [False, True])
def test_true_and_false_of_every_type(table, dtype, missing):
    X, Y = table
    numbers = above(Y if missing else make_wide(missing=0)[1], 1.0)
    if missing and dtype in ("bool", "int"):
        pytest.skip("has no missing values")
    if dtype == "int":
        typed = numbers.astype(int)
    else:
        truth = (numbers > 0).astype(object).where(numbers.notna(), None)
        typed = truth.astype(dtype)
    model, expected = wide_classifier().fit(X, typed), wide_classifier().fit(X, numbers)
    assert_same_model(model, expected)
    assert model.task_types_ == dict.fromkeys(Y, "binary")
    actual = model.predict(X)
    assert_array_equal(actual.astype(float), expected.predict(X))
    if dtype in ("bool", "boolean"):
        assert set(actual.dtypes) == {np.dtype(bool)}
    assert {type(label) for label in actual["t0"].tolist()} == {int if dtype == "int" else bool}
    assert model.score(X, typed) == pytest.approx(expected.score(X, numbers), rel=1e-12)
    # a regressor takes them for events too
    assert wide_model().fit(X, typed).task_types_ == dict.fromkeys(Y, "binary")


@pytest.mark.parametrize("dtype", ["object", "string", "str", "category"])
@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_strings_of_every_type(table, dtype, nothing):
    if dtype == "str" and pd.__version__ < "3":
        pytest.skip("astype(str) makes a string of what is missing")
    X, Y = table
    numbers = small_integers(Y)
    names = {0.0: "high", 1.0: "low", 2.0: "middle"}
    typed = numbers.map(names.get, na_action="ignore").astype(object)
    typed = typed.where(Y.notna(), nothing).astype(dtype)
    model, expected = wide_classifier().fit(X, typed), wide_classifier().fit(X, numbers)
    assert_same_model(model, expected)
    actual = model.predict(X)
    assert set(actual.dtypes) == {np.dtype(object)}
    assert_array_equal(actual, expected.predict(X).map(names.get))
    assert model.classes_["t1"].tolist() == ["high", "low", "middle"]
    assert model.score(X, typed) == pytest.approx(expected.score(X, numbers), rel=1e-12)


def test_categories_that_do_not_occur_are_no_classes(table):
    X, Y = table
    kinds = pd.CategoricalDtype(["c", "b", "unused", "a"])
    typed = small_integers(Y).map({0: "a", 1: "b", 2: "c"}.get, na_action="ignore").astype(kinds)
    model = wide_classifier().fit(X, typed)
    assert model.classes_["t0"].tolist() == ["a", "b", "c"]
    assert set(model.predict(X)["t0"]) <= {"a", "b", "c"}


def test_lists_of_strings_and_numbers_are_what_tables_are(table):
    # numpy makes strings of all of them
    X, Y = table
    words = above(Y["t1"], 1.0).map({0: "no", 1: "yes"}.get, na_action="ignore").astype(object)
    frame = Y.assign(t1=words.where(Y["t1"].notna(), np.nan))
    model = wide_model().fit(X, frame.to_numpy(dtype=object).tolist())
    assert list(model.task_types_.values()) == ["regression", "binary", "regression"]
    assert_same_model(model, wide_model().fit(X, frame))
    words = frame[["t1"]].assign(t2=frame["t1"])
    rows = words["t1"].notna() | (np.arange(len(X)) % 2 == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnlabelledRowsWarning)
        model = wide_classifier().fit(X[rows], words[rows].to_numpy(dtype=object).tolist())
    assert model.classes_[0].tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    "odd",
    [
        lambda y: y + 1j,
        lambda y: pd.Timestamp("2020-01-01") + pd.to_timedelta(y, unit="D"),
        lambda y: pd.to_timedelta(y, unit="D"),
    ],
    ids=["complex", "date", "duration"],
)
def test_columns_that_are_neither_numbers_nor_classes(table, odd):
    X, Y = table
    with says((ValueError, TypeError), "'t1'"):
        wide_model().fit(X, Y.assign(t1=odd(Y["t1"])))


def test_strings_in_an_array(table):
    X, Y = table
    typed = above(Y, 1.0).map({0: "no", 1: "yes"}.get, na_action="ignore").astype(object)
    model = wide_classifier().fit(X, typed.to_numpy())
    actual = model.predict(X)
    assert actual.dtype == object
    assert_array_equal(actual, wide_classifier().fit(X, typed).predict(X))


# scikit-learn's multi-label form


@pytest.fixture(scope="module")
def many_labels():
    X, Y = make_multilabel_classification(120, 5, n_classes=4, n_labels=2, random_state=0)
    return X, Y


def test_multi_label_arrays(many_labels):
    X, Y = many_labels
    model = wide_classifier(**LEARNS).fit(X, Y)
    actual = model.predict(X)
    assert actual.dtype.kind == "i"
    assert set(np.unique(actual)) == {0, 1}
    probabilities = model.predict_proba(X)
    assert probabilities.shape == Y.shape
    assert_array_equal(probabilities > 0.5, actual)
    assert_array_equal(model.decision_function(X) > 0, actual)
    frame = wide_classifier(**LEARNS).fit(X, pd.DataFrame(Y))
    for method in ("predict", "predict_proba", "decision_function"):
        found_in_frame = getattr(frame, method)(X)
        assert list(found_in_frame) == list(range(4))
        assert_array_equal(found_in_frame, getattr(model, method)(X))
    assert_array_equal(frame.classes_, np.arange(4))
    assert model.score(X, Y) == pytest.approx((actual == Y).mean(), rel=1e-12)


@pytest.mark.parametrize("scoring", ["roc_auc", "f1_macro", "average_precision"])
def test_scikit_learns_scores_of_multi_label_arrays(many_labels, scoring):
    scores = cross_val_score(
        wide_classifier(**LEARNS), *many_labels, scoring=scoring, cv=3, error_score="raise"
    )
    assert np.isfinite(scores).all()
    if scoring == "roc_auc":
        assert scores.mean() > 0.7


def test_multi_label_arrays_with_missing_labels(many_labels):
    X, Y = many_labels
    Y = np.where(np.random.default_rng(0).random(Y.shape) < 0.3, np.nan, Y)
    Y[np.isnan(Y).all(1), 0] = 1
    model = wide_classifier().fit(X, Y)
    assert model.predict_proba(X).shape == Y.shape
    assert_array_equal(model.predict_proba(X) > 0.5, model.predict(X))


def test_an_array_in_which_a_label_is_always_the_same(many_labels):
    X, Y = many_labels
    Y = Y.copy()
    Y[:, 2] = 1
    model = wide_classifier().fit(X, Y)
    assert (model.predict(X)[:, 2] == 1).all()
    assert_array_equal(model.predict_proba(X)[:, 2], np.ones(len(X)))
    assert_array_equal(model.decision_function(X)[:, 2], np.full(len(X), 1000))
    assert model.classes_per_task_[2].tolist() == [0, 1]
