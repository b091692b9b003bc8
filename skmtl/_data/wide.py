"""Tables in wide form, with a column of labels for every task: reading y, writing predictions."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_array

from skmtl._data.columns import check_unique_columns, is_numeric
from skmtl._data.frames import as_pandas, native
from skmtl._data.messages import label_text
from skmtl._data.scales import refuse_extreme_weights
from skmtl._sklearn_compat import _check_sample_weight

TASK_TYPES = ("regression", "classification", "binary", "multiclass")


def as_labels(y):
    """Return y as a Series, a DataFrame or an array; lists keep the types of their items."""
    if sparse.issparse(y):
        raise TypeError("y is sparse, which is not supported; pass y.toarray().")
    y = as_pandas(y)
    if isinstance(y, (pd.DataFrame, pd.Series)):
        return y
    array = native(np.asarray(y))
    if array.ndim == 2 and array.dtype.kind in "US" and isinstance(y, (list, tuple)):
        # NumPy would convert lists of strings and numbers to strings
        return np.asarray(y, dtype=object)
    return array


def labels_frame(y, tasks, from_frame):
    """Return y of shape (n, T) as a DataFrame with one column per task.

    y must have the columns `tasks`, by name if the y of ``fit`` was a frame; None accepts any.
    """
    if isinstance(y, pd.DataFrame):
        check_unique_columns(y, "y")
        frame = y
    else:
        y = check_array(y, dtype=None, ensure_all_finite=False, input_name="y")
        frame = pd.DataFrame(y).infer_objects()
    if tasks is None:
        return frame
    if frame.shape[1] != len(tasks):
        raise ValueError(f"y has {frame.shape[1]} columns, but fit saw {len(tasks)} tasks.")
    if not (from_frame and isinstance(y, pd.DataFrame)):
        return frame.set_axis(tasks, axis=1)
    missing = tasks.difference(frame.columns, sort=False).tolist()
    if missing:
        raise ValueError(f"y lacks these columns, which fit saw: {missing[:20]}.")
    return frame[tasks]


def check_finite(frame):
    """Raise an error for infinite labels."""
    for task in frame.columns:
        column = frame[task]
        if not is_numeric(column):
            continue
        bad = np.flatnonzero(np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan)))
        if len(bad):
            raise ValueError(
                f"the column {label_text(task)} of y contains infinity, first in row {bad[0]}; "
                "leave the label out (NaN) or correct it."
            )


def check_weight_columns(class_weight, tasks):
    """Raise an error for a dict of class weights whose keys are not columns of y."""
    unknown = [name for name in class_weight or () if name not in tasks]
    if isinstance(class_weight, dict) and unknown:
        raise ValueError(
            "in wide form class_weight is None, 'balanced' or a dict by column of y, of 'balanced' "
            f"or dicts by class; {unknown} are no columns of y."
        )


def weights_by_task(sample_weight, labelled, tasks):
    """Return weights of shape (n, T), zero where a label is missing."""
    n_rows, n_tasks = labelled.shape
    if sample_weight is None:
        return labelled.astype(np.float64)
    if isinstance(sample_weight, pd.DataFrame) and n_tasks > 1:
        missing = tasks.difference(sample_weight.columns, sort=False).tolist()
        if missing:
            raise ValueError(f"sample_weight lacks these columns of y: {missing[:20]}.")
        sample_weight = sample_weight[tasks]
    sample_weight = np.asarray(sample_weight)
    if sample_weight.ndim == 2:
        weights = check_array(
            sample_weight, dtype=np.float64, input_name="sample_weight", ensure_non_negative=True
        )
        if weights.shape != labelled.shape:
            raise ValueError(
                f"sample_weight has the shape {weights.shape}; it must be ({n_rows},), one weight "
                f"per row, or ({n_rows}, {n_tasks}), one per label."
            )
    else:
        weights = _check_sample_weight(
            sample_weight, labelled, dtype=np.float64, ensure_non_negative=True
        )[:, None]
    weights = weights * labelled
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    refuse_extreme_weights(weights)
    return weights


def read_task_types(task_types, tasks):
    """Check the caller's types of columns; return them as a dict of task to one of TASK_TYPES."""
    if isinstance(task_types, str):
        if task_types == "infer":
            return {}
        raise ValueError(
            f"task_types must be 'infer' or a dict of column to one of {TASK_TYPES}, got "
            f"{task_types!r}."
        )
    unknown = [task for task in task_types if task not in tasks]
    if unknown:
        raise ValueError(
            f"task_types names {unknown}, but y has the columns {tasks[:20].tolist()}."
        )
    wrong = {task: kind for task, kind in task_types.items() if kind not in TASK_TYPES}
    if wrong:
        raise ValueError(f"task_types must be among {TASK_TYPES}, got {wrong}.")
    return dict(task_types)


def read_losses(loss, tasks):
    """Return the loss of each column of y that holds numbers, and the columns that `loss` names.

    Both are dicts by task, the second one to "regression". Columns that a dict `loss` does not name
    have squared errors.
    """
    if not isinstance(loss, dict):
        return dict.fromkeys(tasks, loss), {}
    unknown = [task for task in loss if task not in tasks]
    if unknown:
        raise ValueError(f"loss names {unknown}, but y has the columns {tasks[:20].tolist()}.")
    return dict.fromkeys(tasks, "squared_error") | loss, dict.fromkeys(loss, "regression")


def inferred_types(y, default):
    """Infer what the columns of y (n, T) hold: "regression", "classification" or "binary".

    See `column_kind`; binary are those of two classes.
    """
    frame = labels_frame(as_labels(y), None, True)
    types = {}
    for task in frame.columns:
        column = frame[task].dropna()
        if len(column):
            kind = column_kind(column, default)
            two = kind == "classification" and column.nunique() == 2
            types[task] = "binary" if two else kind
    return types


def column_kind(column, default):
    """Infer whether a column, without missing labels, holds classes or numbers.

    Labels that are not numbers are classes, and so are the numbers 0 and 1 alone. Other whole
    numbers are classes for a classifier and numbers for a regressor, as `default` says.
    """
    if column.dtype.kind in "cmM":
        raise TypeError(
            f"the column {label_text(column.name)} of y is of type {column.dtype}, neither numbers "
            "nor classes; turn it into numbers."
        )
    if not is_numeric(column) or pd.api.types.is_bool_dtype(column.dtype):
        return "classification"
    values = column.to_numpy(dtype=np.float64)
    if set(np.unique(values)) == {0.0, 1.0}:
        return "classification"
    if default == "classification" and np.array_equal(values, np.round(values)):
        return "classification"
    return "regression"


def wide_table(columns, tasks, index, from_frame):
    """Combine the predictions of all tasks, each of shape (n,), in one table.

    It is a DataFrame with the index of X, if it has one, if the y of ``fit`` was a DataFrame.
    """
    if from_frame:
        # keep the dtype of labels: pandas would infer one for strings
        series = {t: pd.Series(column, dtype=column.dtype) for t, column in enumerate(columns)}
        frame = pd.DataFrame(series).set_axis(tasks, axis=1)
        return frame if index is None else frame.set_axis(index, axis=0)
    if all(column.dtype.kind in "biuf" for column in columns):
        return np.column_stack(columns)
    return np.column_stack([column.astype(object) for column in columns])
