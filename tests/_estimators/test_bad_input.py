"""Bad input gets an error that names the offender and says what to do about it.

The message is what is tested: two patterns for most, one for what is wrong and one for the remedy.
"""

import contextlib
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import BatchScoring, EarlyStopping, EpochScoring, EpochTimer

from skmtl.exceptions import DivergenceError, ForgottenTaskIdWarning
from tests._asserts import says
from tests._tables import FEATURES, METADATA, make_schools, metadata_table, quick_model


@pytest.fixture
def schools():
    return make_schools()


@pytest.fixture
def fitted(schools):
    return quick_model().fit(*schools)


def with_value(X, column, value, row=7):
    """The table with one value changed."""
    changed = X[column].astype(object if isinstance(value, str) else float).copy()
    changed.iloc[row] = value
    return X.assign(**{column: changed})


# columns


def test_columns_of_the_same_name(schools, fitted):
    X, y = schools
    twice = pd.concat([X, X[["age", "size"]]], axis=1)
    for call in (lambda: quick_model().fit(twice, y), lambda: fitted.predict(twice)):
        with says(ValueError, "same name", "'age', 'size'", "rename or drop"):
            call()


def test_a_task_id_that_was_forgotten(schools):
    X, y = schools
    forgotten = quick_model(task_id=None, metadata=None)
    numbers = X.assign(school=X["school"].str[-2:].astype(int))
    for table in (X, numbers, X.astype({"school": "category"})):
        with pytest.warns(ForgottenTaskIdWarning, match="'size' .* pass task_id='school'"):
            assert np.isfinite(forgotten.fit(table, y).predict(table)).all()
    # there is none in wide form, and none in a table in which nothing is constant by a column
    with warnings.catch_warnings():
        warnings.simplefilter("error", ForgottenTaskIdWarning)
        forgotten.fit(X, np.column_stack([y, y]))
        forgotten.fit(X[[*FEATURES, "school"]], y)


def test_column_missing_at_predict_time(schools, fitted):
    X, _ = schools
    for column in X.columns:
        with says(ValueError, "feature names should match", f"- {column}"):
            fitted.predict(X.drop(columns=column))


def test_column_never_seen_at_predict_time(schools, fitted):
    with says(ValueError, "feature names should match", "- colour"):
        fitted.predict(schools[0].assign(colour=1.0))


def test_other_number_of_columns_in_an_array(schools):
    X, y = schools
    model = quick_model(task_id=2, metadata=[3, 4]).fit(X.to_numpy(), y)
    with says(ValueError, "4 features", "expecting 5 features"):
        model.predict(X.drop(columns="age").to_numpy())


@pytest.mark.parametrize(
    ("changes", "offender"),
    [
        ({"task_id": "scool"}, "task_id names the column 'scool'"),
        ({"task_id": ["school", "class"]}, "task_id names the column 'class'"),
        ({"metadata": ["size", "colour"]}, "metadata names the column 'colour'"),
    ],
)
def test_column_that_is_not_in_the_frame(schools, changes, offender):
    with says(ValueError, offender, "not in X", "'status', 'age', 'school', 'size', 'sector'"):
        quick_model(**changes).fit(*schools)


def test_only_some_of_many_columns_are_listed(schools):
    X, y = schools
    wide = pd.concat([X] + [X["age"].rename(f"age{number}") for number in range(1_000)], axis=1)
    with pytest.raises(ValueError, match="'scool'") as caught:
        quick_model(task_id="scool").fit(wide, y)
    assert len(str(caught.value)) < 1_000


def test_name_of_a_column_for_an_array(schools):
    X, y = schools
    remedies = [
        "array of 5 columns without names",
        "ColumnTransformer",
        "verbose_feature_names_out",
    ]
    with says(ValueError, "task_id names the column 'school'", "task_id=-1", *remedies):
        quick_model().fit(X.to_numpy(), y)
    with says(ValueError, "metadata names the column 'size'", "metadata=", *remedies):
        quick_model(task_id=2).fit(X.to_numpy(), y)


def test_column_transformer_that_returns_arrays(schools):
    columns = ColumnTransformer([("scaled", StandardScaler(), FEATURES)], remainder="passthrough")
    pipeline = make_pipeline(columns, quick_model())
    with says(ValueError, "'school'", "ColumnTransformer", r"task_id=-1|set_output"):
        pipeline.fit(*schools)


