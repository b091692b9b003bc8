"""UPGrad: the mean of the gradients, each projected so that it harms no task."""

import numpy as np
from scipy.optimize import nnls

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting, lengths
from skmtl.weighting._mgda import root

# smallest length, in units of the longest gradient, at which a gradient has a direction
_SMALLEST = 1e-15
# length of a projection that is zero, in units of the gradient and of the root of its precision
_NOTHING_LEFT = 10.0


@register("upgrad")
class UPGrad(GradientWeighting):
    """Project the gradient of every task so that it harms no task, and add the projections up.

    To first order, no task gets worse, and each task counts in proportion to the length of its
    gradient. Without conflicts the step is the plain sum.

    See Also
    --------
    PCGrad : Removes conflicts pair by pair, and may leave known with three or more tasks.
    MGDA : Harms no task either; small gradients have the most weight.

    Notes
    -----
    The step is ``sum_i p(g_i)``, where p projects on the directions d with ``<g_t, d> >= 0`` for
    all tasks t, section 3 of [1]_. By duality ``p(g_i) = g_i + sum_t z_t g_t`` with the ``z >= 0``
    for which it is shortest: non-negative least squares, solved for gradients of unit length, since
    p depends on directions only. Departures: the sum replaces the mean, so that weights are 1
    without conflicts; a task whose gradient is zero has no part. Where no direction harms no task,
    all weights are zero.

    References
    ----------
    .. [1] Quinton and Rey, "Jacobian descent for multi-objective optimization", 2024,
       arXiv 2406.16232, sections 3 and 4.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import UPGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
    >>> UPGrad().weights(torch.ones(1, 2), (gradients @ gradients.T)[None])
    tensor([[1.5000, 1.4000]])
    """

    def _solve(self, group):
        pairs = zip(group.gramian, lengths(group.gramian), strict=True)
        return np.stack([_project(gramian, length, group.eps) for gramian, length in pairs])


def _project(gramian, length, eps):
    """Return the weights (k,) of the sum of the projections of gradients."""
    weights = np.ones(len(length))
    known = np.flatnonzero(length > _SMALLEST * length.max())
    length = length[known]
    units = root(gramian[np.ix_(known, known)] / (length[:, None] * length))
    # directions of rounding errors
    units[(units**2).sum(axis=1) < len(known) ** 2 * eps] = 0.0
    weights[known] = 0.0
    for i, own in enumerate(length):
        try:
            z, left = nnls(units, -units[:, i], maxiter=30 * len(known))
        except RuntimeError:
            # the method cycles between equally good sets
            z, left = np.zeros(len(known)), 1.0
        # otherwise every direction that helps this task harms another
        if left > _NOTHING_LEFT * np.sqrt(eps):
            weights[known] += own * z / length
            weights[known[i]] += 1
    return weights
