"""IT-MTL: choose the candidate step that lowers the losses most."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import NamedTuple

import torch

from skmtl.weighting._affinity import check_order
from skmtl.weighting._base import AFTERWARDS, GRAMIAN, LOSSES, TaskWeighting, register
from skmtl.weighting._composed import init_states, place_states
from skmtl.weighting._resolve import get_weighting

# stands for one candidate per task
EACH_TASK = "tasks"
_CHOICES = ("best", "random")


class Candidate(NamedTuple):
    """Name of a candidate step, and the index of the task, if it is the step of a single task."""

    name: str
    task: int | None = None

    def label(self, tasks: Sequence[Hashable]) -> str:
        """Return the name of the step in records, which has the task's label."""
        return self.name if self.task is None else f"task {tasks[self.task]}"


@register("it-mtl")
class ITMTL(TaskWeighting):
    """Choose, at each step, the candidate step with the largest total transference.

    Candidates are methods of task weighting and the step of each task alone.

    Parameters
    ----------
    candidates : list or tuple, default=("equal", "tasks")
        The candidates: "tasks", which is the step of each task alone, and methods as
        `task_weighting` takes them, except those that learn from the losses after their own step
        (FAMO). "equal" is the step without task weighting.
    approximate : {None, 1, 2}, default=None
        None evaluates the losses after each candidate's step; 1 and 2 approximate them by their
        Taylor expansion of that order, see `Affinity`.
    choice : {"best", "random"}, default="best"
        Whether to take the best candidate or, as a control, a random one.
    record_every : int, default=1
        Record one step in this many.

    See Also
    --------
    Affinity : The effect of single tasks' steps on each other, without a choice.
    PCGrad : A candidate in most of the paper's tables.

    Notes
    -----
    Algorithm 1 of [1]_. With the losses :math:`L_t` of the tasks on the rows of the batch before
    and after a candidate's step on all parameters, its total transference, equation 2, is
    ``Z = sum_t (1 - L_t(after) / L_t(before))``. The step is that of the optimiser, with momentum,
    weight decay and penalties. To first order, section 4.1, Z is the inner product of the step with
    the gradient of ``-sum_t log(L_t)``.

    Candidates are weighted sums of the tasks' gradients with respect to the shared parameters;
    parameters that belong to one task follow the loss of that task. After a method for losses, as
    in ``("uncertainty", ITMTL(["equal", "pcgrad"]))``, the paper's IT-UW-PCGrad, candidates are
    those of the weighted losses; Z does not depend on the weights. A task without rows in a batch
    is ignored, and its step is not a candidate. Losses must not be negative.

    Without a training loop, `weights` evaluates Z to first order for a plain gradient step; the
    Gramian must be that of the gradients of the losses.

    References
    ----------
    .. [1] Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 4 and appendix A.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import ITMTL
    >>> method = ITMTL(["equal", "pcgrad"])
    >>> method.weights(torch.ones(1, 2), torch.tensor([[[1.0, -0.5], [-0.5, 1.25]]]))
    tensor([[1.5000, 1.4000]])
    """

    needs = frozenset({LOSSES, GRAMIAN})
    own_parameters = False
    chooses = True
    # what `methods` returns once `bind` has been called
    _bound: list[TaskWeighting | None] | None = None

    def __init__(
        self, candidates=("equal", EACH_TASK), approximate=None, choice="best", record_every=1
    ):
        self.candidates = candidates
        self.approximate = approximate
        self.choice = choice
        self.record_every = record_every

    def methods(self) -> list[TaskWeighting | None]:
        """Return the methods that the candidates stand for.

        Returns
        -------
        list of TaskWeighting or None
            None stands for the steps of single tasks.
        """
        if self._bound is not None:
            return self._bound
        return [None if c == EACH_TASK else get_weighting(c) for c in self.candidates]

    def candidate_steps(self, n_tasks: int) -> list[Candidate]:
        """Return the candidates in the order of `candidate_weights`.

        Parameters
        ----------
        n_tasks : int
            Number of tasks; the step of each may be a candidate.

        Returns
        -------
        list of Candidate
            One for each step.
        """
        steps = []
        for candidate in self.candidates:
            if candidate == EACH_TASK:
                steps += [Candidate(EACH_TASK, task) for task in range(n_tasks)]
            else:
                steps.append(Candidate(_name(candidate)))
        return steps

    def bind(self, tasks, task_types):
        # before any method of a candidate is called
        self._check_parameters(len(task_types))
        bound = copy.copy(self)
        bound._bound = [m if m is None else m.bind(tasks, task_types) for m in self.methods()]
        return bound

    def compared(self):
        return [m for m in self.methods() if m is not None and GRAMIAN in m.needs]

    def _check_parameters(self, n_tasks):
        check_order(self.approximate)
        if self.choice not in _CHOICES:
            raise ValueError(f"choice must be one of {_CHOICES}, got {self.choice!r}.")
        if not isinstance(self.record_every, Integral) or self.record_every < 1:
            raise ValueError(
                f"record_every must be an int of at least 1, got {self.record_every!r}."
            )
        if not isinstance(self.candidates, (list, tuple)) or not len(self.candidates):
            raise ValueError(
                "candidates must be a list of methods to choose from, such as ['equal', 'tasks'], "
                f"got {self.candidates!r}."
            )
        for candidate, method in zip(self.candidates, self.methods(), strict=True):
            if method is None:
                continue
            if any(part is not None and part.method.chooses for part in method.parts()):
                raise ValueError(
                    "ITMTL cannot be a candidate of ITMTL: list its candidates with the others."
                )
            if AFTERWARDS in method.needs:
                raise ValueError(
                    f"{_name(candidate)!r} learns from the losses after its own step, which a "
                    "candidate may not make. Put it before: (method, ITMTL(...))."
                )
        names = [_name(c) for c in self.candidates]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} is twice among the candidates.")

    def _named_methods(self):
        return {str(n): m for n, m in enumerate(self.methods()) if m is not None}

    def _state(self, n_members, n_tasks):
        # not None even if empty: without a state, weights would not be computed by task
        return init_states(self._named_methods(), n_members, n_tasks)

    def place(self, state, device):
        return place_states(self._named_methods(), state, device)

    def candidate_weights(self, losses, gramians, state=None, generators=None):
        """Weigh the tasks as each candidate does.

        Parameters
        ----------
        losses : Tensor of shape (M, T)
            Mean loss of every task; NaN for a task that has no rows in the batch.
        gramians : dict of bool to Tensor of shape (M, T, T)
            Inner products of gradients with respect to the shared parameters (False) and to the
            shared representation (True), where candidates need them.
        state : dict, optional
            From `init_state`, changed in place.
        generators : list of M torch.Generator, optional
            For methods that draw random numbers.

        Returns
        -------
        weights : Tensor of shape (M, C, T)
            Weights of the tasks by candidate.
        eligible : Tensor of shape (M, C) of bool
            False for the step of a task that has no rows, and for members without rows.
        """
        state = state or {}
        n_members, n_tasks = losses.shape
        present = ~torch.isnan(losses)
        weights, eligible = [], []
        for n, method in enumerate(self.methods()):
            if method is None:
                weights.append(torch.eye(n_tasks).to(losses).expand(n_members, -1, -1))
                eligible.append(present)
                continue
            gramian = gramians.get(method.at_representation) if GRAMIAN in method.needs else None
            values = method.weights(losses, gramian, state.get(str(n)), generators)
            weights.append(values.unsqueeze(1))
            eligible.append(present.any(1, keepdim=True))
        return torch.cat(weights, 1), torch.cat(eligible, 1)

    def choose(self, transference, eligible, generators=None):
        """Choose a candidate for every member.

        Parameters
        ----------
        transference : Tensor of shape (M, C)
            Total transference; a value that is not finite is never the best.
        eligible : Tensor of shape (M, C) of bool
            Which candidates may be chosen.
        generators : list of M torch.Generator, optional
            For random choices.

        Returns
        -------
        Tensor of shape (M,) of int64
            Indices of the candidates chosen; the first one of a tie.
        """
        value = transference
        if self.choice == "random":
            value = torch.zeros_like(transference)
            # only for members that make a step, so that draws do not depend on other members
            for m in eligible.any(1).nonzero()[:, 0].tolist():
                generator = None if generators is None else generators[m]
                value[m] = torch.rand(value.shape[1], generator=generator)
        value = torch.where(torch.isfinite(value) & eligible, value, -torch.inf)
        return value.argmax(1)

    def _weights(self, losses, gramian, present, state, generators):
        known = torch.where(present, losses, torch.nan)
        weights, eligible = self.candidate_weights(known, {False: gramian}, state, generators)
        change = weights.to(gramian) @ gramian / torch.where(present, losses, 1.0).unsqueeze(1)
        total = torch.where(present.unsqueeze(1), change, 0.0).sum(2)
        return taken(weights, self.choose(total, eligible, generators))

    def end_epoch(self, state):
        for name, method in self._named_methods().items():
            method.end_epoch((state or {}).get(name))


def taken(values, choice):
    """Return the values (M, ...) of the chosen candidates, from those of all (M, C, ...)."""
    return values[torch.arange(len(values), device=values.device), choice]


def _name(candidate):
    """Return the name of a candidate in records."""
    if isinstance(candidate, str):
        return candidate
    if isinstance(candidate, (tuple, list)):
        return " + ".join(_name(part) for part in candidate)
    return repr(candidate)
