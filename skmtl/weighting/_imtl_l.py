"""IMTL-L: learn scales that make losses equal."""

import torch

from skmtl.weighting._adam import adam_state, adam_step
from skmtl.weighting._base import TaskWeighting, register


@register("imtl-l")
class IMTLL(TaskWeighting):
    """Learn scales that make all losses equal.

    For tasks whose losses are in different units.

    Parameters
    ----------
    learning_rate : float, default=0.01
        Learning rate of Adam, which learns the scales.

    See Also
    --------
    UncertaintyWeighting : Derived from a likelihood.
    IMTLG : The counterpart for gradients.

    Notes
    -----
    With the mean loss L_t of task t, training minimises ``sum_t exp(s_t) L_t - s_t``, equation 7
    of [1]_ with base e. So ``w_t = exp(s_t)``, and s_t follows the gradient ``exp(s_t) L_t - 1``
    from 0, until every ``w_t L_t`` is 1. Departure: Adam learns the s_t at a separate rate.

    References
    ----------
    .. [1] Liu et al., "Towards impartial multi-task learning", ICLR 2021, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import IMTLL
    >>> method = IMTLL(learning_rate=0.1)
    >>> state, losses = method.init_state(1, 2), torch.tensor([[0.1, 10.0]])
    >>> for _ in range(500):
    ...     weights = method.weights(losses, state=state)
    >>> (weights * losses).round(decimals=2)
    tensor([[1., 1.]])
    """

    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate

    def _state(self, n_members, n_tasks):
        return adam_state(n_members, n_tasks)

    def _weights(self, losses, gramian, present, state, generators):
        weights = torch.exp(state["value"])
        adam_step(state, weights * losses.nan_to_num(0.0) - 1, present, self.learning_rate)
        return weights
