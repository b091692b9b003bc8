"""Batches: rows drawn per member and gathered as blocks of one task each.

Where tasks share rows, all blocks hold the same rows, and block t has the labels of task t.
"""

from typing import NamedTuple

import torch

from skmtl.nn import ModuleInputs
from skmtl.training._blocks import block_shape, pack_blocks
from skmtl.training._sampling import deal_rounds, draw_rows, task_draws, task_factors

# numbers gathered at once, which bounds the memory of batches of long tables
_NUMBERS_AT_ONCE = 2**22
# for small tables: epochs packed at once, and a bound on their numbers
_EPOCHS_AHEAD = 16
_NUMBERS_AHEAD = 2**17


class Batch(NamedTuple):
    """Arguments of the module, and what the loss needs of every member.

    `targets` are (M, K, b, o); `weights` (M, K, b) are zero without a row or a label. `counts` (M,)
    are labels, at least 1 to divide by. `active` (M,) marks members whose epoch is not over; None
    if all are active.
    """

    inputs: ModuleInputs
    targets: torch.Tensor
    weights: torch.Tensor
    counts: torch.Tensor
    active: torch.Tensor | None

    @property
    def shared_rows(self):
        """Whether all tasks share the rows; then block t and slot t belong to task t."""
        return self.inputs.shared_rows


def task_totals(table, rows, n_new=0):
    """Sum the weights of every member's rows by task, shape (M, T), new tasks included."""
    if table.shared_rows:
        return torch.stack([table.weights[r].sum(0) for r in rows])
    zeros = table.weights.new_zeros(table.n_tasks + n_new)
    return torch.stack([zeros.index_add(0, table.tasks[r], table.weights[r]) for r in rows])


