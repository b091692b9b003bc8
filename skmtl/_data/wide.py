"""Wide form: y has a column for every task, and each may hold something else.

Reading such a table, and building it again from predictions.
"""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_array

from skmtl._data.columns import check_unique_columns, is_numeric
from skmtl._data.outcomes import ClassOutcome, NumberOutcome
from skmtl._sklearn_compat import _check_sample_weight

TASK_TYPES = ("regression", "classification", "binary", "multiclass")


def as_labels(y):
    """Return y as a Series, a DataFrame or an array; lists keep the types of what they hold."""
    if isinstance(y, (pd.DataFrame, pd.Series)):
        return y
    if sparse.issparse(y):
        raise TypeError("y is sparse, which is not supported; pass y.toarray().")
    array = np.asarray(y)
    if array.ndim == 2 and array.dtype.kind in "US" and isinstance(y, (list, tuple)):
        # of lists of strings and numbers NumPy makes strings
        return np.asarray(y, dtype=object)
    return array


def labels_frame(y, tasks, from_frame):
    """Return y as a DataFrame with one column per task.

    Parameters
    ----------
    y : DataFrame or array-like of shape (n, T)
    tasks : Index or None
        Columns that it must have; None learns them.
    from_frame : bool
        Whether the y of ``fit`` was a DataFrame, so that columns are told apart by name.
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
    """Refuse infinite labels, whatever the column holds."""
    for task in frame.columns:
        column = frame[task]
        if not is_numeric(column):
            continue
        bad = np.flatnonzero(np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan)))
        if len(bad):
            raise ValueError(
                f"the column {task!r} of y contains infinity, first in row {bad[0]}; leave the "
                "label out (NaN) or correct it."
            )


def check_weight_columns(class_weight, tasks):
    """Refuse a `class_weight` that is no dict by column of y."""
    unknown = [name for name in class_weight or () if name not in tasks]
    if isinstance(class_weight, dict) and unknown:
        raise ValueError(
            "in wide form class_weight is None, 'balanced' or a dict by column of y, of 'balanced' "
            f"or dicts by class; {unknown} are no columns of y."
        )


def weights_by_task(sample_weight, labelled, tasks):
    """Weights of shape (n, T), zero where a label is missing."""
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
    return weights


def read_task_types(task_types, tasks):
    """What the caller says of some columns.

    Returns
    -------
    dict of task to one of TASK_TYPES
    """
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


def column_kind(column, default):
    """Tell classes from numbers.

    What is not a number is a class, and so are numbers that are all 0 or 1. Of other numbers, whole
    ones are classes to a classifier and numbers to a regressor.

    Parameters
    ----------
    column : Series
        Labels, none missing.
    default : {"regression", "classification"}
        What the estimator is for.

    Returns
    -------
    {"regression", "classification"}
    """
    if column.dtype.kind in "cmM":
        raise TypeError(
            f"the column {column.name!r} of y is of type {column.dtype}, neither numbers nor "
            "classes; turn it into numbers."
        )
    if not is_numeric(column) or pd.api.types.is_bool_dtype(column.dtype):
        return "classification"
    values = column.to_numpy(dtype=np.float64)
    if set(np.unique(values)) == {0.0, 1.0}:
        return "classification"
    if default == "classification" and np.array_equal(values, np.round(values)):
        return "classification"
    return "regression"


def outcome_of(kind, column, task, targets):
    """Make the outcome of one column and learn its classes.

    Parameters
    ----------
    kind : one of TASK_TYPES
    column : Series
        Labels, none missing.
    task : label
        Name of the column.
    targets : Targets
        Has the settings.
    """
    weight = targets.class_weight
    if isinstance(weight, dict):
        weight = weight.get(task)
        if weight is not None and kind == "regression":
            raise ValueError(f"class_weight names the column {task!r} of y, which has no classes.")
    if kind == "regression":
        return NumberOutcome(targets.loss, targets.quantile)
    outcome = ClassOutcome(weight)
    outcome.learn_classes(column.to_numpy(), f"the column {task!r} of y")
    if kind == "binary" and len(outcome.classes) != 2:
        raise ValueError(
            f"task_types says that the column {task!r} of y is binary, but it has "
            f"{len(outcome.classes)} classes: {outcome.classes[:20].tolist()}."
        )
    return outcome


def wide_table(columns, tasks, index, from_frame):
    """One table of the predictions of all tasks.

    Parameters
    ----------
    columns : list of ndarray of shape (n,)
    tasks : Index
    index : Index or None
        Of the rows of X, if it has one.
    from_frame : bool
        Whether the y of ``fit`` was a DataFrame, so that a DataFrame comes back.
    """
    if from_frame:
        # labels that are not numbers stay objects, whatever strings would be inferred to be
        series = {t: pd.Series(column, dtype=column.dtype) for t, column in enumerate(columns)}
        frame = pd.DataFrame(series).set_axis(tasks, axis=1)
        return frame if index is None else frame.set_axis(index, axis=0)
    if all(column.dtype.kind in "biuf" for column in columns):
        return np.column_stack(columns)
    return np.column_stack([column.astype(object) for column in columns])
