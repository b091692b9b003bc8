"""Batches: rows drawn per member, sorted by task and packed into blocks of one task each.

Blocks keep uneven tasks cheap (nothing is padded to the largest task) and every shape constant.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

# numbers gathered at once: bounds the memory that batches take on long tables
_NUMBERS_AT_ONCE = 2**22
# small tables: epochs packed at once, and the numbers that they may have together
_EPOCHS_AHEAD = 16
_NUMBERS_AHEAD = 2**17


@dataclass
class TaskRows:
    """A table on the device: one row is one example of one task, everything already scaled.

    Attributes
    ----------
    features : Tensor of shape (n, d)
    tasks : Tensor of shape (n,) of int64
        Task number of every row.
    targets : Tensor of shape (n, o)
    weights : Tensor of shape (n,)
        Sample weights.
    n_tasks : int
    metadata : Tensor of shape (M or 1, n_tasks, d_m), optional
        Facts about every task.
    """

    features: torch.Tensor
    tasks: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    n_tasks: int
    metadata: torch.Tensor | None = None

    def __len__(self):
        return len(self.features)

    def to(self, device):
        """Copy of the table on `device`."""
        values = vars(self).items()
        return TaskRows(
            **{k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in values}
        )


class TaskBlocks(NamedTuple):
    """Row numbers grouped by task: K blocks of b places each.

    Attributes
    ----------
    rows : Tensor of shape (..., K, b)
        Row number in the table; -1 where a place is empty.
    tasks : Tensor of shape (..., S)
        The distinct tasks of the batch, then zeros.
    slots : Tensor of shape (..., K)
        For every block, where its task stands in ``tasks``.
    """

    rows: torch.Tensor
    tasks: torch.Tensor
    slots: torch.Tensor


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


def block_shape(n_rows, task_counts, overhead=6.0):
    """Choose the block length that makes a batch cheapest.

    Every batch of `n_rows` rows fits into the shape returned, whichever rows are drawn, so that
    shapes depend neither on the draw nor on the other members.

    Parameters
    ----------
    n_rows : int
        Rows in a batch.
    task_counts : Tensor of shape (T,)
        Rows of every task in the table.
    overhead : float, default=6.0
        Cost of one more block, in rows: its task's weights are gathered once more.

    Returns
    -------
    n_blocks, block_length, n_slots : int
        Blocks in a batch, places in a block, distinct tasks in a batch at most.
    """
    n_slots = int(min((task_counts > 0).sum(), n_rows))
    best = None
    length = 1
    while True:
        # every task may leave its last block all but empty; a task never fills more than it has
        bound = (n_rows + n_slots * (length - 1)) // length
        n_blocks = min(bound, int(((task_counts + length - 1) // length).sum()))
        cost = n_blocks * (length + overhead)
        if best is None or cost < best[0]:
            best = cost, n_blocks, length
        if length >= n_rows:
            return best[1], best[2], n_slots
        length *= 2


def pack_blocks(rows, tasks, shape):
    """Sort the rows of each batch by task and pack them into blocks.

    Parameters
    ----------
    rows : Tensor of shape (R, B)
        Row numbers of R batches; -1 for an empty place.
    tasks : Tensor of shape (n,)
        Task of every row of the table.
    shape : tuple of three ints
        What `block_shape` returned.

    Returns
    -------
    TaskBlocks
        With leading axis R.
    """
    n_blocks, block_length, n_slots = shape
    empty = torch.iinfo(tasks.dtype).max
    codes, order = torch.where(rows < 0, empty, tasks[rows.clamp(min=0)]).sort(dim=1, stable=True)
    rows = rows.gather(1, order)
    filled = rows >= 0
    position = torch.arange(rows.shape[1], device=rows.device).expand_as(rows)
    opens_task = filled.clone()
    opens_task[:, 1:] &= codes[:, 1:] != codes[:, :-1]
    # place of a row among the rows of its task
    rank = position - torch.where(opens_task, position, 0).cummax(1).values
    slot = opens_task.cumsum(1) - 1
    block = (filled & (rank % block_length == 0)).cumsum(1) - 1

    batch = torch.arange(len(rows), device=rows.device).unsqueeze(1).expand_as(rows)
    # places that are not filled are written to one more place at the end, which is cut off
    n_batches = len(rows)

    def scattered(values, places, at, size, default):
        flat = values.new_full((n_batches * size + 1,), default)
        at = torch.where(at, places, n_batches * size)
        return flat.scatter_(0, at.flatten(), values.flatten())[:-1]

    place = (batch * n_blocks + block) * block_length + rank % block_length
    return TaskBlocks(
        scattered(rows, place, filled, n_blocks * block_length, -1).view(
            -1, n_blocks, block_length
        ),
        scattered(codes, batch * n_slots + slot, opens_task, n_slots, 0).view(-1, n_slots),
        scattered(slot, batch * n_blocks + block, filled, n_blocks, 0).view(-1, n_blocks),
    )


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
    batch_size : int
        Rows in a batch at most.
    generators : list of M torch.Generator or None
        Shuffle the rows of an epoch; None keeps their order, and the batches of the first epoch.
    """

    def __init__(self, table, rows, batch_size, generators=None):
        self.table = table
        self.rows = rows
        self.generators = generators
        self._members = list(range(len(rows)))
        self._fixed = None
        self._ahead = []
        # dealing n rows to ceil(n / batch_size) batches
        self.n_batches_per_member = [max(1, -(-len(r) // batch_size)) for r in rows]
        self.lengths = [
            -(-len(r) // k) for r, k in zip(rows, self.n_batches_per_member, strict=True)
        ]
        self.task_counts = torch.stack([self._count(r) for r in self.rows])
        self.shape = block_shape(max(self.lengths), self.task_counts.amax(0))
        numbers = len(rows) * len(self) * max(self.lengths) * (table.features.shape[1] + 8)
        self.epochs_ahead = max(1, min(_EPOCHS_AHEAD, _NUMBERS_AHEAD // max(1, numbers)))

    def _count(self, rows):
        """Rows of every task among `rows`."""
        return torch.bincount(self.table.tasks[rows], minlength=self.table.n_tasks)

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
        self._fixed = None
        self._ahead = [
            tuple([v if v is None else v[members] for v in values] for values in epoch)
            for epoch in self._ahead
        ]

    def _deal(self):
        """Row numbers of the epoch's batches, shape (M, n_batches, rows in a batch)."""
        dealt = torch.full((len(self.rows), len(self), max(self.lengths)), -1)
        for m, (rows, k, length) in enumerate(
            zip(self.rows, self.n_batches_per_member, self.lengths, strict=True)
        ):
            if self.generators is not None:
                rows = rows[torch.randperm(len(rows), generator=self.generators[m])]
            places = torch.full((k * length,), -1)
            places[: len(rows)] = rows
            dealt[m, :k, :length] = places.view(k, length)
        return dealt

    def _chunks(self):
        """The epoch's batches, some at a time: one gather for many batches."""
        dealt = self._deal().to(self.table.tasks.device)
        n_members, _, length = dealt.shape
        dealt = dealt.transpose(0, 1).flatten(0, 1)
        numbers = n_members * length * (self.table.features.shape[1] + 8)
        at_once = max(1, _NUMBERS_AT_ONCE // numbers) * n_members
        for chunk in dealt.split(at_once):
            packed = pack_blocks(chunk, self.table.tasks, self.shape)
            yield self._gather(*(t.unflatten(0, (-1, n_members)) for t in packed))

    def _gather(self, rows, tasks, slots):
        """Values of all batches of a chunk, each with the batches as leading axis."""
        table = self.table
        filled = rows >= 0
        rows = rows.clamp(min=0)
        metadata = [None] * len(rows)
        if table.metadata is not None:
            shared = len(table.metadata) == 1
            members = torch.tensor([0] if shared else self._members, device=tasks.device)
            metadata = table.metadata[members.unsqueeze(1), tasks].unbind()
        return (
            table.features[rows].unbind(),
            tasks.unbind(),
            slots.unbind(),
            metadata,
            table.targets[rows].unbind(),
            (table.weights[rows] * filled).unbind(),
            filled.sum((2, 3)).unbind(),
        )

    def _deal_ahead(self):
        """The next epochs at once, the last one first: packing many costs little more than one."""
        dealt = torch.cat([self._deal() for _ in range(self.epochs_ahead)], dim=1)
        dealt = dealt.to(self.table.tasks.device)
        n_members = len(dealt)
        packed = pack_blocks(dealt.transpose(0, 1).flatten(0, 1), self.table.tasks, self.shape)
        values = self._gather(*(t.unflatten(0, (-1, n_members)) for t in packed))
        starts = range(0, dealt.shape[1], len(self))
        return [tuple(v[k : k + len(self)] for v in values) for k in reversed(starts)]

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
