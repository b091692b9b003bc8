"""MGDA: the shortest convex combination of the gradients."""

import numpy as np
from scipy.optimize import nnls

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting, lengths

_NORMALIZATIONS = (None, "l2", "loss", "loss+")


def root(gramian, eps=0.0):
    """Return R, shape (..., k, k), with ``R^T R`` the Gramian."""
    values, vectors = np.linalg.eigh(gramian)
    values = np.maximum(values, eps * values[..., -1:])
    return np.sqrt(values)[..., :, None] * np.swapaxes(vectors, -1, -2)


def shortest(gramian):
    """Return simplex weights (k,) of the shortest convex combination, from inner products."""
    return shortest_of(root(gramian))


def shortest_of(vectors):
    """Return simplex weights (k,) of the shortest convex combination of the columns.

    They are proportional to the minimum over ``x >= 0`` of ``|R x|^2 + (sum(x) - 1)^2``: among all
    x in one direction, the best has the value q / (1 + q), where q is the squared length of the
    convex combination in that direction. This is non-negative least squares, which an active-set
    method solves exactly.
    """
    d, k = vectors.shape
    system = np.vstack([vectors, np.ones(k)])
    try:
        x = nnls(system, np.r_[np.zeros(d), 1.0], maxiter=30 * k)[0]
    except RuntimeError:
        # the method cycles between equally good sets; an approximation is good enough for a step
        x = frank_wolfe(vectors.T @ vectors)
    return x / x.sum()


def frank_wolfe(gramian, n_steps=250):
    """Approximate `shortest` by algorithm 2 of Sener and Koltun (2018)."""
    x = np.full(len(gramian), 1 / len(gramian))
    for _ in range(n_steps):
        product = gramian @ x
        t = product.argmin()
        a, b, c = product[t], x @ product, gramian[t, t]
        if b <= a:
            break
        step = 1.0 if c <= a else (b - a) / (b + c - 2 * a)
        x *= 1 - step
        x[t] += step
    return x


@register("mgda")
@register("mgda-ub", upper_bound=True)
class MGDA(GradientWeighting):
    """Follow the shortest convex combination of the gradients.

    To first order, no task gets worse. Training stops where no direction helps all tasks, and
    small gradients have the most weight.

    Parameters
    ----------
    normalization : {"l2", "loss", "loss+"} or None, default=None
        What gradients are divided by before they are combined: their length, the task's loss, or
        the product of the two.
    upper_bound : bool, default=False
        Whether gradients are those at the shared representation (MGDA-UB, "mgda-ub"), which cost
        one backward pass for all tasks. Needs tasks that share one representation of the same
        rows: wide form, and an estimator with a trunk and heads.

    See Also
    --------
    CAGrad : Converges to a minimum of the mean loss instead.
    NashMTL : Without the preference for small gradients.

    Notes
    -----
    ``w = argmin |sum_t w_t g_t|^2`` over the simplex, equation 3 of [1]_, following [2]_; then w is
    scaled to mean 1. Departure: exact, by non-negative least squares instead of Frank and Wolfe's
    steps. As in the published code, weights of normalized gradients apply to the original ones.

    References
    ----------
    .. [1] Sener and Koltun, "Multi-task learning as multi-objective optimization", NeurIPS 2018,
       sections 3.2 and 3.3.
    .. [2] Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization",
       Comptes Rendus Mathématique 350, 2012.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import MGDA
    >>> MGDA().weights(torch.ones(1, 2), torch.diag(torch.tensor([1.0, 4.0]))[None])
    tensor([[1.6000, 0.4000]])
    """

    def __init__(self, normalization=None, upper_bound=False):
        self.normalization = normalization
        self.upper_bound = upper_bound

    @property
    def at_representation(self):
        return self.upper_bound

    def _check_parameters(self, n_tasks):
        if self.normalization not in _NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {_NORMALIZATIONS}, got {self.normalization!r}."
            )

    def _solve(self, group):
        gramian = group.gramian
        if self.normalization is not None:
            size = 1.0
            if self.normalization != "l2":
                size = np.abs(group.losses)
            if self.normalization != "loss":
                size = size * lengths(gramian)
            size = np.where(size > 0, size, 1.0)
            gramian = gramian / (size[:, :, None] * size[:, None, :])
        weights = np.stack([shortest(matrix) for matrix in gramian])
        return weights * weights.shape[1]
