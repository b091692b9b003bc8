"""Groups of tasks as boolean arrays, and tables of their gains."""

from itertools import combinations

import numpy as np
import pandas as pd


def all_groups(n_tasks, sizes=None):
    """Return all groups of the given sizes, by default of every size.

    Returns
    -------
    ndarray of shape (n_groups, n_tasks) of bool
    """
    sizes = range(1, n_tasks + 1) if sizes is None else sizes
    members = [group for size in sizes for group in combinations(range(n_tasks), size)]
    groups = np.zeros((len(members), n_tasks), dtype=bool)
    for row, group in zip(groups, members, strict=True):
        row[list(group)] = True
    return groups


def gain_table(groups, values):
    """Return gains as the table that `skmtl.grouping` takes: NaN outside the groups."""
    index = pd.Index(
        [tuple(np.flatnonzero(group).tolist()) for group in groups], tupleize_cols=False
    )
    return pd.DataFrame(np.where(groups, values, np.nan), index=index)
