"""Blocks: rows sorted by task and packed into blocks of one task each.

Blocks keep uneven tasks cheap (nothing is padded to the largest task) and every shape constant.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from skmtl.nn._members import FEW_ROWS


@dataclass
class TaskRows:
    """A scaled table on the device: a row is an example of one task, or of every task.

    `features` (n, d) have `tasks` (n,), or None if all share the rows. `targets` are (n, o),
    `weights` (n,); both are (n, n_tasks) for shared rows, where weight zero marks a missing label.
    `n_new` tasks, after the `n_tasks` that train, are of validation rows only. `metadata` of every
    task is (M or 1, n_tasks + n_new, d_m). Where tasks are combinations of ids of several levels,
    with `level_sizes`, `levels` (M or 1, n_tasks, L) are those ids, -1 for a missing one.
    """

    features: torch.Tensor
    tasks: torch.Tensor | None
    targets: torch.Tensor
    weights: torch.Tensor
    n_tasks: int
    metadata: torch.Tensor | None = None
    n_new: int = 0
    levels: torch.Tensor | None = None
    level_sizes: tuple[int, ...] = ()

    def __len__(self):
        return len(self.features)

    @property
    def shared_rows(self):
        """Whether every row is an example of every task (wide form)."""
        return self.tasks is None

    @property
    def trained_metadata(self):
        """Metadata of the tasks that train, or None."""
        return None if self.metadata is None else self.metadata[:, : self.n_tasks]

    def renumbered(self, n_tasks):
        """Return the tasks of rows for a table with more tasks, after which new ones follow."""
        return torch.where(
            self.tasks < self.n_tasks, self.tasks, self.tasks - self.n_tasks + n_tasks
        )

    def padded_metadata(self, n_tasks, n_new):
        """Return metadata for a table with more tasks; a member does not ask for the others'."""
        known, new = self.metadata.tensor_split([self.n_tasks], dim=1)
        pad = torch.nn.functional.pad
        known = pad(known, (0, 0, 0, n_tasks - self.n_tasks))
        return torch.cat([known, pad(new, (0, 0, 0, n_new - self.n_new))], dim=1)

    def padded_levels(self, n_tasks):
        """Return the ids of combinations for a table with more of them."""
        pad = n_tasks - self.levels.shape[1]
        return torch.nn.functional.pad(self.levels, (0, 0, 0, pad))

    def to(self, device):
        values = vars(self).items()
        return TaskRows(
            **{k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in values}
        )


class TaskBlocks(NamedTuple):
    """K blocks of b row numbers, `rows` (..., K, b) with -1 for padding, by `slots` (..., K).

    Slots are positions in the distinct `tasks` (..., S), which zeros follow.
    """

    rows: torch.Tensor
    tasks: torch.Tensor
    slots: torch.Tensor


def block_shape(n_rows, task_counts, overhead=6.0):
    """Return the number and length of blocks, and of slots, that make a batch cheapest.

    Any `n_rows` rows of a table with `task_counts` (T,) fit, whatever is drawn and whoever the
    other members are. `overhead` is the cost of one more block, in rows: its task's weights are
    gathered once more.
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
    """Pack rows (R, B), -1 for padding, of `tasks` (n,) into blocks of a `block_shape`."""
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
