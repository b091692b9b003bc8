"""Columns of a table: finding them, and converting them to numbers.

Errors name the column and say what to change.
"""

import numbers
import re

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_array

from skmtl._data.frames import as_pandas, native
from skmtl._data.kinds import NUMERIC_OBJECTS, Column, check_not_infinite, learn_column
from skmtl._data.messages import did_you_mean

# largest scaled value: single precision ends at 3e38, and networks square
LARGEST = 1e15
# Most rows of a table for which the time of each call of pandas matters, and most columns that are
# converted one by one then.
_FEW_ROWS, _FEW_COLUMNS = 100, 4
_TRANSFORMER_HINT = (
    "If X comes out of a ColumnTransformer: its default output is an array without names, and its "
    "pandas output prefixes them. Pass a position instead, such as {parameter}={position}, or use "
    "ColumnTransformer(..., verbose_feature_names_out=False).set_output(transform='pandas')."
)
_ARRAY_HINT = (
    " Bagging, AdaBoost and other meta-estimators of scikit-learn hand over arrays, too: pass "
    "positions to them. RFECV and SequentialFeatureSelector also take columns away. RFECV keeps "
    "the task id with task_id=0, and metadata must then be a table; SelectFromModel keeps names. "
    "feature_importances_, metadata_importance and permutation_importance say which columns matter."
)


def as_table(X):
    """Return `X` as a pandas DataFrame or a two-dimensional array, without changing a value.

    Sparse, complex, one-dimensional and empty input raise the errors of scikit-learn.
    """
    X = as_pandas(X)
    if isinstance(X, pd.DataFrame):
        table = X
    else:
        if not sparse.issparse(X) and not hasattr(X, "dtype"):
            X = np.asarray(X)
            if X.dtype.kind in "US":
                raise TypeError(
                    "X is a list that holds strings, so that its numbers cannot be told apart "
                    "from them; pass a DataFrame instead."
                )
        # raises for what is not a table; mixed columns may hold strings and stay as they are
        table = native(check_array(X, dtype=None, ensure_all_finite=False, ensure_min_features=0))
    if len(table) == 0:
        raise ValueError(
            f"X has 0 sample(s) (shape={table.shape}) while a minimum of 1 is required."
        )
    if isinstance(table, pd.DataFrame):
        check_unique_columns(table, "X")
    return table


def check_unique_columns(table, what):
    """Raise an error for a DataFrame with several columns of the same name."""
    if not table.columns.is_unique:
        repeated = table.columns[table.columns.duplicated()].unique().tolist()
        raise ValueError(
            f"{what} has several columns of the same name: {repeated}; rename or drop them."
        )


def column_names(table):
    """Return the labels of the columns of a DataFrame, or the positions of an array."""
    return list(table.columns) if isinstance(table, pd.DataFrame) else list(range(table.shape[1]))


def find_columns(table, spec, parameter):
    """Return the positions of the columns that a constructor parameter names.

    Of `spec`, one or a list, a string is a label and an int a position, negative from the end.
    """
    several_levels = isinstance(table, pd.DataFrame) and table.columns.nlevels > 1
    if np.ndim(spec) == 1 and len(spec) == len(table) > table.shape[1]:
        raise ValueError(
            f"{parameter} must name columns of X, not hold their values: put them into X as a "
            f"column, and pass its name, such as {parameter}='task'."
        )
    if isinstance(spec, str) or not hasattr(spec, "__iter__"):
        spec = [spec]
    elif isinstance(spec, tuple) and several_levels and spec in table.columns:
        # one label of columns with several levels
        spec = [spec]
    positions = [_find_column(table, item, parameter) for item in spec]
    if len(set(positions)) < len(positions):
        raise ValueError(f"{parameter}={list(spec)!r} names a column twice.")
    return positions


def _find_column(table, item, parameter):
    n_columns = table.shape[1]
    if isinstance(item, numbers.Integral) and not isinstance(item, bool):
        if not -n_columns <= item < n_columns:
            raise ValueError(
                f"{parameter}={item!r} is no position in X, which has {n_columns} columns."
            )
        return int(item) % n_columns
    if not isinstance(table, pd.DataFrame):
        hint = _TRANSFORMER_HINT.format(parameter=parameter, position=-1)
        raise ValueError(
            f"{parameter} names the column {item!r}, but X is an array of {n_columns} columns "
            f"without names. {hint}{_ARRAY_HINT}"
        )
    if item in table.columns:
        return int(table.columns.get_loc(item))
    hint = ""
    prefixed = [name for name in table.columns if str(name).endswith(f"__{item}")]
    if prefixed:
        position = int(table.columns.get_loc(prefixed[0]))
        hint = f" There is {prefixed[0]!r}. " + _TRANSFORMER_HINT.format(
            parameter=parameter, position=position
        )
    else:
        hint = _encoded_hint(table, item) or did_you_mean(item, table.columns)
    shown = ", ".join(map(repr, table.columns[:20])) + (", ..." if n_columns > 20 else "")
    raise ValueError(
        f"{parameter} names the column {item!r}, which is not in X. X has {shown}.{hint}"
    )


