"""Equal and fixed weights."""

import numpy as np
import torch

from skmtl.weighting._base import TaskWeighting, register


@register("equal")
class EqualWeights(TaskWeighting):
    """Weigh all tasks by 1: the plain sum of the losses.

    The training loop then does exactly what it does without task weighting, at no cost.

    See Also
    --------
    FixedWeights : Weights that the user chooses.

    Notes
    -----
    ``w_t = 1``. The influence of a task then depends on its number of rows, or on `task_sampling`.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import EqualWeights
    >>> EqualWeights().weights(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 1.]])
    """

    unweighted = True

    def _weights(self, losses, gramian, present, state, generators):
        return torch.ones_like(losses)


class FixedWeights(TaskWeighting):
    """Weigh tasks by given numbers, the same throughout training.

    For tasks that matter more than others.

    Parameters
    ----------
    values : array-like of shape (T,) or dict
        A non-negative weight for each task, in the order of the model's ``tasks_``. Estimators
        also accept a dict of task to weight; tasks that it does not name have weight 1.

    See Also
    --------
    EqualWeights : Every weight is 1.

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

    def bind(self, tasks, task_types):
        if not isinstance(self.values, dict):
            return self
        values = np.ones((len(tasks), len(task_types)))
        for row, labels in zip(values, tasks, strict=True):
            row[: len(labels)] = [self.values.get(task, 1.0) for task in labels]
        return FixedWeights(values)

    def _check_parameters(self, n_tasks):
        if isinstance(self.values, dict):
            raise TypeError(
                "a dict of weights needs the names of the tasks, which an estimator knows; pass "
                "one number per task here."
            )
        values = np.asarray(self.values, dtype=float)
        # two axes if `bind` has made a row for each member
        if values.ndim not in (1, 2) or not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(f"values must be numbers of at least 0, got {self.values!r}.")
        # in a search, a fold may lack tasks of other folds; it is padded
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
