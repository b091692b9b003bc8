"""Columns: every row as each of the tasks sees it, where tasks read each other.

Memory grows with rows times tasks, so that predictions are made in chunks.
"""

import torch

from skmtl.nn._members import take_members

# numbers that the columns of all tasks may have together outside training
_NUMBERS = 2**23


def in_chunks(function, x, numbers_per_row):
    """Map rows (M, K, b, d) to (M, K, b, o) in chunks of b, so that memory is bounded."""
    at_once = max(1, _NUMBERS // numbers_per_row)
    if at_once >= x.shape[2]:
        return function(x)
    return torch.cat([function(chunk) for chunk in x.split(at_once, dim=2)], dim=2)


def columns_of_tasks(columns, n_blocks, tasks):
    """Select the rows (M, K, b, w) of blocks as `tasks` (M, K) see them, of columns (M, T, R, w).

    R is b if all blocks share their rows (`n_blocks` 1), or K * b.
    """
    columns = columns.unflatten(2, (n_blocks, -1))
    if n_blocks == 1:
        return take_members(columns[:, :, 0], tasks)
    index = torch.arange(n_blocks, device=tasks.device) * columns.shape[1] + tasks
    return take_members(columns.transpose(1, 2).flatten(1, 2), index)
