"""Batches: rows drawn per member and gathered as blocks of one task each.

In wide form a row has labels of every task, and block t holds the batch as task t sees it.
"""

from typing import NamedTuple

import torch

from skmtl.training._blocks import block_shape, pack_blocks
from skmtl.training._rounds import deal_rounds
from skmtl.training._sampling import draw_rows, task_draws, task_factors

# numbers gathered at once: bounds the memory that batches take on long tables
_NUMBERS_AT_ONCE = 2**22
# small tables: epochs packed at once, and the numbers that they may have together
_EPOCHS_AHEAD = 16
_NUMBERS_AHEAD = 2**17


class Batch(NamedTuple):
    """One batch of every member, as a module and the loss take it.

    Attributes
    ----------
    inputs : tuple
        Arguments of the module: features (M, K, b, d), tasks (M, S), slots (M, K) and metadata
        (M, S, d_m) or None.
    targets : Tensor of shape (M, K, b, o)
    weights : Tensor of shape (M, K, b)
        Zero where a place is empty.
    counts : Tensor of shape (M,)
        Rows of every member in this batch, at least 1 so that one can divide by it.
    active : Tensor of shape (M,) of bool or None
        Members whose epoch is not over; None if it is nobody's.
    """

    inputs: tuple
    targets: torch.Tensor
    weights: torch.Tensor
    counts: torch.Tensor
    active: torch.Tensor | None


def task_totals(table, rows):
    """Summed weights of every member's rows, by task.

    Parameters
    ----------
    table : TaskRows
    rows : list of M Tensors of int64

    Returns
    -------
    Tensor of shape (M, T)
    """
    if table.tasks is None:
        return torch.stack([table.weights[some].sum(0) for some in rows])
    zeros = table.weights.new_zeros(table.n_tasks)
    return torch.stack([zeros.index_add(0, table.tasks[r], table.weights[r]) for r in rows])


