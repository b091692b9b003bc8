"""Gains by task affinity grouping: affinities of one training run, averaged over partners.

Source: Fifty et al., "Efficiently identifying task groupings for multi-task learning", 2021, and
its preprint "Measuring and harnessing transference in multi-task learning", section 3.3.
"""

import numpy as np

from skmtl.grouping._hoa import mean_of_partners


def task_affinity(affinity, candidates):
    """Score groups by how much the steps of the partners help a task.

    Parameters
    ----------
    affinity : ndarray of shape (n_tasks, n_tasks)
        Row: the task that steps; column: the task whose loss falls, as in ``affinity_`` of the
        estimators.
    candidates : ndarray of shape (n, n_tasks) of bool
        Without groups of one task, which have no affinity to anything.

    Returns
    -------
    ndarray of shape (n, n_tasks)
        In the unit of the affinity, not that of gains.
    """
    affinity = np.asarray(affinity, dtype=np.float64)
    n_tasks = candidates.shape[1]
    if affinity.shape != (n_tasks, n_tasks):
        raise ValueError(
            f"affinity has the shape {affinity.shape}; it must have one row for each of the "
            f"{n_tasks} tasks that steps and one column for each that is affected."
        )
    if not np.isfinite(affinity[~np.eye(n_tasks, dtype=bool)]).all():
        raise ValueError("affinity must hold finite numbers, but for its diagonal.")
    return mean_of_partners(affinity.T, candidates)
