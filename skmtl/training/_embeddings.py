"""Embeddings of tasks after training: how firmly they are known, and how new rows change them.

Everything else of a module is frozen, so that each embedding is a problem of a few numbers, which
Newton's method solves in a few steps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skmtl.nn import TaskHypernetwork
from skmtl.training._losses import second_derivatives

# rows that are evaluated at once, over all members
_ROWS = 2**13
_MOST_ROUNDS = 50
# rounds of expectation-maximisation, and steps of each; more change little
_EXPECTATIONS, _MAXIMISATIONS, _ROUGHLY = 2, 3, 1e-3
_SMALLEST_VARIANCE = 1e-6
_MOST_HALVINGS = 10
# relative change of an embedding below which it has converged, and the size that counts as none
_TOLERANCE, _SMALLEST_SIZE = 1e-7, 1e-3
# of the minimisation of a quadratic approximation over several tables in turn
_MOST_SWEEPS, _SMALL_MOVE = 100, 1e-7


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
    return _loss_and_curvatures(_frozen(module), rows, criterion)[1]


def updated_embeddings(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    pulls: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Move the embeddings of the rows' tasks to where the loss on all their rows is smallest.

    That is the summed loss of the rows, plus for each embedding the quadratic form of its distance
    from where it is, with its curvature on earlier rows plus the `pulls` (M, 1, d): the rows it was
    learned from are not needed again. Steps are those of Newton's method with the curvature of
    Gauss and Newton, halved where they would raise the objective.

    Returns by table positions of embeddings (U,), their new values (M, U, d), and their curvature
    on earlier and new rows (M, U, d, d).
    """
    module = _frozen(module)
    earlier = module.curvatures()
    assert earlier is not None
    priors = zip(module.tables(), earlier, pulls, strict=True)
    parts = [
        _Part(module, level, rows.numbers[:, level], table, _sum(curvature, pull))
        for level, (table, curvature, pull) in enumerate(priors)
    ]
    _Problem(module, rows, criterion, parts).minimise(_MOST_ROUNDS, _TOLERANCE)
    learned = curvatures(module, rows, criterion)
    numbers = [part.numbers for part in parts]
    triples = zip(earlier, learned, numbers, strict=True)
    return (
        numbers,
        [part.vectors for part in parts],
        [old[:, at] + new[:, at] for old, new, at in triples],
    )


