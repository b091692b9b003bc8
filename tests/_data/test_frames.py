"""Tables of polars and pyarrow mean the same as those of pandas."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmtl._data.frames import as_pandas
from tests._asserts import says
from tests._tables import FEATURES, make_schools, make_wide, metadata_table, quick_model

LIBRARIES = ["polars", "pyarrow"]
COLUMNS = {
    "int": [1, 2, 3],
    "float": [1.5, 2.0, -3.0],
    "decimal": [Decimal("1.5"), Decimal("2.5"), Decimal("3.5")],
    "word": ["x", "", "y"],
    "bool": [True, False, True],
    "date": [date(2020, 1, 1), date(1950, 2, 3), date(2024, 2, 29)],
    "naive": [datetime(2020, 1, 1, 5), datetime(1950, 2, 3), datetime(2024, 2, 29)],
    "aware": [datetime(2020, 1, 1, 5, tzinfo=UTC), datetime(1950, 2, 3, tzinfo=UTC)] * 2,
    "duration": [timedelta(1), timedelta(seconds=3), timedelta(0)],
}


def frame_of(library, columns):
    """Make a table of another library, of a dict or of a pandas frame."""
    module = pytest.importorskip(library)
    columns = {name: list(values) for name, values in columns.items()}
    return module.DataFrame(columns) if library == "polars" else module.table(columns)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("gap", [False, True])
def test_values_are_those_of_the_list(library, name, gap):
    values = [*COLUMNS[name][:2], None if gap else COLUMNS[name][2]]
    column = as_pandas(frame_of(library, {name: values}))[name]
    for actual, value in zip(column, values, strict=True):
        if value is None:
            assert pd.isna(actual)
        elif name in ("date", "naive", "aware"):
            assert actual == pd.Timestamp(value)
        else:
            assert actual == value


@pytest.mark.parametrize("library", LIBRARIES)
def test_categories_stay_categories(library):
    module = pytest.importorskip(library)
    table = frame_of(library, {"word": ["b", None, "a"]})
    if library == "polars":
        table = table.with_columns(module.col("word").cast(module.Categorical))
    else:
        table = module.table({"word": table["word"].dictionary_encode()})
    column = as_pandas(table)["word"]
    assert isinstance(column.dtype, pd.CategoricalDtype)
    assert column.tolist()[::2] == ["b", "a"]
    assert column.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("library", LIBRARIES)
def test_models_are_the_same(library):
    X, y = make_schools()
    X = X.assign(colour=np.where(X["age"] > 13, "red", "blue"))
    X.loc[::7, "age"] = np.nan
    model = quick_model().fit(X, y)
    table = frame_of(library, X)
    other = quick_model().fit(table, frame_of(library, {"y": y})["y"])
    assert_array_equal(other.feature_names_in_, X.columns)
    for one, two in ((other, X), (other, table), (model, table)):
        assert_array_equal(one.predict(two), model.predict(X))
    # columns are found by name, and others are refused as scikit-learn does
    assert_array_equal(model.predict(frame_of(library, X[X.columns[::-1]])), model.predict(X))
    with says(ValueError, "feature names should match", "- years"):
        model.predict(frame_of(library, X.rename(columns={"age": "years"})))


@pytest.mark.parametrize("library", LIBRARIES)
def test_metadata_of_another_library(library):
    X, y = make_schools()
    features, table = X[[*FEATURES, "school"]], metadata_table(X)
    expected = quick_model(metadata=table).fit(features, y).predict(features)
    model = quick_model(metadata=frame_of(library, table.reset_index()))
    model.fit(frame_of(library, features), y)
    assert_array_equal(model.predict(frame_of(library, features)), expected)


@pytest.mark.parametrize("library", LIBRARIES)
def test_wide_labels_of_another_library(library):
    X, Y = make_wide()
    model = quick_model(task_id=None, metadata=None)
    expected = model.fit(X, Y).predict(X).to_numpy()
    actual = model.fit(
        frame_of(library, X), frame_of(library, Y.astype(object).where(Y.notna(), None))
    )
    assert actual.tasks_.tolist() == Y.columns.tolist()
    assert_allclose(actual.predict(frame_of(library, X)), expected, rtol=1e-12)


def test_lazy_and_unusable_columns():
    polars = pytest.importorskip("polars")
    X, y = make_schools()
    table = frame_of("polars", X)
    with says(TypeError, "lazy", "collect"):
        quick_model().fit(table.lazy(), y)
    for values in ([[1]] * len(X), [time(1)] * len(X), [{"a": 1}] * len(X)):
        with says(TypeError, "'odd' of the features", "Convert or drop"):
            quick_model().fit(table.with_columns(polars.Series("odd", values)), y)
