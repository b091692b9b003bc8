"""Embeddings of tasks after training: how firmly they are known, and how new rows change them.

Everything else of a module is frozen, so that each embedding is a problem of a few numbers, which
Newton's method solves in a few steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skmtl.nn import TaskHypernetwork
from skmtl.training._losses import second_derivatives

# rows that are evaluated at once, over all members
_ROWS = 2**13
_MOST_ROUNDS = 50
_MOST_HALVINGS = 10
# relative change of an embedding below which it has converged
_TOLERANCE = 1e-7


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
    module = _frozen(module)
    vectors = [_gathered(module, level, rows.numbers) for level in range(len(module.tables()))]
    totals = [torch.zeros(*table.shape, table.shape[2]).to(table) for table in module.tables()]
    for chunk, evaluated in _evaluated(module, rows, criterion, vectors):
        for level in range(len(totals)):
            _, squares = evaluated.terms(level)
            numbers = chunk.numbers[:, level]
            known = numbers >= 0
            totals[level].index_add_(1, numbers[known], squares[:, known] / 2)
    return totals


def updated_embeddings(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    pulls: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Move the embeddings of the rows' tasks to where the loss on all their rows is smallest.

    That is the summed loss of the rows, plus for each embedding the quadratic form of its distance
    from where it is, with its curvature on earlier rows plus the `pulls` (M, 1, d): the rows it was
    learned from are not needed again. Tables of embeddings are updated in turn, each by a Newton
    step (of Gauss and Newton's curvature) that is halved for tasks whose objective it would raise.

    Returns by table positions of embeddings (U,), their new values (M, U, d), and their curvature
    on earlier and new rows (M, U, d, d).
    """
    module = _frozen(module)
    earlier = module.curvatures()
    assert earlier is not None
    parts = [
        _Part(module, level, rows.numbers[:, level], earlier[level], pulls[level])
        for level in range(len(pulls))
    ]
    for _ in range(_MOST_ROUNDS):
        change = [part.step(module, rows, criterion, parts) for part in parts]
        if max(change, default=0.0) < _TOLERANCE:
            break
    for part in parts:
        part.keep(module)
    learned = curvatures(module, rows, criterion)
    numbers = [part.numbers for part in parts]
    triples = zip(earlier, learned, numbers, strict=True)
    return (
        numbers,
        [part.vectors for part in parts],
        [old[:, at] + new[:, at] for old, new, at in triples],
    )


def _frozen(module: TaskHypernetwork) -> TaskHypernetwork:
    return copy.deepcopy(module).double().eval().requires_grad_(False)


def _gathered(module: TaskHypernetwork, level: int, numbers: Tensor) -> Tensor:
    """Return the embedding of every row in one table, (M, n, d), the mean one at -1."""
    table = torch.cat([module.tables()[level], module.means()[level]], dim=1)
    return table[:, numbers[:, level]]


class _Evaluated:
    """Losses of rows, (M, n), and their derivatives by the embeddings of each table."""

    def __init__(self, losses, weights, slopes, curvature, jacobians):
        self.losses, self.weights = losses, weights
        self._slopes, self._curvature, self._jacobians = slopes, curvature, jacobians

    def terms(self, level):
        """Return weighted gradients (M, n, d) and matrices (M, n, d, d) by row."""
        jacobian = self._jacobians[level]
        gradient = torch.einsum("mno,mnod->mnd", self._slopes, jacobian)
        squares = torch.einsum("mnod,mnop,mnpe->mnde", jacobian, self._curvature, jacobian)
        return gradient * self.weights[:, None], squares * self.weights[:, None, None]


