"""IMTL-G: make a step with equal projections on all gradients."""

import numpy as np

from skmtl.weighting._base import mean_one, register
from skmtl.weighting._gradient import GradientWeighting, lengths


@register("imtl-g")
class IMTLG(GradientWeighting):
    """Make a step with the same projection on the gradient of every task.

    No task is preferred, whatever the length of its gradient; weights may be negative.

    See Also
    --------
    IMTLL : The counterpart for losses.
    NashMTL : A compromise that never has negative weights.

    Notes
    -----
    With unit gradients u_t, ``<d, u_t>`` is the same for all t, equation 2 of [1]_, for
    ``d = sum_t w_t g_t`` with ``sum_t w_t = 1``. In terms of the Gramian G this is
    ``w = v / sum(v)``, ``v = pinv(G) sqrt(diag(G))``, which also makes sense for gradients that
    are linearly dependent, section 5.1 of [2]_. Departures: weights have mean 1; where v sums to
    about 0, as for two opposite gradients, there is no such step and they are equal.

    References
    ----------
    .. [1] Liu et al., "Towards impartial multi-task learning", ICLR 2021, section 3.1.
    .. [2] Quinton and Rey, "Jacobian descent for multi-objective optimization", 2024.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import IMTLG
    >>> IMTLG().weights(torch.ones(1, 2), torch.diag(torch.tensor([1.0, 9.0]))[None])
    tensor([[1.5000, 0.5000]])
    """

    def _solve(self, group):
        size = lengths(group.gramian)
        # between unit gradients, so that gradients of very different lengths cost no precision
        safe = np.where(size > 0, size, 1.0)
        cosines = group.gramian / (safe[:, :, None] * safe[:, None, :])
        k = cosines.shape[1]
        inverse = np.linalg.pinv(cosines, rcond=k * max(group.eps, 1e-12), hermitian=True)
        v = np.einsum("gij,gj->gi", inverse, (size > 0).astype(float)) / safe
        return mean_one(v)
