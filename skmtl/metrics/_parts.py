"""Split labels and predictions by task: wide form by columns, long form by rows.

Metrics only take the parts, so they do not depend on the form of the table.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skmtl._data.task_ids import encode
from skmtl.metrics._inputs import (
    as_numbers,
    bounds_of,
    by_task,
    columns_of,
    in_order,
    probabilities_of,
    weights_of,
)


class TaskPart(NamedTuple):
    """Labels and predictions of a task or output, except missing labels and weights of 0."""

    position: int  # of the task
    task: Any
    y_true: np.ndarray
    y_pred: np.ndarray  # (n,), (n, n_classes), or bounds (n, k)
    weight: np.ndarray | None
    classes: np.ndarray | None  # in the order of the columns of y_pred


def wide_parts(y_true, y_pred, sample_weight, content, labels=None, chosen=None):
    """Return an Index of tasks and their parts from tables with one column per task.

    `content` is "numbers", "labels", "probabilities" or "bounds"; `chosen` are the positions of the
    columns, all by default.
    """
    truth, predictions = _aligned(y_true, y_pred, content)
    chosen = np.array(range(len(truth.values)) if chosen is None else chosen, dtype=int)
    tasks = truth.names[chosen]
    missing = tasks[[predictions[t] is None for t in chosen]].tolist()
    if missing:
        raise ValueError(
            f"y_pred has no {content} for the tasks {missing}; it needs an array for each "
            "column of y_true."
        )
    weights = weights_of(sample_weight, truth)
    classes = _classes_of(labels, truth)
    rows = np.arange(len(truth.values[0]))
    parts = []
    for position, (t, task) in enumerate(zip(chosen, tasks.tolist(), strict=True)):
        of_task = truth.values[t], predictions[t], weights[t], classes[t]
        parts.append(_part(content, rows, position, task, *of_task))
    return tasks, parts


def long_parts(labels, y_true, y_pred, sample_weight, content, classes=None):
    """Return an Index of tasks and the parts of their outputs, by task `labels` of rows.

    All tasks have the same `classes`.
    """
    truth, predictions = _aligned(y_true, y_pred, content)
    weights = weights_of(sample_weight, truth)
    tasks, rows_of = rows_by_task(labels, truth)
    parts = []
    for position, (task, rows) in enumerate(zip(tasks.tolist(), rows_of, strict=True)):
        for y_true, y_pred, weight in zip(truth.values, predictions, weights, strict=True):
            parts.append(_part(content, rows, position, task, y_true, y_pred, weight, classes))
    return tasks, parts


def rows_by_task(labels, truth):
    """Return the distinct task ids, sorted if possible, and the rows of each."""
    n_rows = len(truth.values[0])
    if n_rows != len(labels):
        raise ValueError(f"X has {len(labels)} rows, but y has {n_rows}; pass a label for each.")
    codes, tasks = encode(labels)
    order = np.argsort(codes, kind="stable")
    return tasks, np.split(order, np.cumsum(np.bincount(codes))[:-1])


def _aligned(y_true, y_pred, content):
    """Return labels as named columns, and the predictions as a list in the same order."""
    truth = columns_of(y_true, "y_true")
    names = truth.names
    if content == "probabilities":
        names, predictions = probabilities_of(y_pred, truth)
    elif content == "bounds":
        names, predictions = bounds_of(y_pred, truth)
    else:
        columns = columns_of(y_pred, "y_pred")
        predictions = in_order(columns, truth, "y_pred")
        if names is None and columns.is_table:
            names = columns.names
    if names is None:
        names = pd.RangeIndex(len(truth.values))
    return truth._replace(names=names), predictions


def _classes_of(labels, truth):
    """Return the classes of each task; None where they are unknown."""
    n_tasks = len(truth.values)
    if labels is None:
        return [None] * n_tasks
    if n_tasks == 1 and not isinstance(labels, dict) and np.ndim(labels[0]) == 0:
        labels = [labels]  # the classes of the only task
    _, classes = by_task(labels, truth._replace(is_table=True), "labels")
    if any(each is not None and np.ndim(each) != 1 for each in classes):
        raise ValueError(
            "labels must hold the classes of each task: a dict by task, or a list with one array "
            "for each, such as [[0, 1], ['a', 'b', 'c']]."
        )
    return classes


def labelled(task, rows, y_true, weight):
    """Return the rows that have a label and a weight above 0, and their weights."""
    rows = rows[~pd.isna(y_true[rows])]
    if weight is None:
        return rows, None
    weight = weight[rows]
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        raise ValueError(
            f"sample_weight must be finite and not negative, but for the task {task!r} it is "
            f"{weight[bad][0]:g} in row {rows[bad][0]}."
        )
    return rows[weight > 0], weight[weight > 0]


def tidy(values):
    """Return values in the simplest type that can represent all; strings become objects."""
    if values.dtype.kind not in "OUS":
        return values
    return pd.Series(values, dtype=object).infer_objects().to_numpy()


def _part(content, rows, position, task, y_true, y_pred, weight, classes):
    rows, weight = labelled(task, rows, y_true, weight)
    y_true, y_pred = tidy(y_true[rows]), y_pred[rows]
    if content == "labels":
        bad = pd.isna(y_pred)
    else:
        y_pred = as_numbers(y_pred, f"y_pred of the task {task!r}")
        bad = ~np.isfinite(y_pred).all(axis=tuple(range(1, y_pred.ndim)))
    if bad.any():
        raise ValueError(
            f"y_pred of the task {task!r} is NaN or infinite in {bad.sum()} row(s) that have a "
            f"label, the first of them row {rows[bad][0]}. Every label needs a prediction."
        )
    if content in ("numbers", "bounds"):
        y_true = as_numbers(y_true, f"y_true of the task {task!r}")
        if np.isinf(y_true).any():
            raise ValueError(
                f"y_true of the task {task!r} is infinite in row {rows[np.isinf(y_true)][0]}; use "
                "NaN for a missing label."
            )
    elif content == "labels":
        y_pred = tidy(y_pred)
    return TaskPart(position, task, y_true, y_pred, weight, classes)