def test_column_transformer_that_prefixes_names(schools):
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), FEATURES)], remainder="passthrough"
    ).set_output(transform="pandas")
    with says(
        ValueError,
        "task_id names the column 'school'",
        "There is 'remainder__school'",
        "task_id=2",
        "verbose_feature_names_out=False",
    ):
        make_pipeline(columns, quick_model()).fit(*schools)
    with says(ValueError, "metadata names the column 'size'", "There is 'remainder__size'"):
        make_pipeline(columns, quick_model(task_id=2)).fit(*schools)


@pytest.mark.parametrize("changes", [{"task_id": 5}, {"task_id": -6}, {"metadata": [0, 9]}])
def test_position_that_does_not_exist(schools, changes):
    name = next(iter(changes))
    with says(ValueError, f"{name}=", "no position in X", "5 columns"):
        quick_model(**changes).fit(*schools)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"task_id": ["school", "school"]}, "task_id"),
        ({"task_id": ["school", 2]}, "task_id"),
        ({"metadata": ["size", 3]}, "metadata"),
    ],
)
def test_column_named_twice(schools, changes, name):
    with says(ValueError, f"{name}=", "names a column twice"):
        quick_model(**changes).fit(*schools)


def test_column_that_is_task_id_and_metadata(schools):
    with says(ValueError, "'school'", "task_id and in metadata"):
        quick_model(metadata=["size", "school"]).fit(*schools)


def test_no_column_is_left_for_features(schools):
    X, y = schools
    with says(ValueError, r"0 feature\(s\)", "task_id or metadata"):
        quick_model().fit(X[["school", *METADATA]], y)


def test_no_columns_in_task_id(schools):
    with says(ValueError, "task_id"):
        quick_model(task_id=[]).fit(*schools)


# values


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_task_id(schools, fitted, missing):
    X, y = schools
    broken = X.assign(school=X["school"].astype(object))
    broken.loc[[7, 9], "school"] = missing
    for call in (lambda: quick_model().fit(broken, y), lambda: fitted.predict(broken)):
        with says(ValueError, "'school'", r"2 missing \(NaN\)", "row 7", "Drop those rows"):
            call()


@pytest.mark.parametrize("dtype", ["category", "string"])
def test_missing_task_id_of_other_types(schools, dtype):
    X, y = schools
    broken = X.assign(school=X["school"].where(X.index != 3).astype(dtype))
    with says(ValueError, "'school'", "missing", "row 3"):
        quick_model().fit(broken, y)


def test_missing_task_id_of_numbers_and_dates(schools):
    X, y = schools
    number = X["school"].str[-2:].astype(float).where(X.index != 3)
    for ids in (number, pd.Timestamp("2020-01-01") + pd.to_timedelta(number, unit="D")):
        with says(ValueError, "'school'", "missing", "row 3"):
            quick_model().fit(X.assign(school=ids), y)


def test_missing_task_id_in_one_of_two_columns(schools):
    X, y = schools
    broken = X.assign(district=X["school"].where(X.index != 3))
    with says(ValueError, "'district'", "missing", "row 3"):
        quick_model(task_id=["school", "district"]).fit(broken, y)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize(("column", "what"), [("age", "features"), ("size", "metadata")])
def test_features_and_metadata_that_are_infinite(schools, fitted, column, what, value):
    X, y = schools
    broken = with_value(X, column, value)
    tables = (broken, broken.astype({"status": object}), broken.astype({column: "Float64"}))
    for table in tables:
        for call in (lambda X: quick_model().fit(X, y), fitted.predict):
            with says(ValueError, f"column '{column}' of the {what}", "infinity", "row 7", "NaN"):
                call(table)


@pytest.mark.parametrize("column", ["age", "size"])
@pytest.mark.parametrize("dtype", ["float", "Float64", "object"])
def test_features_and_metadata_that_are_missing(schools, fitted, column, dtype):
    X, y = schools
    gaps = with_value(X, column, np.nan).astype({column: dtype})
    assert np.isfinite(quick_model().fit(gaps, y).predict(X)).all()
    assert np.isfinite(fitted.predict(gaps)).all()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_features_too_large_for_training(schools):
    X, y = schools
    # finite, but far from the others, or with a square that is not
    for value in (1e20, 1e100, 1e160, 1e300):
        for early_stopping in (True, "refit", False):
            with says(ValueError, "'age'", re.escape(f"{value:g}"), "too far from the others"):
                model = quick_model(early_stopping=early_stopping)
                model.fit(with_value(X, "age", value), y)
    # a feature that is 0 but for one row is no mistake
    quick_model().fit(X.assign(age=np.arange(len(X)) == 7), y)


