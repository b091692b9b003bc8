"""Columns: every row as each of the tasks sees it, where tasks read each other.

Memory grows with rows times tasks, so that predictions are made a piece at a time.
"""

import torch

from skmtl.nn._members import take_members

# numbers that the columns of all tasks may have together outside training
_NUMBERS = 2**23


def in_pieces(function, x, numbers_per_place):
    """Evaluate blocks some places at a time, so that memory is bounded.

    Parameters
    ----------
    function : callable
        Maps (M, K, b, d) to (M, K, b, o), row by row.
    x : Tensor of shape (M, K, b, d)
    numbers_per_place : int
        What it takes for one place of all blocks.

    Returns
    -------
    Tensor of shape (M, K, b, o)
    """
    at_once = max(1, _NUMBERS // numbers_per_place)
    if at_once >= x.shape[2]:
        return function(x)
    return torch.cat([function(piece) for piece in x.split(at_once, dim=2)], dim=2)


def own_columns(columns, n_blocks, tasks):
    """What the column of its task makes of every block.

    Parameters
    ----------
    columns : Tensor of shape (M, T, R, w)
        Every row as every task sees it; R is b, if all blocks are the same rows, or n_blocks * b.
    n_blocks : int
        Blocks of different rows: 1 or K.
    tasks : Tensor of shape (M, K) of int64

    Returns
    -------
    Tensor of shape (M, K, b, w)
    """
    columns = columns.unflatten(2, (n_blocks, -1))
    if n_blocks == 1:
        return take_members(columns[:, :, 0], tasks)
    places = torch.arange(n_blocks, device=tasks.device) * columns.shape[1] + tasks
    return take_members(columns.transpose(1, 2).flatten(1, 2), places)
