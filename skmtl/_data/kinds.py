"""Kinds of columns: numbers, categories, dates or durations, read as float64, NaN where missing.

They are learned from the table of ``fit`` and applied to every other table; encoding comes later.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmtl._persistence import saveable

NUMERIC_OBJECTS = {"floating", "integer", "mixed-integer-float", "boolean", "decimal", "empty"}
_WORDS = {"string", "mixed-integer", "mixed", "boolean", "bytes"}
# mean number of words from which on a column of mostly distinct strings counts as text
_WORDS_OF_TEXT = 3
_PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
_ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[ T].*)?"


@dataclass
@saveable
class Column:
    """One column of X or of the metadata.

    `kind` is "numeric", "category", "date", "duration" or "empty"; a column whose values are all
    missing in ``fit`` is empty and stays unused. `categories` are those of ``fit``, whose numbers
    `read` returns; -1 is any other.
    """

    name: object
    kind: str
    categories: pd.Index | None = None

    def read(self, values, what):
        """Convert the values of a table to float64 of shape (n,), NaN where one is missing.

        Those are numbers, numbers of categories, or seconds (since 1970 for dates, in UTC). Errors
        name the role of the column, `what`: "features" or "metadata".
        """
        kind = kind_of(values, self.name, what)
        if self.kind == "category":
            numbers = self._numbers_of_categories(values)
            if kind == "category" or (numbers >= 0).any() or self._holds_numbers():
                return numbers
        if values.isna().all() or self.kind == "empty":
            return np.full(len(values), np.nan)
        if kind != self.kind:
            raise TypeError(
                f"the column {self.name!r} of the {what} held {_PLURAL[self.kind]} in fit and "
                f"holds {_PLURAL[kind]} now; convert it to what it was."
            )
        try:
            return _READERS[kind](values, self.name, what)
        except (TypeError, ValueError, OverflowError) as error:
            if repr(self.name) in str(error):
                raise
            raise ValueError(
                f"the column {self.name!r} of the {what} has a value that cannot be read as "
                f"{_PLURAL[kind]}: {error}."
            ) from error

    def _holds_numbers(self):
        return pd.api.types.is_numeric_dtype(self.categories.dtype)

    def show(self, number):
        """Return the value that a number of `read` represents, as text."""
        if np.isnan(number):
            return "missing"
        if self.kind == "category":
            return repr(self.categories[int(number)]) if number >= 0 else "another category"
        if self.kind == "date":
            return str(pd.Timestamp(number, unit="s"))
        return f"{number:g}"

    def _numbers_of_categories(self, values):
        labels = plain_labels(values)
        missing = labels.isna().to_numpy()
        numbers = self.categories.get_indexer(index_of(labels[~missing])).astype(np.float64)
        result = np.full(len(labels), np.nan)
        result[~missing] = numbers
        return result


_PLURAL = {
    "numeric": "numbers",
    "category": "categories",
    "date": "dates",
    "duration": "durations",
    "empty": "nothing",
}


def learn_column(values, name, what, categorical):
    """Learn the kind of a column; `categorical` if the caller declares it as such."""
    if values.isna().all():
        return Column(name, "empty")
    kind = "category" if categorical else kind_of(values, name, what)
    if kind != "category":
        return Column(name, kind)
    labels = plain_labels(values).dropna()
    categories = index_of(pd.Series(labels.unique(), dtype=labels.dtype))
    if not (categorical or isinstance(values.dtype, pd.CategoricalDtype)):
        _refuse_text(labels, categories, name, what)
    try:
        categories = categories.sort_values()
    except TypeError:
        order = sorted(range(len(categories)), key=lambda k: _sort_key(categories[k]))
        categories = categories[order]
    return Column(name, "category", categories)


def index_of(labels):
    """Return a Series as an Index of the same type, which pandas 2 would look for in objects."""
    return pd.Index(labels, dtype=labels.dtype)


def _sort_key(label):
    return type(label).__name__, repr(label)


def plain_labels(values):
    """Return categories as the labels that they represent, whatever the type of the column."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        # objects first: a type of whole numbers has no missing values
        values = values.astype(object).infer_objects()
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        # 3 and 3.0 are one category
        return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)
    return values.astype(object).where(values.notna(), None)