def test_labels_too_large_for_training(schools):
    X, y = schools
    with says(ValueError, "too large", "larger unit"):
        quick_model().fit(X, y * 1e160)


@pytest.mark.filterwarnings("error")
def test_features_that_are_complex(schools):
    X, y = schools
    with pytest.raises((ValueError, TypeError), match="[Cc]omplex|numeric"):
        quick_model().fit(X.assign(age=X["age"] + 1j), y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_targets_that_are_not_finite(schools, value):
    X, y = schools
    y = y.where(y.index != 7, value)
    with says(ValueError, "Input y", "(?:NaN|infinity)"):
        quick_model().fit(X, y)
    with says(ValueError, "Input y", "(?:NaN|infinity)"):
        quick_model().fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("kind", ["dates", "aware", "objects", "periods", "durations"])
def test_targets_that_are_dates(schools, kind):
    X, y = schools
    dates = pd.Series(pd.date_range("2020-01-01", periods=len(X)))
    y = {
        "dates": dates,
        "aware": dates.dt.tz_localize("UTC"),
        "objects": dates.dt.date,
        "periods": dates.dt.to_period("D"),
        "durations": dates - dates[0],
    }[kind]
    what = "durations" if kind == "durations" else "dates"
    with says(TypeError, f"y holds {what}", "total_seconds"):
        quick_model().fit(X, y)


def test_targets_that_are_not_numbers(schools):
    X, y = schools
    with pytest.raises(ValueError, match="high"):
        quick_model().fit(X, np.where(y > y.mean(), "high", "low"))


def test_features_of_another_kind_than_in_fit(schools, fitted):
    X, y = schools
    words = X.assign(age=np.where(X["age"] > 13, "old", "young"))
    with says(TypeError, "'age' of the features", "held numbers in fit", "categories now"):
        fitted.predict(words)
    model = quick_model().fit(words, y)
    with says(TypeError, "'age' of the features", "held categories in fit", "numbers now"):
        model.predict(X)
    # words are read from arrays, too
    model = quick_model(task_id=2, metadata=[3, 4]).fit(words.to_numpy(), y)
    assert np.isfinite(model.predict(words.to_numpy())).all()


@pytest.mark.parametrize("kind", ["dict", "complex number", "set", "free text"])
def test_features_of_no_kind(schools, kind):
    X, y = schools
    value = {"dict": {"a": 1}, "complex number": 1j, "set": {1}}.get(kind)
    notes = [f"a note of five words, number {number}" for number in range(len(X))]
    column = pd.Series(notes if value is None else [value] * len(X), index=X.index, dtype=object)
    remedy = "TfidfVectorizer" if kind == "free text" else "Convert or drop"
    with says(TypeError, "'age' of the features", kind.split()[0], remedy):
        quick_model().fit(X.assign(age=column), y)


@pytest.mark.parametrize("shape", ["one number", "a row", "a cube"])
def test_tables_of_other_shapes(schools, fitted, shape):
    X, y = schools
    values = X[FEATURES].to_numpy()
    table = {"one number": values[0, 0], "a row": values[0], "a cube": values[None]}[shape]
    with pytest.raises((ValueError, TypeError)):
        quick_model(task_id=None, metadata=None).fit(table, y)
    with pytest.raises((ValueError, TypeError)):
        fitted.predict(table)


def test_sparse_tables(schools):
    X, y = schools
    with says(TypeError, "[Ss]parse"):
        quick_model(task_id=0, metadata=None).fit(sparse.csr_array(X[FEATURES].to_numpy()), y)


def test_lists_with_strings(schools):
    X, y = schools
    with says(TypeError, "list that holds strings", "DataFrame"):
        quick_model(task_id=2, metadata=None).fit(X[[*FEATURES, "school"]].values.tolist(), y)


@pytest.mark.parametrize("length", [0, 1, 239, 241])
def test_targets_of_another_length(schools, length):
    X, y = schools
    longer = np.resize(y, length)
    with pytest.raises(ValueError, match="inconsistent numbers of samples|0 sample"):
        quick_model().fit(X, longer)


def test_weights_of_another_length_or_sign(schools, fitted):
    X, y = schools
    with says(ValueError, "sample_weight", "240"):
        quick_model().fit(X, y, sample_weight=np.ones(239))
    with says(ValueError, "[Nn]egative"):
        quick_model().fit(X, y, sample_weight=np.where(X.index == 3, -1, 1))
    with says(ValueError, "at least one non-zero"):
        quick_model().fit(X, y, sample_weight=np.zeros(240))
    with says(ValueError, "sample_weight", "NaN"):
        quick_model().fit(X, y, sample_weight=np.where(X.index == 3, np.nan, 1))
    for weight in (1e20, 1e160, 1e300):
        with says(ValueError, "sample_weight", re.escape(f"{weight:g}"), "row 3", "mean"):
            quick_model().fit(X, y, sample_weight=np.where(X.index == 3, weight, 1))
    with says(ValueError, "sample_weight", re.escape("1e+300"), "mean"):
        quick_model().fit(X, y, sample_weight=np.full(240, 1e300))


@pytest.mark.parametrize("kind", ["frame", "array"])
def test_empty_tables(schools, fitted, kind):
    X, y = schools
    nothing = X.head(0)
    model = quick_model()
    if kind == "array":
        nothing = nothing.to_numpy()
        model = quick_model(task_id=2, metadata=[3, 4])
    with says(ValueError, r"0 sample\(s\)"):
        model.fit(nothing, y.head(0))
    with says(ValueError, r"0 sample\(s\)"):
        fitted.predict(nothing)


def test_no_targets(schools):
    with says(ValueError, "requires y", "None"):
        quick_model().fit(schools[0], None)


# metadata


def test_metadata_that_vary_within_a_task(schools):
    X, y = schools
    broken = with_value(X, "size", 77)
    school = X["school"].iloc[7]
    with says(ValueError, "constant within a task", "'size'", f"'{school}'", "77", "feature"):
        quick_model().fit(broken, y)


def test_metadata_that_vary_within_a_task_of_two_columns(schools):
    X, y = schools
    broken = with_value(X, "size", 77).assign(district="north")
    school = X["school"].iloc[7]
    with says(ValueError, "constant within a task", "'size'", f"'{school}'", "'north'"):
        quick_model(task_id=["school", "district"]).fit(broken, y)


def test_unseen_tasks_without_metadata_are_listed(schools):
    X, y = schools
    known = X["school"] < "school 10"
    model = quick_model(metadata=None).fit(X[known], y[known])
    with says(
        ValueError,
        r"2 task\(s\) were not seen",
        "'school 1[01]', 'school 1[01]'",
        "unseen_tasks='average'",
        "metadata=",
        r"adapt\(\)",
    ):
        model.predict(X)


def test_not_all_of_many_unseen_tasks_are_listed(schools):
    X, y = schools
    model = quick_model(metadata=None).fit(X, y)
    new = X.assign(school=[f"new {number}" for number in range(len(X))])
    with pytest.raises(ValueError, match=r"240 task\(s\)") as caught:
        model.predict(new)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("metadata", [None, METADATA])
def test_ids_of_another_type_are_no_new_tasks(schools, metadata):
    X, y = schools
    X = X.assign(school=X["school"].str[-2:].astype(int))
    for first, second in ((int, str), (str, int)):
        model = quick_model(metadata=metadata, unseen_tasks="average")
        model.fit(X.assign(school=X["school"].astype(first)), y)
        with says(ValueError, "the task id '?0'? is of another type", "Convert the column"):
            model.predict(X.assign(school=X["school"].astype(second)))
    # an id that is like no other is new
    assert np.isfinite(model.predict(X.assign(school="none of them"))).all()


def test_ids_of_another_type_in_one_of_two_columns(schools):
    X, y = schools
    X = X.assign(district=np.arange(len(X)) % 2)
    model = quick_model(task_id=["school", "district"], metadata=None, unseen_tasks="average")
    model.fit(X, y)
    with says(ValueError, r"'school 00', '0'\)", r"of \('school 00', 0\)"):
        model.predict(X.assign(district=X["district"].astype(str)))


def test_metadata_table_without_a_task(schools):
    X, y = schools
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    with says(ValueError, r"no row for 1 task\(s\)", "'school 05'", "one row per task", "index"):
        quick_model(metadata=table.drop("school 05")).fit(features, y)
    model = quick_model(metadata=table).fit(features, y)
    with says(ValueError, r"no row for 1 task\(s\)", "'new'"):
        model.predict(features.assign(school=features["school"].where(X.index != 3, "new")))


def test_metadata_table_with_different_rows_for_a_task(schools):
    X, y = schools
    table = metadata_table(X)
    other = table.loc[["school 05"]].assign(size=77.0)
    with says(ValueError, "several rows for the same task", "'school 05'", r"groupby\(level=0\)"):
        quick_model(metadata=pd.concat([table, other])).fit(X[[*FEATURES, "school"]], y)


def test_metadata_table_with_columns_of_the_same_name(schools):
    X, y = schools
    table = metadata_table(X)
    with says(ValueError, "metadata", "same name", "'size'"):
        quick_model(metadata=table[["size", "sector", "size"]]).fit(X[[*FEATURES, "school"]], y)


def test_metadata_without_task_id(schools):
    X, y = schools
    for metadata in (METADATA, metadata_table(X)):
        with says(ValueError, "describes tasks", "task_id=None", "task_id='...'"):
            quick_model(task_id=None, metadata=metadata).fit(X.drop(columns="school"), y)


def test_metadata_as_an_array_of_values(schools):
    X, y = schools
    with pytest.raises((ValueError, TypeError), match="metadata"):
        quick_model(metadata=metadata_table(X).to_numpy()).fit(X[[*FEATURES, "school"]], y)


def test_metadata_as_a_series(schools):
    X, y = schools
    size = metadata_table(X)["size"]
    features = X[[*FEATURES, "school"]]
    with says(ValueError, "not a Series", r"metadata\.to_frame\(\)"):
        quick_model(metadata=size).fit(features, y)
    # the remedy works
    assert len(quick_model(metadata=size.to_frame()).fit(features, y).tasks_) == 12
    with says(ValueError, "not a Series"):
        quick_model(metadata=pd.Series(METADATA)).fit(X, y)


@pytest.mark.parametrize("now", [None, METADATA, []])
def test_metadata_table_that_is_gone_after_fit(schools, now):
    X, y = schools
    features, known = X[[*FEATURES, "school"]], X["school"] < "school 10"
    table = metadata_table(X)
    model = quick_model(metadata=table).fit(features[known], y[known])
    before = model.predict(features)
    model.set_params(metadata=now)
    for call in (
        lambda: model.predict(features),
        lambda: model.score(features, y),
        lambda: model.adapt(features[~known], y[~known]),
        lambda: model.metadata_importance(features, y),
    ):
        with says(ValueError, "metadata was a DataFrame in fit", "one row per task"):
            call()
    assert len(model.tasks_) == 10
    assert_array_equal(model.set_params(metadata=table).predict(features), before)


def test_metadata_table_with_other_columns_after_fit(schools):
    X, y = schools
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    model = quick_model(metadata=table).fit(features, y)
    before = model.predict(features)
    for other in (table[["size"]], table.rename(columns={"size": "pupils"})):
        with says(ValueError, "columns of fit", r"\['size', 'sector'\]", "it has"):
            model.set_params(metadata=other).predict(features)
    # columns are found by name
    for other in (table[["sector", "size"]], table.assign(more=1.0)):
        assert_array_equal(model.set_params(metadata=other).predict(features), before)


@pytest.mark.parametrize("changes", [{"metadata": None}, {"task_id": None, "metadata": None}])
def test_nothing_tells_tasks_apart(schools, changes):
    X, y = schools
    X = X[FEATURES] if "task_id" in changes else X
    with says(ValueError, "embedding_dim=0", "metadata=", "at least 1"):
        quick_model(embedding_dim=0, **changes).fit(X, y)


# parameters


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding_dim": -1},
        {"embedding_dim": 2.5},
        {"embedding_alpha": -0.1},
        {"embedding_init": "far"},
        {"hidden_layer_sizes": "wide"},
        {"hypernet_layers": -1},
        {"hypernet_width": 0},
        {"activation": "sine"},
        {"compression": "yes"},
        {"target_bias": "none"},
        {"init": "zeros"},
        {"linear_skip": 2},
        {"interaction_alpha": -1.0},
        {"alpha": -1e-4},
        {"batch_size": 0},
        {"batch_size": "large"},
        {"learning_rate_init": 0},
        {"learning_rate_init": "fast"},
        {"weight_averaging": 1.0},
        {"max_iter": 0},
        {"early_stopping": "sometimes"},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"tol": -1.0},
        {"unseen_tasks": "zero"},
        {"n_members": 0},
        {"warm_start": "yes"},
        {"device": None},
        {"callbacks": 3},
        {"random_state": "zero"},
        {"verbose": -1},
        {"task_id": 1.5},
        {"metadata": 1.5},
    ],
    ids=lambda changes: "{}={}".format(*next(iter(changes.items()))),
)
def test_values_that_a_parameter_cannot_have(schools, changes):
    with says(InvalidParameterError, f"'{next(iter(changes))}' parameter"):
        quick_model(**changes).fit(*schools)


