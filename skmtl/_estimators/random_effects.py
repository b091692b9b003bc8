"""Embeddings as the random effects of a mixed model: their covariance, means and errors.

The network of a task is linear in its embedding near the trained one, so that sums by task of
products of derivatives are all that is needed, and no rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from skmtl._persistence import saveable

# a direction of embeddings counts if what it changes is more than this share of the noise
_SMALLEST_SIGNAL = 1e-3
_MAX_ITERATIONS, _TOLERANCE = 500, 1e-5
# tasks needed for each coefficient of metadata, and most coefficients
_TASKS_PER_COLUMN, _MOST_COLUMNS = 5, 20


@dataclass
@saveable
class EmbeddingSums:
    """What the rows say about the embeddings of one member, by sums over the rows of each task.

    With derivatives J of outputs by the r coordinates of an embedding along `basis` (d_e, r), and
    errors u of the trained networks: `products` are the sums of J J' (T, r, r), `gradients` those
    of J u (T, r), `squares` those of u squared (T,), and `counts` (T,) the numbers of rows.
    """

    basis: np.ndarray
    products: np.ndarray
    gradients: np.ndarray
    squares: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_rows(cls, basis, tasks, slopes, errors, weights, n_tasks):
        """Sum over rows; `slopes` (n, d_e) are derivatives by the whole embedding."""
        along = slopes @ basis
        n_rows, r = along.shape
        moments = np.column_stack(
            [
                (along[:, :, None] * along[:, None, :]).reshape(n_rows, r * r),
                along * errors[:, None],
                errors**2,
                np.ones(n_rows),
            ]
        )
        by_task = csr_array((weights, (tasks, np.arange(n_rows))), shape=(n_tasks, n_rows))
        products, gradients, rest = np.split(by_task @ moments, [r * r, r * r + r], axis=1)
        return cls(basis, products.reshape(-1, r, r), gradients, rest[:, 0], rest[:, 1])

    def __add__(self, other):
        """Return the sums over the rows of both."""
        return self._with(other, np.add)

    def joined(self, other):
        """Return the sums with those of other tasks appended."""
        return self._with(other, lambda *pair: np.concatenate(pair))

    def _with(self, other, combine):
        values = {
            name: combine(value, getattr(other, name))
            for name, value in vars(self).items()
            if name != "basis"
        }
        return EmbeddingSums(self.basis, **values)


def effective_directions(embeddings, slopes, errors, weights, n_tasks):
    """Return directions (d_e, r) in which embeddings (T, d_e) differ and change outputs.

    They are scaled to unit variance of the embeddings. `slopes` (n, d_e), `errors` and `weights`
    are those of rows, which stand for all rows of `n_tasks` tasks.
    """
    apart = embeddings - embeddings.mean(axis=0)
    scales, axes = np.linalg.eigh(apart.T @ apart / max(len(apart) - 1, 1))
    kept = scales > 1e-10 * scales.max()
    axes = axes[:, kept] * np.sqrt(scales[kept])
    effect = slopes @ axes
    signal, directions = np.linalg.eigh((effect * weights[:, None]).T @ effect / n_tasks)
    noise = np.average(errors**2, weights=weights)
    return axes @ directions[:, signal > _SMALLEST_SIGNAL * noise]


@dataclass
class RandomEffects:
    """Embeddings of one member as random effects: e_t = mean of its metadata + deviation.

    In coordinates along `basis` (d_e, r) deviations (T, r) have the `covariance` (r, r); `expected`
    (T, d_e) are embeddings without the deviation, which are linear in metadata with coefficients
    `by_metadata` (d_m, d_e) or None, and `embeddings` (T, d_e) with it, the most probable ones.
    `errors` (T, r, r) are the covariances of the errors of deviations, those of the
    mean included, and `total_errors` those of the embeddings. `noise` is the variance of errors of
    rows, and `free` the number of rows less that of parameters of tasks.
    """

    basis: np.ndarray
    covariance: np.ndarray
    expected: np.ndarray
    by_metadata: np.ndarray | None
    embeddings: np.ndarray
    deviations: np.ndarray
    errors: np.ndarray
    total_errors: np.ndarray
    noise: float
    free: float
    n_iter: int = field(default=0)

    @classmethod
    def of(cls, sums, embeddings, trained, metadata=None):
        """Estimate the covariance by restricted maximum likelihood, from `trained` tasks (T,).

        Expectation and maximisation alternate, see Laird and Ware, "Random-effects models for
        longitudinal data", Biometrics 1982. Embeddings (T, d_e) are those of the module; their mean
        may be linear in `metadata` (T, d_m).
        """
        basis, centre = sums.basis, embeddings[trained].mean(axis=0)
        inverse = np.linalg.pinv(basis)
        start = (embeddings - centre) @ inverse.T
        design, axes = _design(metadata, trained)
        model = _Normal(sums, start, design, trained)
        n_iter = model.fit()
        deviations, expected = model.deviations, model.expected
        rest = embeddings - centre - start @ basis.T
        return cls(
            basis=basis,
            covariance=model.covariance,
            expected=centre + expected @ basis.T,
            by_metadata=None if axes is None else axes @ model.coefficients[1:] @ basis.T,
            embeddings=centre + rest + (expected + deviations) @ basis.T,
            deviations=deviations,
            errors=model.errors,
            total_errors=model.total_errors,
            noise=model.noise,
            free=model.free,
            n_iter=n_iter,
        )


def _design(metadata, trained):
    """Return columns (T, p) that the mean of embeddings depends on, and their axes (d_m, p - 1).

    They are 1 and principal components of metadata, scaled.
    """
    constant = np.ones((len(trained), 1))
    n_columns = min(int(trained.sum()) // _TASKS_PER_COLUMN - 1, _MOST_COLUMNS)
    if metadata is None:
        return constant, None
    centred = metadata - metadata[trained].mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred[trained], full_matrices=False)
    n_columns = min(max(n_columns, 0), int((sizes > 1e-8 * sizes.max(initial=0.0)).sum()))
    axes = axes[:n_columns].T
    axes = axes / np.maximum((centred[trained] @ axes).std(axis=0), 1e-12)
    return np.hstack([constant, centred @ axes]), axes


class _Normal:
    """The mixed model z_t = J_t a_t + noise, with a_t normal around a mean linear in a design."""

    def __init__(self, sums, start, design, trained):
        self.products, self.counts = sums.products, sums.counts
        self.design, self.trained = design, trained
        # J'z, for the outputs z that the linear model has to explain
        self.moments = np.einsum("tij,tj->ti", sums.products, start) + sums.gradients
        # z'z
        self.totals = sums.squares + np.einsum(
            "ti,ti->t", start, sums.gradients + self.moments
        )
        self.n_tasks, self.rank = int(trained.sum()), start.shape[1]
        own = start[trained]
        self.covariance = own.T @ own / max(self.n_tasks - 1, 1)
        n_rows = sums.counts[trained].sum()
        self.noise = max(sums.squares[trained].sum() / n_rows, 1e-12)

    def fit(self):
        """Alternate until the covariance and the noise hardly change; return the iterations."""
        for iteration in range(1, _MAX_ITERATIONS + 1):
            before = np.append(np.diag(self.covariance), self.noise)
            self._expect()
            self._maximise()
            after = np.append(np.diag(self.covariance), self.noise)
            if np.all(np.abs(after - before) <= _TOLERANCE * np.maximum(after, 1e-3)):
                break
        self._expect()
        return iteration

    def _expect(self):
        """Compute the best linear unbiased predictions and the covariances of their errors."""
        r, p = self.rank, self.design.shape[1]
        precision = np.linalg.inv(self.covariance + 1e-10 * np.eye(r))
        own = np.linalg.inv(self.products / self.noise + precision)
        pull = own @ precision
        fit = np.einsum("tij,tj->ti", own, self.moments / self.noise)
        design, chosen = self.design[self.trained], self.trained
        # generalised least squares of the coefficients of the mean
        left = precision - precision @ own[chosen] @ precision
        pairs = (design[:, :, None] * design[:, None, :]).reshape(-1, p * p)
        normal = (pairs.T @ left.reshape(-1, r * r)).reshape(p, p, r, r)
        normal = normal.transpose(0, 2, 1, 3).reshape(p * r, p * r)
        right = design.T @ (fit[chosen] @ precision)
        spread = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
        self.coefficients = (spread @ right.reshape(-1)).reshape(p, r)
        spread = spread.reshape(p, r, p, r)
        of_mean = np.einsum("tp,piqj,tq->tij", self.design, spread, self.design, optimize=True)
        self.expected = self.design @ self.coefficients
        self.deviations = fit + np.einsum("tij,tj->ti", pull, self.expected) - self.expected
        rest = np.eye(r) - pull
        self.errors = own + rest @ of_mean @ rest.transpose(0, 2, 1)
        self.total_errors = own + pull @ of_mean @ pull.transpose(0, 2, 1)
        products = self.products[chosen]
        used = np.einsum("tij,tji->", products, own[chosen]) / self.noise
        self.free = max(self.counts[chosen].sum() - used, 1.0)

    def _maximise(self):
        chosen = self.trained
        deviations, values = self.deviations[chosen], (self.expected + self.deviations)[chosen]
        second = deviations.T @ deviations + self.errors[chosen].sum(axis=0)
        self.covariance = second / self.n_tasks
        products = self.products[chosen]
        explained = np.einsum("ti,ti->t", values, 2 * self.moments[chosen]) - np.einsum(
            "ti,tij,tj->t", values, products, values
        )
        left = (self.totals[chosen] - explained).sum()
        left += np.einsum("tij,tji->", products, self.total_errors[chosen])
        self.noise = max(left / self.counts[chosen].sum(), 1e-12)
