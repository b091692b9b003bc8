"""Dynamic weight average: give more weight to tasks whose loss decreases slowly."""

import torch

from skmtl.weighting._base import TaskWeighting, register

# largest ratio of a loss to that of the epoch before: beyond it, one task has all the weight anyway
_LARGEST_RATE = 1e6


@register("dwa")
class DynamicWeightAverage(TaskWeighting):
    """Give more weight to tasks whose loss decreases slowly from epoch to epoch.

    It uses losses only, at almost no cost.

    Parameters
    ----------
    temperature : float, default=2.0
        The larger, the more equal the weights.

    See Also
    --------
    FAMO : Balances rates of improvement at every step.

    Notes
    -----
    With the mean loss L_t(e) of task t in epoch e, equations 7 and 8 of [1]_ are
    ``w_t = T softmax_t(r_t / temperature)`` with ``r_t = L_t(e - 1) / L_t(e - 2)``; r_t is 1 in
    the first two epochs, and for a task that was absent from one of them. No departures.

    References
    ----------
    .. [1] Liu, Johns and Davison, "End-to-end multi-task learning with attention", CVPR 2019,
       section 3.2.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import DynamicWeightAverage
    >>> method = DynamicWeightAverage()
    >>> state = method.init_state(1, 2)
    >>> for losses in ([1.0, 1.0], [0.5, 1.0]):
    ...     _ = method.weights(torch.tensor([losses]), state=state)
    ...     method.end_epoch(state)
    >>> method.weights(torch.tensor([[0.5, 1.0]]), state=state)
    tensor([[0.8756, 1.1244]])
    """

    def __init__(self, temperature=2.0):
        self.temperature = temperature

    def _check_parameters(self, n_tasks):
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature!r}.")

    def _state(self, n_members, n_tasks):
        zeros = torch.zeros(n_members, n_tasks, dtype=torch.float64)
        return {
            "sum": zeros,
            "count": zeros.clone(),
            "rate": zeros + 1,
            # NaN: unknown
            "previous": zeros + torch.nan,
        }

    def _weights(self, losses, gramian, present, state, generators):
        state["sum"] = state["sum"] + losses.nan_to_num(0.0)
        state["count"] = state["count"] + present
        logits = (state["rate"] / self.temperature).masked_fill(~present, -torch.inf)
        # a member without any task would divide zero by zero
        return logits.softmax(1).nan_to_num(0.0) * present.sum(1, keepdim=True)

    def end_epoch(self, state):
        mean = state["sum"] / state["count"]
        rate = mean / state["previous"]
        # 0 / 0 and unknown losses are no change
        state["rate"] = rate.nan_to_num(1.0, _LARGEST_RATE).clamp(0.0, _LARGEST_RATE)
        state["previous"] = torch.where(state["count"] > 0, mean, state["previous"])
        state["sum"] = torch.zeros_like(mean)
        state["count"] = torch.zeros_like(mean)
