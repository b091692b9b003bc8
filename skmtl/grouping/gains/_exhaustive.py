"""Gains by measuring every candidate group."""

import numpy as np

from skmtl.grouping.gains._base import GainEstimate, GainEstimator


class Exhaustive(GainEstimator):
    """Measure every candidate group.

    The gains are exact. This is affordable for up to about ten tasks; all groups train in one call.

    See Also
    --------
    HighOrder : Measures pairs only.

    Examples
    --------
    >>> from skmtl.grouping import Exhaustive, estimate_gains
    >>> gains = estimate_gains(lambda groups: groups * 0.1, 3, Exhaustive())
    >>> gains.loc[[(0, 2)]].to_numpy()
    array([[0.1, nan, 0.1]])
    """

    def first_groups(self, candidates):
        return np.concatenate([super().first_groups(candidates), candidates])

    def estimate(self, measurements, candidates, *, context):
        return GainEstimate(candidates, measurements(candidates))
