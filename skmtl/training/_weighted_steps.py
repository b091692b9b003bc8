"""Weighted steps: follow the gradients as a method of task weighting weighs them."""

import copy

import numpy as np
import torch

from skmtl.nn import member_generators, task_gradients
from skmtl.nn._slots import matrix_by, sum_by
from skmtl.training._checkpoint import packed, unpacked
from skmtl.training._steps import (
    StepRecords,
    Steps,
    add_gradients,
    backward,
    backward_penalties,
)
from skmtl.weighting._base import AFTERWARDS, select, to_device

# batches whose weights are added up together
_AT_ONCE = 64


class WeightedSteps(Steps):
    """Weigh the losses of the tasks, their gradients, or both; bound, if that depends on tasks.

    `state` is a method's memory, of an earlier fit or of the members in training; the caller's
    stays unchanged. `form` is that of `task_gradients`.
    """

    def __init__(self, method, state=None, form="auto"):
        self.method, self.state, self.form = method, state, form

    def start(self, loop, table, train_rows, valid):
        method, module = self.method, loop.module_
        self.shared_rows, self.n_tasks = table.shared_rows, table.n_tasks
        self.generators = member_generators(loop.seeds, "weighting")
        new = method.init_state(len(loop.seeds), self.n_tasks)
        state = new if self.state is None else copy.deepcopy(self.state)
        self.state = method.place(state, next(module.parameters()).device)
        # a method without a state does not need to know which tasks those of the batch are
        self._by_slot = not self.shared_rows and self.state is None
        self.gradients = None
        _, by_gradient = method.parts()
        if by_gradient is not None:
            self.gradients = task_gradients(module, self.form)
            self._check_gradients(by_gradient.method, module)
        self.records = WeightRecords(self.n_tasks)

    def _check_gradients(self, method, module):
        if not self.gradients.shared:
            raise ValueError(
                f"task_weighting with {type(method).__name__} compares the tasks' gradients of the "
                "parameters that they share, but here tasks share none. Use a method that needs "
                "losses only, such as 'uncertainty', or an estimator whose tasks share parameters."
            )
        for compared in method.compared():
            if compared.at_representation:
                self._check_representation(compared, module)

    def _check_representation(self, method, module):
        if not self.shared_rows:
            raise ValueError(
                f"{method!r} compares gradients at the representation that tasks share, but "
                "in long form every row, and so its representation, belongs to one task. Use "
                "'mgda', which compares gradients of the shared parameters, or wide form."
            )
        if not hasattr(self.gradients, "gramian_at_representation"):
            raise ValueError(
                f"{method!r} compares gradients at a representation that all tasks share, "
                f"which {type(module).__name__} does not have. Use 'mgda', or an estimator "
                "with a trunk and heads, such as SharedBottom."
            )

    def step(self, loop, batch):
        by_loss, by_gradient = self.method.parts(self.state)
        y_pred, by_label = loop.evaluate(batch)
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        if by_gradient is None and not self._by_slot and not self.shared_rows:
            # sum the blocks by task at once
            slots = tasks.gather(1, slots)
            tasks = None
        sums = self._by_slots(by_label.sum(2), tasks, slots)
        totals = self._by_slots(batch.weights.sum(2), tasks, slots)
        values = sums.detach()
        # what every task contributes to the loss of the batch
        losses = sums / batch.counts.unsqueeze(1)
        # 0 / 0 = NaN for a task without rows
        means = self._by_task(values, tasks) / self._by_task(totals, tasks)
        weights = None
        if by_loss is not None:
            weights = by_loss.method.weights(means, None, by_loss.state, self.generators)
        if by_gradient is None:
            self._record(weights, tasks, means)
            backward(loop, (losses * weights).sum(1))
        else:
            if weights is not None:
                losses = losses * self._of_slots(weights, tasks)
            self._step_by_gradients(by_gradient, weights, losses, values, means, loop, batch)
        loop.step_optimizer(batch)
        if AFTERWARDS in self.method.needs:
            self._look_back(loop, batch, means, totals, tasks, slots)
        return values.sum(1), y_pred

    def _by_slots(self, by_block, tasks, slots):
        """Sum over the blocks of each slot, shape (M, S); of each task if `tasks` is None."""
        if self.shared_rows:
            return by_block
        return sum_by(slots, self.n_tasks if tasks is None else tasks.shape[1], by_block)

    def _by_task(self, by_slot, tasks):
        """Turn numbers of slots into those of tasks, if the method remembers tasks."""
        if self.shared_rows or self._by_slot or tasks is None:
            return by_slot
        # empty slots have the number of the first task, and hold zeros
        return sum_by(tasks, self.n_tasks, by_slot)

    def _of_slots(self, by_task, tasks):
        """Reverse `_by_task`."""
        return by_task if self.shared_rows or self._by_slot else by_task.gather(1, tasks)

    def _step_by_gradients(self, part, by_loss, losses, sums, means, loop, batch):
        """Set shared gradients as a method weighs them, others as `losses` (M, S) say.

        Losses are of slots, weighted by `by_loss` (M, T) if any; `sums` (M, S), `means` (M, T) are
        not.
        """
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        gradients = self.gradients
        gradients.differentiate(losses, slots)
        # they may share a graph with the losses
        backward_penalties(loop, retain_graph=True)
        weights, by_slot, shared = self._combine(part, losses, sums, means, loop, batch)
        self._record(weights if by_loss is None else by_loss * weights, tasks, means)
        if part.method.own_parameters:
            # the loss of a task is weighted, and so are the gradients of the task's own parameters
            unshared = gradients.pull_back((losses * by_slot).sum(), gradients.unshared)
        else:
            unshared = gradients.unshared_gradients
        add_gradients(loop, {**shared, **unshared})
        gradients.release()

    def _combine(self, part, losses, sums, means, loop, batch):
        """Return weights by task (M, T) and slot (M, S), and the shared gradients by name."""
        tasks = batch.inputs[1]
        gramian = self._gramian(tasks, part.method)
        weights = part.method.weights(means, gramian, part.state, self.generators)
        by_slot = self._of_slots(weights, tasks)
        return weights, by_slot, self.gradients.combine(by_slot)

    def _gramian(self, tasks, method):
        if method.at_representation:
            if not self.gradients.tasks_share_rows and self.n_tasks > 1:
                raise ValueError(
                    f"{method!r} compares gradients at the representation that tasks share, "
                    "but metadata of the tasks are part of it here, so that each task has its own. "
                    "Use 'mgda', or metadata=None."
                )
            gramian = self.gradients.gramian_at_representation()
        else:
            gramian = self.gradients.gramian()
        gramian = gramian.detach()
        if self.shared_rows or self._by_slot:
            return gramian
        # empty slots have gradients of zero
        return matrix_by(tasks, self.n_tasks, gramian)

    @torch.no_grad()
    def _look_back(self, loop, batch, before, totals, tasks, slots):
        """Pass the method the losses of the same rows after the step."""
        by_block = loop.evaluate(batch)[1].sum(2)
        after = self._by_task(self._by_slots(by_block, tasks, slots), tasks)
        self.method.end_step(before, after / self._by_task(totals, tasks), self.state)

    def select(self, stay):
        members = stay.tolist()
        self.state = select(self.state, members)
        self.generators = [self.generators[m] for m in members]

    def snapshot(self):
        return {
            "state": self.state,
            "generators": self.generators,
            "records": self.records.snapshot(),
        }

    def resume(self, state):
        self.state, self.generators = state["state"], state["generators"]
        self.records.resume(state["records"])

    def _record(self, weights, tasks, means):
        self.records.add(weights, ~torch.isnan(means), tasks if self._by_slot else None)

    def end_epoch(self, clock):
        self.method.end_epoch(self.state)
        self.records.end_epoch(clock)

    def after_tick(self, clock, was_active):
        stopped = was_active & ~clock.active
        if self.state is not None and bool(stopped.any()):
            self.records.keep(self.state, stopped, clock)

    def finish(self, clock):
        if self.gradients is not None:
            self.gradients.detach()
        state = None
        if self.state is not None:
            self.records.keep(self.state, clock.active, clock)
            state = self.records.state(clock.n_members)
        return StepRecords(self.records.table(), state)


