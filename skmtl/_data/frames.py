"""Conversion of tables of polars, pyarrow and other libraries to pandas frames."""

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from skmtl._persistence import saved_as


def as_pandas(table):
    """Convert a frame or a column of another library to pandas; return anything else unchanged.

    Numbers in the byte order of another machine are converted in frames of pandas, too. Missing
    values, strings and categories are preserved, so that a table has the same meaning in
    every library. A lazy frame, which has not been computed yet, raises a TypeError.
    """
    if isinstance(table, (pd.DataFrame, pd.Series)):
        return _native_frame(table)
    wrapped = nw.from_native(table, pass_through=True, allow_series=True)
    if isinstance(wrapped, nw.LazyFrame):
        raise TypeError(f"{type(table).__name__} is lazy; pass the computed table, .collect().")
    if isinstance(wrapped, nw.Series):
        return _column(wrapped).rename(wrapped.name or None)
    if isinstance(wrapped, nw.DataFrame):
        columns = {k: _column(wrapped.get_column(name)) for k, name in enumerate(wrapped.columns)}
        frame = pd.DataFrame(columns, index=pd.RangeIndex(len(wrapped)))
        return frame.set_axis(pd.Index(wrapped.columns), axis=1)
    return table


def native(values):
    """Return an array, an index or a Series with numbers in the byte order of this machine.

    pandas and torch compute with no other, which files of other machines may have.
    """
    if not _is_foreign(values.dtype):
        return values
    if isinstance(values, pd.Series):
        # `astype` of pandas 2 leaves durations as they are
        converted = native(values.array.to_numpy())
        return pd.Series(converted, index=values.index, name=values.name)
    return values.astype(values.dtype.newbyteorder("="))


def _is_foreign(dtype):
    # those of pandas have this attribute, too, with another meaning
    return isinstance(dtype, np.dtype) and not dtype.isnative and dtype.kind != "V"


def _native_frame(table):
    """Return a DataFrame or a Series whose columns and labels are `native`."""
    for axis, labels in enumerate(table.axes):
        if native(labels) is not labels:
            labels = pd.Index(native(labels.to_numpy()), name=labels.name)
            table = table.set_axis(labels, axis=axis)
    if isinstance(table, pd.Series):
        return native(table)
    foreign = [k for k, dtype in enumerate(table.dtypes) if _is_foreign(dtype)]
    if foreign:
        table = table.copy()
        for k in foreign:
            table.isetitem(k, native(table.iloc[:, k]))
    return table


def _column(column):
    """Convert one column, without pyarrow, which polars needs for its own conversion."""
    dtype, missing = column.dtype, column.null_count() > 0
    if dtype.is_numeric():
        exact = not missing and not isinstance(dtype, nw.Decimal)
        return pd.Series((column if exact else column.cast(nw.Float64)).to_numpy())
    if dtype == nw.Boolean:
        return pd.Series(column.to_list(), dtype="boolean" if missing else bool)
    if dtype in (nw.Categorical, nw.Enum):
        return pd.Series(column.to_list(), dtype="category")
    if dtype == nw.Duration or (dtype == nw.Datetime and dtype.time_zone is None):
        return pd.Series(column.to_numpy())
    if dtype in (nw.Date, nw.Datetime):
        return pd.to_datetime(pd.Series(column.to_list(), dtype=object))
    # strings, and types that raise an error with the column's name later
    return pd.Series(column.to_list(), dtype=object)


def _is_foreign_frame(table):
    return not isinstance(table, pd.DataFrame) and isinstance(
        nw.from_native(table, pass_through=True), nw.DataFrame
    )


# of the parameter `metadata`
saved_as(_is_foreign_frame, as_pandas)
