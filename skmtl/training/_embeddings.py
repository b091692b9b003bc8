"""Losses of rows as functions of embeddings of tasks, everything else of a module being frozen.

Slopes and curvature of the loss say how firmly an embedding is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skmtl.nn import TaskHypernetwork
from skmtl.training._losses import second_derivatives
from skmtl.training._predict import frozen

# rows that are evaluated at once, over all members
_ROWS = 2**11


@dataclass
class EmbeddingRows:
    """Scaled rows, in double precision, of tasks with embeddings.

    `features` are (n, d), `numbers` (n, L) positions in each table of embeddings, -1 for the mean
    one; `metadata` (n, m) are of the tasks of the rows, or None. `targets` (n, o) have `weights`
    (n,). Outputs of a module count as ``share * outputs + offset``, with an offset (n, o) or None.
    """

    features: Tensor
    numbers: Tensor
    targets: Tensor
    weights: Tensor
    metadata: Tensor | None = None
    offset: Tensor | None = None
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: slice) -> EmbeddingRows:
        """Return some of the rows."""
        tensors = (self.features, self.numbers, self.targets, self.weights, self.metadata)
        taken = (None if tensor is None else tensor[rows] for tensor in tensors)
        return EmbeddingRows(*taken, None if self.offset is None else self.offset[rows], self.share)


def curvatures(
    module: TaskHypernetwork, rows: EmbeddingRows, criterion: torch.nn.Module
) -> list[Tensor]:
    """Return half the second derivative of the summed loss by each embedding, (M, T, d, d).

    It is the Gauss-Newton approximation, positive semidefinite, by table of embeddings: the loss
    is about that at the embedding plus a quadratic form of the distance from it with this matrix.
    """
    return moments(frozen(module), rows, criterion)[2]


def moments(module, rows, criterion):
    """Return the mean loss (M,) of a frozen module, and `curvatures` and gradients by table."""
    vectors = [_gathered(module, level, rows.numbers) for level in range(len(module.tables()))]
    gradients = [torch.zeros_like(table) for table in module.tables()]
    curved = [torch.zeros(*table.shape, table.shape[2]).to(table) for table in module.tables()]
    loss = 0.0
    for chunk, evaluated in evaluated_chunks(module, rows, criterion, vectors):
        loss = loss + (evaluated.losses * chunk.weights).sum(1)
        for level in range(len(curved)):
            gradient, squares = evaluated.terms(level)
            numbers = chunk.numbers[:, level]
            known = numbers >= 0
            gradients[level].index_add_(1, numbers[known], gradient[:, known])
            curved[level].index_add_(1, numbers[known], squares[:, known] / 2)
    return loss / rows.weights.sum(), gradients, curved


def evaluated_rows(
    module: TaskHypernetwork, rows: EmbeddingRows, criterion: torch.nn.Module
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return targets less outputs (M, n), and slopes of outputs (M, n, d) by table of embeddings.

    For one output and the squared error.
    """
    module = frozen(module)
    vectors = [_gathered(module, level, rows.numbers) for level in range(len(module.tables()))]
    errors, slopes = [], []
    for _, evaluated in evaluated_chunks(module, rows, criterion, vectors):
        gradient, curved = evaluated.weighted()
        errors.append((-gradient / curved[..., 0])[..., 0].cpu().numpy())
        slopes.append([values[:, :, 0].cpu().numpy() for values in evaluated.jacobians])
    of_levels = [np.concatenate(parts, axis=1) for parts in zip(*slopes, strict=True)]
    return np.concatenate(errors, axis=1), of_levels


def _gathered(module: TaskHypernetwork, level: int, numbers: Tensor) -> Tensor:
    """Return the embedding of every row in one table, (M, n, d), the mean one at -1."""
    table = torch.cat([module.tables()[level], module.means()[level]], dim=1)
    return table[:, numbers[:, level]]


class _Evaluated:
    """Losses of rows, (M, n), and their derivatives by the embeddings of each table."""

    def __init__(self, losses, weights, slopes, curvature, jacobians):
        self.losses, self.weights = losses, weights
        self._slopes, self._curvature, self.jacobians = slopes, curvature, jacobians

    def weighted(self):
        """Return slopes (M, n, o) and curvature (M, n, o, o) of weighted losses by outputs."""
        slopes, curved = self._slopes.detach(), self._curvature.detach()
        return slopes * self.weights[:, None], curved * self.weights[:, None, None]

    def terms(self, level):
        """Return gradients (M, n, d) and curvatures (M, n, d, d) by the embedding of each row."""
        slopes, curved = self.weighted()
        jacobian = self.jacobians[level].detach()
        gradient = torch.einsum("mno,mnod->mnd", slopes, jacobian)
        return gradient, torch.einsum("mnod,mnop,mnpe->mnde", jacobian, curved, jacobian)


def evaluated_chunks(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    vectors: Sequence[Tensor],
) -> Iterator[tuple[EmbeddingRows, _Evaluated]]:
    """Yield chunks of rows and what they evaluate to, with an embedding of each table by row."""
    for part in slices_of(module, rows):
        chunk = rows.take(part)
        inputs = [v[:, part].detach().requires_grad_() for v in vectors]
        outputs = outputs_of(module, chunk, inputs)
        # a row depends on its own embeddings only: one pass per output has the slopes of all rows
        slopes_by_output = [
            torch.autograd.grad(outputs[..., k].sum(), inputs, retain_graph=True)
            for k in range(outputs.shape[2])
        ]
        jacobians = [
            chunk.share * torch.stack(by_output, dim=2)
            for by_output in zip(*slopes_by_output, strict=True)
        ]
        blended = blended_outputs(chunk, outputs.detach()).unsqueeze(2).requires_grad_()
        losses = losses_of(chunk, criterion, blended)
        targets = chunk.targets[None, :, None]
        slopes, curvature = second_derivatives(criterion, losses, blended, targets)
        yield (
            chunk,
            _Evaluated(
                losses.detach()[:, :, 0],
                chunk.weights,
                slopes[:, :, 0],
                curvature[:, :, 0],
                jacobians,
            ),
        )


def slices_of(module, rows):
    """Return slices of rows that are evaluated at once."""
    at_once = max(1, _ROWS // module.n_members)
    return [slice(start, start + at_once) for start in range(0, len(rows), at_once)]


def outputs_of(module, rows, vectors):
    n_members = module.n_members
    x = rows.features.expand(n_members, -1, -1)
    metadata = None if rows.metadata is None else rows.metadata.expand(n_members, -1, -1)
    return module.of_rows(x, vectors, metadata)


def blended_outputs(rows, outputs):
    outputs = rows.share * outputs
    if rows.offset is None:
        return outputs
    n_outputs = rows.offset.shape[1]
    return torch.cat([outputs[..., :n_outputs] + rows.offset, outputs[..., n_outputs:]], dim=2)


def losses_of(rows, criterion, blended):
    """Return the loss (M, n, 1) of each row, with blended outputs (M, n, 1, o)."""
    n_members = len(blended)
    tasks = rows.numbers if rows.numbers.shape[1] > 1 else rows.numbers[:, 0]
    tasks = tasks.expand(n_members, *tasks.shape)
    slots = torch.arange(len(rows), device=blended.device).expand(n_members, -1)
    targets = rows.targets[None, :, None].expand(n_members, -1, -1, -1)
    return criterion(blended, targets, tasks, slots)
