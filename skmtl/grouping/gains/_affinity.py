"""Gains by task affinity grouping: affinities of one training, averaged over partners."""

import numpy as np

from skmtl.grouping._gain_tables import mean_over_partners
from skmtl.grouping.gains._base import GainEstimate, GainEstimator


class Affinity(GainEstimator):
    r"""Average the affinities of one training over the partners of a task.

    Task affinity grouping (TAG) of [1]_: all tasks are trained together once. Estimates are in the
    unit of the affinity, not of gains.

    See Also
    --------
    HighOrder : Averages measured gains of pairs instead.
    skmtl.weighting.Affinity : How an estimator records affinities.

    Notes
    -----
    With the affinity :math:`Z_{u \to t}` of the step of task :math:`u` and the loss of task
    :math:`t`, the score of :math:`t` in the group :math:`g` is [1]_ [2]_

    .. math:: \frac{1}{|g| - 1} \sum_{u \in g, u \ne t} Z_{u \to t}.

    A task alone has no affinity, so the estimate has no groups of one task.

    References
    ----------
    .. [1] C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil and C. Finn, "Efficiently identifying task
       groupings for multi-task learning", NeurIPS 2021.
    .. [2] C. Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 3.3.

    Examples
    --------
    >>> from skmtl.grouping import Affinity, estimate_gains
    >>> affinity = [[0.0, 0.1, 0.2], [0.3, 0.0, 0.4], [0.5, 0.6, 0.0]]
    >>> gains = estimate_gains(lambda groups: groups, 3, Affinity(), affinity=affinity)
    >>> gains.loc[[(0, 1)]].to_numpy()
    array([[0.3, 0.1, nan]])
    """

    needs_affinity = True

    def first_groups(self, candidates):
        return candidates[:0]

    def estimate(self, measurements, candidates, *, context):
        if context.affinity is None:
            raise ValueError(
                "Affinity needs affinity=, such as affinity_ of a fitted estimator that records it."
            )
        affinity = np.asarray(context.affinity, dtype=np.float64)
        n_tasks = candidates.shape[1]
        if affinity.shape != (n_tasks, n_tasks):
            raise ValueError(
                f"affinity has the shape {affinity.shape}; it must have one row for each of the "
                f"{n_tasks} tasks that steps and one column for each that is affected."
            )
        if not np.isfinite(affinity[~np.eye(n_tasks, dtype=bool)]).all():
            raise ValueError("affinity must hold finite numbers outside its diagonal.")
        candidates = candidates[candidates.sum(axis=1) > 1]
        return GainEstimate(candidates, mean_over_partners(affinity.T, candidates))
