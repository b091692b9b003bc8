"""Variance components of random effects of several levels, crossed or nested.

Effects of all levels are known together only: what a store adds depends on its products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.sparse import coo_array, csr_array, hstack
from scipy.sparse.linalg import LinearOperator, cg

# unknowns that are solved for exactly; of more, covariances are means over draws
_MOST_DENSE, _N_DRAWS = 600, 8
_MAX_ITERATIONS, _TOLERANCE = 100, 1e-3
# of conjugate gradients, relative to the right-hand side
_ACCURACY = 1e-4
# singular values of columns of fixed effects below this share of the largest are zero
_SINGULAR = 1e-6


@dataclass
class Components:
    """Estimates of `estimate_components`.

    `covariances` (r_l, r_l) of the effects by level, of which the rows have resolved the share
    `known` (L,); `noise`, the variance of a row of weight 1; `fixed` (p,), coefficients of the
    fixed effects; `free`, the number of rows less that of the effects that they determine.
    """

    covariances: list[np.ndarray]
    known: np.ndarray
    noise: float
    fixed: np.ndarray
    free: float


def estimate_components(labels, weights, fixed, slopes, numbers, sizes):
    """Estimate variances of z = F c + sum over levels of J_l b_l[id] + noise.

    `labels` z (n,) have `weights` (n,), `fixed` F are (n, p), `slopes` lists J_l (n, r_l) by level,
    `numbers` (n, L) ids, -1 for none, of `sizes` (L,). Restricted maximum likelihood by
    expectation-maximisation (Laird and Ware, "Random-effects models for longitudinal data",
    Biometrics 1982). Second moments of many effects are means over draws of their conditional
    distribution, each the solution of a perturbed system (Papandreou and Yuille, "Gaussian sampling
    by local perturbations", NeurIPS 2010), with the same random numbers in all rounds.
    """
    return _Estimate(labels, weights, fixed, slopes, numbers, sizes).fit()


class _Estimate:
    def __init__(self, labels, weights, fixed, slopes, numbers, sizes):
        left, singular, self.axes = np.linalg.svd(fixed, full_matrices=False)
        kept = singular > _SINGULAR * singular.max(initial=0.0)
        # orthogonal columns; those of several levels often say the same
        self.axes = self.axes[kept] / singular[kept, None]
        self.n_fixed, self.n_rows = int(kept.sum()), len(labels)
        self.ranks, self.sizes = [s.shape[1] for s in slopes], list(sizes)
        columns = [csr_array(left[:, kept])]
        for level, own in enumerate(slopes):
            columns.append(_spread(own, numbers[:, level], sizes[level]))
        self.design = hstack(columns, format="csr")
        self.weights = weights / weights.mean()
        weighted = self.design.multiply(self.weights[:, None]).tocsr()
        self.products = (self.design.T @ weighted).tocsr()
        self.moments, self.labels = weighted.T @ labels, labels
        self.present = [
            np.bincount(numbers[numbers[:, level] >= 0, level], minlength=size) > 0
            for level, size in enumerate(sizes)
        ]
        self.noise = max(np.average(labels**2, weights=weights), 1e-12) / 2
        # to start with, each level changes labels as much as half of them is noise
        self.covariances = [
            np.diag(self.noise / np.maximum((own**2).mean(axis=0) * len(own.T), 1e-12))
            for own in slopes
        ]
        generator = np.random.default_rng(0)
        n_unknown = self.products.shape[0]
        self.dense = n_unknown <= _MOST_DENSE
        if self.dense:
            self.matrix = self.products.toarray()
        else:
            scaled = self.design.multiply(np.sqrt(self.weights)[:, None]).tocsr()
            of_rows = generator.normal(size=(self.n_rows, _N_DRAWS))
            self.of_rows = scaled.T @ of_rows
            self.of_prior = generator.normal(size=(n_unknown, _N_DRAWS))
            self.solutions = np.zeros((n_unknown, 1 + _N_DRAWS))

    def fit(self):
        for _ in range(_MAX_ITERATIONS):
            before = [self.noise, *map(np.trace, self.covariances)]
            self._round()
            now = np.array([self.noise, *map(np.trace, self.covariances)])
            scale = np.maximum(now, 1e-3 * now.sum())
            if np.all(np.abs(now - before) <= _TOLERANCE * scale):
                break
        return Components(
            self.covariances,
            self.known,
            self.noise,
            self.axes.T @ self.best[: self.n_fixed],
            self.free,
        )

    def _precision(self):
        """Return the prior precision of all unknowns, and its square root; sparse."""
        zeros = csr_array((self.n_fixed, self.n_fixed))
        blocks, roots = [], []
        for covariance, size in zip(self.covariances, self.sizes, strict=True):
            # never singular
            floor = 1e-10 * max(np.trace(covariance), 1e-12)
            inverse = np.linalg.inv(covariance + floor * np.eye(len(covariance)))
            blocks.append((inverse, size))
            roots.append((np.linalg.cholesky(inverse), size))
        return _block_diagonal(zeros, blocks), _block_diagonal(zeros, roots)

    def _round(self):
        precision, root = self._precision()
        if self.dense:
            matrix = self.matrix / self.noise + precision.toarray()
            factor = cho_factor(
                matrix + 1e-12 * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
            )
            self.best = cho_solve(factor, self.moments / self.noise)
            # columns are draws of the errors whose outer products sum to their covariance
            upper = factor[0] if not factor[1] else factor[0].T
            errors = solve_triangular(upper, np.eye(len(matrix))) * np.sqrt(len(matrix))
        else:
            right = self.of_rows / np.sqrt(self.noise) + root @ self.of_prior
            right = np.column_stack([self.moments / self.noise, right])
            self._solve(precision, right)
            self.best, errors = self.solutions[:, 0], self.solutions[:, 1:]
        n_draws = errors.shape[1]
        start, known = self.n_fixed, []
        for level, (rank, size) in enumerate(zip(self.ranks, self.sizes, strict=True)):
            block = slice(start, start + rank * size)
            start = block.stop
            present = self.present[level]
            own = self.best[block].reshape(size, rank)[present]
            apart = errors[block].reshape(size, rank, n_draws)[present]
            left = np.einsum("iad,ibd->ab", apart, apart) / (n_draws * len(own))
            prior = max(np.trace(self.covariances[level]), 1e-300)
            known.append(1 - np.trace(left) / prior)
            self.covariances[level] = own.T @ own / len(own) + left
        self.known = np.array(known)
        rest = self.labels - self.design @ self.best
        of_errors = (errors * (self.products @ errors)).sum() / n_draws
        self.free = max(self.n_rows - of_errors / self.noise, 1.0)
        self.noise = max(((self.weights * rest**2).sum() + of_errors) / self.n_rows, 1e-12)

    def _solve(self, precision, right):
        matrix = (self.products / self.noise + precision).tocsr()
        inverse = 1 / np.maximum(matrix.diagonal(), 1e-300)
        scale = LinearOperator(matrix.shape, matvec=lambda v: inverse * v.ravel())
        for k, column in enumerate(right.T):
            self.solutions[:, k], _ = cg(
                matrix, column, x0=self.solutions[:, k], rtol=_ACCURACY, M=scale
            )


def _spread(slopes, numbers, size):
    """Return the columns (n, size * r) of the effects of the ids of rows, sparse."""
    n_rows, rank = slopes.shape
    rows = np.flatnonzero(numbers >= 0)
    columns = numbers[rows, None] * rank + np.arange(rank)
    at = np.repeat(rows, rank), columns.ravel()
    return coo_array((slopes[rows].ravel(), at), shape=(n_rows, size * rank)).tocsr()


def _block_diagonal(first, blocks):
    """Return a sparse matrix of `first`, then each block as often as it says."""
    rows, columns, values = [], [], []
    start = first.shape[0]
    for block, size in blocks:
        rank = len(block)
        offsets = start + rank * np.arange(size)
        inside = np.indices((rank, rank))
        rows.append((offsets[:, None, None] + inside[0]).ravel())
        columns.append((offsets[:, None, None] + inside[1]).ravel())
        values.append(np.broadcast_to(block, (size, rank, rank)).ravel())
        start += rank * size
    at = np.concatenate(rows), np.concatenate(columns)
    return coo_array((np.concatenate(values), at), shape=(start, start)).tocsr()
