"""Columns: the representation of every row in the network of each task.

Architectures in which tasks read each other's layers need all of them. Memory grows with rows times
tasks, so predictions are made in chunks.
"""

import torch

from skmtl.nn._members import take_members

# largest number of elements in the columns of all tasks outside training
_NUMBERS = 2**23


def in_chunks(function, x, numbers_per_row):
    """Map rows (M, K, b, d) to (M, K, b, o) in chunks along b, which bounds memory."""
    at_once = max(1, _NUMBERS // numbers_per_row)
    if at_once >= x.shape[2]:
        return function(x)
    return torch.cat([function(chunk) for chunk in x.split(at_once, dim=2)], dim=2)


def columns_of_tasks(columns, n_blocks, tasks):
    """Select the rows (M, K, b, w) of blocks of `tasks` (M, K) from the columns (M, T, R, w).

    R is b if all blocks share their rows (`n_blocks` is 1), and K * b otherwise.
    """
    columns = columns.unflatten(2, (n_blocks, -1))
    if n_blocks == 1:
        return take_members(columns[:, :, 0], tasks)
    index = torch.arange(n_blocks, device=tasks.device) * columns.shape[1] + tasks
    return take_members(columns.transpose(1, 2).flatten(1, 2), index)
