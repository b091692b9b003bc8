"""CAGrad: maximise the smallest gain of a task near the mean gradient."""

import numpy as np
from scipy.optimize import minimize

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting
from skmtl.weighting._mgda import shortest

# smallest length, in units of that of the mean gradient, at which a direction is defined
_SHORT = 1e-6


@register("cagrad")
class CAGrad(GradientWeighting):
    """Maximise the gain of the task that gains least, near the mean gradient.

    The step lies between the plain mean (``c=0``) and that of MGDA (large c); with c below 1,
    training converges to a minimum of the mean loss.

    Parameters
    ----------
    c : float, default=0.5
        Largest distance of the step from the mean gradient, in units of its length.

    See Also
    --------
    MGDA : Without a bound on the distance to the mean.
    PCGrad : Removes conflicts pair by pair.

    Notes
    -----
    The step d maximises ``min_t <g_t, d>`` subject to ``|d - g_0| <= c |g_0|``, with the mean
    gradient g_0, equation 4 of [1]_. By duality, algorithm 1, ``d = g_0 + c |g_0| / |g_x| g_x``,
    where ``g_x = sum_t x_t g_t`` and x minimises ``<g_x, g_0> + c |g_0| |g_x|`` on the simplex,
    by SLSQP. Departures: the sum of the gradients replaces their mean, so that c = 0 is equal
    weights; where g_x is zero, the step is the sum: the mean loss can still decrease.

    References
    ----------
    .. [1] Liu, Liu, Jin, Stone and Liu, "Conflict-averse gradient descent for multi-task
       learning", NeurIPS 2021, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import CAGrad
    >>> CAGrad(c=0.5).weights(torch.ones(1, 2), torch.eye(2)[None])
    tensor([[1.5000, 1.5000]])
    """

    def __init__(self, c=0.5):
        self.c = c

    def _check_parameters(self, n_tasks):
        if not self.c >= 0:
            raise ValueError(f"c must be at least 0, got {self.c!r}.")

    def _solve(self, group):
        return np.stack([self._solve_one(gramian) for gramian in group.gramian])

    def _solve_one(self, gramian):
        k = len(gramian)
        linear = gramian.mean(axis=1)
        length = np.sqrt(max(linear.mean(), 0.0))
        if self.c == 0 or length < _SHORT:
            return np.ones(k)
        bound = self.c * length

        def objective(x):
            product = gramian @ x
            norm = np.sqrt(max(x @ product, 1e-300))
            return x @ linear + bound * norm, linear + bound * product / norm

        constraint = {"type": "eq", "fun": lambda x: x.sum() - 1, "jac": lambda x: np.ones(k)}
        settings = {"bounds": [(0.0, 1.0)] * k, "constraints": constraint, "method": "SLSQP"}
        options = {"ftol": 1e-16, "maxiter": 200}
        best = None
        # start from the middle, from the solution of MGDA (least second term), and the best corner
        corner = np.eye(k)[(linear + bound * np.sqrt(np.diagonal(gramian))).argmin()]
        for start in (np.full(k, 1 / k), shortest(gramian), corner):
            result = minimize(objective, start, jac=True, options=options, **settings)
            if best is None or result.success or not best.fun < result.fun:
                best = result
            if best.success:
                break
        x = best.x.clip(min=0.0)
        x = x / x.sum()
        norm = np.sqrt(max(x @ gramian @ x, 0.0))
        if not norm > _SHORT * length:
            return np.ones(k)
        return 1 + k * bound / norm * x
