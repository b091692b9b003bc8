"""Newton's method for embeddings of tasks, with the curvature of Gauss and Newton.

Each embedding is a problem of a few numbers, which is solved in a few steps.
"""

import torch

from skmtl.training._embeddings import (
    blended_outputs,
    evaluated_chunks,
    losses_of,
    outputs_of,
    slices_of,
)

_MOST_HALVINGS = 10
# size of an embedding up to which changes are not relative to it
_SMALLEST_SIZE = 1e-3
# of the minimisation of a quadratic approximation over several tables in turn
_MOST_SWEEPS, _SMALL_MOVE = 100, 1e-7


class EmbeddingPart:
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


class EmbeddingProblem:
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
            for part in slices_of(self.module, self.rows):
                chunk = self.rows.take(part)
                outputs = outputs_of(self.module, chunk, [v[:, part] for v in by_row])
                blended = blended_outputs(chunk, outputs).unsqueeze(2)
                losses.append(losses_of(chunk, self.criterion, blended)[:, :, 0] * chunk.weights)
        return torch.cat(losses, dim=1)

    def _directions(self):
        """Return the weighted losses (M, n), and the move of the embeddings of each part.

        The objective is approximated by a quadratic function, which is minimised over one table
        after another until nothing changes: over one table alone, that is exact at once.
        """
        by_row = [part.by_row(part.vectors) for part in self.parts]
        chunks = list(evaluated_chunks(self.module, self.rows, self.criterion, by_row))
        losses = torch.cat([e.losses * chunk.weights for chunk, e in chunks], dim=1)
        slopes, curved = (
            torch.cat(parts, dim=1)
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
