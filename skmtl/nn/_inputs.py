"""Inputs of every module: blocks of rows, and the task that each block belongs to."""

from typing import NamedTuple

import torch


class ModuleInputs(NamedTuple):
    """Arguments of a module in their order: it is called as ``module(*inputs)``.

    `features` (M, K, b, n_features) are K blocks of b rows, each of one task. `tasks` (M, S) are
    the distinct tasks, -1 for an unseen task outside training, or (M, S, L) their ids where there
    are L levels, -1 for an unseen or missing id; with standardised `metadata` (M, S, n_metadata).
    `slots` (M, K) are the positions in `tasks` of the blocks' tasks. With
    `shared_rows`, all blocks hold the same rows, as in wide form, and block k is that of slot k: a
    module may compute what the tasks have in common only once.
    """

    features: torch.Tensor
    tasks: torch.Tensor
    slots: torch.Tensor
    metadata: torch.Tensor | None = None
    shared_rows: bool = False
