"""GradNorm: bring gradients to a common length, longer for tasks that train slowly."""

import numpy as np
import torch

from skmtl.weighting._adam import adam_state, adam_step
from skmtl.weighting._base import GRAMIAN, LOSSES, register
from skmtl.weighting._gradient import GradientWeighting, lengths

# smallest weight, so that no task is ignored altogether
_SMALLEST = 1e-3


@register("gradnorm")
class GradNorm(GradientWeighting):
    """Learn weights that make gradients equally long, but longer for tasks that train slowly.

    The weights multiply losses, so they also apply to the parameters that belong to one task; only
    the diagonal of the Gramian is used.

    Parameters
    ----------
    alpha : float, default=1.5
        How much longer the gradients of tasks that train slowly become; with 0 all have the same
        length.
    learning_rate : float, default=0.025
        Learning rate of Adam, which learns the weights.

    See Also
    --------
    IMTLG : Balances lengths and directions.
    DynamicWeightAverage : Balances rates of training without gradients.

    Notes
    -----
    With the length ``G_t = w_t |g_t|``, its mean over tasks, and the inverse rate of training
    ``r_t = (L_t / L_t(0)) / mean_s (L_s / L_s(0))``, the weights follow the gradient of
    ``sum_t |G_t - mean(G) r_t^alpha|``, whose second term is treated as constant, equations 1 and 2
    of [1]_. They start at 1 and are scaled to mean 1 after each step, algorithm 1. L_t(0) is the
    loss of the first batch with task t. Departures: lengths are in units of their mean, and weights
    are at least 1e-3 before they are scaled.

    References
    ----------
    .. [1] Chen, Badrinarayanan, Lee and Rabinovich, "GradNorm: gradient normalization for adaptive
       loss balancing in deep multitask networks", ICML 2018, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import GradNorm
    >>> method = GradNorm()
    >>> state, gramian = method.init_state(1, 2), torch.diag(torch.tensor([1.0, 9.0]))[None]
    >>> for _ in range(200):
    ...     weights = method.weights(torch.ones(1, 2), gramian, state)
    >>> weights.round(decimals=1)
    tensor([[1.5000, 0.5000]])
    """

    needs = frozenset({LOSSES, GRAMIAN})
    own_parameters = True

    def __init__(self, alpha=1.5, learning_rate=0.025):
        self.alpha = alpha
        self.learning_rate = learning_rate

    def _state(self, n_members, n_tasks):
        first = torch.full((n_members, n_tasks), torch.nan, dtype=torch.float64)
        return {**adam_state(n_members, n_tasks, start=1.0), "first": first}

    def _solve(self, group):
        state, where = group.state, (group.members, group.tasks)
        first = state["first"].numpy()
        unknown = np.isnan(first[where])
        first[where] = np.where(unknown, group.losses, first[where])
        start = first[where]
        # a task whose first loss is zero has nothing to learn
        ratio = group.losses / np.where(start > 0, start, 1.0)
        ratio = np.where(start > 0, ratio, 1.0).clip(min=1e-12)
        rate = ratio / ratio.mean(axis=1, keepdims=True)
        weights = state["value"].numpy()[where].copy()
        size = lengths(group.gramian)
        current = weights * size
        mean = current.mean(axis=1, keepdims=True)
        slope = np.sign(current - mean * rate**self.alpha) * size / np.where(mean > 0, mean, 1.0)
        active = torch.zeros(state["value"].shape, dtype=torch.bool)
        active.numpy()[where] = True
        gradient = torch.zeros_like(state["value"])
        gradient.numpy()[where] = slope
        adam_step(state, gradient, active, self.learning_rate)
        value = state["value"].numpy()
        new = value[where].clip(min=_SMALLEST)
        # the sum of the weights of the tasks in the batch stays the same
        value[where] = new * (weights.sum(axis=1) / new.sum(axis=1))[:, None]
        return weights
