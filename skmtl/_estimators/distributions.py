"""Weighted distributions of conformal scores: of all rows or tasks, and of single tasks.

Formulas and assumptions are in docs/intervals.rst.
"""

from __future__ import annotations

import numpy as np

from skmtl._persistence import saveable

# labels at which a task's distribution counts as much as that of all tasks
_OWN_SHARE = 200.0
# steps in which quantiles are bisected, to full precision
_BISECTIONS = 60
# of shares, which are sums of weights
_TOLERANCE = 1e-11


class TooFewError(ValueError):
    """A level needs more rows or tasks: `needed`, instead of `n_units`."""

    def __init__(self, needed, n_units):
        super().__init__(needed, n_units)
        self.needed, self.n_units = needed, n_units


class _Remembering:
    """Keeps the quantiles that were asked for last; they are not saved."""

    _last = None, None

    def _remembered(self, levels, one_sided, compute):
        key = (*np.asarray(levels).tolist(), one_sided)
        if self._last[0] != key:
            self._last = key, compute(self.corrected(levels, one_sided=one_sided))
        return self._last[1]

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_last"}


@saveable
class Distribution(_Remembering):
    """A weighted distribution of scores, partly mirrored at zero.

    Of `values` (n,) with `weights` (n,); it stands for `n_units` exchangeable units, rows or tasks.
    With as many units as `symmetric_at`, or fewer, it is mirrored, with more of them in part.
    """

    def __init__(self, values, weights, n_units, symmetric_at=0.0):
        order = np.argsort(values, kind="stable")
        self.values = values[order]
        self.shares = np.cumsum(weights[order]) / max(weights.sum(), 1e-300)
        self.n_units, self.symmetric_at = float(n_units), symmetric_at

    def _mirrored(self, n_units):
        return min(1.0, self.symmetric_at / max(n_units, 1e-300))

    def _end(self, n_units):
        """Return the mass beyond a bound, where the score of the row to predict may be.

        The rest of its mass, if any, is beyond the opposite bound.
        """
        return (1 - self._mirrored(n_units) / 2) / (n_units + 1)

    def _below(self, x, *, strict=False):
        at = np.searchsorted(self.values, x, side="left" if strict else "right")
        return np.concatenate([[0.0], self.shares])[at]

    def cdf(self, x):
        """Return the share of scores up to x, of any shape."""
        mirrored = self._mirrored(self.n_units)
        share = (1 - mirrored / 2) * self._below(x)
        return share if mirrored == 0 else share + mirrored / 2 * (1 - self._below(-x, strict=True))

    def bounds(self):
        """Return numbers below and above all scores."""
        size = np.abs(self.values).max(initial=0.0) + 1.0
        return -size, size

    def corrected(self, levels, *, one_sided=False):
        """Return levels (L,) among the scores alone, without the masses at infinity.

        Levels below one half are of lower bounds and are rounded down, unless bounds are upper ones
        only (`one_sided`). Raises `TooFewError` where a bound would be infinite.
        """
        extreme = (1 - levels if one_sided else np.minimum(levels, 1 - levels)).min()
        if self._end(self.n_units) > extreme * (1 + 1e-9):
            needed = np.ceil(self.n_units)
            while self._end(needed) > extreme * (1 + 1e-9):
                needed += max(1, needed // 100)
            raise TooFewError(int(needed), int(self.n_units))
        factor = (self.n_units + 1) / self.n_units
        opposite = self._mirrored(self.n_units) / 2 / (self.n_units + 1)
        upper = (levels - opposite) * factor
        if one_sided:
            return upper.clip(0, 1)
        # the largest number below which there is no more
        lower = 1 - (1 - levels - opposite) * factor + 2 * _TOLERANCE
        inner = np.where(levels < 0.5, lower, levels)
        return np.where(levels > 0.5, upper, inner).clip(0, 1)

    def quantiles(self, levels, *, one_sided=False):
        """Return quantiles (L,) at levels (L,)."""

        def quantiles(levels):
            return _bisected(self.cdf, levels, *self.bounds())

        return self._remembered(levels, one_sided, quantiles)


@saveable
class TaskDistributions(_Remembering):
    """Distributions of the scores of tasks, each between its own and that of all tasks.

    With `values`, `tasks` (numbers) and `weights` of shape (n,). The more labels a task has, the
    more its own scores count.
    """

    def __init__(self, values, tasks, weights, n_tasks, symmetric_at=0.0):
        self.all = Distribution(values, weights, weights.sum(), symmetric_at)
        order = np.argsort(tasks, kind="stable")
        self.values, self.weights, self.tasks = values[order], weights[order], tasks[order]
        self.counts = np.bincount(tasks, weights, n_tasks)

    def add_tasks(self, n_tasks):
        """Return distributions with more tasks, which have no scores."""
        more = object.__new__(type(self))
        counts = np.concatenate([self.counts, np.zeros(n_tasks)])
        vars(more).update(self.__getstate__(), counts=counts)
        return more

    def corrected(self, levels, *, one_sided=False):
        """Return levels of all scores, see `Distribution.corrected`."""
        return self.all.corrected(levels, one_sided=one_sided)

    def quantiles(self, tasks, levels, *, one_sided=False):
        """Return quantiles (n, L) of tasks by number (n,) at levels (L,)."""
        return self._remembered(levels, one_sided, self._of_every_task)[tasks]

    def _of_every_task(self, levels):
        """Return quantiles (T, L) at levels that are corrected."""
        counts, n_tasks = self.counts, len(self.counts)
        of_task = (counts / (counts + _OWN_SHARE))[:, None]
        mirrored = np.zeros(n_tasks)
        if self.all.symmetric_at:
            mirrored = self.all.symmetric_at / (self.all.symmetric_at + counts)

        def share(mask):
            sums = np.bincount(self.tasks, self.weights * mask, n_tasks)
            return np.divide(sums, counts, out=np.zeros(n_tasks), where=counts > 0)

        def cdf(x):
            columns = [
                (1 - mirrored / 2) * share(self.values <= column[self.tasks])
                + mirrored / 2 * share(-self.values <= column[self.tasks])
                for column in x.T
            ]
            return of_task * np.stack(columns, 1) + (1 - of_task) * self.all.cdf(x)

        wanted = np.broadcast_to(levels, (n_tasks, len(levels)))
        return _bisected(cdf, wanted, *self.all.bounds())


def _bisected(cdf, levels, low, high):
    """Return the smallest numbers at which a function of an array reaches levels of its shape."""
    low, high = np.full(np.shape(levels), low), np.full(np.shape(levels), high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        reached = cdf(middle) >= levels - _TOLERANCE
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high
