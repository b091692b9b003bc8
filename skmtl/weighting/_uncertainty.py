"""Uncertainty weighting: learn the noise of each task."""

import copy

import torch

from skmtl.weighting._adam import adam_state, adam_step
from skmtl.weighting._base import CLASSES, TaskWeighting, register


@register("uncertainty")
class UncertaintyWeighting(TaskWeighting):
    """Learn the noise variance of each task, and give noisier tasks less weight.

    This is maximum likelihood for tasks that differ in how well they can be predicted at all.

    Parameters
    ----------
    learning_rate : float, default=0.01
        Learning rate of Adam, which learns the variances.

    See Also
    --------
    IMTLL : The same weights up to a constant factor, without the likelihood.

    Notes
    -----
    With the mean loss L_t and the variance ``sigma_t^2 = exp(s_t)`` of task t, training minimises
    ``sum_t f_t exp(-s_t) L_t + s_t / 2``, with ``f_t = 1/2`` for regression and 1 for
    classification, sections 3.2 and 3.3 of [1]_. So ``w_t = f_t exp(-s_t)``, and s_t follows the
    gradient ``1/2 - f_t exp(-s_t) L_t`` from 0. As in the likelihood, the share of a task is also
    proportional to its number of rows. Without an estimator, all tasks count as regression.
    Departure: Adam learns the s_t at a separate rate, so that they do not depend on the
    architecture.

    References
    ----------
    .. [1] Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh losses for
       scene geometry and semantics", CVPR 2018.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import UncertaintyWeighting
    >>> method = UncertaintyWeighting(learning_rate=0.1)
    >>> state = method.init_state(1, 2)
    >>> losses = torch.tensor([[0.1, 10.0]])
    >>> for _ in range(500):
    ...     weights = method.weights(losses, state=state)
    >>> (weights * losses).round(decimals=2)
    tensor([[0.5000, 0.5000]])
    """

    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate

    def bind(self, tasks, task_types):
        bound = copy.copy(self)
        bound._has_classes = torch.tensor([kind == CLASSES for kind in task_types])
        return bound

    def _state(self, n_members, n_tasks):
        factor = torch.full((n_members, n_tasks), 0.5, dtype=torch.float64)
        has_classes = getattr(self, "_has_classes", None)
        if has_classes is not None:
            factor = torch.where(has_classes, 1.0, factor)
        return {**adam_state(n_members, n_tasks), "factor": factor}

    def _weights(self, losses, gramian, present, state, generators):
        weights = state["factor"] * torch.exp(-state["value"])
        adam_step(state, 0.5 - weights * losses.nan_to_num(0.0), present, self.learning_rate)
        return weights
