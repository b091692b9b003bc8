"""Equal and fixed weights."""

import numpy as np
import torch

from skmtl.weighting._base import TaskWeighting


class EqualWeights(TaskWeighting):
    """All tasks have weight 1: the sum of the losses, as it is.

    The training loop then does exactly what it does without task weighting, at no cost.

    See Also
    --------
    FixedWeights : Weights of one's own.

    Notes
    -----
    ``w_t = 1``. How much a task has to say is then decided by its rows, or by `task_sampling`.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import EqualWeights
    >>> EqualWeights().weights(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 1.]])
    """

    def _weights(self, losses, gramian, present, state, generators):
        return torch.ones_like(losses)


class FixedWeights(TaskWeighting):
    """Weights of one's own, the same throughout training.

    For tasks that matter more than others.

    Parameters
    ----------
    values : array-like of shape (T,) or dict
        A weight for each task, in the order of the model's ``tasks_``, none of them negative. For
        an estimator also a dict of task to weight; tasks that it does not name have weight 1.

    See Also
    --------
    EqualWeights : All alike.

    Notes
    -----
    ``w_t = values_t``, not scaled in any way.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import FixedWeights
    >>> FixedWeights([1.0, 3.0]).weights(torch.tensor([[0.2, 0.2]]))
    tensor([[1., 3.]])
    """

    def __init__(self, values):
        self.values = values

    def _check_parameters(self, n_tasks):
        if isinstance(self.values, dict):
            raise TypeError(
                "a dict of weights needs the names of the tasks, which an estimator knows; pass "
                "one number per task here."
            )
        values = np.asarray(self.values, dtype=float)
        # with a row for each member: what an estimator makes of a dict
        if values.ndim not in (1, 2) or not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(f"values must be numbers of at least 0, got {self.values!r}.")
        # of a search, folds may lack tasks that others have, and then pad
        n_values = values.shape[-1]
        if n_values > n_tasks or n_values == 0:
            raise ValueError(f"values has {n_values} weights for {n_tasks} tasks.")

    def _state(self, n_members, n_tasks):
        values = torch.ones(n_members, n_tasks, dtype=torch.float64)
        given = torch.as_tensor(np.asarray(self.values, dtype=float))
        values[:, : given.shape[-1]] = given
        return {"values": values}

    def _weights(self, losses, gramian, present, state, generators):
        return state["values"]