class MemberBatches:
    """Iterator over an epoch: each member's own rows, in its own order.

    A member's rows are dealt evenly, so that the last batch is about as large as the others;
    a member with fewer rows than the others has fewer batches.

    Parameters
    ----------
    table : TaskRows
        Where the rows are.
    rows : list of M Tensors of int64
        Row numbers of every member.
    batch_size : int, or list of M ints
        Rows in a batch at most.
    generators : list of M torch.Generator or None
        Shuffle the rows of an epoch; None keeps their order, and the batches of the first epoch.
    shares : Tensor of shape (M, T) or None
        Share of the loss that each task has. Shuffled rows of long form are drawn accordingly,
        others only weighted. None: each row once, with its own weight.
    one_task : bool
        Whether every batch holds rows of one task only, tasks in shuffled rounds. In wide form
        the other tasks' labels have weight zero then.
    """

    def __init__(self, table, rows, batch_size, generators=None, shares=None, one_task=False):
        self.table = table
        self.rows = rows
        self.generators = generators
        self._members = list(range(len(rows)))
        self._fixed = None
        self._ahead = []
        self.task_counts = torch.stack([self._count(r) for r in rows])
        self._draws = self._factors = None
        if shares is not None:
            self._share_out(shares)
        lengths = [len(r) for r in rows] if self._draws is None else self._draws.sum(1).tolist()
        sizes = [batch_size] * len(rows) if isinstance(batch_size, int) else batch_size
        # dealing n rows to ceil(n / batch_size) batches
        self.n_batches_per_member = [
            max(1, -(-n // size)) for n, size in zip(lengths, sizes, strict=True)
        ]
        self.lengths = [-(-n // k) for n, k in zip(lengths, self.n_batches_per_member, strict=True)]
        self._batches_by_task = None
        if one_task:
            self._plan_rounds(sizes)
        elif table.tasks is not None:
            most = self.task_counts if self._draws is None else self._draws.to(table.tasks.device)
            self.shape = block_shape(max(self.lengths), most.amax(0))
        places = 1 if table.tasks is not None else table.n_tasks
        self._numbers_per_row = table.features.shape[1] + 8 * places
        numbers = len(rows) * len(self) * max(self.lengths) * self._numbers_per_row
        self.epochs_ahead = max(1, min(_EPOCHS_AHEAD, _NUMBERS_AHEAD // max(1, numbers)))

    def _count(self, rows):
        """Labels of every task among `rows`."""
        if self.table.tasks is None:
            return (self.table.weights[rows] > 0).sum(0)
        return torch.bincount(self.table.tasks[rows], minlength=self.table.n_tasks)

    def task_totals(self):
        """Summed weights of every member's rows, by task, shape (M, T)."""
        return task_totals(self.table, self.rows)

    def _share_out(self, shares):
        draws = self.task_counts
        if self.generators is not None and self.table.tasks is not None:
            draws = task_draws(shares, self.task_counts)
            # beside the generators, on the CPU
            self._draws = draws.cpu()
            self._row_tasks = self.table.tasks.cpu()
        self._factors = task_factors(shares, self.task_totals(), self.task_counts, draws)

    def _plan_rounds(self, sizes):
        """Batches of one task each: their number, by task, and their length."""
        counts = (self.task_counts if self._draws is None else self._draws).cpu()
        sizes = torch.tensor(sizes).unsqueeze(1)
        self._batches_by_task = -(-counts // sizes)
        lengths = -(-counts // self._batches_by_task.clamp(min=1))
        self.n_batches_per_member = self._batches_by_task.sum(1).clamp(min=1).tolist()
        self.lengths = lengths.amax(1).tolist()
        self.shape = 1, max(self.lengths), 1
        if self.table.tasks is not None:
            self._row_tasks = self.table.tasks.cpu()

    def __len__(self):
        return max(self.n_batches_per_member)

    def select(self, members):
        """Keep the given members only."""
        self.rows = [self.rows[m] for m in members]
        self._members = [self._members[m] for m in members]
        if self.generators is not None:
            self.generators = [self.generators[m] for m in members]
        self.n_batches_per_member = [self.n_batches_per_member[m] for m in members]
        self.lengths = [self.lengths[m] for m in members]
        if self._draws is not None:
            self._draws = self._draws[members]
        if self._batches_by_task is not None:
            self._batches_by_task = self._batches_by_task[members]
        if self._factors is not None:
            self._factors = self._factors[members]
        self._fixed = None
        self._ahead = [
            tuple([v if v is None else v[members] for v in values] for values in epoch)
            for epoch in self._ahead
        ]

    def _deal(self):
        """Row numbers of the epoch's batches, shape (n_batches, M, rows in a batch)."""
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
            places = torch.full((k * length,), -1)
            places[: len(rows)] = rows
            dealt[m, :k, :length] = places.view(k, length)
        return dealt.transpose(0, 1)

    def _deal_rounds(self):
        """As `_deal`, of one task each; in wide form the task stands behind the rows."""
        wide = self.table.tasks is None
        dealt = torch.full((len(self.rows), len(self), max(self.lengths) + wide), -1)
        for m, rows in enumerate(self.rows):
            generator = self.generators[m]
            if wide:
                labelled = self.table.weights[rows].cpu() > 0
                rows = rows.cpu()
                own = [rows[labelled[:, t]] for t in range(self.table.n_tasks)]
            else:
                if self._draws is not None:
                    rows = draw_rows(rows, self._row_tasks[rows], self._draws[m], generator)
                own = [rows[self._row_tasks[rows] == t] for t in range(self.table.n_tasks)]
            batches, tasks = deal_rounds(own, self._batches_by_task[m].tolist(), generator)
            for number, batch in enumerate(batches):
                dealt[m, number, : len(batch)] = batch
            if wide:
                dealt[m, : len(tasks), -1] = torch.tensor(tasks)
        return dealt.transpose(0, 1)

    def _chunks(self):
        """The epoch's batches, some at a time: one gather for many batches."""
        dealt = self._deal().to(self.table.features.device)
        numbers = dealt[0].numel() * self._numbers_per_row
        for chunk in dealt.split(max(1, _NUMBERS_AT_ONCE // numbers)):
            yield self._gather(chunk)

    def _deal_ahead(self):
        """The next epochs at once, the last one first: packing many costs little more than one."""
        dealt = torch.cat([self._deal() for _ in range(self.epochs_ahead)])
        values = self._gather(dealt.to(self.table.features.device))
        starts = range(0, len(dealt), len(self))
        return [tuple(v[k : k + len(self)] for v in values) for k in reversed(starts)]

    def _gather(self, dealt):
        """Values of some batches, each with the batches as leading axis."""
        if self.table.tasks is None:
            return self._gather_wide(dealt)
        table = self.table
        packed = pack_blocks(dealt.flatten(0, 1), table.tasks, self.shape)
        rows, tasks, slots = (t.unflatten(0, dealt.shape[:2]) for t in packed)
        filled = rows >= 0
        rows = rows.clamp(min=0)
        weights = table.weights[rows] * filled
        if self._factors is not None:
            weights = weights * self._factors_of(tasks).gather(2, slots).unsqueeze(3)
        return (
            table.features[rows].unbind(),
            tasks.unbind(),
            slots.unbind(),
            self._metadata_of(tasks),
            table.targets[rows].unbind(),
            weights.unbind(),
            filled.sum((2, 3)).unbind(),
        )

    def _gather_wide(self, dealt):
        """As `_gather`; all tasks share the features of a row."""
        table = self.table
        chosen = None
        if self._batches_by_task is not None:
            dealt, chosen = dealt[..., :-1], dealt[..., -1]
        rows = dealt.clamp(min=0)
        n_batches, n_members, _ = dealt.shape
        tasks = torch.arange(table.n_tasks, device=dealt.device).expand(n_batches, n_members, -1)
        # in memory as in shape: sums go along the strides, and would round by the company
        weights = (table.weights[rows] * (dealt >= 0).unsqueeze(3)).transpose(2, 3).contiguous()
        if chosen is not None:
            weights = weights * (tasks == chosen.unsqueeze(2)).unsqueeze(3)
        counts = (weights > 0).sum((2, 3))
        if self._factors is not None:
            weights = weights * self._factors.unsqueeze(2)
        features = table.features[rows].unsqueeze(2).expand(-1, -1, table.n_tasks, -1, -1)
        # the same tensor twice tells that the blocks are the tasks
        slots = tasks.unbind()
        return (
            features.unbind(),
            slots,
            slots,
            self._metadata_of(tasks),
            table.targets[rows].transpose(2, 3).contiguous().unsqueeze(4).unbind(),
            weights.unbind(),
            counts.unbind(),
        )

    def _factors_of(self, tasks):
        members = torch.arange(len(self.rows), device=tasks.device).unsqueeze(1)
        return self._factors[members, tasks]

    def _metadata_of(self, tasks):
        metadata = self.table.metadata
        if metadata is None:
            return [None] * len(tasks)
        members = torch.tensor([0] if len(metadata) == 1 else self._members, device=tasks.device)
        return metadata[members.unsqueeze(1), tasks].unbind()

    def __iter__(self):
        if self.generators is None:
            self._fixed = chunks = self._fixed or list(self._chunks())
        elif self.epochs_ahead > 1:
            self._ahead = self._ahead or self._deal_ahead()
            chunks = [self._ahead.pop()]
        else:
            chunks = self._chunks()
        shortest = min(self.n_batches_per_member)
        number = 0
        for chunk in chunks:
            for *inputs, targets, weights, counts in zip(*chunk, strict=True):
                active = None if number < shortest else counts > 0
                yield Batch(tuple(inputs), targets, weights, counts.clamp(min=1), active)
                number += 1
