"""Turn labels, predictions, probabilities and weights into lists of columns, one per task."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from skmtl._data.columns import check_unique_columns
from skmtl._data.messages import label_text


class Columns(NamedTuple):
    """Columns of a table, one per task."""

    names: pd.Index | None
    values: list
    is_table: bool  # a DataFrame, whose columns are matched by name


def columns_of(table, what):
    """Split a table of shape (n,) or (n, T) into `Columns`; errors name the argument `what`."""
    if isinstance(table, pd.DataFrame):
        check_unique_columns(table, what)
        columns = Columns(table.columns, [_plain(column) for _, column in table.items()], True)
    elif isinstance(table, pd.Series):
        name = None if table.name is None else pd.Index([table.name], tupleize_cols=False)
        columns = Columns(name, [_plain(table)], False)
    else:
        array = _as_array(table, what)
        columns = Columns(None, [array] if array.ndim == 1 else list(array.T), False)
    if not columns.values:
        raise ValueError(f"{what} has no columns; pass one for each task.")
    return columns


def _plain(column):
    """Return a Series as a numpy array without extension types; missing values stay missing."""
    extended = pd.api.types.is_extension_array_dtype(column.dtype)
    return column.to_numpy(dtype=object if extended else None)


def _as_array(table, what):
    if table is None or sparse.issparse(table):
        kind = "None" if table is None else "a sparse matrix"
        raise TypeError(f"{what} is {kind}; pass a DataFrame or an array.")
    # in a list of strings and NaN, numpy would turn NaN into a string
    array = np.asarray(table, dtype=None if hasattr(table, "__array__") else object)
    if array.ndim == 1 and len(array) and isinstance(array[0], (list, tuple, np.ndarray)):
        raise ValueError(f"the rows of {what} differ in length; pass one value for each task.")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{what} has {array.ndim} dimensions; pass one column for each task, or one."
        )
    return array


def in_order(columns, truth, what):
    """Return arrays in the order of the columns of `truth`, after checking their lengths."""
    check_rows(truth, columns.values[0], what)
    if columns.is_table and truth.is_table:
        _check_names(list(truth.names), list(columns.names), what)
        return [columns.values[t] for t in columns.names.get_indexer(truth.names)]
    if len(columns.values) != len(truth.values):
        raise ValueError(
            f"y_true has {len(truth.values)} column(s), but {what} has {len(columns.values)}. Both "
            "need one for each task, in the same order."
        )
    return columns.values


def check_rows(truth, values, what):
    """Raise an error unless values and labels have the same number of rows."""
    n_rows = len(truth.values[0])
    if len(values) != n_rows:
        raise ValueError(
            f"y_true has {n_rows} row(s), but {what} has {len(values)}. Both need one for each "
            "example, in the same order."
        )


def _check_names(expected, names, what):
    missing = [name for name in expected if name not in set(names)]
    extra = [name for name in names if name not in set(expected)]
    if missing or extra:
        raise ValueError(
            f"y_true and {what} must be about the same tasks. Only in y_true: "
            f"{shortened(missing)}; only in {what}: {shortened(extra)}. Rename or drop columns, or "
            "pass arrays, which are matched by position."
        )


def shortened(names):
    """Return the first ten names, for a message."""
    shown = ", ".join(map(repr, names[:10]))
    return f"[{shown}{', ...' if len(names) > 10 else ''}]"


def by_task(given, truth, what):
    """Return the names of the tasks, and one value for each from a dict or a list.

    Keys of a dict are the names of the tasks, or their positions; the value of a task that is not
    in it is None. Names come from `truth`, or else from the keys.
    """
    n_tasks = len(truth.values)
    if isinstance(given, dict):
        by_name = truth.is_table and all(key in truth.names for key in given)
        if not by_name and all(key in range(n_tasks) for key in given):
            return truth.names, [given.get(t) for t in range(n_tasks)]
        if truth.is_table:
            _check_names(list(truth.names), [*truth.names, *set(given) - set(truth.names)], what)
            return truth.names, [given.get(name) for name in truth.names]
        names = pd.Index(given, tupleize_cols=False) if truth.names is None else truth.names
        given = list(given.values())
    else:
        names, given = truth.names, list(given)
    if len(given) != n_tasks:
        raise ValueError(
            f"y_true has {n_tasks} column(s), but {what} has {len(given)} entries; it needs one "
            "for each task."
        )
    return names, given


def probabilities_of(y_pred, truth):
    """Return the tasks' names and probabilities, (n, n_classes) or (n,), None where missing."""
    what = "y_pred"
    if isinstance(y_pred, dict) or _holds_arrays(y_pred):
        names, values = by_task(y_pred, truth, what)
        values = [None if value is None else np.asarray(value) for value in values]
        for value in values:
            if value is not None:
                check_rows(truth, value, what)
        return names, values
    columns = columns_of(y_pred, what)
    if len(truth.values) == 1 and len(columns.values) > 1:
        # one task, and a column for each of its classes
        check_rows(truth, columns.values[0], what)
        return truth.names, [np.column_stack(columns.values)]
    values = in_order(columns, truth, what)
    return columns.names if truth.names is None and columns.is_table else truth.names, values


def bounds_of(y_pred, truth):
    """Return the tasks' names and bounds or quantiles, (n, k), None where missing."""
    if isinstance(y_pred, dict):
        names, values = by_task(y_pred, truth, "y_pred")
        values = [None if value is None else np.asarray(value) for value in values]
    else:
        names, array = truth.names, np.asarray(y_pred)
        if len(truth.values) == 1 and array.ndim < 3:
            array = array.reshape(len(array), 1, -1)
        if array.ndim != 3 or array.shape[1] != len(truth.values):
            raise ValueError(
                f"y_pred has the shape {np.shape(y_pred)}; bounds of {len(truth.values)} column(s) "
                "of y_true have the shape (n, k) for one column, and (n, T, k) for T of them."
            )
        values = list(np.moveaxis(array, 1, 0))
    for value in values:
        if value is not None:
            check_rows(truth, value, "y_pred")
    return names, values


def _holds_arrays(y_pred):
    """Return whether predictions are one array per task, instead of a list of rows."""
    if isinstance(y_pred, (list, tuple)):
        return any(getattr(value, "ndim", 0) for value in y_pred)
    return getattr(y_pred, "ndim", 0) == 3


def weights_of(sample_weight, truth):
    """Return the weights of each task, or None for each task."""
    n_tasks = len(truth.values)
    if sample_weight is None:
        return [None] * n_tasks
    columns = columns_of(sample_weight, "sample_weight")
    if len(columns.values) == 1 and not columns.is_table:
        check_rows(truth, columns.values[0], "sample_weight")
        values = columns.values * n_tasks
    else:
        values = in_order(columns, truth, "sample_weight")
    return [as_numbers(column, "sample_weight") for column in values]


def as_numbers(values, what):
    """Turn values into float64."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        example = next(value for value in values.flat if not _is_number(value))
        text = label_text(example)
        raise ValueError(f"{what} must be numbers, but {text} is among them.") from error


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
