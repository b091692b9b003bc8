"""The contract between the training loop and what makes a step of a batch.

The loop draws batches, validates, ticks the clocks and keeps the best weights. `Steps` turn the
losses of a batch into one update of every member. `StepObserver` watches them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from skmtl.training._batches import Batch, MemberBatches
from skmtl.training._blocks import TaskRows
from skmtl.training._clock import MemberClock
from skmtl.training._optimizer import MemberAdam, OptimizerSettings
from skmtl.weighting._it_mtl import Candidate


class Loop(Protocol):
    """What steps and observers use of the loop; `MemberNet` is one."""

    module_: nn.Module
    criterion_: nn.Module
    optimizer_: MemberAdam
    optimizer_settings: OptimizerSettings
    seeds: Sequence[int]
    steps_: Steps
    observer_: StepObserver

    def evaluate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predictions, and the weighted losses of all labels, shape (M, K, b)."""

    def penalties(self) -> Tensor | None:
        """Return what is added to the mean loss of a member's batch, shape (M,)."""

    def step_optimizer(self, batch: Batch) -> None:
        """Update the parameters along the gradients that they have."""


@dataclass
class StepRecords:
    """What steps have recorded of one training run.

    `task_weights` (n, T) are means, a row for each of the loop's records, NaN where a task was
    never drawn; None if all are 1. `weighting_state` is what the method remembers of all members.
    `choices` are of the `candidates`, in the order of the columns of transference, see
    `CandidateSteps.finish`. `loss_scales` (M, T) divide the losses of tasks.
    """

    task_weights: np.ndarray | None = None
    weighting_state: dict | None = None
    choices: dict[str, np.ndarray] | None = None
    candidates: list[Candidate] | None = None
    loss_scales: Tensor | None = None


class Steps:
    """How the losses of a batch become one step of every member.

    An object has settings only; `bind` returns a copy with a state, for one run. A subclass
    implements `step`, and `start`, `snapshot` and `resume` if it has a state. `plain_backward` says
    whether a step makes one pass, of the sum of all losses, and tells the observer;
    `one_prediction` whether callbacks can compute a loss of every label; `validates_by_shares`
    whether `task_sampling` weighs validation rows.
    """

    plain_backward: bool = False
    one_prediction: bool = True
    validates_by_shares: bool = True

    def bind(
        self,
        loop: Loop,
        table: TaskRows,
        train_rows: Sequence[Tensor],
        valid: MemberBatches | None = None,
    ) -> Steps:
        """Return a copy for one run of the initialised loop, before its first step."""
        bound = copy.copy(self)
        bound.start(loop, table, train_rows, valid)
        return bound

    def start(
        self,
        loop: Loop,
        table: TaskRows,
        train_rows: Sequence[Tensor],
        valid: MemberBatches | None,
    ) -> None:
        """Prepare the state of a training run; parameters as of `bind`."""

    def step(self, loop: Loop, batch: Batch) -> tuple[Tensor, Tensor]:
        """Make one step of every member whose epoch is not over; there are no gradients yet.

        Returns the summed losses (M,), without a graph, and the predictions.
        """
        raise NotImplementedError

    def validate(self, loop: Loop, batch: Batch) -> tuple[Tensor, Tensor]:
        """Evaluate a validation batch; return sums of losses (M,) and predictions."""
        y_pred, losses = loop.evaluate(batch)
        return losses.sum((1, 2)), y_pred

    def end_epoch(self, clock: MemberClock) -> None:
        """Note that an epoch is over, before the clocks tick."""

    def after_tick(self, clock: MemberClock, was_active: Tensor) -> None:
        """Note which members that were active (M',) have stopped, after the clocks tick."""

    def select(self, stay: Tensor) -> None:
        """Continue with the members at the given positions in the training tensors only."""

    def snapshot(self) -> dict:
        """Return what the steps have changed, for a checkpoint: plain data, tensors, generators."""
        return {}

    def resume(self, state: dict) -> None:
        """Return to a snapshot, with the members that were in the training tensors then."""

    def finish(self, clock: MemberClock) -> StepRecords:
        """Return what was recorded, of all members."""
        return StepRecords()


class PlainSteps(Steps):
    """Minimise the mean loss of all labels: every task has weight 1."""

    plain_backward = True

    def step(self, loop, batch):
        y_pred, losses = loop.evaluate(batch)
        sums = losses.sum((1, 2))
        backward(loop, sums / batch.counts)
        loop.observer_.after_backward(loop, batch, losses)
        loop.step_optimizer(batch)
        return sums.detach(), y_pred


class StepObserver:
    """What watches the steps of a training run without changing them; this one does nothing."""

    def bind(self, loop: Loop, table: TaskRows) -> StepObserver:
        """Return an observer of one training run, before its first step."""
        return self

    def before_step(self, loop: Loop, batch: Batch) -> None:
        """Look at the parameters before a step."""

    def after_backward(self, loop: Loop, batch: Batch, losses: Tensor) -> None:
        """Look at the gradients of the plain sum of the losses (M, K, b), before the update."""

    def end_epoch(self, clock: MemberClock) -> None:
        """Note that an epoch is over, before the clocks tick."""

    def snapshot(self) -> dict:
        """Return what the observer has changed, for a checkpoint: plain data, arrays, tensors."""
        return {}

    def resume(self, state: dict) -> None:
        """Return to a snapshot."""

    def finish(self, clock: MemberClock) -> np.ndarray | None:
        """Return what was seen, with epochs and members as the first axes."""
        return None


def backward(net, loss):
    """Compute the gradients of the mean losses (M,) of a batch plus the penalties."""
    penalties = net.penalties()
    if penalties is not None:
        loss = loss + penalties
    # members share no parameter, so each one gets the gradient of its own loss
    loss.sum().backward()


def backward_penalties(net, **options):
    """Compute the gradients of the penalties alone; options are those of `Tensor.backward`."""
    penalties = net.penalties()
    if penalties is not None and penalties.requires_grad:
        penalties.sum().backward(**options)


def add_gradients(net, gradients):
    """Add gradients, by name, to those that the parameters have."""
    for name, parameter in net.module_.named_parameters():
        gradient = gradients.get(name)
        if gradient is not None:
            gradient = gradient.detach()
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
