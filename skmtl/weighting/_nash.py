"""Nash-MTL: the Nash bargaining solution between tasks."""

import numpy as np

from skmtl.weighting._base import mean_one, register
from skmtl.weighting._gradient import GradientWeighting

# added to the diagonal, in units of its elements: x diverges for opposite gradients
_RIDGE = 1e-6
_STEPS = 100


@register("nash-mtl")
class NashMTL(GradientWeighting):
    """Make the step that solves Nash's bargaining problem between the tasks.

    Only relative gains matter, so the length of a task's gradient does not.

    See Also
    --------
    FairGrad : A family of notions of fairness, including this one.
    FAMO : The same goal, using losses only.

    Notes
    -----
    The step ``d = sum_t w_t g_t`` maximises ``sum_t log <g_t, d>`` on a ball, for which
    ``G w = 1 / w`` with positive w, claim 3.1 of [1]_. Departures: w minimises
    ``w^T G w / 2 - sum_t log(w_t)``, which is convex and has this system as its condition, so that
    Newton's method replaces the sequence of approximate problems in section 3.2; 1e-6 of each
    squared length is added to the diagonal of G, since opposite gradients have no solution; and w
    is scaled to mean 1, whereas the length of the paper's step depends only on the number of tasks.

    References
    ----------
    .. [1] Navon et al., "Multi-task learning as a bargaining game", ICML 2022, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import NashMTL
    >>> NashMTL().weights(torch.ones(1, 2), torch.diag(torch.tensor([1.0, 9.0]))[None])
    tensor([[1.5000, 0.5000]])
    """

    def _solve(self, group):
        return mean_one(solve(group.gramian, 1.0))


def solve(gramian, a):
    """Solve ``G x = x^(-1/a)`` for positive x (g, k), where ``a > 0`` and G is (g, k, k).

    Where a diagonal element is zero, so is x. Otherwise x minimises the convex function
    ``x^T G x / 2 - sum_t phi(x_t)``, where phi is the logarithm for a = 1 and
    ``x^(1 - 1/a) / (1 - 1/a)`` otherwise. Newton's steps are shortened until the function decreases
    and x stays positive. Gradients are first scaled to unit length: with ``x_t = y_t / l_t`` the
    system is ``C y = l^(1/a - 1) y^(-1/a)``, where C is the matrix of cosines.
    """
    diagonal = np.einsum("gkk->gk", gramian)
    nonzero = diagonal > 1e-24 * diagonal.max(axis=1, keepdims=True)
    lengths = np.sqrt(np.where(nonzero, diagonal, 1.0))
    cosines = gramian / (lengths[:, :, None] * lengths[:, None, :])
    # tasks without a gradient are decoupled from the others
    cosines = np.where(nonzero[:, :, None] & nonzero[:, None, :], cosines, 0.0)
    index = np.arange(gramian.shape[1])
    cosines[:, index, index] = 1.0 + _RIDGE
    # in logarithms: powers of lengths may be out of range
    log_factor = (1 / a - 1) * np.log(lengths)
    log_factor -= log_factor.mean(axis=1, keepdims=True)
    factor = np.exp(log_factor.clip(-60, 60))
    y = np.stack([_newton(c, f, a) for c, f in zip(cosines, factor, strict=True)])
    return np.where(nonzero, y / lengths, 0.0)


def _newton(matrix, factor, a):
    def value(y):
        if a == 1:
            barrier = factor @ np.log(y)
        else:
            barrier = factor @ y ** (1 - 1 / a) / (1 - 1 / a)
        return y @ matrix @ y / 2 - barrier

    # the solution for each task alone, reduced by the number of tasks that it is aligned with
    y = (factor / matrix.sum(axis=1).clip(min=1.0)) ** (a / (1 + a))
    index = np.arange(len(y))
    current = value(y)
    for _ in range(_STEPS):
        slope = factor * y ** (-1 / a)
        gradient = matrix @ y - slope
        # relative to the terms that cancel
        if np.abs(gradient).max() <= 1e-10 * slope.max():
            break
        # in units of y, in which the Hessian is well scaled
        hessian = y[:, None] * matrix * y
        hessian[index, index] += slope * y / a
        move = -np.linalg.solve(hessian, y * gradient)
        decrease = move @ (y * gradient)
        step = min(1.0, 0.95 / max(-move.min(), 1e-300))
        while True:
            trial = y * (1 + step * move)
            new = value(trial)
            if new <= current + 1e-4 * step * decrease or step < 1e-10:
                break
            step /= 2
        if step < 1e-10:
            break
        y, current = trial, new
    return y
