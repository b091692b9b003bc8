"""Embeddings as the random effects of a mixed model: their covariance, means and errors.

The network of a task is linear in its embedding near the trained one, so that sums by task of
products of derivatives are all that is needed, and no rows. A task's *state* is its embedding and
the linear model of what its network leaves: an intercept and slopes, zero for the trained network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from skmtl._persistence import saveable

# a direction of embeddings counts if what it changes is more than this share of the noise
_SMALLEST_SIGNAL = 1e-3
_MAX_ITERATIONS, _TOLERANCE = 500, 3e-5
# most terms of the linear models, which must not be explained better than this by embeddings
_MOST_TERMS, _EXPLAINED = 8, 0.95
# slopes of linear models are pooled as if so many tasks had their mean variance
_POOLED = 10
# tasks needed for each coefficient of metadata, and most coefficients
_TASKS_PER_COLUMN, _MOST_COLUMNS = 5, 20


@dataclass
@saveable
class StateSums:
    """What the rows say about the states of one member, by sums over the rows of each task.

    A state has the embedding, then coefficients of `terms` (q,), which are numbers of features, -1
    for the intercept. With derivatives J of outputs by the r coordinates of a state along `basis`
    (d_e + q, r), and errors u of the trained networks: `products` are the sums of J J' (T, r, r),
    `gradients` those of J u (T, r), `squares` those of u squared (T,), and `counts` (T,) the
    numbers of rows.
    """

    basis: np.ndarray
    terms: np.ndarray
    products: np.ndarray
    gradients: np.ndarray
    squares: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_rows(cls, basis, terms, tasks, features, slopes, errors, weights, n_tasks):
        """Sum over rows; `slopes` (n, d_e) are derivatives by the whole embedding."""
        slopes = np.hstack([slopes, values_of(terms, features)])
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
        return cls(basis, terms, products.reshape(-1, r, r), gradients, rest[:, 0], rest[:, 1])

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
            if name not in ("basis", "terms")
        }
        return StateSums(self.basis, self.terms, **values)


def values_of(terms, features):
    """Return the values (n, q) of the terms of linear models, for encoded features (n, d)."""
    return np.where(terms < 0, 1.0, features[:, np.maximum(terms, 0)])


def effective_directions(embeddings, features, tasks, slopes, errors, weights, n_tasks):
    """Return directions of states (d_e + q, r) that matter, and the terms (q,) of linear models.

    Directions are those in which embeddings (T, d_e) differ and change outputs, scaled to unit
    variance of the embeddings, then the terms that these do not explain, at most `_MOST_TERMS`,
    whose coefficients seem to differ most between tasks. `features` (n, d), `slopes` (n, d_e),
    `errors` and `weights` are those of rows, which stand for all rows of `n_tasks` tasks.
    """
    apart = embeddings - embeddings.mean(axis=0)
    scales, axes = np.linalg.eigh(apart.T @ apart / max(len(apart) - 1, 1))
    kept = scales > 1e-10 * scales.max()
    axes = axes[:, kept] * np.sqrt(scales[kept])
    effect = slopes @ axes
    signal, directions = np.linalg.eigh((effect * weights[:, None]).T @ effect / n_tasks)
    noise = np.average(errors**2, weights=weights)
    axes = axes @ directions[:, signal > _SMALLEST_SIGNAL * noise]
    terms = np.arange(-1, features.shape[1])
    values, along = values_of(terms, features), slopes @ axes
    left = values - along @ np.linalg.lstsq(along, values, rcond=None)[0]
    sizes = (values**2).sum(axis=0)
    new = np.flatnonzero((left**2).sum(axis=0) > (1 - _EXPLAINED) * np.maximum(sizes, 1e-12))
    by_task = csr_array((weights, (tasks, np.arange(len(tasks)))))
    scores = ((by_task @ (left[:, new] * errors[:, None])) ** 2).sum(axis=0) / sizes[new]
    new = np.sort(new[np.argsort(-scores, kind="stable")[:_MOST_TERMS]])
    d_e, q = embeddings.shape[1], len(new)
    basis = np.zeros((d_e + q, axes.shape[1] + q))
    basis[:d_e, : axes.shape[1]] = axes
    basis[d_e:, axes.shape[1] :] = np.eye(q)
    return basis, terms[new]


@dataclass
class RandomEffects:
    """States of one member as random effects: state of t = mean of its metadata + deviation.

    A state (d_e + q + d_e) ends with the trained embedding at which the network is expanded. In
    coordinates along `basis` deviations have the `covariance` (r, r); `expected` (T, ...) are
    states without the deviation, which are linear in metadata with coefficients `by_metadata` (d_m,
    ...) or None, and `states` (T, ...) with it, the most probable ones. `errors` (T, r, r) are the
    covariances of the errors of deviations, those of the mean included, and `total_errors` those of
    the states. `noise` is the variance of errors of rows, and `free` the number of rows less that
    of parameters of tasks.
    """

    basis: np.ndarray
    covariance: np.ndarray
    expected: np.ndarray
    by_metadata: np.ndarray | None
    states: np.ndarray
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
        basis, q = sums.basis, len(sums.terms)
        embeddings = np.hstack([embeddings, np.zeros((len(embeddings), q))])
        centre = embeddings[trained].mean(axis=0)
        start = (embeddings - centre) @ np.linalg.pinv(basis).T
        design, axes = design_of(metadata, trained)
        r = basis.shape[1]
        # coefficients of linear models are independent, of embeddings and of each other
        together = np.eye(r, dtype=bool)
        together[: r - q, : r - q] = True
        slopes = np.append(np.zeros(r - q, dtype=bool), sums.terms >= 0)
        model = _Normal(sums, start, design, trained, together, slopes)
        model.fit()
        moved = model.expected + model.deviations
        # what metadata say of the trained embeddings, where the network is expanded
        fitted = np.linalg.lstsq(design[trained], embeddings[trained], rcond=None)[0]
        d_e = embeddings.shape[1] - q
        states = embeddings + (moved - start) @ basis.T
        expected = centre + model.expected @ basis.T
        by_metadata = None
        if axes is not None:
            columns = [model.coefficients[1:] @ basis.T, fitted[1:, :d_e]]
            by_metadata = axes @ np.hstack(columns)
        return cls(
            basis=basis,
            covariance=model.covariance,
            expected=np.hstack([expected, (design @ fitted)[:, :d_e]]),
            by_metadata=by_metadata,
            states=np.hstack([states, embeddings[:, :d_e]]),
            errors=model.errors,
            total_errors=model.total_errors,
            noise=model.noise,
            free=model.free,
            n_iter=model.n_iter,
        )


def design_of(metadata, trained):
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

    def __init__(self, sums, start, design, trained, together, slopes):
        self.products, self.counts = sums.products, sums.counts
        self.design, self.trained, self.together, self.slopes = design, trained, together, slopes
        # J'z, for the outputs z that the linear model has to explain
        self.moments = np.einsum("tij,tj->ti", sums.products, start) + sums.gradients
        # z'z
        self.totals = sums.squares + np.einsum("ti,ti->t", start, sums.gradients + self.moments)
        self.n_tasks, self.rank = int(trained.sum()), start.shape[1]
        n_rows = sums.counts[trained].sum()
        self.noise = max(sums.squares[trained].sum() / n_rows, 1e-12)
        # coordinates of embeddings are in units of their deviations; coefficients start where they
        # change as much as a tenth of the noise
        self.sizes = np.einsum("tii->i", sums.products[trained]) / n_rows
        self.covariance = np.diag(0.1 * self.noise / np.maximum(self.sizes, 1e-12))
        own = start[trained].T @ start[trained] / max(self.n_tasks - 1, 1)
        known = np.diag(own) > 0
        self.covariance[np.ix_(known, known)] = own[np.ix_(known, known)]

    def fit(self):
        """Alternate until the covariance and the noise hardly change."""
        for iteration in range(1, _MAX_ITERATIONS + 1):
            self.n_iter, before, noise = iteration, self.covariance, self.noise
            self._expect()
            self._maximise()
            # in terms of the variance of a row's output
            change = np.abs(np.diag(self.covariance - before)) * self.sizes
            if max(change.max(initial=0.0), abs(self.noise - noise)) <= _TOLERANCE * self.noise:
                break
        self._expect()

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
        self.covariance = np.where(self.together, second / self.n_tasks, 0.0)
        alone = self.slopes
        if alone.any():
            # a variance that few tasks determine would often be zero, and the errors with it
            variances = np.diag(self.covariance)[alone]
            pooled = self.n_tasks * variances + _POOLED * variances.mean()
            self.covariance[alone, alone] = pooled / (self.n_tasks + _POOLED)
        products = self.products[chosen]
        explained = np.einsum("ti,ti->t", values, 2 * self.moments[chosen]) - np.einsum(
            "ti,tij,tj->t", values, products, values
        )
        left = (self.totals[chosen] - explained).sum()
        left += np.einsum("tij,tji->", products, self.total_errors[chosen])
        self.noise = max(left / self.counts[chosen].sum(), 1e-12)
