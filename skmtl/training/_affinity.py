"""Affinity: what a step by one task alone would do to the losses of the others.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
section 3; called inter-task affinity in "Efficiently identifying task groupings for multi-task
learning", NeurIPS 2021.
"""

import numpy as np
import torch

from skmtl.nn import task_gradients
from skmtl.training._slots import matrix_by_task, sum_by


class AffinityRecorder:
    """Looks ahead, for all members together, and leaves training as it is.

    Parameters
    ----------
    module : MemberModule
    n_tasks : int
    every : int, default=1
        Steps between two looks.
    heads_first : bool, default=True
        Whether the parameters that belong to one task make their step before (algorithm 1 of the
        paper) or stay where they are (the code published with it).
    approximate : {None, 1}, default=None
        None evaluates the losses after each step; 1 is their first-order expansion.
    per_learning_rate : bool, default=False
        Whether to divide by the learning rate, as the published code does.

    Notes
    -----
    Task i makes the step that the optimiser would make along the gradient of its mean loss, its
    momentum and decay included, on the shared parameters only. Then, equation 1,
    ``Z_ij = 1 - L_j(after) / L_j(before)``. To first order in the step d_i, section 3.2,
    ``Z_ij = -<grad L_j, d_i> / L_j``, which leaves the tasks' own parameters out.
    """

    def __init__(
        self,
        module,
        n_tasks,
        *,
        every=1,
        heads_first=True,
        approximate=None,
        per_learning_rate=False,
    ):
        if approximate not in (None, 1):
            raise ValueError(f"approximate must be None or 1, got {approximate!r}.")
        self.module, self.n_tasks = module, n_tasks
        self.every, self.heads_first = every, heads_first
        self.approximate, self.per_learning_rate = approximate, per_learning_rate
        self.shared = set(module.shared_parameters())
        if not self.shared:
            raise ValueError(
                "record_affinity looks at what a step of one task on the shared parameters does to "
                "the others, but here tasks share none. Use an estimator whose tasks share "
                "parameters."
            )
        self._step = 0
        self._epochs = []
        self._start_epoch()

    def _start_epoch(self):
        self._sums = self._counts = 0

    def observe(self, net, batch):
        """Look ahead from here, if it is time."""
        self._step += 1
        if (self._step - 1) % self.every:
            return
        _, tasks, slots, _ = batch.inputs
        totals = sum_by(slots, tasks.shape[1], batch.weights.sum(2))
        present = totals > 0
        # the mean loss of every task; 0 of one without rows
        safe = torch.where(present, totals, 1.0)
        # for this look only: it would hold on to the graphs of other forward passes
        gradients = task_gradients(self.module)
        before = self._losses(net, batch) / safe
        gradients.differentiate(before, slots)
        own = gradients.own_gradients
        n_slots = tasks.shape[1]
        each = torch.eye(n_slots).to(before).unsqueeze(1).expand(-1, len(before), -1)
        by_task = [gradients.combine(one) for one in each]
        gradients.detach()
        before = before.detach()
        with torch.no_grad():
            if self.approximate is None:
                affinity = self._exact(net, batch, before, safe, by_task, own)
            else:
                affinity = self._first_order(net, batch, before, by_task)
        net.optimizer_.zero_grad(set_to_none=True)
        self._add(affinity, present, tasks)

    @staticmethod
    def _losses(net, batch):
        _, tasks, slots, _ = batch.inputs
        return sum_by(slots, tasks.shape[1], net.evaluate(batch)[1].sum(2))

    def _after_step(self, net, batch, gradients):
        """Parameters after a step along some gradients, shape (M, P); nothing changes."""
        optimizer = net.optimizer_
        # whatever the optimiser keeps: it is its own step, and all of it is put back
        kept = {n: v.clone() for n, v in vars(optimizer).items() if isinstance(v, torch.Tensor)}
        for name, parameter in self.module.named_parameters():
            parameter.grad = gradients.get(name)
        optimizer.step(active=batch.active)
        after = optimizer.buffer.clone()
        for name, value in kept.items():
            getattr(optimizer, name).copy_(value)
        return after

    def _in_order(self, optimizer):
        """Names and parameters as they stand in the buffer."""
        names = {id(p): name for name, p in self.module.named_parameters()}
        return [(names[id(p)], p) for p in optimizer.param_groups[0]["params"]]

    def _shared_columns(self, optimizer):
        """Which columns of the buffer are shared."""
        columns = [
            torch.full((p[0].numel(),), name in self.shared)
            for name, p in self._in_order(optimizer)
        ]
        return torch.cat(columns).to(optimizer.buffer.device)

    def _exact(self, net, batch, before, totals, by_task, own):
        optimizer = net.optimizer_
        shared = self._shared_columns(optimizer)
        start = optimizer.buffer.clone()
        others = self._after_step(net, batch, own) if self.heads_first else start
        rows = []
        for gradients in by_task:
            after = self._after_step(net, batch, gradients)
            optimizer.buffer.copy_(torch.where(shared, after, others))
            rows.append(self._losses(net, batch) / totals)
            optimizer.buffer.copy_(start)
        return 1 - torch.stack(rows, 1) / before.unsqueeze(1)

    def _first_order(self, net, batch, before, by_task):
        optimizer = net.optimizer_
        shared = self._shared_columns(optimizer)
        moves, slopes = [], []
        for gradients in by_task:
            move = self._after_step(net, batch, gradients) - optimizer.buffer
            moves.append(move * shared)
            slopes.append(
                torch.cat(
                    [
                        torch.zeros_like(p).flatten(1)
                        if gradients.get(name) is None
                        else gradients[name].flatten(1)
                        for name, p in self._in_order(optimizer)
                    ],
                    dim=1,
                )
            )
        return -torch.stack(moves, 1) @ torch.stack(slopes, 1).mT / before.unsqueeze(1)

    def _add(self, affinity, present, tasks):
        """Add what was seen to that of the epoch, tasks of slots in their places."""
        there = present.unsqueeze(2) & present.unsqueeze(1) & torch.isfinite(affinity)
        values = torch.where(there, affinity, 0.0)
        self._sums = self._sums + matrix_by_task(values, tasks, self.n_tasks)
        self._counts = self._counts + matrix_by_task(there.to(values), tasks, self.n_tasks)

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
        if self.per_learning_rate:
            rate = np.broadcast_to(np.asarray(learning_rate, dtype=float), n_members)
            found /= rate[:, None, None]
        return found
