"""Task ids and metadata of every kind, through estimators, searches and importances."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV, KFold

from skmtl._data.task_ids import check_spelling, spelling
from skmtl.datasets import make_clinic_visits
from skmtl.exceptions import UnknownTasksWarning
from skmtl.model_selection import BatchedGridSearchCV
from tests._asserts import says
from tests._tables import FEATURES, make_schools, metadata_table, quick_model

CLINIC = ["beds", "region", "private", "opened"]


@pytest.fixture(scope="module")
def visits():
    """Visits with gaps in features and metadata."""
    visits = make_clinic_visits(n_tasks=12, n_rows=20, random_state=0)
    X = visits.data
    return X.assign(beds=X["beds"].mask(X["clinic"] == X["clinic"][0])), visits.target


@pytest.fixture
def schools():
    return make_schools()


def clinic_model(**changes):
    return quick_model(task_id="clinic", **{"metadata": CLINIC, **changes})


# metadata


def test_metadata_with_gaps(visits):
    X, y = visits
    assert X[["beds", "age"]].isna().any().all()
    model = clinic_model().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    new = X.assign(clinic="new", beds=np.nan, region=None, private=None, opened=pd.NaT)
    with pytest.warns(UnknownTasksWarning, match="'new'"):
        assert np.isfinite(model.predict(new)).all()


def test_metadata_table_in_every_shape(schools):
    X, y = schools
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    expected = quick_model(metadata=table).fit(features, y).predict(features)
    for same in (
        table.reset_index(),
        table.reset_index()[["sector", "school", "size"]][["size", "sector", "school"]],
        pd.concat([table, table.iloc[:3]]),
        table.set_axis(table.index.astype("category")),
        table.set_axis(table.index.astype("string")),
    ):
        model = quick_model(metadata=same).fit(features, y)
        assert_array_equal(model.predict(features), expected)
    # passed as a table and as columns of X, they are used once
    model = quick_model(metadata=table).fit(X, y)
    assert_array_equal(model.predict(X), expected)


def test_id_of_a_metadata_table_is_its_column_where_pandas_numbered_the_rows(schools):
    X, y = schools
    X = X.assign(school=X["school"].str[-2:].astype(int))
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    expected = quick_model(metadata=table).fit(features, y).predict(features)
    model = quick_model(metadata=table.reset_index()).fit(features, y)
    assert_array_equal(model.predict(features), expected)


def test_metadata_table_with_ids_of_another_type(schools):
    X, y = schools
    X = X.assign(school=X["school"].str[-2:].astype(int))
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    model = quick_model(metadata=table.set_axis(table.index.astype(float))).fit(features, y)
    assert np.isfinite(model.predict(features)).all()
    with says(ValueError, r"no row for 12 task\(s\)", r"set_axis\(metadata.index.astype\(int\)\)"):
        quick_model(metadata=table.set_axis(table.index.astype(str))).fit(features, y)


def test_metadata_auto_takes_what_is_constant_within_tasks(visits, schools):
    X, y = visits
    model = clinic_model(metadata="auto").fit(X, y)
    assert sorted(model.metadata_names_) == sorted(CLINIC)
    X, y = schools
    expected = quick_model().fit(X, y).predict(X)
    assert_array_equal(quick_model(metadata="auto").fit(X, y).predict(X), expected)


def test_metadata_that_some_rows_of_a_task_lack(schools):
    X, y = schools
    expected = quick_model().fit(X, y)
    gaps = X.assign(size=X["size"].mask(X.index % 3 == 0))
    model = quick_model().fit(gaps, y)
    assert_array_equal(model.predict(X), expected.predict(X))


# methods


@pytest.mark.parametrize("n_members", [1, 2])
def test_adapt_and_warm_start(visits, n_members):
    X, y = visits
    tasks = X["clinic"].unique()
    known = X["clinic"].isin(tasks[:9])
    model = clinic_model(n_members=n_members, warm_start=True).fit(X[known], y[known])
    before = model.predict(X[known])
    other = X[~known].assign(drug="never seen", region="nowhere")
    model.adapt(other, y[~known])
    assert_array_equal(model.predict(X[known]), before)
    assert np.isfinite(model.predict(other)).all()
    # a fit that continues keeps its categories
    renamed = X.assign(drug=X["drug"].map(lambda drug: f"a {drug}", na_action="ignore"))
    assert np.isfinite(model.fit(renamed, y).predict(X)).all()


def test_batched_search_learns_in_every_fold(visits):
    X, y = visits
    # a category and a gap that only some folds have
    X = X.assign(drug=X["drug"].where(np.arange(len(X)) > 20, "of the first rows"))
    grid, cv = {"alpha": [1e-4, 1e-1]}, KFold(3)
    model = clinic_model(unseen_tasks="average")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTasksWarning)
        actual = BatchedGridSearchCV(model, grid, cv=cv).fit(X, y).cv_results_
        expected = GridSearchCV(model, grid, cv=cv).fit(X, y).cv_results_
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_allclose(actual[name], expected[name], rtol=1e-5)


def test_importances_speak_of_the_columns_of_the_user(visits):
    X, y = visits
    model = clinic_model().fit(X, y)
    assert_array_equal(model.feature_names_in_, X.columns)
    importance = permutation_importance(model, X, y, n_repeats=1, random_state=0)
    assert importance.importances_mean.shape == (X.shape[1],)
    assert np.isfinite(importance.importances_mean).all()
    assert sorted(model.metadata_importance(X, y, n_repeats=1).index) == sorted(CLINIC)
    actual = partial_dependence(model, X.dropna(), ["age"], grid_resolution=4)
    assert np.isfinite(actual["average"]).all()
    table = X.drop_duplicates("clinic").set_index("clinic")[CLINIC]
    by_table = clinic_model(metadata=table).fit(X.drop(columns=CLINIC), y)
    importance = by_table.metadata_importance(X.drop(columns=CLINIC), y, n_repeats=1)
    assert sorted(importance.index) == sorted(CLINIC)


# ids in another spelling


def days(ids):
    return pd.Timestamp("2020-01-01") + pd.to_timedelta(ids, unit="D")


SPELLINGS = {
    "int, str of float": (lambda i: i, lambda i: i.astype(float).astype(str)),
    "int, str": (lambda i: i, lambda i: i.astype(str)),
    "zeros, int": (lambda i: i.map("{:03d}".format), lambda i: i),
    "zeros, str": (lambda i: i.map("{:03d}".format), lambda i: i.astype(str)),
    "bytes, str": (lambda i: i.map(lambda k: b"s%d" % k), lambda i: "s" + i.astype(str)),
    "blanks": (lambda i: "s" + i.astype(str), lambda i: "s" + i.astype(str) + " "),
    "naive, aware": (days, lambda i: days(i).dt.tz_localize("UTC")),
    "dates, words": (days, lambda i: days(i).astype(str)),
    "dates, date": (days, lambda i: days(i).dt.date),
    "int, float": (lambda i: i, lambda i: i.astype(float)),
    "int, Int64": (lambda i: i, lambda i: i.astype("Int64")),
    "int, object": (lambda i: i, lambda i: i.astype(object)),
    "str, category": (lambda i: i.astype(str), lambda i: i.astype(str).astype("category")),
    "str, string": (lambda i: i.astype(str), lambda i: i.astype(str).astype("string")),
    "float, float16": (lambda i: i.astype(float), lambda i: i.astype("float16")),
    "periods": (lambda i: days(i).dt.to_period("D"), lambda i: days(i)),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("turned", [False, True])
def test_ids_read_another_way_are_recognised_or_refused(schools, name, turned):
    X, y = schools
    number = X["school"].str[-2:].astype(int)
    then, now = (spell(number) for spell in SPELLINGS[name][:: -1 if turned else 1])
    model = quick_model().fit(X.assign(school=then), y)
    expected = model.predict(X.assign(school=then))
    actual, message = None, ""
    try:
        actual = model.predict(X.assign(school=now))
    except ValueError as error:
        message = str(error)
    # recognised, or both spellings are shown
    if actual is None:
        assert "task id" in message
        assert "which fit saw" in message
    else:
        assert_array_equal(actual, expected)


@given(numbers=st.sets(st.integers(0, 10**6), min_size=2, max_size=6), data=st.data())
def test_no_spelling_of_a_known_id_is_new(numbers, data):
    numbers = sorted(numbers)
    spells = [int, float, str, "{:08d}".format, "{:.1f}".format, " {} ".format, "+{}".format]
    spells += [np.int64, np.float32, lambda k: str(k).encode()]
    known = {spelling(k): k for k in map(data.draw(st.sampled_from(spells)), numbers)}
    assert len(known) == len(numbers)
    other = data.draw(st.sampled_from(spells))(data.draw(st.sampled_from(numbers)))
    if other not in known.values():
        with says(ValueError, "which fit saw"):
            check_spelling(pd.Index([other], dtype=object), known)
    check_spelling(pd.Index([10**6 + 1, "another"], dtype=object), known)


def test_words_that_are_nearly_numbers_are_words():
    for word in ("--3", "+-3", "+", "-", "", ".", "1e5", "0e1", "3.4.5"):
        assert spelling(word) == word
    assert spelling(True) != spelling(1)
    assert spelling("-0") == spelling(0)


@pytest.mark.parametrize("kind", ["period", "interval", "overlap", "float16", "arrow"])
def test_ids_of_rare_types(schools, kind):
    X, y = schools
    number = X["school"].str[-2:].astype(int)
    if kind == "arrow":
        pytest.importorskip("pyarrow")
    ids = {
        "period": lambda: days(number).dt.to_period("D"),
        "interval": lambda: pd.Series(pd.arrays.IntervalArray.from_arrays(number, number + 1)),
        "overlap": lambda: pd.Series(pd.arrays.IntervalArray.from_arrays(number, number + 3)),
        "float16": lambda: number.astype("float16"),
        "arrow": lambda: X["school"].astype("string[pyarrow]").astype("category"),
    }[kind]()
    expected = quick_model().fit(X, y).predict(X)
    model = quick_model().fit(X.assign(school=ids), y)
    assert len(model.tasks_) == 12
    assert_array_equal(model.predict(X.assign(school=ids)), expected)


def test_columns_with_several_levels(schools):
    X, y = schools
    expected = quick_model().fit(X, y).predict(X)
    X = X.set_axis(pd.MultiIndex.from_product([["X"], X.columns]), axis=1)
    model = quick_model(task_id=("X", "school"), metadata=[("X", "size"), ("X", "sector")])
    assert_array_equal(model.fit(X, y).predict(X), expected)