class MemberBatches:
    """Iterate over the batches of an epoch: every member has its `rows` in its order.

    Batches of a member are about equally large, of `batch_size` rows (an int, or M ints) at most;
    members with fewer rows have fewer batches. M `generators` shuffle the rows of an epoch, None
    keeps their order. `shares` (M, T) are those of each task in the loss: shuffled rows of one task
    each are drawn accordingly, others weighted; None takes every row once. With `one_task`, every
    batch is of one task, in shuffled rounds; labels of others on shared rows have weight zero.
    """

    def __init__(self, table, rows, batch_size, generators=None, shares=None, one_task=False):
        self.table = table
        self.rows = rows
        self.generators = generators
        # rows that are not shuffled validate, and may belong to tasks that do not train
        self.n_new = table.n_new if generators is None else 0
        self._members = list(range(len(rows)))
        self._fixed = None
        self._ahead = []
        # before the rows of an epoch, or of several, were dealt last: generators and members; and
        # which have stayed since
        self._before, self._stayed = None, []
        self.task_counts = torch.stack([self._count(r) for r in rows])
        self._draws = self._factors = self._batches_by_task = None
        if shares is not None:
            self._share_out(shares)
        lengths = [len(r) for r in rows] if self._draws is None else self._draws.sum(1).tolist()
        sizes = [batch_size] * len(rows) if isinstance(batch_size, int) else batch_size
        # dealing n rows to ceil(n / batch_size) batches
        self.n_batches_per_member = [
            max(1, -(-n // size)) for n, size in zip(lengths, sizes, strict=True)
        ]
        self.lengths = [-(-n // k) for n, k in zip(lengths, self.n_batches_per_member, strict=True)]
        if one_task:
            self._plan_rounds(sizes)
        elif not table.shared_rows:
            most = self.task_counts if self._draws is None else self._draws.to(table.tasks.device)
            self.shape = block_shape(max(self.lengths), most.amax(0))
        n_labels = table.n_tasks if table.shared_rows else 1
        self._numbers_per_row = table.features.shape[1] + 8 * n_labels
        numbers = len(rows) * len(self) * max(self.lengths) * self._numbers_per_row
        self.epochs_ahead = max(1, min(_EPOCHS_AHEAD, _NUMBERS_AHEAD // max(1, numbers)))

    def _count(self, rows):
        """Count the labels of every task among `rows`."""
        if self.table.shared_rows:
            return (self.table.weights[rows] > 0).sum(0)
        return torch.bincount(self.table.tasks[rows], minlength=self.table.n_tasks + self.n_new)

    def task_totals(self):
        """Sum the weights of every member's rows by task, shape (M, T)."""
        return task_totals(self.table, self.rows, self.n_new)

    def _share_out(self, shares):
        draws = self.task_counts
        if self.generators is not None and not self.table.shared_rows:
            draws = task_draws(shares, self.task_counts)
            # on the CPU, like the generators
            self._draws = draws.cpu()
            self._row_tasks = self.table.tasks.cpu()
        self._factors = task_factors(shares, self.task_totals(), self.task_counts, draws)

    def _plan_rounds(self, sizes):
        """Plan batches of one task each: their number by task, and their length."""
        counts = (self.task_counts if self._draws is None else self._draws).cpu()
        sizes = torch.tensor(sizes).unsqueeze(1)
        self._batches_by_task = -(-counts // sizes)
        lengths = -(-counts // self._batches_by_task.clamp(min=1))
        self.n_batches_per_member = self._batches_by_task.sum(1).clamp(min=1).tolist()
        self.lengths = lengths.amax(1).tolist()
        self.shape = 1, max(self.lengths), 1
        if not self.table.shared_rows:
            self._row_tasks = self.table.tasks.cpu()

    def __len__(self):
        return max(self.n_batches_per_member)

    def select(self, members):
        for name in ("rows", "_members", "generators", "n_batches_per_member", "lengths"):
            if getattr(self, name) is not None:
                setattr(self, name, [getattr(self, name)[m] for m in members])
        for name in ("_draws", "_batches_by_task", "_factors"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name)[members])
        self._fixed = None
        self._stayed.append(members)
        self._ahead = [
            tuple([v if v is None else v[members] for v in values] for values in epoch)
            for epoch in self._ahead
        ]

    def _deal(self):
        """Deal the epoch's row numbers, shape (n_batches, M, rows in a batch)."""
        if self._batches_by_task is not None:
            return self._deal_rounds()
        dealt = torch.full((len(self.rows), len(self), max(self.lengths)), -1)
        for m, (rows, k, length) in enumerate(
            zip(self.rows, self.n_batches_per_member, self.lengths, strict=True)
        ):
            if self._draws is not None:
                rows = draw_rows(rows, self._row_tasks[rows], self._draws[m], self.generators[m])
            if self.generators is not None:
                rows = rows[torch.randperm(len(rows), generator=self.generators[m])]
            padded = torch.full((k * length,), -1)
            padded[: len(rows)] = rows
            dealt[m, :k, :length] = padded.view(k, length)
        return dealt.transpose(0, 1)

    def _deal_rounds(self):
        """Deal batches of one task each; where tasks share rows, the task follows the rows."""
        shared = self.table.shared_rows
        dealt = torch.full((len(self.rows), len(self), max(self.lengths) + shared), -1)
        for m, rows in enumerate(self.rows):
            generator = self.generators[m]
            if shared:
                labelled = self.table.weights[rows].cpu() > 0
                rows = rows.cpu()
                by_task = [rows[labelled[:, t]] for t in range(self.table.n_tasks)]
            else:
                if self._draws is not None:
                    rows = draw_rows(rows, self._row_tasks[rows], self._draws[m], generator)
                by_task = [rows[self._row_tasks[rows] == t] for t in range(self.table.n_tasks)]
            batches, tasks = deal_rounds(by_task, self._batches_by_task[m].tolist(), generator)
            for number, batch in enumerate(batches):
                dealt[m, number, : len(batch)] = batch
            if shared:
                dealt[m, : len(tasks), -1] = torch.tensor(tasks)
        return dealt.transpose(0, 1)

    def _chunks(self):
        """Gather the epoch's batches, several at once."""
        dealt = self._deal().to(self.table.features.device)
        numbers = dealt[0].numel() * self._numbers_per_row
        for chunk in dealt.split(max(1, _NUMBERS_AT_ONCE // numbers)):
            yield self._gather(chunk)

    def _deal_ahead(self):
        """Gather several epochs at once, the last one first: it costs little more than one."""
        dealt = torch.cat([self._deal() for _ in range(self.epochs_ahead)])
        values = self._gather(dealt.to(self.table.features.device))
        starts = range(0, len(dealt), len(self))
        return [tuple(v[k : k + len(self)] for v in values) for k in reversed(starts)]

    def _gather(self, dealt):
        """Gather the values of batches, which are the leading axis."""
        if self.table.shared_rows:
            return self._gather_shared(dealt)
        table = self.table
        packed = pack_blocks(dealt.flatten(0, 1), table.tasks, self.shape)
        rows, tasks, slots = (t.unflatten(0, dealt.shape[:2]) for t in packed)
        filled = rows >= 0
        rows = rows.clamp(min=0)
        weights = table.weights[rows] * filled
        if self._factors is not None:
            members = torch.arange(len(self.rows), device=tasks.device).unsqueeze(1)
            weights = weights * self._factors[members, tasks].gather(2, slots).unsqueeze(3)
        counts = filled.sum((2, 3))
        return self._unbound(
            table.features[rows], tasks, slots, table.targets[rows], weights, counts
        )

    def _gather_shared(self, dealt):
        """Gather the values of batches whose tasks share the rows."""
        table = self.table
        chosen = None
        if self._batches_by_task is not None:
            dealt, chosen = dealt[..., :-1], dealt[..., -1]
        rows = dealt.clamp(min=0)
        n_batches, n_members, _ = dealt.shape
        tasks = torch.arange(table.n_tasks, device=dealt.device).expand(n_batches, n_members, -1)
        # contiguous: sums follow the strides, and would round by the number of members
        weights = (table.weights[rows] * (dealt >= 0).unsqueeze(3)).transpose(2, 3).contiguous()
        if chosen is not None:
            weights = weights * (tasks == chosen.unsqueeze(2)).unsqueeze(3)
        counts = (weights > 0).sum((2, 3))
        if self._factors is not None:
            weights = weights * self._factors.unsqueeze(2)
        features = table.features[rows].unsqueeze(2).expand(-1, -1, table.n_tasks, -1, -1)
        targets = table.targets[rows].transpose(2, 3).contiguous().unsqueeze(4)
        return self._unbound(features, tasks, tasks, targets, weights, counts)

    def _unbound(self, features, tasks, slots, *values):
        metadata = self._by_task(self.table.metadata, tasks)
        if self.table.levels is not None:
            tasks = torch.stack(self._by_task(self.table.levels, tasks))
        if self.n_new:
            tasks = torch.where(tasks < self.table.n_tasks, tasks, -1)
        inputs = features.unbind(), tasks.unbind(), slots.unbind(), metadata
        return *inputs, *(v.unbind() for v in values)

    def _by_task(self, values, tasks):
        """Return values (M or 1, T, k) of the tasks of batches, or None for each batch."""
        if values is None:
            return [None] * len(tasks)
        members = torch.tensor([0] if len(values) == 1 else self._members, device=tasks.device)
        return values[members.unsqueeze(1), tasks].unbind()

    def trained_tasks(self):
        """Return which tasks each member has rows of, (M, T); with several levels, by level."""
        trained = self.task_counts > 0
        levels = self.table.levels
        if levels is None:
            return trained
        masks = [trained.new_zeros(len(trained), n + 1) for n in self.table.level_sizes]
        for m, combinations in enumerate(trained):
            ids = levels[0 if len(levels) == 1 else m][combinations]
            for level, mask in enumerate(masks):
                # a missing id, -1, is the last position
                mask[m, ids[:, level]] = True
        return [mask[:, :-1] for mask in masks]

    def snapshot(self):
        """Return how the rows of the epoch that is being iterated over were dealt."""
        members, states = self._before
        generators = [torch.Generator().set_state(state) for state in states]
        # of epochs dealt at once, those that are over
        n_over = max(0, self.epochs_ahead - len(self._ahead) - 1)
        return {
            "members": members,
            "generators": generators,
            "over": n_over,
            "stayed": self._stayed,
        }

    def resume(self, state):
        """Return to the beginning of the epoch of a snapshot."""
        self.select(state["members"])
        self.generators = state["generators"]
        if self.epochs_ahead > 1:
            self._note_generators()
            self._ahead = self._deal_ahead()
            del self._ahead[len(self._ahead) - state["over"] :]
        for members in state["stayed"]:
            self.select(members)

    def _note_generators(self):
        states = [generator.get_state() for generator in self.generators]
        self._before, self._stayed = (self._members, states), []

    def __iter__(self):
        if self.generators is None:
            self._fixed = chunks = self._fixed or list(self._chunks())
        elif self.epochs_ahead > 1:
            if not self._ahead:
                self._note_generators()
                self._ahead = self._deal_ahead()
            chunks = [self._ahead.pop()]
        else:
            self._note_generators()
            chunks = self._chunks()
        shortest = min(self.n_batches_per_member)
        number = 0
        for chunk in chunks:
            for *inputs, targets, weights, counts in zip(*chunk, strict=True):
                active = None if number < shortest else counts > 0
                inputs = ModuleInputs(*inputs, self.table.shared_rows)
                yield Batch(inputs, targets, weights, counts.clamp(min=1), active)
                number += 1
