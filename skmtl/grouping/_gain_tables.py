"""Gain tables: one row a group, one column a task, NaN where the task is not in the group.

Checked here, and made from arrays.
"""

from itertools import combinations

import numpy as np
import pandas as pd


def check_gains(gains):
    """Check a gain table.

    Parameters
    ----------
    gains : DataFrame of shape (n_groups, n_tasks)

    Returns
    -------
    values : ndarray of shape (n_groups, n_tasks)
        NaN where the task is not in the group.
    tasks : Index
    """
    if not isinstance(gains, pd.DataFrame):
        raise TypeError(
            "gains must be a DataFrame with one row a group and one column a task, NaN where the "
            f"task is not in the group; got {type(gains).__name__}."
        )
    if gains.shape[0] == 0 or gains.shape[1] == 0:
        raise ValueError(f"gains is empty: its shape is {gains.shape}.")
    if not gains.columns.is_unique:
        repeated = gains.columns[gains.columns.duplicated()].unique()[:5].tolist()
        raise ValueError(f"gains has several columns for the same task: {repeated}.")
    values = gains.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"gains is infinite for the task {gains.columns[column]!r} in row {row}; use NaN where "
            "a task is not in a group, and leave groups out that cannot be used."
        )
    empty = gains.columns[np.isnan(values).all(axis=0)].tolist()
    if empty:
        raise ValueError(
            f"gains is NaN in every row for these tasks: {empty[:20]}. No group could serve them; "
            "add a row in which the task is alone, or drop its column."
        )
    return values, gains.columns


def label_group(members, tasks):
    """Labels of the tasks in a group, as a tuple.

    Parameters
    ----------
    members : ndarray of shape (n_tasks,) of bool
    tasks : Index
    """
    return tuple(tasks[np.flatnonzero(members)].tolist())


def group_index(groups, tasks):
    """Groups as an Index of tuples, which pandas must not spread over levels.

    Parameters
    ----------
    groups : ndarray of shape (n, n_tasks) of bool
    tasks : Index
    """
    labels = np.empty(len(groups), dtype=object)
    for k, group in enumerate(groups):
        labels[k] = label_group(group, tasks)
    return pd.Index(labels, name="group", tupleize_cols=False)


def gain_table(groups, values, tasks):
    """A gain table from arrays.

    Parameters
    ----------
    groups : ndarray of shape (n, n_tasks) of bool
    values : ndarray of shape (n, n_tasks)
        Read where `groups` is True.
    tasks : Index

    Returns
    -------
    DataFrame
    """
    values = np.where(groups, values, np.nan)
    return pd.DataFrame(values, index=group_index(groups, tasks), columns=tasks)


def all_groups(n_tasks, sizes=None):
    """All groups of tasks, small ones first.

    Parameters
    ----------
    n_tasks : int
    sizes : iterable of int, optional
        How many tasks; every number by default.

    Returns
    -------
    ndarray of shape (n, n_tasks) of bool
    """
    sizes = range(1, n_tasks + 1) if sizes is None else sizes
    rows = [group for size in sizes for group in combinations(range(n_tasks), size)]
    groups = np.zeros((len(rows), n_tasks), dtype=bool)
    for k, row in enumerate(rows):
        groups[k, list(row)] = True
    return groups


def parse_groups(groups, tasks):
    """Groups given by labels, as an array.

    Parameters
    ----------
    groups : list of tuple
    tasks : Index

    Returns
    -------
    ndarray of shape (n, n_tasks) of bool
    """
    array = np.zeros((len(groups), len(tasks)), dtype=bool)
    for k, group in enumerate(groups):
        places = tasks.get_indexer(pd.Index(list(group), tupleize_cols=False))
        if not len(places) or (places < 0).any():
            unknown = [task for task, place in zip(group, places, strict=True) if place < 0]
            raise ValueError(
                f"the group {tuple(group)!r} names no task at all."
                if not len(places)
                else f"the group {tuple(group)!r} names {unknown}, which are no columns of gains."
            )
        array[k, places] = True
    return array
