"""FairGrad: alpha-fair shares of the progress."""

import numpy as np

from skmtl.weighting._base import mean_one, register
from skmtl.weighting._gradient import GradientWeighting
from skmtl.weighting._nash import solve


@register("fairgrad")
class FairGrad(GradientWeighting):
    """Share the progress of a step between the tasks in an alpha-fair way.

    It ranges from equal weights through the Nash bargaining solution to max-min fairness.

    Parameters
    ----------
    alpha : float, default=1.0
        0 is equal weights, 1 proportional fairness (the Nash bargaining solution), 2 minimum
        potential delay fairness; the larger, the more weight the task with the least progress has.

    See Also
    --------
    NashMTL : With ``alpha=1``.

    Notes
    -----
    The step ``d = sum_t w_t g_t`` maximises ``sum_t <g_t, d>^(1 - alpha) / (1 - alpha)`` on a
    ball, for which ``G w = w^(-1 / alpha)``, equation 6 of [1]_. Departures as for `NashMTL`:
    Newton's method, a small addition to the diagonal, and a mean weight of 1.

    References
    ----------
    .. [1] Ban and Ji, "Fair resource allocation in multi-task learning", ICML 2024, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import FairGrad
    >>> gramian = torch.diag(torch.tensor([1.0, 9.0]))[None]
    >>> FairGrad(alpha=0.0).weights(torch.ones(1, 2), gramian)
    tensor([[1., 1.]])
    >>> FairGrad(alpha=2.0).weights(torch.ones(1, 2), gramian)
    tensor([[1.6245, 0.3755]])
    """

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def _check_parameters(self, n_tasks):
        if not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be at least 0 and finite, got {self.alpha!r}.")

    def _solve(self, group):
        if self.alpha == 0:
            return np.ones(group.tasks.shape)
        return mean_one(solve(group.gramian, float(self.alpha)))
