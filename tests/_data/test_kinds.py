"""What a column holds, and the numbers that it is read as."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmtl._data.kinds import learn_column
from tests._asserts import says

DAY = 86_400.0
DATES = ["2020-01-01", None, "2020-01-03"]
SECONDS = [1_577_836_800.0, np.nan, 1_577_836_800.0 + 2 * DAY]


def read(values, then=None, categorical=False):
    """Read values as a column that was learned from them, or from others."""
    values = pd.Series(values) if not isinstance(values, pd.Series) else values
    then = values if then is None else then
    column = learn_column(then, "x", "features", categorical)
    return column.kind, column.read(values, "features").tolist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pd.Series([1, None, 3], dtype="Int64"), "numeric", [1, np.nan, 3]),
        (pd.Series([True, None, False], dtype="boolean"), "numeric", [1, np.nan, 0]),
        (pd.Series([True, None, 2.5], dtype=object), "category", [0, np.nan, 1]),
        (pd.Series([True, None, False], dtype=object), "numeric", [1, np.nan, 0]),
        (pd.Series(["b", None, "a"]), "category", [1, np.nan, 0]),
        (pd.Series(["b", None, "a"], dtype="string"), "category", [1, np.nan, 0]),
        (pd.Series([7, None, 3], dtype="Int64").astype("category"), "category", [1, np.nan, 0]),
        (pd.Series(["b", None, 1], dtype=object), "category", [1, np.nan, 0]),
        (pd.Series(pd.cut([2.0, np.nan, 0.5], [0, 1, 2])), "category", [1, np.nan, 0]),
        (pd.Series(pd.to_datetime(DATES)), "date", SECONDS),
        (pd.Series(pd.to_datetime(DATES)).dt.tz_localize("UTC"), "date", SECONDS),
        (pd.Series(pd.to_datetime(DATES)).dt.to_period("D"), "date", SECONDS),
        (pd.Series(pd.to_datetime(DATES)).dt.date, "date", SECONDS),
        (pd.Series(DATES), "date", SECONDS),
        (pd.Series(pd.to_timedelta([1, None, 3], unit="D")), "duration", [DAY, np.nan, 3 * DAY]),
        (pd.Series([None] * 3, dtype=object), "empty", [np.nan] * 3),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_kind_and_numbers(values, kind, expected):
    actual, numbers = read(values)
    assert actual == kind
    assert_array_equal(numbers, expected)


def test_dates_of_any_year():
    ancient = pd.Series(np.array(["0001-01-01", "9999-12-31"], dtype="datetime64[s]"))
    expected = ancient.to_numpy().astype("int64").astype(float)
    assert read(ancient) == ("date", expected.tolist())


def test_categories_are_those_of_fit():
    then = pd.Series(["b", "a", "c"], dtype="category").cat.remove_unused_categories()
    now = pd.Series(["z", "c", None, "a"], dtype=object)
    assert_array_equal(read(now, then)[1], [-1, 2, np.nan, 0])
    # whatever stores them, and with other categories
    for dtype in ("string", pd.CategoricalDtype(["z", "a", "c", "q"])):
        assert_array_equal(read(now.astype(dtype), then)[1], [-1, 2, np.nan, 0])
    numbers = pd.Series([3, 1, 2])
    assert_array_equal(read(numbers * 1.0, numbers, categorical=True)[1], [2, 0, 1])
    # an unseen number is another category, too
    assert_array_equal(read(pd.Series([8]), numbers, categorical=True)[1], [-1])


@pytest.mark.parametrize(
    ("then", "now", "held", "holds"),
    [
        (["a", "b"], [1.0, 2.0], "categories", "numbers"),
        ([1.0, 2.0], ["a", "b"], "numbers", "categories"),
        (DATES, [1.0, 2.0], "dates", "numbers"),
        (DATES, ["a", "b"], "dates", "categories"),
        ([1.0, 2.0], DATES, "numbers", "dates"),
    ],
)
def test_another_kind_than_in_fit(then, now, held, holds):
    with says(TypeError, "'x' of the features", f"held {held} in fit", f"{holds} now"):
        read(pd.Series(now), pd.Series(then))
    # a column without a value is no other kind
    assert np.isnan(read(pd.Series([None, None]), pd.Series(then))[1]).all()


def test_free_text_is_refused_but_many_categories_are_not():
    notes = pd.Series([f"the patient came in for the visit number {k}" for k in range(50)])
    with says(TypeError, "free text", "TfidfVectorizer", r"astype\('category'\)"):
        read(notes)
    assert read(notes.astype("category"))[0] == "category"
    assert read(pd.Series([f"drug {k}" for k in range(50)]))[0] == "category"


def test_integers_beyond_floats():
    with says(ValueError, "'x' of the features", "too large"):
        read(pd.Series([1, 10**400], dtype=object))
