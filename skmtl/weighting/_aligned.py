"""Aligned-MTL: make gradients orthogonal and equally long."""

import numpy as np

from skmtl.weighting._base import register
from skmtl.weighting._gradient import GradientWeighting

_SCALES = ("min", "median", "rmse")


@register("aligned-mtl")
class AlignedMTL(GradientWeighting):
    """Make gradients orthogonal and equally long, with the smallest possible change.

    The matrix of gradients then has condition number 1: no task conflicts and none dominates.

    Parameters
    ----------
    scale : {"min", "median", "rmse"}, default="min"
        Common length: the smallest principal length as in the paper, the median, or the root of
        their mean square.

    See Also
    --------
    IMTLG : Equal projections instead.

    Notes
    -----
    With the eigenvalues l_k and eigenvectors V of the Gramian, equations 13 and 14 of [1]_ give
    ``w = sqrt(l_min) V diag(1 / sqrt(l)) V^T 1``, over the eigenvalues that are not zero, except
    for rounding errors. Departure: weights of the sum of the tasks instead of their mean, so that
    orthogonal gradients of one length have weights of 1.

    References
    ----------
    .. [1] Senushkin, Patakin, Kuznetsov and Konushin, "Independent component alignment for
       multi-task learning", CVPR 2023, section 4.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import AlignedMTL
    >>> AlignedMTL().weights(torch.ones(1, 2), torch.diag(torch.tensor([1.0, 4.0]))[None])
    tensor([[1.0000, 0.5000]])
    """

    def __init__(self, scale="min"):
        self.scale = scale

    def _check_parameters(self, n_tasks):
        if self.scale not in _SCALES:
            raise ValueError(f"scale must be one of {_SCALES}, got {self.scale!r}.")

    def _solve(self, group):
        return np.stack([self._solve_one(gramian, group.eps) for gramian in group.gramian])

    def _solve_one(self, gramian, eps):
        values, vectors = np.linalg.eigh(gramian)
        kept = values > values[-1] * len(values) * eps
        values, vectors = values[kept], vectors[:, kept]
        if self.scale == "min":
            scale = values[0]
        elif self.scale == "median":
            # the lower one of an even number, as in the code published with the paper
            scale = values[(len(values) - 1) // 2]
        else:
            scale = values.mean()
        return vectors @ (np.sqrt(scale / values) * vectors.sum(axis=0))