def _evaluated(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    vectors: Sequence[Tensor],
) -> Iterator[tuple[EmbeddingRows, _Evaluated]]:
    """Yield chunks of rows and what they evaluate to, with an embedding of each table by row."""
    at_once = max(1, _ROWS // module.n_members)
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        chunk = rows.take(part)
        inputs = [v[:, part].detach().requires_grad_() for v in vectors]
        outputs = _outputs(module, chunk, inputs)
        # a row depends on its own embeddings only: one pass per output has the slopes of all rows
        slopes_by_output = [
            torch.autograd.grad(outputs[..., k].sum(), inputs, retain_graph=True)
            for k in range(outputs.shape[2])
        ]
        jacobians = [
            chunk.share * torch.stack(by_output, dim=2)
            for by_output in zip(*slopes_by_output, strict=True)
        ]
        blended = _blended(chunk, outputs.detach()).unsqueeze(2).requires_grad_()
        losses = _losses(chunk, criterion, blended)
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


def _outputs(module, rows, vectors):
    n_members = module.n_members
    x = rows.features.expand(n_members, -1, -1)
    metadata = None if rows.metadata is None else rows.metadata.expand(n_members, -1, -1)
    return module.evaluate(x, vectors, metadata)


def _blended(rows, outputs):
    outputs = rows.share * outputs
    if rows.offset is None:
        return outputs
    n_outputs = rows.offset.shape[1]
    return torch.cat([outputs[..., :n_outputs] + rows.offset, outputs[..., n_outputs:]], dim=2)


def _losses(rows, criterion, blended):
    """Return the loss (M, n, 1) of each row, with blended outputs (M, n, 1, o)."""
    n_members = len(blended)
    tasks = rows.numbers if rows.numbers.shape[1] > 1 else rows.numbers[:, 0]
    tasks = tasks.expand(n_members, *tasks.shape)
    slots = torch.arange(len(rows), device=blended.device).expand(n_members, -1)
    targets = rows.targets[None, :, None].expand(n_members, -1, -1, -1)
    return criterion(blended, targets, tasks, slots)


class _Part:
    """The embeddings of one table that are updated.

    They start at `before` and are `vectors` (M, U, d) at positions `numbers` (U,); `at` (n,) are
    positions of the rows among them, U for the mean embedding. `precision` (M, U, d, d) pulls them
    back.
    """

    def __init__(self, module, level, numbers, curvature, pull):
        self.level = level
        self.numbers, at = numbers[numbers >= 0].unique(return_inverse=True)
        self.known = numbers >= 0
        self.at = torch.full_like(numbers, len(self.numbers))
        self.at[self.known] = at
        self.before = self.vectors = module.tables()[level].detach()[:, self.numbers].clone()
        self.mean = module.means()[level].detach()
        prior = torch.diag_embed(pull.to(self.vectors).expand_as(self.vectors))
        self.precision = curvature[:, self.numbers].to(self.vectors) + prior

    def by_row(self, vectors=None):
        """Return the embedding of each row, (M, n, d)."""
        vectors = self.vectors if vectors is None else vectors
        return torch.cat([vectors, self.mean], dim=1)[:, self.at]

    def _summed(self, values):
        """Sum values (M, n, ...) of rows by embedding, (M, U, ...)."""
        total = values.new_zeros(len(values), len(self.numbers) + 1, *values.shape[2:])
        return total.index_add_(1, self.at, values)[:, :-1]

    def _pulled(self, vectors):
        """Return the gradient and the value of the pull back on embeddings."""
        distance = vectors - self.before
        half = torch.einsum("mude,mue->mud", self.precision, distance)
        return 2 * half, (half * distance).sum(2)

    def step(self, module, rows, criterion, parts):
        """Make one step of all embeddings; return the largest change relative to their size."""
        if not self.vectors.numel():
            return 0.0
        others = [part.by_row() for part in parts]
        losses, gradient, squares = [], [], []
        for chunk, evaluated in _evaluated(module, rows, criterion, others):
            terms = evaluated.terms(self.level)
            losses.append(evaluated.losses * chunk.weights)
            gradient.append(terms[0])
            squares.append(terms[1])
        slope, value = self._pulled(self.vectors)
        current = self._summed(torch.cat(losses, dim=1)) + value
        slope = slope + self._summed(torch.cat(gradient, dim=1))
        matrix = self._summed(torch.cat(squares, dim=1)) + 2 * self.precision
        slope, matrix, current = slope.detach(), matrix.detach(), current.detach()
        move = -torch.linalg.solve(matrix, slope)
        size = torch.ones_like(current)
        for _ in range(_MOST_HALVINGS):
            moved = self.vectors + size.unsqueeze(2) * move
            others[self.level] = self.by_row(moved)
            after = self._objective(module, rows, criterion, others, moved)
            worse = ~(after <= current + 1e-12 * current.abs())
            if not worse.any():
                break
            size = torch.where(worse, size / 2, size)
        else:
            size = torch.where(worse, 0.0, size)
        change = size.unsqueeze(2) * move
        self.vectors = self.vectors + change
        return float((change.abs().amax(2) / (1e-3 + self.vectors.abs().amax(2))).max())

    @torch.no_grad()
    def _objective(self, module, rows, criterion, others, vectors):
        losses = []
        at_once = max(1, _ROWS // module.n_members)
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            chunk = rows.take(part)
            outputs = _outputs(module, chunk, [v[:, part] for v in others])
            of_rows = _losses(chunk, criterion, _blended(chunk, outputs).unsqueeze(2))[:, :, 0]
            losses.append(of_rows * chunk.weights)
        return self._summed(torch.cat(losses, dim=1)) + self._pulled(vectors)[1]

    def keep(self, module):
        """Write the embeddings into the table of a module."""
        module.tables()[self.level].data[:, self.numbers] = self.vectors
