"""What every module takes: blocks of rows, and which task each block belongs to."""

from typing import NamedTuple

import torch


class ModuleInputs(NamedTuple):
    """Arguments of a module in their order: it is called as ``module(*inputs)``.

    Attributes
    ----------
    features : Tensor of shape (M, K, b, n_features)
        K blocks of b rows, each of one task.
    tasks : Tensor of shape (M, S) of int64
        Distinct tasks; -1 for an unseen task, outside training.
    slots : Tensor of shape (M, K) of int64
        For every block, the position of its task in `tasks`.
    metadata : Tensor of shape (M, S, n_metadata), optional
        Standardised metadata of `tasks`.
    shared_rows : bool, default=False
        Whether all blocks hold the same rows, as in wide form; block k is then that of slot k.
        A module may use this to compute what the tasks have in common only once.
    """

    features: torch.Tensor
    tasks: torch.Tensor
    slots: torch.Tensor
    metadata: torch.Tensor | None = None
    shared_rows: bool = False
