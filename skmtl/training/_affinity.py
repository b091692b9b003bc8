"""Affinity: the effect that a step by one task alone would have on the losses of the others.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
section 3; called inter-task affinity in "Efficiently identifying task groupings for multi-task
learning", NeurIPS 2021.
"""

import copy

import numpy as np
import torch

from skmtl.nn import task_gradients
from skmtl.nn._slots import matrix_by, sum_by
from skmtl.training._lookahead import Lookahead
from skmtl.training._steps import StepObserver


class AffinityRecorder(StepObserver):
    """Measure affinities of all members before steps, by the formulas of `Affinity` settings."""

    def __init__(self, settings):
        self.settings = settings

    def bind(self, loop, table):
        bound = copy.copy(self)
        bound._start(loop, table.n_tasks)
        return bound

    def _start(self, loop, n_tasks):
        self.settings._check_parameters()
        self.n_tasks, module = n_tasks, loop.module_
        if not module.shared_parameters():
            raise ValueError(
                "record_affinity evaluates what a step of one task on the shared parameters does "
                "to the others, but here tasks share none. Use an estimator whose tasks share "
                "parameters."
            )
        self.lookahead = Lookahead(loop, "record_affinity")
        # attached at all times, it would keep the graphs of other forward passes
        self.gradients = task_gradients(module)
        self.gradients.detach()
        self.columns = loop.optimizer_.columns(set(module.shared_parameters()))
        self._learning_rate = loop.optimizer_settings.learning_rate
        self._step, self._watching = 0, False
        self._epochs, self._sums, self._counts = [], 0, 0

    def before_step(self, loop, batch):
        self._step += 1
        self._watching = False
        if (self._step - 1) % self.settings.every:
            return
        self._watching = loop.steps_.plain_backward and self.gradients.watch(batch.inputs)
        if not self._watching:
            self.observe(loop, batch)

    def after_backward(self, loop, batch, losses):
        if self._watching:
            self.observe(loop, batch, losses)

    def observe(self, loop, batch, by_label=None):
        """Look ahead from the current parameters, whose gradients are kept.

        `by_label` (M, K, b) are weighted, watched losses; by default there is one more pass.
        """
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        n_slots = tasks.shape[1]
        totals = sum_by(slots, n_slots, batch.weights.sum(2))
        present = totals > 0
        # the mean loss of every task; 0 of one without rows
        safe = torch.where(present, totals, 1.0)
        gradients = self.gradients
        if by_label is None:
            gradients.attach()
            before = sum_by(slots, n_slots, loop.evaluate(batch)[1].sum(2)) / safe
            gradients.differentiate(before, slots)
            unshared = gradients.unshared_gradients
            # some operations set gradients of parameters that were not requested
            loop.optimizer_.zero_grad(set_to_none=True)
        else:
            before = sum_by(slots, n_slots, by_label.detach().sum(2)) / safe
            scales = batch.counts.unsqueeze(1) / safe
            gradients.collect(scales, slots)
            unshared = self._unshared_gradients(loop, sum_by(tasks, self.n_tasks, scales * present))
        with torch.no_grad():
            by_task = gradients.each()
            gradients.detach()
            affinity = self._affinity(loop, batch, before.detach(), safe, by_task, unshared)
        self._add(affinity, present, tasks)

    def _moves_heads(self):
        return self.settings.heads_first and self.settings.approximate is None

    def _unshared_gradients(self, loop, scales):
        """Return gradients of mean losses for unshared parameters, from those of the step."""
        unshared = self.gradients.unshared
        if not self._moves_heads() or not unshared:
            return {}
        values = {name: p.grad for name, p in unshared.items() if p.grad is not None}
        penalties = loop.penalties()
        if penalties is not None and penalties.requires_grad:
            # the loss of a task does not include them
            for name, more in self.gradients.pull_back(penalties.sum(), unshared).items():
                if name in values and more is not None:
                    values[name] = values[name] - more
        return {
            name: value * scales.view(*scales.shape, *[1] * (value.ndim - 2))
            for name, value in values.items()
        }

    def _affinity(self, loop, batch, before, totals, by_task, unshared):
        """Return affinities of shape (M, S, S); the row is the task that steps."""
        optimizer, settings = loop.optimizer_, self.settings
        shared, here = self.columns, optimizer.buffer
        slopes = optimizer.flat(by_task)
        gradients = slopes
        if self._moves_heads() and unshared:
            gradients = slopes + optimizer.flat(unshared)
        after = optimizer.after(gradients, batch.active)
        if not self._moves_heads():
            after = torch.where(shared, after, here)
        if settings.approximate is None:
            losses = self.lookahead.losses(after, batch) / totals
            return 1 - losses.transpose(0, 1) / before.unsqueeze(1)
        moves = after - here
        change = moves.transpose(0, 1) @ slopes.permute(1, 2, 0)
        if settings.approximate == 2:
            second = self.lookahead.curvatures(moves, batch) / totals
            change = change + 0.5 * second.transpose(0, 1)
        return -change / before.unsqueeze(1)

    def _add(self, affinity, present, tasks):
        """Add affinities of slots to the sums of their tasks in the epoch."""
        there = present.unsqueeze(2) & present.unsqueeze(1) & torch.isfinite(affinity)
        values = torch.where(there, affinity, 0.0)
        self._sums = self._sums + matrix_by(tasks, self.n_tasks, values)
        self._counts = self._counts + matrix_by(tasks, self.n_tasks, there.to(values))

    def end_epoch(self, clock):
        values = np.full((clock.n_members, self.n_tasks, self.n_tasks), np.nan)
        if isinstance(self._sums, torch.Tensor):
            active = clock.active.cpu().numpy()
            mean = (self._sums / self._counts).double().cpu().numpy()
            values[clock.members.cpu().numpy()[active]] = mean[active]
        self._epochs.append(values)
        self._sums = self._counts = 0

    def snapshot(self):
        epochs = np.stack(self._epochs) if self._epochs else None
        return {"epochs": epochs, "sums": [self._step, self._sums, self._counts]}

    def resume(self, state):
        self._epochs = [] if state["epochs"] is None else list(state["epochs"])
        self._step, self._sums, self._counts = state["sums"]

    def finish(self, clock):
        """Return affinities of shape (n_epochs, M, T, T); the row is the task that steps.

        NaN where two tasks were never in one batch, and where a member had stopped.
        """
        values = np.stack(self._epochs)
        if self.settings.per_learning_rate:
            rate = np.broadcast_to(np.asarray(self._learning_rate, dtype=float), clock.n_members)
            values /= rate[:, None, None]
        return values
