"""CAGrad: maximise the smallest gain of a task near the mean gradient."""

import numpy as np
from scipy.optimize import minimize

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting
from skmtl.weighting._mgda import shortest

# smallest length, in units of that of the mean gradient, at which a direction is defined
_SHORT = 1e-6
# smallest length of a gradient that counts, in units of the longest one, and smallest share in the
# combination that is zero
_SMALLEST, _IN_SUPPORT = 1e-12, 1e-6


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
    weights; tasks whose gradients are zero have no part in x; where g_x is zero, no step helps the
    tasks in it, and the step is g_0 without its projection on their gradients, of which at most
    ``c |g_0|`` is taken off.

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
        diagonal = np.diagonal(gramian)
        known = np.flatnonzero(diagonal > _SMALLEST**2 * diagonal.max())
        if len(known) == len(gramian):
            return self._solve_nonzero(gramian)
        weights = np.ones(len(gramian))
        weights[known] = self._solve_nonzero(gramian[np.ix_(known, known)])
        return weights

    def _solve_nonzero(self, gramian):
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
            return 1 - k * _projection(gramian, linear, x > _IN_SUPPORT, bound)
        return 1 + k * bound / norm * x


def _projection(gramian, linear, support, bound):
    """Return weights (k,) of the projection of g_0 on gradients in the support, cut at a length.

    `linear` (k,) are inner products of gradients with g_0.
    """
    own = gramian[np.ix_(support, support)]
    coefficients = np.linalg.pinv(own, rcond=1e-10, hermitian=True) @ linear[support]
    length = np.sqrt(max(coefficients @ own @ coefficients, 0.0))
    weights = np.zeros(len(gramian))
    weights[support] = coefficients * min(1.0, bound / max(length, 1e-300))
    return weights
