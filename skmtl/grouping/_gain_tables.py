"""Gain tables: one row a group, one column a task, NaN where the task is not in the group."""

from itertools import combinations

import numpy as np
import pandas as pd

from skmtl._data.messages import label_text

# tasks up to which all groups are candidates, and how many groups are drawn beyond
_MAX_TASKS = 11
_N_CANDIDATES = 3000


def check_gains(gains):
    """Check a gain table; return its values, NaN outside the groups, and the tasks."""
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
            f"gains is infinite for the task {label_text(gains.columns[column])} in row {row}; use "
            "NaN where a task is not in a group, and leave groups out that cannot be used."
        )
    empty = gains.columns[np.isnan(values).all(axis=0)].tolist()
    if empty:
        raise ValueError(
            f"gains is NaN in every row for these tasks: {empty[:20]}. No group could serve them; "
            "add a row in which the task is alone, or drop its column."
        )
    return values, gains.columns


def label_group(members, tasks):
    """Return the labels of the tasks in a group, as a tuple."""
    return tuple(tasks[np.flatnonzero(members)].tolist())


def check_every_task(groups, tasks, what):
    """Refuse boolean groups that lack a task."""
    missing = tasks[~groups.any(axis=0)].tolist()
    if missing:
        raise ValueError(f"these tasks are in none of the {what}: {missing[:20]}.")


def gain_table(groups, values, tasks):
    """Return a gain table of boolean groups and values, both of shape (n, n_tasks)."""
    labels = [label_group(group, tasks) for group in groups]
    index = pd.Index(labels, name="group", tupleize_cols=False)
    return pd.DataFrame(np.where(groups, values, np.nan), index=index, columns=tasks)


def all_groups(n_tasks, sizes=None):
    """Return all groups of the given sizes, small ones first, as a boolean array."""
    sizes = range(1, n_tasks + 1) if sizes is None else sizes
    rows = [group for size in sizes for group in combinations(range(n_tasks), size)]
    groups = np.zeros((len(rows), n_tasks), dtype=bool)
    for k, row in enumerate(rows):
        groups[k, list(row)] = True
    return groups


def default_candidates(n_tasks, generator):
    """Return all groups, or of many tasks a sample of every size."""
    if n_tasks <= _MAX_TASKS:
        return all_groups(n_tasks)
    fixed = all_groups(n_tasks, [1, 2, n_tasks])
    n_candidates = max(_N_CANDIDATES, 2 * len(fixed))
    seen, rows = {group.tobytes() for group in fixed}, [fixed]
    n_missing = n_candidates - len(fixed)
    while n_missing > 0:
        # all sizes are equally likely, so that small groups are not lost among large ones
        sizes = generator.randint(3, n_tasks, size=n_missing)
        order = generator.random_sample((n_missing, n_tasks)).argsort(axis=1)
        for group in order < sizes[:, None]:
            if group.tobytes() not in seen:
                seen.add(group.tobytes())
                rows.append(group[None])
                n_missing -= 1
    return np.concatenate(rows)


def parse_groups(groups, tasks):
    """Return groups of labels as a boolean array of shape (n, n_tasks)."""
    array = np.zeros((len(groups), len(tasks)), dtype=bool)
    for k, group in enumerate(groups):
        positions = tasks.get_indexer(pd.Index(list(group), tupleize_cols=False))
        if not len(positions):
            raise ValueError(f"the group {tuple(group)!r} names no task at all.")
        unknown = [task for task, position in zip(group, positions, strict=True) if position < 0]
        if unknown:
            raise ValueError(
                f"the group {tuple(group)!r} names {unknown}, which are no columns of gains."
            )
        array[k, positions] = True
    return array


def gains_of(scores, alone):
    """Return the improvement over training alone, relative to the score alone."""
    # the difference itself where the score alone is 0
    unit = np.where(alone == 0, 1.0, np.abs(alone))
    return (scores - alone) / unit


def mean_over_partners(by_pair, groups):
    """Return means over partners (columns of `by_pair`) in a group, 0 for a task alone."""
    by_pair = by_pair - np.diag(np.diag(by_pair))
    n_partners = np.maximum(groups.sum(axis=1, keepdims=True) - 1, 1)
    return np.where(groups, groups @ by_pair.T / n_partners, np.nan)
