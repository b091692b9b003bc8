"""Gains by high-order approximation: every pair is measured, larger groups are means of pairs.

Source: Standley et al., "Which tasks should be learned together in multi-task learning?", 2020.
"""

import numpy as np

from skmtl.grouping._gain_tables import all_groups


def high_order_approximation(measurements, candidates):
    r"""Measure all pairs, and average those of a task with its partners.

    The gain of task t in the group g is :math:`\frac{1}{|g| - 1} \sum_{u \in g, u \ne t}
    G_t(\{t, u\})`.

    Parameters
    ----------
    measurements : Measurements
    candidates : ndarray of shape (n, n_tasks) of bool

    Returns
    -------
    ndarray of shape (n, n_tasks)
    """
    n_tasks = candidates.shape[1]
    pairs = all_groups(n_tasks, [2])
    by_pair = np.zeros((n_tasks, n_tasks))
    for pair, gains in zip(pairs, measurements(pairs), strict=True):
        first, second = np.flatnonzero(pair)
        by_pair[first, second], by_pair[second, first] = gains[first], gains[second]
    return mean_of_partners(by_pair, candidates)


def mean_of_partners(by_pair, groups):
    """Mean over the partners in a group; 0 for a task alone.

    Parameters
    ----------
    by_pair : ndarray of shape (n_tasks, n_tasks)
        Row: the task that gains; column: its partner. The diagonal is not read.
    groups : ndarray of shape (n, n_tasks) of bool

    Returns
    -------
    ndarray of shape (n, n_tasks)
        NaN outside the groups.
    """
    by_pair = by_pair - np.diag(np.diag(by_pair))
    n_partners = np.maximum(groups.sum(axis=1, keepdims=True) - 1, 1)
    return np.where(groups, groups @ by_pair.T / n_partners, np.nan)
