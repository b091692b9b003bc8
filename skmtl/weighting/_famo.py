"""FAMO: decrease all losses at the same rate."""

import torch

from skmtl.weighting._adam import adam_state, adam_step
from skmtl.weighting._base import AFTERWARDS, LOSSES, TaskWeighting, mean_one, register

# smallest argument of the logarithm of a loss
_SMALLEST = 1e-8


@register("famo")
class FAMO(TaskWeighting):
    """Decrease all losses at the same rate, using losses only.

    This is the goal of many gradient methods, at the cost of one more forward pass.

    Parameters
    ----------
    learning_rate : float, default=0.025
        Learning rate of Adam, which learns the logits.
    alpha : float, default=1e-3
        Weight decay of the logits, towards equal weights.

    See Also
    --------
    NashMTL : Has the same goal and uses gradients.
    DynamicWeightAverage : Uses rates from epoch to epoch.

    Notes
    -----
    With logits x and ``z = softmax(x)``, training minimises ``sum_t z_t log(L_t)``, scaled such
    that the update is a convex combination of the gradients, equations 9 and 10 of [1]_:
    ``w_t = c z_t / L_t`` with ``c = 1 / sum_t (z_t / L_t)``. After the step, x moves along the
    gradient of ``sum_t z_t (log L_t(before) - log L_t(after))``, algorithm 1: tasks that improve
    most lose weight. Departures: weights have mean 1, and losses, which must not be negative, are
    at least 1e-8.

    References
    ----------
    .. [1] Liu, Feng, Stone and Liu, "FAMO: fast adaptive multitask optimization", NeurIPS 2023,
       section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import FAMO
    >>> method = FAMO()
    >>> state, losses = method.init_state(1, 2), torch.tensor([[1.0, 3.0]])
    >>> method.weights(losses, state=state)
    tensor([[1.5000, 0.5000]])
    >>> method.end_step(losses, torch.tensor([[0.5, 3.0]]), state)
    >>> method.weights(losses, state=state)
    tensor([[1.4810, 0.5190]])
    """

    needs = frozenset({LOSSES, AFTERWARDS})

    def __init__(self, learning_rate=0.025, alpha=1e-3):
        self.learning_rate = learning_rate
        self.alpha = alpha

    def _state(self, n_members, n_tasks):
        return adam_state(n_members, n_tasks)

    @staticmethod
    def _shares(state, present):
        return state["value"].masked_fill(~present, -torch.inf).softmax(1).nan_to_num(0.0)

    def _weights(self, losses, gramian, present, state, generators):
        return mean_one(self._shares(state, present) / losses.clamp(min=_SMALLEST), present)

    def _end_step(self, before, after, state):
        present = ~(torch.isnan(before) | torch.isnan(after))
        change = before.clamp(min=_SMALLEST).log() - after.clamp(min=_SMALLEST).log()
        # ignore members that diverge
        change = torch.where(present, change, 0.0).nan_to_num(0.0, 0.0, 0.0)
        z = self._shares(state, present)
        gradient = z * (change - (z * change).sum(1, keepdim=True))
        adam_step(state, gradient, present, self.learning_rate, self.alpha)
