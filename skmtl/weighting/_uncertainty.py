"""Uncertainty weighting: each task's noise is learned."""

import torch

from skmtl.weighting._adam import adam_state, adam_step
from skmtl.weighting._base import TaskWeighting


class UncertaintyWeighting(TaskWeighting):
    """Each task has a noise of its own, which is learned; tasks with more noise count less.

    What maximum likelihood asks for if tasks differ in how well they can be predicted at all.

    Parameters
    ----------
    learning_rate : float, default=0.01
        Of Adam, which learns the noises.

    See Also
    --------
    IMTLL : The same weights but for a constant factor, without the likelihood.

    Notes
    -----
    With the mean loss L_t and the variance ``sigma_t^2 = exp(s_t)`` of task t, training minimises
    ``sum_t f_t exp(-s_t) L_t + s_t / 2``, with ``f_t = 1/2`` for regression and 1 for
    classification, sections 3.2 and 3.3 of [1]_. So ``w_t = f_t exp(-s_t)``, and s_t follows the
    gradient ``1/2 - f_t exp(-s_t) L_t`` from 0. A label's weight stays beside w_t: the share that
    a task has by its rows is what the likelihood asks for as well.

    Departure: the s_t have an Adam and a rate of their own, instead of the network's, so that they
    mean the same in every architecture.

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

    def _state(self, n_members, n_tasks):
        half = torch.full((n_members, n_tasks), 0.5, dtype=torch.float64)
        return {**adam_state(n_members, n_tasks), "factor": half}

    def tell_classes(self, state, classes):
        """Say which tasks are classification; all others, and all by default, are regression.

        Parameters
        ----------
        state : dict
            From `init_state`, changed in place.
        classes : Tensor of shape (T,) of bool
            True for classification.
        """
        state["factor"] = torch.where(classes.to(state["factor"].device), 1.0, state["factor"])

    def _weights(self, losses, gramian, present, state, generators):
        weights = state["factor"] * torch.exp(-state["value"])
        adam_step(state, 0.5 - weights * losses.nan_to_num(0.0), present, self.learning_rate)
        return weights
