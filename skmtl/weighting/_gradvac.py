"""Gradient vaccine: align gradients at least as closely as they usually are."""

import numpy as np
import torch

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting, lengths
from skmtl.weighting._pcgrad import random_orders

_TINY = 1e-12


@register("gradvac")
class GradVac(GradientWeighting):
    """Align gradients whose cosine is smaller than usual.

    Unlike PCGrad, it also changes pairs that do not conflict but agree less than usual.

    Parameters
    ----------
    rate : float, default=0.01
        Weight of the newest value in the running mean of the cosines, between 0 and 1.

    See Also
    --------
    PCGrad : The special case in which the goal is 0.

    Notes
    -----
    Algorithm 1 of [1]_: for each task i, over the other tasks j in random order, with the cosine
    ``c = cos(h_i, g_j)`` of ``h_i`` (at first g_i) and the goal d_ij: where ``c < d``,
    ``h_i = h_i + |h_i| (d sqrt(1 - c^2) - c sqrt(1 - d^2)) / (|g_j| sqrt(1 - d^2)) g_j``
    (equation 6), which makes the cosine d; then ``d_ij = (1 - rate) d_ij + rate c``. Goals start at
    0. The update is ``sum_i h_i``. No departures; gradients that are zero are ignored.

    References
    ----------
    .. [1] Wang, Tsvetkov, Firat and Cao, "Gradient vaccine: investigating and improving multi-task
       optimization in massively multilingual models", ICLR 2021, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import GradVac
    >>> gradients = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
    >>> GradVac().weights(torch.ones(1, 2), (gradients @ gradients.T)[None])
    tensor([[1.5000, 1.4000]])
    """

    def __init__(self, rate=0.01):
        self.rate = rate

    def _check_parameters(self, n_tasks):
        if not 0 <= self.rate <= 1:
            raise ValueError(f"rate must be between 0 and 1, got {self.rate!r}.")

    def _state(self, n_members, n_tasks):
        return {"goals": torch.zeros(n_members, n_tasks, n_tasks, dtype=torch.float64)}

    def _solve(self, group):
        g, k = group.tasks.shape
        gramian, orders = group.gramian, random_orders(group)
        where = group.members[:, :, None], group.tasks[:, :, None], group.tasks[:, None, :]
        goals = group.state["goals"].numpy()[where]
        size = lengths(gramian)
        member, row = np.arange(g)[:, None], np.arange(k)[None]
        products = gramian.copy()
        combination = np.tile(np.eye(k), (g, 1, 1))
        for step in range(k):
            j = orders[:, :, step]
            product = products[member, row, j]
            squares = np.einsum("gij,gij->gi", products, combination)
            length, other = np.sqrt(squares.clip(min=0.0)), size[member, j]
            known = (j != row) & (length > _TINY) & (other > 0)
            cosine = product / np.where(known, length * other, 1.0)
            cosine = cosine.clip(-1.0, 1.0)
            goal = goals[member, row, j]
            sine, goal_sine = np.sqrt(1 - cosine**2), np.sqrt(1 - goal**2)
            move = length * (goal * sine - cosine * goal_sine)
            move = move / np.where(known, other * np.maximum(goal_sine, 1e-8), 1.0)
            move = np.where(known & (cosine < goal), move, 0.0)
            combination[member, row, j] += move
            products += move[:, :, None] * gramian[member, j]
            goals[member, row, j] = np.where(
                known, (1 - self.rate) * goal + self.rate * cosine, goal
            )
        group.state["goals"].numpy()[where] = goals
        return combination.sum(axis=1)
