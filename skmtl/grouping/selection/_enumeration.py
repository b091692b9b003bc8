"""Exact selection of two or three groups by going through them, most of them left out by bounds.

Few groups that cover all tasks are where linear relaxations are weakest.
"""

import numpy as np

# pairs or triples whose regret is computed at once
_AT_ONCE = 2**15
# groups up to which all triples are gone through
_MOST_ROWS = 1500


def can_enumerate(n_rows, max_groups):
    """Whether this takes seconds at most."""
    return max_groups <= 2 or (max_groups == 3 and n_rows <= _MOST_ROWS)


def enumerate_choices(regret, prices, max_groups, limit):
    """Choose up to three groups.

    Parameters
    ----------
    regret : ndarray of shape (n_groups, n_tasks)
        inf where the task is not served by the group.
    prices : ndarray of shape (n_tasks,)
        Of a bound: with the groups of a choice known in part, the rest saves at most what each of
        its groups saves against these prices.
    max_groups : int
        Not above 3.
    limit : float
        Regret that a choice may have.

    Returns
    -------
    list of int, or None if there is no choice within the limit
    """
    savings = np.maximum(prices - regret, 0).sum(axis=1)
    order = np.argsort(-savings, kind="stable")
    regret, savings = regret[order], savings[order]
    search = _Search(regret, savings, np.minimum(prices, regret), limit)
    search.look(np.arange(len(regret))[:, None])
    if max_groups >= 2:
        for first in range(len(regret) - 1):
            search.follow(first, max_groups)
    return None if search.best is None else order[search.best].tolist()


class _Search:
    """The best choice so far, and the regret that a better one may have."""

    def __init__(self, regret, savings, capped, limit):
        self.regret, self.savings, self.capped = regret, savings, capped
        self.limit, self.best = limit, None

    def look(self, choices):
        """Compute the regret of choices, shape (n, k)."""
        for start in range(0, len(choices), _AT_ONCE):
            some = choices[start : start + _AT_ONCE]
            least = self.regret[some[:, 0]]
            for column in some.T[1:]:
                least = np.minimum(least, self.regret[column])
            totals = least.sum(axis=1)
            found = int(totals.argmin())
            if totals[found] <= self.limit and (self.best is None or totals[found] < self.limit):
                self.limit, self.best = float(totals[found]), some[found]

    def follow(self, first, max_groups):
        """Look at all choices in which this group saves most."""
        n_more = max_groups - 1
        second = np.arange(first + 1, len(self.regret))
        if self.capped[first].sum() - n_more * self.savings[first + 1] > self.limit:
            return
        sums = np.minimum(self.capped[first], self.capped[second]).sum(axis=1)
        if max_groups == 2:
            second = second[sums <= self.limit]
            self.look(np.column_stack([np.full(len(second), first), second]))
            return
        possible = sums - self.savings[second] <= self.limit
        second, sums = second[possible], sums[possible]
        # the third group must save what is missing, and no more than the second one does
        ends = np.searchsorted(-self.savings, self.limit - sums, side="right")
        counts = np.maximum(ends - second - 1, 0)
        pairs = np.repeat(np.arange(len(second)), counts)
        third = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        third += second[pairs] + 1
        alone = np.column_stack([np.full(len(second), first), second])
        self.look(alone)
        self.look(np.column_stack([np.full(len(pairs), first), second[pairs], third]))
