"""Gains drawn at random, so that groups are selected at random: a reference for other methods."""

from skmtl.grouping.gains._base import GainEstimate, GainEstimator


class Random(GainEstimator):
    """Draw a standard normal number for every task in every group.

    Nothing is trained. Other methods should do better than this one.

    See Also
    --------
    Exhaustive : Measures all gains.

    Examples
    --------
    >>> from skmtl.grouping import Random, estimate_gains
    >>> gains = estimate_gains(lambda groups: groups * 0.1, 3, Random(), random_state=0)
    >>> gains.shape
    (7, 3)
    """

    def first_groups(self, candidates):
        return candidates[:0]

    def estimate(self, measurements, candidates, *, context):
        return GainEstimate(candidates, context.random_state.standard_normal(candidates.shape))
