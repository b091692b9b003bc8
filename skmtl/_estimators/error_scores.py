"""Out-of-sample errors of one column of numbers, and probabilities of classes, as scores.

Formulas are in docs/intervals.rst, and how constants were chosen in benchmarks/intervals/LOG.md.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from skmtl._estimators.distributions import Distribution, TaskDistributions
from skmtl._persistence import saveable

# labels that the prior of a task's scale counts as, of which the most likely is taken
_PRIOR_COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, np.inf)
# labels, and tasks, up to which errors are taken to be symmetric
_SYMMETRIC_LABELS, _SYMMETRIC_TASKS = 100.0, 50.0
# ratio of the sizes of tasks from which on their effect on errors is estimated
_SIZES_DIFFER = 2.0


@saveable
class KnownErrors:
    """Errors of rows of known tasks, relative to scales of their tasks that are shrunk together.

    Parameters
    ----------
    errors, tasks, weights : ndarrays of shape (n,)
        Labels minus out-of-sample predictions, numbers of their tasks, and how many rows of the
        caller each stands for.
    sizes : ndarray of shape (T,)
        How many rows of each task were trained on.
    factors : ndarray of shape (n,), optional
        How difficult the rows are: errors are relative to these, too.
    difficulty : Trees, optional
        What predicts such factors for other rows.
    """

    def __init__(self, errors, tasks, weights, sizes, factors=None, difficulty=None):
        self.difficulty, n_tasks = difficulty, len(sizes)
        relative = errors if factors is None else errors / factors
        magnitudes = np.abs(relative)
        counts = np.bincount(tasks, weights, n_tasks)
        sums = np.bincount(tasks, weights * magnitudes, n_tasks)
        self.size_effect = _size_effect(sums, counts, sizes)
        prior = self._prior(sizes)
        # the scale of an error's task, without the error
        others = sums[tasks] - weights * magnitudes, counts[tasks] - weights, prior[tasks]
        losses = []
        for count in _PRIOR_COUNTS:
            scales = _shrunken(*others, count)
            losses.append(np.average(np.log(scales) + magnitudes / scales, weights=weights))
        self.prior_count = _PRIOR_COUNTS[int(np.argmin(losses))]
        self.scales = _shrunken(sums, counts, prior, self.prior_count)
        relative = relative / _shrunken(*others, self.prior_count)
        self.scores = TaskDistributions(relative, tasks, weights, n_tasks, _SYMMETRIC_LABELS)
        squares = np.bincount(tasks, weights * errors**2, n_tasks)
        prior = squares.sum() * counts.sum() / max(sums.sum() ** 2, 1e-300) * prior**2
        self.deviations = np.sqrt(_shrunken(squares, counts, prior, self.prior_count))

    def _prior(self, sizes):
        constant, by_size = self.size_effect
        return constant + by_size / np.maximum(sizes, 1.0)

    def add_tasks(self, sizes):
        """Return errors with more tasks, of which so many rows were trained on, and no errors."""
        more = object.__new__(type(self))
        prior = self._prior(sizes)
        ratio = np.median(self.deviations / self.scales)
        vars(more).update(
            vars(self),
            scales=np.concatenate([self.scales, prior]),
            deviations=np.concatenate([self.deviations, ratio * prior]),
            scores=self.scores.add_tasks(len(sizes)),
        )
        return more

    def quantiles(self, tasks, levels):
        """Return quantiles (n, L) of errors of tasks by number (n,) at levels (L,)."""
        return self.scores.quantiles(tasks, levels) * self.scales[tasks, None]


def _shrunken(sums, counts, prior, prior_count):
    """Return means by task, shrunk to a prior that counts as the mean of so many labels."""
    if np.isinf(prior_count):
        return np.maximum(prior, 1e-12)
    return np.maximum((sums + prior_count * prior) / (counts + prior_count), 1e-12)


def _size_effect(sums, counts, sizes):
    """Return a and b, not negative, such that the mean magnitude of errors is about a + b / size.

    By least squares over tasks, weighted by their labels; b is 0 where sizes hardly differ.
    """
    mean, present = (float(sums.sum() / counts.sum()), 0.0), counts > 0
    if sizes[present].max() < _SIZES_DIFFER * sizes[present].min():
        return mean
    root = np.sqrt(counts[present])
    design = np.column_stack([root, root / np.maximum(sizes[present], 1.0)])
    values, _ = nnls(design, root * sums[present] / counts[present])
    return tuple(values.tolist()) if values[0] > 0 else mean


@saveable
class NewErrors:
    """Errors of rows of tasks that were held out whole, `tasks` (n,) by number.

    Every task counts the same, however many rows it has; `factors` and `difficulty` as of
    `KnownErrors`.
    """

    def __init__(self, errors, tasks, weights, factors=None, difficulty=None):
        self.difficulty = difficulty
        counts = np.bincount(tasks, weights)
        shares = weights / counts[tasks]
        relative = errors if factors is None else errors / factors
        n_tasks = np.count_nonzero(counts)
        self.scores = Distribution(relative, shares, n_tasks, _SYMMETRIC_TASKS)
        self.deviation = float(np.sqrt(np.average(errors**2, weights=shares)))

    def quantiles(self, tasks, levels):
        """Return quantiles (n, L) of errors of rows of new tasks at levels (L,)."""
        return np.tile(self.scores.quantiles(levels), (len(tasks), 1))


@saveable
class KnownClasses:
    """Scores of the classes of rows of known tasks: 1 minus the probability of the class."""

    def __init__(self, scores, tasks, weights, sizes):
        self.scores = TaskDistributions(scores, tasks, weights, len(sizes))

    def add_tasks(self, sizes):
        """Return scores with more tasks, which have none."""
        more = object.__new__(type(self))
        more.scores = self.scores.add_tasks(len(sizes))
        return more

    def quantiles(self, tasks, levels):
        """Return largest scores (n, L) of classes in the sets of tasks by number (n,)."""
        return self.scores.quantiles(tasks, levels, one_sided=True)


@saveable
class NewClasses:
    """Scores of the classes of rows of tasks that were held out whole; every task counts the same.

    `tasks` (n,) are numbers.
    """

    def __init__(self, scores, tasks, weights):
        counts = np.bincount(tasks, weights)
        self.scores = Distribution(scores, weights / counts[tasks], np.count_nonzero(counts))

    def quantiles(self, tasks, levels):
        """Return largest scores (n, L) of classes in the sets of rows of new tasks."""
        return np.tile(self.scores.quantiles(levels, one_sided=True), (len(tasks), 1))
