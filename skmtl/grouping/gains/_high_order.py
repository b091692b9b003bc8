"""Gains by high-order approximation: every pair is measured, larger groups are means of pairs."""

import numpy as np

from skmtl.grouping._gain_tables import all_groups, mean_over_partners
from skmtl.grouping.gains._base import GainEstimate, GainEstimator


class HighOrder(GainEstimator):
    r"""Measure all pairs of tasks, and average them over the partners of a task.

    The high-order approximation (HOA) of [1]_.

    See Also
    --------
    Affinity : Averages affinities of one training instead.

    Notes
    -----
    The gain of task :math:`t` in the group :math:`g` is estimated by

    .. math:: \frac{1}{|g| - 1} \sum_{u \in g, u \ne t} G_t(\{t, u\}).

    References
    ----------
    .. [1] T. Standley, A. Zamir, D. Chen, L. Guibas, J. Malik and S. Savarese, "Which tasks should
       be learned together in multi-task learning?", ICML 2020.

    Examples
    --------
    >>> from skmtl.grouping import HighOrder, estimate_gains
    >>> gains = estimate_gains(lambda groups: groups * [0.1, 0.2, 0.3], 3, HighOrder())
    >>> gains.loc[[(0, 1, 2)]].to_numpy()
    array([[0.1, 0.2, 0.3]])
    """

    def first_groups(self, candidates):
        return all_groups(candidates.shape[1], [1, 2])

    def estimate(self, measurements, candidates, *, context):
        n_tasks = candidates.shape[1]
        pairs = all_groups(n_tasks, [2])
        by_pair = np.zeros((n_tasks, n_tasks))
        for pair, gains in zip(pairs, measurements(pairs), strict=True):
            first, second = np.flatnonzero(pair)
            by_pair[first, second], by_pair[second, first] = gains[first], gains[second]
        return GainEstimate(candidates, mean_over_partners(by_pair, candidates))