@pytest.mark.parametrize("sizes", [(0,), (8, -1), (8, 2.5), (8, "8"), ((8,), (8,))])
def test_hidden_layers_that_cannot_be(schools, sizes):
    with says((ValueError, TypeError), "hidden_layer_sizes"):
        quick_model(hidden_layer_sizes=sizes).fit(*schools)


def test_only_one_of_two_validation_tables(schools):
    X, y = schools
    with says(ValueError, "X_val and y_val", "together"):
        quick_model().fit(X, y, X_val=X)
    with says(ValueError, "X_val and y_val", "together"):
        quick_model().fit(X, y, y_val=y)


def test_validation_rows_that_would_not_be_used(schools):
    X, y = schools
    with says(ValueError, "X_val", "early_stopping=True"):
        quick_model(early_stopping=False).fit(X, y, X_val=X, y_val=y)


def test_validation_rows_of_other_tasks(schools):
    X, y = schools
    known = X["school"] < "school 10"
    with says(ValueError, "not among the training rows", "'school 1[01]', 'school 1[01]'"):
        quick_model(metadata=None).fit(X[known], y[known], X_val=X, y_val=y)
    # with metadata new tasks may validate
    quick_model().fit(X[known], y[known], X_val=X, y_val=y)


def test_validation_rows_that_do_not_fit(schools):
    X, y = schools
    with says(ValueError, "inconsistent numbers of samples"):
        quick_model().fit(X, y, X_val=X, y_val=y.head(3))
    with says(ValueError, "feature names", "age"):
        quick_model().fit(X, y, X_val=X.drop(columns="age"), y_val=y)
    with says(ValueError, "'age' of the features", "infinity"):
        quick_model().fit(X, y, X_val=with_value(X, "age", np.inf), y_val=y)
    with says(ValueError, "(?:y_val|outputs)"):
        quick_model().fit(X, y, X_val=X, y_val=np.column_stack([y, y]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_where_there_is_none(schools):
    with says(ValueError, "device='cuda'", r"0 CUDA device\(s\)", "device='auto'", "device='cpu'"):
        quick_model(device="cuda").fit(*schools)


def test_a_gpu_beyond_those_there_are(schools):
    with says(ValueError, "device='cuda:99'", "device='auto'"):
        quick_model(device="cuda:99").fit(*schools)


@pytest.mark.parametrize("device", ["gpu", "cpu-1", "", "meta", "mps", "nonsense"])
def test_a_device_that_does_not_exist(schools, device):
    with says(ValueError, f"device='{device}'", "'auto', 'cpu' or 'cuda'"):
        quick_model(device=device).fit(*schools)


@pytest.mark.parametrize("callback", [EpochTimer, "EpochTimer", None, print])
def test_callbacks_that_are_none(schools, callback):
    with says(TypeError, "callbacks must be instances of skorch callbacks", "EpochTimer()"):
        quick_model(callbacks=[callback]).fit(*schools)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("kind", [EpochScoring, BatchScoring])
def test_callbacks_that_score(schools, kind, n_members):
    callbacks = [EpochTimer(), kind("r2")]
    with says(TypeError, kind.__name__, "history_", "cross_validate"):
        quick_model(callbacks=callbacks, n_members=n_members).fit(*schools)


def test_a_steering_callback_with_several_members(schools):
    with says(ValueError, "EarlyStopping", "2 members", "early_stopping=True", "n_members=1"):
        quick_model(callbacks=[EarlyStopping()], n_members=2).fit(*schools)


# training that diverges


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("averaging", [0.0, 0.99])
def test_training_that_diverges(schools, n_members, early_stopping, averaging):
    model = quick_model(
        learning_rate_init=1e25,
        n_members=n_members,
        early_stopping=early_stopping,
        weight_averaging=averaging,
    )
    with pytest.raises(
        DivergenceError, match=f"member 0 of {n_members} .*1e\\+25; try the default"
    ):
        model.fit(*schools)
    assert not hasattr(model, "module_")


def test_divergence_names_all_members_that_diverged(schools):
    with pytest.raises(DivergenceError) as caught:
        quick_model(learning_rate_init=1e25, n_members=3).fit(*schools)
    assert caught.value.members == (0, 1, 2)
    assert isinstance(caught.value, FloatingPointError)


def test_training_that_diverges_in_the_last_epoch(schools):
    with pytest.raises(DivergenceError, match="learning_rate_init"):
        quick_model(learning_rate_init=1e25, max_iter=1, early_stopping=False).fit(*schools)


@pytest.mark.parametrize("rate", [1e1, 1e3, 1e6, 1e9, 1e12, 1e18, 1e30, 1e300])
def test_predictions_are_finite_or_training_has_diverged(schools, rate):
    X, y = schools
    for changes in ({}, {"max_iter": 1, "early_stopping": False}, {"batch_size": 1_000}):
        model = quick_model(learning_rate_init=rate, **changes)
        with contextlib.suppress(DivergenceError):
            assert np.isfinite(model.fit(X, y).predict(X)).all()


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_divergence_is_an_ordinary_failure_to_a_search(schools):
    grid = {"learning_rate_init": [1e-2, 1e25]}
    with pytest.warns(FitFailedWarning, match="training diverged"):
        search = GridSearchCV(quick_model(), grid, cv=2).fit(*schools)
    assert search.best_params_ == {"learning_rate_init": 1e-2}


def test_a_failed_fit_leaves_the_previous_one(schools, fitted):
    X, y = schools
    before = fitted.predict(X)
    with pytest.raises(DivergenceError):
        fitted.set_params(learning_rate_init=1e25).fit(X, y)
    assert_array_equal(fitted.predict(X), before)


def test_a_failed_fit_on_other_columns_leaves_the_previous_one(schools, fitted):
    X, y = schools
    before, names = fitted.predict(X), fitted.feature_names_in_.copy()
    other = X.rename(columns={"age": "years"}).assign(extra=1.0)
    numbers = X.assign(school=0.0).to_numpy(dtype=float)
    for call, error in [
        (lambda: fitted.set_params(learning_rate_init=1e25).fit(other, y), DivergenceError),
        (lambda: fitted.fit(with_value(other, "years", np.inf), y), ValueError),
        (lambda: fitted.fit(other, y.iloc[:3]), ValueError),
        (lambda: fitted.fit(other.drop(columns="school"), y), ValueError),
        (lambda: fitted.fit(numbers, y), ValueError),
    ]:
        with pytest.raises(error):
            call()
        assert_array_equal(fitted.predict(X), before)
        assert fitted.n_features_in_ == 5
        assert_array_equal(fitted.feature_names_in_, names)
    with says(ValueError, "feature names should match", "- years"):
        fitted.predict(other)


def test_a_failed_first_fit_learns_no_columns(schools):
    X, y = schools
    model = quick_model(learning_rate_init=1e25)
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "feature_names_in_")


# methods


@pytest.mark.parametrize(
    "call",
    [
        lambda model, X, y: model.predict(X),
        lambda model, X, y: model.score(X, y),
        lambda model, X, y: model.adapt(X, y),
        lambda model, X, y: model.metadata_importance(X, y),
        lambda model, X, y: model.tasks_,
        lambda model, X, y: model.task_embeddings_,
    ],
    ids=["predict", "score", "adapt", "metadata_importance", "tasks_", "task_embeddings_"],
)
def test_a_model_that_is_not_fitted(schools, call):
    with says(NotFittedError, "not fitted yet", "'fit'"):
        call(quick_model(), *schools)


def test_adapt_that_fails_changes_nothing(schools):
    X, y = schools
    known = X["school"] < "school 10"
    model = quick_model().fit(X[known], y[known])
    before = model.predict(X)
    with says(ValueError, "another spelling of 'school"):
        model.fit(X, y).adapt(X.assign(school=X["school"] + " "), y)
    model = quick_model().fit(X[known], y[known])
    # rows of known tasks come first, and are fine
    bad = X.assign(size=np.where(known, X["size"], np.arange(len(X))))
    with says(ValueError, "metadata must be constant within a task"):
        model.adapt(bad, y)
    assert len(model.tasks_) == 10
    assert_array_equal(model.predict(X), before)


def test_adapt_without_anything_to_learn(schools):
    X, y = schools
    for model, table in [
        (quick_model(task_id=None, metadata=None), X[FEATURES]),
        (quick_model(embedding_dim=0), X),
    ]:
        with says(ValueError, "adapt", "task_id", "embedding_dim above 0"):
            model.fit(table, y).adapt(table, y)


@pytest.mark.parametrize("n_members", [1, 2])
def test_adapt_after_a_fit_on_one_task(schools, n_members):
    X, y = schools
    one = X["school"] == "school 00"
    model = quick_model(metadata=None, unseen_tasks="average", n_members=n_members)
    model.fit(X.loc[one, [*FEATURES, "school"]], y[one])
    X = X[[*FEATURES, "school"]]
    before = model.predict(X)
    with says(ValueError, "fit saw one task only", "several tasks"):
        model.adapt(X[~one], y[~one])
    assert model.tasks_.tolist() == ["school 00"]
    assert_array_equal(model.predict(X), before)
    two = X["school"] < "school 02"
    model.fit(X[two], y[two]).adapt(X[~two], y[~two])
    assert len(model.tasks_) == 12


def test_adapt_with_rows_that_do_not_fit(schools):
    X, y = schools
    known = X["school"] < "school 10"
    model = quick_model().fit(X[known], y[known])
    X, y = X[~known], y[~known]
    with says(ValueError, "feature names", "- age"):
        model.adapt(X.drop(columns="age"), y)
    with says(ValueError, "feature names", "- size"):
        model.adapt(X.drop(columns="size"), y)
    with says(ValueError, "inconsistent numbers of samples"):
        model.adapt(X, y.head(3))
    with says(ValueError, "2 outputs", "fit saw 1"):
        model.adapt(X, np.column_stack([y, y]))
    with says(ValueError, "constant within a task", "'size'"):
        model.adapt(X.assign(size=np.arange(len(X))), y)
    with says(ValueError, r"0 sample\(s\)"):
        model.adapt(X.head(0), y.head(0))
    with says(ValueError, "Input y", "NaN"):
        model.adapt(X, y.where(np.arange(len(y)) != 3))
    assert len(model.tasks_) == 10


def test_adapt_to_a_task_that_the_metadata_table_lacks(schools):
    X, y = schools
    features, known = X[[*FEATURES, "school"]], X["school"] < "school 10"
    table = metadata_table(X[known])
    model = quick_model(metadata=table).fit(features[known], y[known])
    with says(ValueError, r"no row for 2 task\(s\)", "'school 10'"):
        model.adapt(features[~known], y[~known])


def test_importance_of_metadata_that_there_are_not(schools):
    X, y = schools
    model = quick_model(metadata=None).fit(X, y)
    with says(ValueError, "no metadata to shuffle", "metadata=None"):
        model.metadata_importance(X, y)


def test_importance_of_metadata_with_a_scorer_that_does_not_exist(schools, fitted):
    with pytest.raises(ValueError, match="accuracyy"):
        fitted.metadata_importance(*schools, scoring="accuracyy")


@pytest.mark.parametrize("n_repeats", [0, -1, 2.5, "5", None])
def test_importance_of_metadata_that_are_shuffled_less_than_once(schools, fitted, n_repeats):
    with says(ValueError, "n_repeats", "at least 1", f"{n_repeats!r}"):
        fitted.metadata_importance(*schools, n_repeats=n_repeats)