def kind_of(values, name, what):
    """Return the kind of a Series, by its type and, for objects, by its values.

    A Series that cannot be used raises a TypeError.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if pd.api.types.is_timedelta64_dtype(dtype):
        return "duration"
    if isinstance(dtype, pd.StringDtype):
        return "date" if _are_iso_dates(values) else "category"
    if pd.api.types.is_complex_dtype(dtype):
        raise TypeError(_unusable(name, what, "complex numbers"))
    if pd.api.types.is_object_dtype(dtype):
        return _kind_of_objects(values, name, what)
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return "numeric"
    raise TypeError(_unusable(name, what, f"the type {dtype}"))


def _kind_of_objects(values, name, what):
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred in NUMERIC_OBJECTS:
        return "numeric"
    if inferred in ("datetime", "datetime64", "date", "period"):
        return "date"
    if inferred in ("timedelta", "timedelta64"):
        return "duration"
    if inferred == "string":
        return "date" if _are_iso_dates(values) else "category"
    known = values.dropna()
    odd = known[
        [not isinstance(value, (str, bytes, bool, int, float, np.generic)) for value in known]
    ]
    if inferred in _WORDS and not len(odd):
        return "category"
    example = type(odd.iloc[0]).__name__ if len(odd) else inferred
    raise TypeError(_unusable(name, what, f"objects of the type {example}"))


def _unusable(name, what, content):
    # scikit-learn's checks look for the words in brackets
    return (
        f"the column {name!r} of the {what} holds {content}, which are neither numbers, "
        "categories, dates nor durations (argument must be a string or a number). Convert or drop "
        "it."
    )


def _are_iso_dates(values):
    """Return whether strings are dates such as 2024-01-31, with or without a time."""
    known = values.dropna()
    first = known.iloc[:100]
    if not len(first) or not first.astype(str).str.fullmatch(_ISO_DATE).all():
        return False
    try:
        pd.to_datetime(known, format="ISO8601", utc=True)
    except (ValueError, TypeError):
        return False
    return True


def _refuse_text(labels, categories, name, what):
    """Raise an error for sentences that differ in nearly every row."""
    if len(labels) < 20 or len(categories) <= len(labels) / 2:
        return
    words = pd.Series(categories[:200].astype(str)).str.split().str.len().mean()
    if words < _WORDS_OF_TEXT:
        return
    raise TypeError(
        f"the column {name!r} of the {what} looks like free text: {len(categories)} different "
        f"values of {words:.0f} words on average, such as {str(categories[0])[:60]!r}. Drop it, or "
        "turn it into numbers first, for example with scikit-learn's TfidfVectorizer and "
        "TruncatedSVD"
        + (" in a ColumnTransformer before this estimator." if what == "features" else ".")
        + " If these are categories all the same, make them so with astype('category')."
    )


def _read_numbers(values, name, what):
    try:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError as error:
        raise ValueError(
            f"the column {name!r} of the {what} has an integer too large for a float, of "
            f"{len(str(max(values.dropna(), key=abs)))} digits; divide it, or take its logarithm."
        ) from error
    return check_not_infinite(numbers, name, what)


def check_not_infinite(numbers, name, what):
    """Refuse infinity; NaN is a missing value."""
    rows = np.flatnonzero(np.isinf(numbers))
    if len(rows):
        raise ValueError(
            f"the column {name!r} of the {what} contains infinity in {len(rows)} row(s), the first "
            f"is row {rows[0]}; correct it, or mark it as missing (NaN)."
        )
    return numbers


def _read_dates(values, name, what):
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    elif pd.api.types.infer_dtype(values, skipna=True) == "period":
        values = values.map(lambda period: period.to_timestamp(), na_action="ignore")
    text = not pd.api.types.is_datetime64_any_dtype(values.dtype)
    dates = pd.to_datetime(values, utc=True, format="ISO8601" if text else None)
    dates = dates.dt.tz_localize(None).to_numpy()
    # by hand: a difference of dates in nanoseconds ends in the year 2262
    seconds = dates.astype(np.int64) / _PER_SECOND[np.datetime_data(dates.dtype)[0]]
    return np.where(np.isnat(dates), np.nan, seconds)


def _read_durations(values, name, what):
    durations = pd.to_timedelta(values)
    return durations.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)


_READERS = {"numeric": _read_numbers, "date": _read_dates, "duration": _read_durations}