def estimated_embeddings(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    noise: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Return the most probable embeddings (M, T, d), by table, with all else frozen.

    Embeddings of a table are normal, around the mean one, with a covariance matrix S (d, d) that is
    estimated, as the variance components of a mixed model are: the objective is the summed loss
    plus ``s * (e - mean)^T S^-1 (e - mean)`` for each embedding, where `noise` maps the mean loss
    (M,) to s. Expectation-maximisation with the Laplace approximation (Dempster, Laird and Rubin,
    "Maximum likelihood from incomplete data via the EM algorithm", 1977; Tierney and Kadane,
    "Accurate approximations for posterior moments and marginal densities", 1986): S is the mean of
    outer products of ``e - mean``, plus that of the covariances ``s (G + s S^-1)^-1`` that remain
    given the rows, with `curvatures` G; the expected loss includes these, too. Covariances between
    embeddings are left out.
    """
    module = _frozen(module)
    means = [mean.detach().clone() for mean in module.means()]
    scatters = [_scatter(table.detach() - mean) for table, mean in _pairs(module, means)]
    strength = None
    for _ in range(_EXPECTATIONS):
        loss, curved = _loss_and_curvatures(module, rows, criterion)
        strength = noise(loss) if strength is None else strength
        remaining = [_remaining(G, S, strength) for G, S in zip(curved, scatters, strict=True)]
        unknown = sum((G * V).sum((1, 2, 3)) for G, V in zip(curved, remaining, strict=True))
        strength = noise(loss + unknown / rows.weights.sum())
        scatters = [
            _scatter(table.detach() - mean) + V.mean(1)
            for (table, mean), V in zip(_pairs(module, means), remaining, strict=True)
        ]
        parts = []
        for level, (mean, S) in enumerate(zip(means, scatters, strict=True)):
            table = module.tables()[level]
            pull = (strength.view(-1, 1, 1) * torch.linalg.inv(S)).unsqueeze(1)
            precision = pull.expand(-1, table.shape[1], -1, -1)
            before = mean.expand_as(table)
            parts.append(_Part(module, level, rows.numbers[:, level], before, precision))
        _Problem(module, rows, criterion, parts).minimise(_MAXIMISATIONS, _ROUGHLY)
    return [table.detach() for table in module.tables()]


def _pairs(module, means):
    return zip(module.tables(), means, strict=True)


def _scatter(distance):
    """Return the mean outer product (M, d, d) of vectors (M, T, d), never singular."""
    mean = torch.einsum("mtd,mte->mde", distance, distance) / distance.shape[1]
    return mean + _SMALLEST_VARIANCE * torch.eye(distance.shape[2]).to(mean)


def _remaining(curvature, scatter, strength):
    """Return the covariances (M, T, d, d) of embeddings given their rows."""
    strength = strength.view(-1, 1, 1)
    prior = (strength * torch.linalg.inv(scatter)).unsqueeze(1)
    return strength.unsqueeze(3) * torch.linalg.inv(curvature + prior)


def _loss_and_curvatures(module, rows, criterion):
    """Return the mean loss (M,), and `curvatures` of a frozen module."""
    vectors = [_gathered(module, level, rows.numbers) for level in range(len(module.tables()))]
    totals = [torch.zeros(*table.shape, table.shape[2]).to(table) for table in module.tables()]
    loss = 0.0
    for chunk, evaluated in _evaluated(module, rows, criterion, vectors):
        loss = loss + (evaluated.losses * chunk.weights).sum(1)
        for level, total in enumerate(totals):
            squares = evaluated.squares(level)
            numbers = chunk.numbers[:, level]
            known = numbers >= 0
            total.index_add_(1, numbers[known], squares[:, known] / 2)
    return loss / rows.weights.sum(), totals


def _sum(curvature, pull):
    """Return the precision (M, T, d, d) of embeddings that are pulled, in double precision."""
    pull = torch.diag_embed(pull.double().expand(*curvature.shape[:3]))
    return curvature.double() + pull


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
        self._slopes, self._curvature, self.jacobians = slopes, curvature, jacobians

    def weighted(self):
        """Return slopes (M, n, o) and curvature (M, n, o, o) of weighted losses by outputs."""
        return self._slopes * self.weights[:, None], self._curvature * self.weights[:, None, None]

    def squares(self, level):
        """Return weighted curvatures by the embedding of each row, (M, n, d, d)."""
        jacobian = self.jacobians[level]
        squares = torch.einsum("mnod,mnop,mnpe->mnde", jacobian, self._curvature, jacobian)
        return squares * self.weights[:, None, None]


def _evaluated(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    vectors: Sequence[Tensor],
) -> Iterator[tuple[EmbeddingRows, _Evaluated]]:
    """Yield chunks of rows and what they evaluate to, with an embedding of each table by row."""
    for part in _slices(module, rows):
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


def _slices(module, rows):
    """Return slices of rows that are evaluated at once."""
    at_once = max(1, _ROWS // module.n_members)
    return [slice(start, start + at_once) for start in range(0, len(rows), at_once)]


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
    """The embeddings of one table that are updated, those with rows.

    They are `vectors` (M, U, d) at positions `numbers` (U,); `at` (n,) are positions of the rows
    among them, U for the mean embedding. A `precision` (M, T, d, d) pulls them to `before`, (M, T,
    d).
    """

    def __init__(self, module, level, numbers, before, precision):
        self.numbers, at = numbers[numbers >= 0].unique(return_inverse=True)
        self.at = torch.full_like(numbers, len(self.numbers))
        self.at[numbers >= 0] = at
        self.vectors = module.tables()[level].detach()[:, self.numbers].clone()
        self.before = before.detach()[:, self.numbers].clone()
        self.precision = precision[:, self.numbers]
        self.mean = module.means()[level].detach().clone()

    def by_row(self, vectors):
        """Return the embedding of each row, (M, n, d)."""
        return torch.cat([vectors, self.mean], dim=1)[:, self.at]

    def moved_by_row(self, moves):
        """Return the move (M, n, d) of the embedding of each row, zero for the mean one."""
        return torch.cat([moves, torch.zeros_like(self.mean)], dim=1)[:, self.at]

    def summed(self, values):
        """Sum values (M, n, ...) of rows by embedding, (M, U, ...)."""
        total = values.new_zeros(len(values), len(self.numbers) + 1, *values.shape[2:])
        return total.index_add_(1, self.at, values)[:, :-1]

    def pulled(self, vectors):
        """Return the gradient and the value, (M, U, d) and (M, U), of the pull on embeddings."""
        distance = vectors - self.before
        half = torch.einsum("mude,mue->mud", self.precision, distance)
        return 2 * half, (half * distance).sum(2)


class _Problem:
    """The summed loss of rows and the pulls on their embeddings, as a function of the latter.

    Embeddings of one table do not depend on each other, so that each has its step size; those of
    several tables have one for each member.
    """

    def __init__(self, module, rows, criterion, parts):
        self.module, self.rows, self.criterion, self.parts = module, rows, criterion, parts

    def minimise(self, most, tolerance):
        """Make at most so many steps, and write the embeddings into the module."""
        parts = [part for part in self.parts if part.vectors.numel()]
        for _ in range(most if parts else 0):
            if self._step() < tolerance:
                break
        for table, part in zip(self.module.tables(), self.parts, strict=True):
            table.data[:, part.numbers] = part.vectors

    def _step(self):
        """Move all embeddings; return the largest change relative to their size."""
        losses, moves = self._directions()
        current = self._by_step_size(losses, [part.vectors for part in self.parts])
        size = torch.ones_like(current)
        for _ in range(_MOST_HALVINGS):
            vectors = self._moved(size, moves)
            after = self._by_step_size(self._losses(vectors), vectors)
            worse = ~(after <= current + 1e-12 * current.abs())
            if not worse.any():
                break
            size = torch.where(worse, size / 2, size)
        else:
            size = torch.where(worse, 0.0, size)
        vectors, change = self._moved(size, moves), 0.0
        for part, new in zip(self.parts, vectors, strict=True):
            if new.numel():
                largest = new.abs().amax(2) + _SMALLEST_SIZE
                change = max(change, float(((new - part.vectors).abs().amax(2) / largest).max()))
            part.vectors = new
        return change

    def _moved(self, size, moves):
        return [
            part.vectors + (size.unsqueeze(2) if len(moves) == 1 else size.view(-1, 1, 1)) * move
            for part, move in zip(self.parts, moves, strict=True)
        ]

    def _by_step_size(self, losses, vectors):
        """Return the objective of weighted losses (M, n): by embedding, or (M,)."""
        values = [
            part.pulled(of_part)[1] for part, of_part in zip(self.parts, vectors, strict=True)
        ]
        if len(values) == 1:
            return self.parts[0].summed(losses) + values[0]
        return losses.sum(1) + sum(value.sum(1) for value in values)

    def _losses(self, vectors):
        """Return the weighted losses of all rows (M, n)."""
        by_row = [part.by_row(v) for part, v in zip(self.parts, vectors, strict=True)]
        losses = []
        with torch.no_grad():
            for part in _slices(self.module, self.rows):
                chunk = self.rows.take(part)
                outputs = _outputs(self.module, chunk, [v[:, part] for v in by_row])
                blended = _blended(chunk, outputs).unsqueeze(2)
                losses.append(_losses(chunk, self.criterion, blended)[:, :, 0] * chunk.weights)
        return torch.cat(losses, dim=1)

    def _directions(self):
        """Return the weighted losses (M, n), and the move of the embeddings of each part.

        The objective is approximated by a quadratic function, which is minimised over one table
        after another until nothing changes: over one table alone, that is exact at once.
        """
        by_row = [part.by_row(part.vectors) for part in self.parts]
        chunks = list(_evaluated(self.module, self.rows, self.criterion, by_row))
        losses = torch.cat([e.losses * chunk.weights for chunk, e in chunks], dim=1)
        slopes, curved = (
            torch.cat([part.detach() for part in parts], dim=1)
            for parts in zip(*(evaluated.weighted() for _, evaluated in chunks), strict=True)
        )
        tables = []
        for level, part in enumerate(self.parts):
            jacobian = torch.cat([e.jacobians[level].detach() for _, e in chunks], dim=1)
            squares = part.summed(torch.einsum("mnod,mnop,mnpe->mnde", jacobian, curved, jacobian))
            tables.append((part, jacobian, torch.linalg.inv(squares + 2 * part.precision)))
        moves = [torch.zeros_like(part.vectors) for part in self.parts]
        for _ in range(_MOST_SWEEPS if len(tables) > 1 else 1):
            largest = 0.0
            for level, (part, jacobian, inverse) in enumerate(tables):
                slope = part.summed(torch.einsum("mno,mnod->mnd", slopes, jacobian))
                slope = slope + part.pulled(part.vectors + moves[level])[0]
                change = -torch.einsum("mude,mue->mud", inverse, slope)
                moves[level] = moves[level] + change
                outputs = torch.einsum("mnod,mnd->mno", jacobian, part.moved_by_row(change))
                slopes = slopes + torch.einsum("mnop,mnp->mno", curved, outputs)
                largest = max(largest, float(change.abs().max()) if change.numel() else 0.0)
            if largest < _SMALL_MOVE:
                break
        return losses, moves
