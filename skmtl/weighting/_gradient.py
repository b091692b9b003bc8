"""Base class of methods that use gradients; they solve small problems on the CPU."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
import torch

from skmtl.weighting._base import GRAMIAN, TaskWeighting, to_device


class DenseGroup(NamedTuple):
    """Members with the same number of present tasks, packed without gaps.

    The Gramian (g, k, k) is in double precision, scaled to a largest diagonal element of 1;
    `losses` have shape (g, k). `members` (g, 1) and `tasks` (g, k) index the state. `eps` is the
    precision of the numbers that the Gramian was computed from.
    """

    gramian: np.ndarray
    losses: np.ndarray
    members: np.ndarray
    tasks: np.ndarray
    eps: float
    state: dict | None
    generators: list | None


class GradientWeighting(TaskWeighting):
    """Base class of methods that use gradients; a subclass implements `_solve`.

    All of them are invariant to the unit of the gradients, so the Gramian is scaled to a largest
    diagonal element of 1. They work on the CPU in double precision: these are small problems with
    branches.

    See Also
    --------
    TaskWeighting : Base class of all methods.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skmtl.weighting import GradientWeighting
    >>> class InverseLength(GradientWeighting):
    ...     def _solve(self, group):
    ...         return 1 / np.sqrt(np.einsum("gkk->gk", group.gramian))
    >>> InverseLength().weights(torch.ones(1, 2), torch.tensor([[[1.0, 0.0], [0.0, 4.0]]]))
    tensor([[2., 1.]])
    """

    needs = frozenset({GRAMIAN})
    own_parameters = False

    def place(self, state: dict | None, device: torch.device) -> dict | None:
        return to_device(state, "cpu")

    @abstractmethod
    def _solve(self, group: DenseGroup) -> np.ndarray:
        """Return weights of shape (g, k)."""

    def _weights(self, losses, gramian, present, state, generators):
        eps = torch.finfo(gramian.dtype).eps
        gramian = gramian.detach().cpu().double().numpy()
        values, present = losses.cpu().numpy(), present.cpu().numpy()
        weights = present.astype(float)
        # a member that diverges keeps equal weights; the training loop reports it
        usable = np.isfinite(gramian).all(axis=(1, 2)) & np.isfinite(
            np.where(present, values, 0)
        ).all(axis=1)
        counts = present.sum(axis=1)
        order = np.argsort(~present, axis=1, kind="stable")
        scale = np.where(present, np.einsum("mtt->mt", gramian), 0).max(axis=1)
        for k in np.unique(counts[usable & (counts > 0)]):
            which = np.flatnonzero((counts == k) & usable & (scale > 0))
            if not len(which):
                continue
            members, tasks = which[:, None], order[which, :k]
            dense = gramian[members[:, :, None], tasks[:, :, None], tasks[:, None, :]]
            group = DenseGroup(
                dense / scale[which, None, None],
                values[members, tasks],
                members,
                tasks,
                eps,
                state,
                None if generators is None else [generators[m] for m in which],
            )
            weights[members, tasks] = self._solve(group)
        return torch.from_numpy(weights).to(losses.device)


def lengths(gramian):
    """Return the lengths of the gradients, shape (g, k)."""
    return np.sqrt(np.einsum("gkk->gk", gramian))
