"""Nash-MTL: the Nash bargaining solution between tasks."""

from skmtl.weighting._base import mean_one
from skmtl.weighting._gradient import GradientWeighting
from skmtl.weighting._proportional import solve
from skmtl.weighting._registry import register


@register("nash-mtl")
class NashMTL(GradientWeighting):
    """Make the step that solves Nash's bargaining problem between the tasks.

    Only relative gains matter, so the length of a task's gradient does not.

    See Also
    --------
    FairGrad : Other notions of fairness, this one among them.
    FAMO : The same goal, using losses only.

    Notes
    -----
    The step ``d = sum_t w_t g_t`` maximises ``sum_t log <g_t, d>`` on a ball, for which
    ``G w = 1 / w`` with positive w, claim 3.1 of [1]_. Departures: w minimises
    ``w^T G w / 2 - sum_t log(w_t)``, which is convex and has this system as its condition, so that
    Newton's method replaces the sequence of approximate problems in section 3.2; 1e-6 of each
    squared length is added to the diagonal of G, since opposite gradients have no solution; and w
    is scaled to mean 1, where the paper's step has a length that depends on the number of tasks
    only.

    References
    ----------
    .. [1] Navon et al., "Multi-task learning as a bargaining game", ICML 2022, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import NashMTL
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> NashMTL().weights(torch.ones(1, 2), (gradients @ gradients.T)[None])
    tensor([[1.5000, 0.5000]])
    """

    def _solve(self, group):
        return mean_one(solve(group.gramian, 1.0))
