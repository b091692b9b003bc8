"""Columns of a table: finding them, and converting them to numbers.

Errors name the column and say what to change.
"""

import numbers

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_array

# largest scaled value: single precision ends at 3e38, and networks square
LARGEST = 1e15
_TRANSFORMER_HINT = (
    "If X comes out of a ColumnTransformer: its default output is an array without names, and its "
    "pandas output prefixes them. Pass a position instead, such as {parameter}={position}, or use "
    "ColumnTransformer(..., verbose_feature_names_out=False).set_output(transform='pandas')."
)
_NUMERIC_KINDS = {"floating", "integer", "mixed-integer-float", "boolean", "decimal", "empty"}


def as_table(X):
    """Return `X` as a DataFrame or a two-dimensional array, without changing a value.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn, for sparse, complex, one-dimensional or empty input.
    """
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
        table = check_array(X, dtype=None, ensure_all_finite=False, ensure_min_features=0)
    if len(table) == 0:
        raise ValueError(
            f"X has 0 sample(s) (shape={table.shape}) while a minimum of 1 is required."
        )
    if isinstance(table, pd.DataFrame):
        check_unique_columns(table, "X")
    return table


def check_unique_columns(table, what):
    """Refuse a DataFrame in which a name stands for several columns."""
    repeated = table.columns[table.columns.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(
            f"{what} has several columns of the same name: {repeated}; rename or drop them."
        )


def column_names(table):
    """Return the labels of the columns of a DataFrame, or the positions of an array."""
    return list(table.columns) if isinstance(table, pd.DataFrame) else list(range(table.shape[1]))


def find_columns(table, spec, parameter):
    """Find the columns that a constructor parameter names.

    Parameters
    ----------
    table : DataFrame or ndarray
    spec : str, int, or list of these
        A string is a label, an int a position, negative from the end.
    parameter : str
        Name of the constructor parameter, for the errors.

    Returns
    -------
    list of int
    """
    if isinstance(spec, str) or not hasattr(spec, "__iter__"):
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
            f"without names. {hint}"
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
    shown = ", ".join(map(repr, table.columns[:20])) + (", ..." if n_columns > 20 else "")
    raise ValueError(
        f"{parameter} names the column {item!r}, which is not in X. X has {shown}.{hint}"
    )


def numbers_of(table, positions, what, estimator):
    """Convert columns to float64 numbers.

    Parameters
    ----------
    table : DataFrame or ndarray
    positions : list of int
    what : {"features", "metadata"}
        Role of the columns, for the errors.
    estimator : estimator
        Named in the errors.

    Returns
    -------
    ndarray of shape (n, len(positions))

    Raises
    ------
    TypeError
        If a column is not numeric.
    ValueError
        If a value is missing or infinite.
    """
    names = column_names(table)
    if isinstance(table, pd.DataFrame):
        block = table.iloc[:, positions]
        bad = [name for name in block.columns if not is_numeric(block[name])]
    else:
        block = table[:, positions] if len(positions) < table.shape[1] else table
        bad = []
        if block.dtype.kind == "O":
            bad = [names[p] for p in positions if not is_numeric(pd.Series(table[:, p]))]
        elif block.dtype.kind not in "biufc":
            bad = [names[p] for p in positions]
    if bad:
        raise TypeError(_not_numeric(bad, what, estimator))
    if isinstance(block, pd.DataFrame):
        block = block.to_numpy(dtype=np.float64, na_value=np.nan)
    values = check_array(
        block, dtype=np.float64, ensure_all_finite=False, estimator=estimator, ensure_min_features=0
    )
    # a cheap test first: the sum is finite only if every value is
    with np.errstate(over="ignore", invalid="ignore"):
        looks_finite = np.isfinite(values.sum())
    if not looks_finite:
        finite = np.isfinite(values).all(axis=0)
        bad = [names[p] for p, good in zip(positions, finite, strict=True) if not good]
        if bad:
            raise ValueError(
                f"the {what} contain NaN or infinity in these columns: {bad}. Impute them first, "
                "for example with sklearn.impute.SimpleImputer in a Pipeline, or drop the rows."
            )
    return values


def _not_numeric(bad, what, estimator):
    """Build the error for columns that are not numeric; scikit-learn checks parts of its text."""
    hint = ""
    if what == "features" and getattr(estimator, "task_id", 0) is None:
        hint = (
            f" If a column says which task a row belongs to, pass it as task_id, such as "
            f"task_id={bad[0]!r}."
        )
    return (
        f"the {what} must be numeric, but these columns are not: {bad} (argument must be a string "
        f"or a number).{hint} To encode categories put for example "
        f"make_column_transformer((OneHotEncoder(sparse_output=False), {bad!r}), "
        "remainder='passthrough', verbose_feature_names_out=False)"
        ".set_output(transform='pandas') before this estimator in a Pipeline."
    )


def is_numeric(column):
    """Whether a Series holds real numbers; booleans are, categories are not."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_complex_dtype(dtype):
        return False
    if pd.api.types.is_object_dtype(dtype):
        return pd.api.types.infer_dtype(column, skipna=True) in _NUMERIC_KINDS
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
