"""Affinity: what a step by one task alone would do to the losses of the others.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
section 3; called inter-task affinity in "Efficiently identifying task groupings for multi-task
learning", NeurIPS 2021.
"""

import numpy as np
import torch

from skmtl.nn import task_gradients
from skmtl.nn._slots import matrix_by, sum_by
from skmtl.training._lookahead import Lookahead
from skmtl.weighting import Affinity


class AffinityRecorder:
    """Looks ahead, for all members together, and leaves training as it is.

    Parameters
    ----------
    net : MemberNet
        Before its first step.
    n_tasks : int
    **settings
        Parameters of `Affinity`, where the formulas are.
    """

    def __init__(self, net, n_tasks, **settings):
        self.settings = Affinity(**settings)
        self.settings._check_parameters()
        self.n_tasks, self.module = n_tasks, net.module_
        if not self.module.shared_parameters():
            raise ValueError(
                "record_affinity looks at what a step of one task on the shared parameters does to "
                "the others, but here tasks share none. Use an estimator whose tasks share "
                "parameters."
            )
        self.lookahead = Lookahead(net, "record_affinity")
        # between looks it would hold on to the graphs of other forward passes
        self.gradients = task_gradients(self.module)
        self.gradients.detach()
        self.columns = net.optimizer_.columns(set(self.module.shared_parameters()))
        self._step = 0
        self._epochs = []
        self._start_epoch()

    def _start_epoch(self):
        self._sums = self._counts = 0

    def begin_step(self, net, batch):
        """Look ahead from here, if it is time.

        Returns
        -------
        bool
            Whether it is time, but the backward pass of the step itself is watched: `observe` is
            to be called behind it.
        """
        self._step += 1
        if (self._step - 1) % self.settings.every:
            return False
        if net.weighting_ is None and self.gradients.watch(batch.inputs):
            return True
        self.observe(net, batch)
        return False

    def observe(self, net, batch, by_label=None):
        """Look ahead from here.

        Parameters
        ----------
        net : MemberNet
        batch : Batch
        by_label : Tensor of shape (M, K, b), optional
            Weighted losses whose backward pass was watched; the parameters have their gradients,
            and keep them. By default another pass is made here.
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
            before = sum_by(slots, n_slots, net.evaluate(batch)[1].sum(2)) / safe
            gradients.differentiate(before, slots)
            own = gradients.unshared_gradients
            # some operations give the parameters what they are not asked for
            net.optimizer_.zero_grad(set_to_none=True)
        else:
            before = sum_by(slots, n_slots, by_label.detach().sum(2)) / safe
            scales = batch.counts.unsqueeze(1) / safe
            gradients.collect(scales, slots)
            own = self._own_gradients(net, sum_by(tasks, self.n_tasks, scales * present))
        with torch.no_grad():
            by_task = gradients.each()
            gradients.detach()
            affinity = self._affinity(net, batch, before.detach(), safe, by_task, own)
        self._add(affinity, present, tasks)

    def _moves_heads(self):
        return self.settings.heads_first and self.settings.approximate is None

    def _own_gradients(self, net, scales):
        """Gradients of mean losses to what one task has, from those of the step."""
        own = self.gradients.unshared
        if not self._moves_heads() or not own:
            return {}
        found = {name: p.grad for name, p in own.items() if p.grad is not None}
        penalties = net.penalties()
        if penalties is not None and penalties.requires_grad:
            # they are no part of a task's loss
            for name, more in self.gradients.pull_back(penalties.sum(), own).items():
                if name in found and more is not None:
                    found[name] = found[name] - more
        return {
            name: values * scales.view(*scales.shape, *[1] * (values.ndim - 2))
            for name, values in found.items()
        }

    def _affinity(self, net, batch, before, totals, by_task, own):
        """Shape (M, S, S); the row is the task that steps."""
        optimizer, settings = net.optimizer_, self.settings
        shared, here = self.columns, optimizer.buffer
        slopes = optimizer.flat(by_task)
        gradients = slopes
        if self._moves_heads() and own:
            gradients = slopes + optimizer.flat(own)
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
        """Add what was seen to that of the epoch, tasks of slots in their places."""
        there = present.unsqueeze(2) & present.unsqueeze(1) & torch.isfinite(affinity)
        values = torch.where(there, affinity, 0.0)
        self._sums = self._sums + matrix_by(tasks, self.n_tasks, values)
        self._counts = self._counts + matrix_by(tasks, self.n_tasks, there.to(values))

    def end_epoch(self, clock):
        """Begin another epoch, before the clocks tick."""
        if isinstance(self._sums, torch.Tensor):
            mean = (self._sums / self._counts).double().cpu().numpy()
            self._epochs.append((clock.members.tolist(), clock.active.tolist(), mean))
        else:
            self._epochs.append(([], [], None))
        self._start_epoch()

    def finish(self, n_members, learning_rate):
        """Affinity of every member and epoch.

        Parameters
        ----------
        n_members : int
        learning_rate : float or sequence of M floats

        Returns
        -------
        ndarray of shape (n_epochs, M, T, T)
            The row is the task that steps, the column the one that is affected; NaN where they
            were never in one batch, and where a member had stopped.
        """
        shape = len(self._epochs), n_members, self.n_tasks, self.n_tasks
        found = np.full(shape, np.nan)
        for epoch, (members, active, mean) in enumerate(self._epochs):
            for row, (member, is_active) in enumerate(zip(members, active, strict=True)):
                if is_active:
                    found[epoch, member] = mean[row]
        if self.settings.per_learning_rate:
            rate = np.broadcast_to(np.asarray(learning_rate, dtype=float), n_members)
            found /= rate[:, None, None]
        return found
