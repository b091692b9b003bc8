"""PCGrad: remove conflicts between gradients by projection."""

import numpy as np
import torch

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting


def random_orders(group):
    """Draw a random order of all tasks for each task of each member, shape (g, k, k)."""
    g, k = group.tasks.shape
    if group.generators is None:
        numbers = torch.rand(g, k, k)
    else:
        numbers = torch.stack([torch.rand(k, k, generator=one) for one in group.generators])
    return numbers.numpy().argsort(axis=2)


@register("pcgrad")
class PCGrad(GradientWeighting):
    """Project each gradient onto the normal planes of those that it conflicts with.

    Without conflicts the step is that of the plain sum.

    See Also
    --------
    GradVac : Also aligns gradients that do not conflict.
    CAGrad : Bounds the worst conflict instead.

    Notes
    -----
    Algorithm 1 of [1]_: for each task i, over the other tasks j in random order, ``h_i = g_i`` and
    then, where ``<h_i, g_j> < 0``, ``h_i = h_i - <h_i, g_j> / |g_j|^2 g_j``; the update is
    ``sum_i h_i``. Every ``h_i = sum_j C_ij g_j``, so ``w_j = sum_i C_ij`` needs the Gramian only.
    The order is random for each i, as in the paper; that of the published code is fixed, since it
    shuffles a list and discards the result.

    References
    ----------
    .. [1] Yu et al., "Gradient surgery for multi-task learning", NeurIPS 2020, section 2.3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import PCGrad
    >>> gradients = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
    >>> PCGrad().weights(torch.ones(1, 2), (gradients @ gradients.T)[None])
    tensor([[1.5000, 1.4000]])
    """

    def _solve(self, group):
        g, k = group.tasks.shape
        orders = random_orders(group)
        # the rows of all members in one matrix
        rows = np.ascontiguousarray(group.gramian).reshape(g * k, k)
        diagonal = np.einsum("gkk->gk", group.gramian).reshape(-1)
        # a zero gradient has no direction to project along
        inverse = np.divide(-1.0, diagonal, out=np.zeros(g * k), where=diagonal > 0)
        start = np.repeat(np.arange(g) * k, k)
        steps = np.ascontiguousarray(orders.reshape(g * k, k).T)
        others = steps + start
        factors = inverse[others]
        # a task is not projected onto its own normal plane
        factors[others == np.arange(g * k)] = 0.0
        positions = steps + np.arange(g * k) * k
        # <h_i, g_j> for all i and j, kept up to date
        products = rows.copy()
        flat = products.reshape(-1)
        moves = np.empty_like(factors)
        change = np.empty_like(rows)
        for step in range(k):
            move = moves[step]
            flat.take(positions[step], out=move, mode="clip")
            np.minimum(move, 0.0, out=move)
            move *= factors[step]
            rows.take(others[step], axis=0, out=change, mode="clip")
            change *= move[:, None]
            products += change
        # every i has been projected once against every j
        weights = np.bincount(others.ravel(), weights=moves.ravel(), minlength=g * k)
        return 1.0 + weights.reshape(g, k)