class WeightRecords:
    """Keep the weights of the tasks by epoch, and the states of the method by member."""

    def __init__(self, n_tasks):
        self.n_tasks = n_tasks
        self._epochs = []
        self._states = {}
        # batches whose weights are not yet in the sums
        self._pending = []
        self._sums = self._counts = 0

    def add(self, weights, present, tasks=None):
        """Add weights and masks of present tasks, (M, T), or (M, S) for `tasks` (M, S)."""
        self._pending.append((weights, present, tasks))
        if len(self._pending) == _AT_ONCE:
            self._add_up()

    def _add_up(self):
        if not self._pending:
            return
        weights, present, tasks = zip(*self._pending, strict=True)
        self._pending = []
        weights = torch.stack(weights, 1)
        counts = torch.stack(present, 1).to(weights.dtype)
        if tasks[0] is None:
            weights, counts = weights.sum(1), counts.sum(1)
        else:
            tasks = torch.stack(tasks, 1).flatten(1)
            weights = sum_by(tasks, self.n_tasks, weights.flatten(1))
            counts = sum_by(tasks, self.n_tasks, counts.flatten(1))
        self._sums = self._sums + weights
        self._counts = self._counts + counts

    def end_epoch(self, clock):
        """Keep the sums of the epoch, before the clocks tick."""
        self._add_up()
        self._epochs.append((clock.active, self._sums, self._counts))
        self._sums = self._counts = 0

    def snapshot(self):
        """Return what was recorded, to `resume` from."""
        return {**vars(self), "_epochs": packed(self._epochs)}

    def resume(self, state):
        """Return to a snapshot."""
        vars(self).update(state, _epochs=unpacked(state["_epochs"]))

    def table(self):
        """Return mean weights, a row for every row of the clock's records, a column per task."""
        rows = [(sums / counts)[active].cpu().numpy() for active, sums, counts in self._epochs]
        return np.concatenate(rows) if rows else np.empty((0, self.n_tasks))

    def keep(self, state, which, clock):
        """Keep the state of the members of a mask (M',) of the training tensors."""
        for position in which.nonzero()[:, 0].tolist():
            member = int(clock.members[position])
            self._states[member] = to_device(select(state, [position]), "cpu")

    def state(self, n_members):
        """Return the states of all members as one."""
        return _joined([self._states[m] for m in range(n_members)])


def _joined(states):
    joined = {}
    for key, value in states[0].items():
        values = [state[key] for state in states]
        if isinstance(value, dict):
            joined[key] = _joined(values)
        elif isinstance(value, torch.Tensor):
            joined[key] = torch.cat(values)
        else:
            joined[key] = [item for items in values for item in items]
    return joined
