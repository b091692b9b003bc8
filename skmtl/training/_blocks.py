"""Blocks: rows sorted by task and packed into blocks of one task each.

Blocks keep uneven tasks cheap (nothing is padded to the largest task) and every shape constant.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from skmtl.nn._members import FEW_ROWS


@dataclass
class TaskRows:
    """A table on the device, already scaled: a row is an example of one task, or of every task.

    Attributes
    ----------
    features : Tensor of shape (n, d)
    tasks : Tensor of shape (n,) of int64, or None if all tasks share the rows
        Task number of every row.
    targets : Tensor of shape (n, o), or (n, n_tasks) if tasks share the rows
    weights : Tensor of shape (n,), or (n, n_tasks) if tasks share the rows
        Sample weights; zero where a label is missing.
    n_tasks : int
    metadata : Tensor of shape (M or 1, n_tasks, d_m), optional
        Metadata of every task.
    """

    features: torch.Tensor
    tasks: torch.Tensor | None
    targets: torch.Tensor
    weights: torch.Tensor
    n_tasks: int
    metadata: torch.Tensor | None = None

    def __len__(self):
        return len(self.features)

    @property
    def shared_rows(self):
        """Whether every row is an example of every task (wide form)."""
        return self.tasks is None

    def to(self, device):
        """Copy the table to `device`."""
        values = vars(self).items()
        return TaskRows(
            **{k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in values}
        )


class TaskBlocks(NamedTuple):
    """Row numbers grouped by task: K blocks of length b.

    Attributes
    ----------
    rows : Tensor of shape (..., K, b)
        Row number in the table; -1 for padding.
    tasks : Tensor of shape (..., S)
        The distinct tasks of the batch, then zeros.
    slots : Tensor of shape (..., K)
        For every block, the position of its task in ``tasks``.
    """

    rows: torch.Tensor
    tasks: torch.Tensor
    slots: torch.Tensor


def block_shape(n_rows, task_counts, overhead=6.0):
    """Choose the block length that makes a batch cheapest.

    Every batch of `n_rows` rows fits into the returned shape, so that shapes depend neither on the
    rows drawn nor on the other members.

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
        Blocks in a batch, length of a block, and the maximum of distinct tasks in a batch.
    """
    n_slots = int(min((task_counts > 0).sum(), n_rows))
    if n_rows <= FEW_ROWS * n_slots:
        return n_rows, 1, n_slots
    best = None
    length = 1
    while True:
        # the last block of every task may be almost empty; a task has no more than its own rows
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
        Row numbers of R batches; -1 for padding.
    tasks : Tensor of shape (n,)
        Task of every row of the table.
    shape : tuple of three ints
        See `block_shape`.

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
    # position of a row among the rows of its task
    rank = position - torch.where(opens_task, position, 0).cummax(1).values
    slot = opens_task.cumsum(1) - 1
    block = (filled & (rank % block_length == 0)).cumsum(1) - 1

    batch = torch.arange(len(rows), device=rows.device).unsqueeze(1).expand_as(rows)
    # padding is written to one more position at the end, which is cut off
    n_batches = len(rows)

    def scattered(values, positions, kept, size, default):
        flat = values.new_full((n_batches * size + 1,), default)
        positions = torch.where(kept, positions, n_batches * size)
        return flat.scatter_(0, positions.flatten(), values.flatten())[:-1]

    target = (batch * n_blocks + block) * block_length + rank % block_length
    return TaskBlocks(
        scattered(rows, target, filled, n_blocks * block_length, -1).view(
            -1, n_blocks, block_length
        ),
        scattered(codes, batch * n_slots + slot, opens_task, n_slots, 0).view(-1, n_slots),
        scattered(slot, batch * n_blocks + block, filled, n_blocks, 0).view(-1, n_blocks),
    )
