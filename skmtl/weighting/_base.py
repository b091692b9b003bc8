"""Base class of all methods of task weighting: T losses or their Gramian in, T weights out.

Missing tasks, members, precision and degenerate input are handled here, once.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from skmtl._persistence import VersionedState, saveable

LOSSES, GRAMIAN, AFTERWARDS = "losses", "gramian", "losses after the step"
# types of tasks, see `TaskWeighting.bind`
REGRESSION, CLASSES = "regression", "classes"
# factories of the methods by the names that users pass, filled by `register`
METHODS: dict[str, Callable] = {}


def register(name: str, **parameters: Any) -> Callable[[type], type]:
    """Return a decorator that makes a class, with these parameters, available under a name."""

    def decorate(cls: type) -> type:
        METHODS[name] = lambda: cls(**parameters)
        return cls

    return decorate


class Part(NamedTuple):
    """One of the methods that a task weighting consists of, and its state."""

    method: TaskWeighting
    state: dict | None


@saveable
class TaskWeighting(VersionedState, BaseEstimator, metaclass=ABCMeta):
    """Base class of every method; parameters are stored as scikit-learn's estimators store them.

    A subclass implements `_weights`, or derives from `GradientWeighting`. A method with a state
    also implements `_state`, and `_end_step` or `end_epoch` if the state changes after a step or an
    epoch. A method that depends on the tasks themselves implements `bind`, and one that is composed
    of others implements `parts`.

    Attributes
    ----------
    needs : frozenset of str
        The inputs that it needs, of "losses", "gramian" and "losses after the step".
    own_parameters : bool
        Whether the weights also apply to the parameters that belong to one task, or to the shared
        ones only.
    at_representation : bool
        Whether the Gramian is that of gradients at the shared representation.
    unweighted : bool
        Whether every weight is 1, so that training needs no weights at all.
    chooses : bool
        Whether it chooses between candidate steps, as `ITMTL` does.

    See Also
    --------
    GradientWeighting : Base class of methods that use gradients.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import TaskWeighting
    >>> class Inverse(TaskWeighting):
    ...     def _weights(self, losses, gramian, present, state, generators):
    ...         return 1 / losses.clamp(min=1e-3)
    >>> Inverse().weights(torch.tensor([[0.5, 2.0, torch.nan]]))
    tensor([[2.0000, 0.5000, 0.0000]])
    """

    needs: frozenset[str] = frozenset({LOSSES})
    own_parameters: bool = True
    at_representation: bool = False
    unweighted: bool = False
    chooses: bool = False

    def bind(self, tasks: Sequence[Sequence[Hashable]], task_types: Sequence[str]) -> TaskWeighting:
        """Return the method as the training loop uses it.

        Parameters
        ----------
        tasks : sequence of M sequences
            Labels of the tasks of every member, in the order of the weights. Members of a search
            may have different tasks.
        task_types : sequence of T str
            Type of each task, "regression" or "classes", for the largest number of tasks of any
            member.

        Returns
        -------
        TaskWeighting
            Itself, unless it depends on the tasks.
        """
        return self

    def parts(self, state: dict | None = None) -> tuple[Part | None, Part | None]:
        """Return the methods that weigh the losses and the gradients.

        Parameters
        ----------
        state : dict, optional
            From `init_state`.

        Returns
        -------
        losses : Part or None
            The method for losses, with its share of the state.
        gradients : Part or None
            The method for gradients; at least one of the two is not None.
        """
        part = Part(self, state)
        return (None, part) if GRAMIAN in self.needs else (part, None)

    def compared(self) -> list[TaskWeighting]:
        """Return the methods whose Gramians the loop must compute.

        Returns
        -------
        list of TaskWeighting
            Itself, or its candidates.
        """
        return [self] if GRAMIAN in self.needs else []

    def init_state(self, n_members: int, n_tasks: int) -> dict | None:
        """Return the state of the method before the first step.

        Parameters
        ----------
        n_members, n_tasks : int
            Numbers of members and of tasks.

        Returns
        -------
        dict or None
            Tensors whose first axis is that of the members and whose others are those of the
            tasks, or lists with an item per member; None for a method without state.
        """
        self._check_parameters(n_tasks)
        return self._state(n_members, n_tasks)

    def weights(
        self,
        losses: Tensor,
        gramian: Tensor | None = None,
        state: dict | None = None,
        generators: list[torch.Generator] | None = None,
    ) -> Tensor:
        """Weigh the tasks of every member.

        Parameters
        ----------
        losses : Tensor of shape (M, T)
            Mean loss of every task; NaN for a task that has no rows in the batch.
        gramian : Tensor of shape (M, T, T), optional
            Inner products of the gradients of the tasks' contributions to the summed loss, with
            respect to the shared parameters.
        state : dict, optional
            From `init_state`, changed in place; by default a new one.
        generators : list of M torch.Generator, optional
            On the CPU, for methods that draw random numbers; by default torch's global generator.

        Returns
        -------
        Tensor of shape (M, T)
            0 for tasks that have no rows.
        """
        losses = losses.detach()
        if GRAMIAN in self.needs and gramian is None:
            raise ValueError(
                f"{type(self).__name__} weighs tasks by their gradients and needs gramian, the "
                "inner products of the tasks' gradients, of shape (M, T, T)."
            )
        if state is None:
            state = self.place(self.init_state(*losses.shape), losses.device)
        present = ~torch.isnan(losses)
        weights = self._weights(losses.double(), gramian, present, state, generators)
        return torch.where(present, weights, 0.0).to(losses.dtype)

    def place(self, state: dict | None, device: torch.device) -> dict | None:
        """Move a state to the device on which the method computes, by default that of the losses.

        Parameters
        ----------
        state : dict or None
            From `init_state`.
        device : torch.device
            The device of the losses.

        Returns
        -------
        dict or None
            The state, on that device.
        """
        return to_device(state, device)

    def end_step(self, before: Tensor, after: Tensor, state: dict) -> None:
        """Update the state after a step; only called for methods that need the losses after it.

        Parameters
        ----------
        before, after : Tensors of shape (M, T)
            Losses of the same rows; NaN where a task has no rows, or a member made no step.
        state : dict
            Changed in place.
        """
        self._end_step(before.double(), after.double(), state)

    def end_epoch(self, state: dict | None) -> None:
        """Update the state after an epoch.

        Parameters
        ----------
        state : dict or None
            Changed in place.
        """

    def _check_parameters(self, n_tasks: int | None) -> None:
        """Raise an error if a parameter is not valid."""

    def _state(self, n_members: int, n_tasks: int) -> dict | None:
        return None

    @abstractmethod
    def _weights(
        self,
        losses: Tensor,
        gramian: Tensor | None,
        present: Tensor,
        state: dict | None,
        generators: list[torch.Generator] | None,
    ) -> Tensor:
        """Return weights in double precision; those of absent tasks are ignored."""

    def _end_step(self, before: Tensor, after: Tensor, state: dict) -> None:
        raise NotImplementedError


def to_device(state, device):
    """Return a state with its tensors on a device."""
    if state is None:
        return None
    moved = {}
    for key, value in state.items():
        if isinstance(value, dict):
            moved[key] = to_device(value, device)
        else:
            moved[key] = value.to(device) if isinstance(value, torch.Tensor) else value
    return moved


def select(state, members, n_tasks=None):
    """Return the state of the given members, and of the first `n_tasks` tasks only."""
    if state is None:
        return None
    selected = {}
    for key, value in state.items():
        if isinstance(value, dict):
            selected[key] = select(value, members, n_tasks)
        elif isinstance(value, torch.Tensor):
            index = torch.as_tensor(members, device=value.device)
            tasks = (slice(n_tasks),) * (value.ndim - 1)
            selected[key] = value.index_select(0, index)[(slice(None), *tasks)].clone()
        else:
            selected[key] = [value[m] for m in members]
    return selected


def mean_one(weights, present=None):
    """Scale weights to mean 1 over the tasks present; equal weights where their sum is 0."""
    if isinstance(weights, np.ndarray):
        mean = weights.mean(axis=1, keepdims=True)
        size = np.abs(weights).mean(axis=1, keepdims=True)
        # the scale of weights that almost cancel is undefined
        defined = np.abs(mean) > 1e-6 * size
        return np.where(defined, weights / np.where(defined, mean, 1.0), 1.0)
    weights = torch.where(present, weights, 0.0)
    total = weights.sum(1, keepdim=True)
    count = present.sum(1, keepdim=True)
    return torch.where(total > 0, weights * count / torch.where(total > 0, total, 1.0), 1.0)
