"""Weighted steps: what a method of task weighting is asked, and what is made of its answer."""

import torch

from skmtl.nn import member_generators, task_gradients
from skmtl.nn._slots import matrix_by, sum_by
from skmtl.training._increased_transfer import IncreasedTransfer
from skmtl.training._losses import JointLoss, NumberLoss
from skmtl.training._passes import backward, give, penalise
from skmtl.training._weight_records import WeightRecords
from skmtl.weighting import Composition, EqualWeights, UncertaintyWeighting, get_weighting
from skmtl.weighting._base import AFTERWARDS, GRAMIAN, select
from skmtl.weighting._it_mtl import ITMTL, taken


def weighs_equally(method):
    """Whether a step needs nothing beside the sum of the losses."""
    return method is None or isinstance(get_weighting(method), EqualWeights)


class WeightedSteps:
    """The part of the loop that weighs tasks.

    Parameters
    ----------
    net : MemberNet
        Whose module is trained.
    method : str, TaskWeighting, tuple or Weighting of TorchJD
        See `get_weighting`.
    seeds : sequence of M ints
    n_tasks : int
    wide : bool
        Whether tasks share rows.
    form : {"auto", "exact"}
        How gradients are computed, see `task_gradients`.
    state : dict, optional
        What the method remembers of an earlier fit.

    Attributes
    ----------
    state : dict or None
        What the method remembers, of the members in the training tensors.
    """

    def __init__(self, net, method, seeds, n_tasks, wide, *, form="auto", state=None):
        method, module = get_weighting(method), net.module_
        self.method, self.module, self.criterion = method, module, net.criterion_
        self.wide, self.n_tasks = wide, n_tasks
        self._split(method)
        self.generators = member_generators(seeds, "weighting")
        self.state = method.init_state(len(seeds), n_tasks)
        self._tell_classes()
        if state is not None:
            self.state = state
        self.state = method.place(self.state, next(module.parameters()).device)
        # without a state a method need not know which tasks those of the batch are
        self._by_slot = not wide and self.state is None
        self.gradients = self.chooser = None
        if self.second is not None:
            self.gradients = task_gradients(module, form)
            for part, _ in self._steered():
                self._check_gradients(part)
        if isinstance(self.second, ITMTL):
            self.chooser = IncreasedTransfer(net, self.second)
        self.records = WeightRecords(n_tasks)

    def _split(self, method):
        """A method for losses, one for gradients, or both."""
        if isinstance(method, Composition):
            self.first, self.second = method.loss_method, method.gradient_method
        elif GRAMIAN in method.needs:
            self.first, self.second = None, method
        else:
            self.first, self.second = method, None

    def _parts(self):
        """States of the method for losses and of that for gradients."""
        state = self.state
        if isinstance(self.method, Composition):
            state = state or {}
            return state.get("losses"), state.get("gradients")
        return (None, state) if self.first is None else (state, None)

    def _steered(self):
        """What looks at gradients, with its state: one method, or the candidates."""
        _, state = self._parts()
        if not isinstance(self.second, ITMTL):
            return [(self.second, state)]
        methods = enumerate(self.second.methods())
        # single tasks have no method, and compare gradients as ITMTL itself does
        return [(self.second if m is None else m, (state or {}).get(str(n))) for n, m in methods]

    def _tell_classes(self):
        """The likelihood of uncertainty weighting differs between numbers and classes."""
        told = [(self.first, self._parts()[0]), *self._steered()]
        told = [(m, state) for m, state in told if isinstance(m, UncertaintyWeighting)]
        if not told:
            return
        classes = torch.zeros(self.n_tasks, dtype=torch.bool)
        if isinstance(self.criterion, JointLoss):
            for loss, block in zip(self.criterion.losses, self.criterion.blocks, strict=True):
                classes[block] = not isinstance(loss, NumberLoss)
        else:
            classes[:] = not isinstance(self.criterion, NumberLoss)
        for method, state in told:
            method.tell_classes(state, classes)

    def _check_gradients(self, method):
        name = type(self.second).__name__
        if not self.gradients.shared:
            raise ValueError(
                f"task_weighting with {name} compares the tasks' gradients of the parameters that "
                "they share, but here tasks share none. Use a method that needs losses only, such "
                "as 'uncertainty', or an estimator whose tasks share parameters."
            )
        if not method.at_representation:
            return
        if not self.wide:
            raise ValueError(
                f"{method!r} compares gradients at the representation that tasks share, but "
                "in long form every row, and so its representation, belongs to one task. Use "
                "'mgda', which compares gradients of the shared parameters, or wide form."
            )
        if not hasattr(self.gradients, "gramian_at_representation"):
            raise ValueError(
                f"{method!r} compares gradients at a representation that all tasks share, "
                f"which {type(self.module).__name__} does not have. Use 'mgda', or an estimator "
                "with a trunk and heads, such as SharedBottom."
            )

    # a step

    def step(self, net, batch):
        """Make one weighted step.

        Parameters
        ----------
        net : MemberNet
        batch : Batch

        Returns
        -------
        sums : Tensor of shape (M,)
            Losses of every member, as they are without weights.
        y_pred : Tensor
        """
        y_pred, by_label = net.evaluate(batch)
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        if self.second is None and not self._by_slot and not self.wide:
            # blocks go to tasks at once
            slots = tasks.gather(1, slots)
            tasks = None
        sums = self._by_slots(by_label.sum(2), tasks, slots)
        totals = self._by_slots(batch.weights.sum(2), tasks, slots)
        values = sums.detach()
        # what every task adds to the loss of the batch
        losses = sums / batch.counts.unsqueeze(1)
        # a task without rows has none: 0 / 0
        means = self._by_task(values, tasks) / self._by_task(totals, tasks)
        if self.second is None:
            weights = self.first.weights(means, None, self.state, self.generators)
            self._record(weights, tasks, ~torch.isnan(means))
            backward(net, (losses * weights).sum(1))
        else:
            self._step_by_gradients(losses, values, means, tasks, slots, net, batch)
        net.step_optimizer(batch)
        if AFTERWARDS in self.method.needs:
            self._look_back(net, batch, means, totals, tasks, slots)
        return values.sum(1), y_pred

    def _by_slots(self, by_block, tasks, slots):
        """Sums over the blocks of each slot, shape (M, S); of each task if `tasks` is None."""
        if self.wide:
            return by_block
        return sum_by(slots, self.n_tasks if tasks is None else tasks.shape[1], by_block)

    def _by_task(self, by_slot, tasks):
        """Numbers of slots as the method is given them: by task, if it remembers tasks."""
        if self.wide or self._by_slot or tasks is None:
            return by_slot
        # empty slots stand for the first task, and hold zeros
        return sum_by(tasks, self.n_tasks, by_slot)

    def _of_slots(self, by_task, tasks):
        """The reverse of `_by_task`."""
        return by_task if self.wide or self._by_slot else by_task.gather(1, tasks)

    def _step_by_gradients(self, losses, sums, means, tasks, slots, net, batch):
        """Gradients of shared parameters by one method, of the others by the losses' weights."""
        state, second_state = self._parts()
        present = ~torch.isnan(means)
        first = None
        if self.first is not None:
            first = self.first.weights(means, None, state, self.generators)
            losses = losses * self._of_slots(first, tasks)
        gradients = self.gradients
        gradients.differentiate(losses, slots)
        # they may share a graph with the losses
        penalise(net, retain_graph=True)
        if self.chooser is None:
            gramian = self._gramian(tasks, self.second)
            second = self.second.weights(means, gramian, second_state, self.generators)
            by_slot = self._of_slots(second, tasks)
            found = gradients.combine(by_slot)
        else:
            compared = {m.at_representation: m for m, _ in self._steered() if GRAMIAN in m.needs}
            compared = {where: m for where, m in compared.items() if m is not self.second}
            gramians = {where: self._gramian(tasks, m) for where, m in compared.items()}
            weights, eligible = self.second.candidate_weights(
                means, gramians, second_state, self.generators
            )
            by_slot = weights
            if not self.wide:
                by_slot = weights.gather(2, tasks.unsqueeze(1).expand(-1, weights.shape[1], -1))
            found, choice = self.chooser.choose(
                net, batch, gradients, losses, sums, by_slot, eligible, self.generators
            )
            second = taken(weights, choice)
        self._record(second if first is None else first * second, tasks, present)
        if self.second.own_parameters:
            # weights of losses: each task's own parameters see its weight alone
            own = gradients.pull_back((losses * by_slot).sum(), gradients.unshared)
        else:
            own = gradients.unshared_gradients
        give(net, {**found, **own})
        gradients.release()

    def _gramian(self, tasks, method):
        if method.at_representation:
            if not self.gradients.tasks_share_rows and self.n_tasks > 1:
                raise ValueError(
                    f"{method!r} compares gradients at the representation that tasks share, "
                    "but facts about the tasks are part of it here, so that each task has its own. "
                    "Use 'mgda', or metadata=None."
                )
            gramian = self.gradients.gramian_at_representation()
        else:
            gramian = self.gradients.gramian()
        gramian = gramian.detach()
        if self.wide or self._by_slot:
            return gramian
        # empty slots have gradients of zero
        return matrix_by(tasks, self.n_tasks, gramian)

    @torch.no_grad()
    def _look_back(self, net, batch, before, totals, tasks, slots):
        """Losses of the same rows after the step."""
        by_block = net.evaluate(batch)[1].sum(2)
        after = self._by_task(self._by_slots(by_block, tasks, slots), tasks)
        self.method.end_step(before, after / self._by_task(totals, tasks), self.state)

    def select(self, stay):
        """Go on with some of the members."""
        members = stay.tolist()
        self.state = select(self.state, members)
        self.generators = [self.generators[m] for m in members]

    # the history

    def _record(self, weights, tasks, present):
        self.records.add(weights, present, tasks if self._by_slot else None)

    def end_epoch(self, clock):
        """Learn that an epoch is over, before the clocks tick."""
        self.method.end_epoch(self.state)
        self.records.end_epoch(clock)
        if self.chooser is not None:
            self.chooser.end_epoch(clock)

    def after_tick(self, clock, was_active):
        """Keep the state of members that have just stopped, whose tensors may go on."""
        stopped = was_active & ~clock.active
        if self.state is not None and bool(stopped.any()):
            self.records.keep(self.state, stopped, clock)

    def finish(self, clock):
        """Weights of every epoch, and the states of all members.

        Parameters
        ----------
        clock : MemberClock

        Returns
        -------
        records : ndarray
            One row for every row of the clock's records, one column per task; NaN where a task
            was never drawn.
        state : dict or None
        """
        if self.gradients is not None:
            self.gradients.detach()
        if self.state is None:
            return self.records.table(), None
        self.records.keep(self.state, clock.active, clock)
        return self.records.table(), self.records.state(clock.n_members)
