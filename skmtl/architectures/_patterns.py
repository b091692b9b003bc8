"""Allocations and initial probabilities of Gumbel-Matrix networks, by task and component.

Users pass names, numbers, arrays, or tables by task.
"""

import numpy as np
import pandas as pd


def separate_pattern(n_tasks, sizes):
    """Divide the components of every layer evenly among the tasks.

    Parameters
    ----------
    n_tasks : int
    sizes : list of int
        Components of each layer.

    Returns
    -------
    ndarray of shape (n_tasks, sum(sizes))
    """
    blocks = []
    for size in sizes:
        if size == 1:
            blocks.append(np.ones((n_tasks, 1)))
            continue
        if size < n_tasks:
            raise ValueError(
                f"allocation='separate' gives every task components of its own, but a layer has "
                f"{size} components for {n_tasks} tasks; set n_components to at least {n_tasks}, "
                "or pass an array with a row per task."
            )
        owner = np.arange(size) * n_tasks // size
        blocks.append(owner == np.arange(n_tasks)[:, None])
    return np.hstack(blocks).astype(float)


def as_pattern(value, name, tasks, sizes):
    """Return a checked array over tasks and components.

    Parameters
    ----------
    value : array-like or DataFrame
        One row per task, in the order of `tasks`, or indexed by task. One column per component of
        all layers, or of one layer if all have the same number.
    name : str
        Name of the parameter, for errors.
    tasks : Index
    sizes : list of int
        Components of each layer.

    Returns
    -------
    ndarray of shape (T, sum(sizes))
    """
    if isinstance(value, pd.DataFrame):
        rows = value.index.get_indexer(tasks) if value.index.is_unique else np.array([-1])
        if (rows < 0).any():
            raise ValueError(
                f"{name} is a table and needs one row per task, indexed by task id; it has "
                f"{value.index.tolist()[:10]} for the tasks {tasks.tolist()[:10]}."
            )
        value = value.iloc[rows]
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {value!r}.") from error
    if array.ndim == 2 and len(set(sizes)) == 1 and array.shape[1] == sizes[0] < sum(sizes):
        array = np.tile(array, len(sizes))
    if array.shape != (len(tasks), sum(sizes)):
        raise ValueError(
            f"{name} must have the shape (tasks, components) = {len(tasks), sum(sizes)}, got "
            f"{array.shape}: a row for each task in the order of tasks_ (or a DataFrame indexed by "
            f"task), and a column for each component, {sizes} in the layers."
        )
    return array


def allocation_pattern(value, tasks, sizes):
    """Return the fixed allocation, or only NaN if it is learned.

    Returns
    -------
    ndarray of shape (T, sum(sizes))
    """
    if isinstance(value, str):
        if value == "learned":
            return np.full((len(tasks), sum(sizes)), np.nan)
        if value == "shared":
            return np.ones((len(tasks), sum(sizes)))
        return separate_pattern(len(tasks), sizes)
    array = as_pattern(value, "allocation", tasks, sizes)
    if not np.isin(array, (0, 1)).all():
        raise ValueError("allocation must hold 0 and 1 only: which task uses which component.")
    return array


def probability_pattern(value, tasks, sizes):
    """Return the initial probabilities.

    Returns
    -------
    ndarray of shape (T, sum(sizes))
    """
    if np.ndim(value) == 0:
        array = np.full((len(tasks), sum(sizes)), float(value))
    else:
        array = as_pattern(value, "initial_probability", tasks, sizes)
    if not ((array > 0) & (array < 1)).all():
        raise ValueError(
            "initial_probability must lie strictly between 0 and 1, since a component that is on "
            f"or off for certain never changes; got {value!r}. To fix a pattern use allocation=."
        )
    return array


def stacked_patterns(patterns, n_tasks, fill):
    """Stack the patterns of all members, some of which may have fewer tasks.

    Returns
    -------
    ndarray of shape (M, n_tasks, C)
    """
    pads = [((0, n_tasks - len(pattern)), (0, 0)) for pattern in patterns]
    return np.stack(
        [
            np.pad(pattern, pad, constant_values=fill)
            for pattern, pad in zip(patterns, pads, strict=True)
        ]
    )