def _encoded_hint(table, item):
    """Return a hint that a column seems to have been replaced by indicators of its values."""
    pattern = re.compile(rf"(.*__)?{re.escape(str(item))}_.+")
    indicators = [name for name in table.columns if pattern.fullmatch(str(name))]
    if len(indicators) < 2:
        return ""
    return (
        f" {indicators[0]!r} and {len(indicators) - 1} more look like its one-hot encoding: pass "
        f"it through unchanged, for example with ('passthrough', [{item!r}]) in a "
        "ColumnTransformer; this estimator needs the column itself."
    )


def series_of(table, position):
    """Return one column of a DataFrame or an array as a Series."""
    if isinstance(table, pd.DataFrame):
        label = table.columns[position]
        # the faster way, where a label means nothing else
        return table[label] if isinstance(label, str) else table.iloc[:, position]
    values = table[:, position]
    if values.dtype.kind == "S":
        values = np.char.decode(values)
    return pd.Series(values.astype(object) if values.dtype.kind == "U" else values)


def learn_columns(table, positions, what, categorical=()):
    """Learn the kinds of columns; the caller declares those at `categorical` as categories."""
    names = column_names(table)
    if _all_numbers(table):
        # the most common case: an array, or a frame of one numeric type
        return [
            learn_column(series_of(table, p), names[p], what, True)
            if p in categorical
            else Column(names[p], "numeric")
            for p in positions
        ]
    return [learn_column(series_of(table, p), names[p], what, p in categorical) for p in positions]


def _all_numbers(table):
    return isinstance(table, np.ndarray) and table.dtype.kind in "biuf"


def read_columns(table, positions, columns, what, estimator, dtypes=None):
    """Read columns as numbers of shape (n, len(positions)), NaN where missing: see `Column.read`.

    Infinity, or a column that holds something else than in ``fit``, is an error, which names the
    role `what` ("features" or "metadata") and the estimator. `dtypes` are those of a DataFrame, if
    they are known: pandas takes long to list them.
    """
    if all(column.kind == "numeric" for column in columns):
        if _all_numbers(table):
            block = check_array(
                _block(table, positions),
                dtype=np.float64,
                ensure_all_finite=False,
                estimator=estimator,
                ensure_min_features=0,
            )
            return _checked(block, columns, what)
        if isinstance(table, pd.DataFrame):
            dtypes = list(table.dtypes) if dtypes is None else dtypes
            if all(dtypes[position].kind in "biuf" for position in positions):
                return _checked(_numbers(table, positions, dtypes), columns, what)
    values = np.empty((len(table), len(positions)))
    for k, (position, column) in enumerate(zip(positions, columns, strict=True)):
        values[:, k] = column.read(series_of(table, position), what)
    return values


def _numbers(table, positions, dtypes):
    """Return columns of a DataFrame that hold numbers only, NaN where missing."""
    if len(table) <= _FEW_ROWS and all(dtype.kind in "biuf" for dtype in dtypes):
        # taking columns of one row takes four times as long as converting all
        values = table.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asfortranarray(_block(values, positions))
    if len(table) <= _FEW_ROWS and len(positions) <= _FEW_COLUMNS:
        columns = [series_of(table, p).to_numpy(np.float64, na_value=np.nan) for p in positions]
        return np.array(columns).reshape(len(positions), len(table)).T
    # `iloc` takes twice as long for one row
    return table.take(positions, axis=1).to_numpy(dtype=np.float64, na_value=np.nan)


def _block(table, positions):
    return table[:, positions] if len(positions) < table.shape[1] else table


def _checked(values, columns, what):
    """Return a block of numbers; infinity raises an error."""
    # a cheap test first: the sum is finite only if every value is
    with np.errstate(over="ignore", invalid="ignore"):
        looks_finite = np.isfinite(values.sum())
    if not looks_finite:
        for k, column in enumerate(columns):
            check_not_infinite(values[:, k], column.name, what)
    return values


def is_numeric(column):
    """Return whether a Series holds real numbers, or booleans, but not categories."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_complex_dtype(dtype):
        return False
    if pd.api.types.is_object_dtype(dtype):
        return pd.api.types.infer_dtype(column, skipna=True) in NUMERIC_OBJECTS
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
