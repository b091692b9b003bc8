"""Exact selection of up to three groups by enumeration, most of which bounds prune.

It replaces integer programming where few groups cover all tasks: linear relaxations are weakest
there.
"""

import numpy as np

# number of choices whose regret is computed at once
_AT_ONCE = 2**15
# largest number of groups at which enumerating choices of 1, 2 or 3 takes seconds at most
MAX_ROWS = {1: np.inf, 2: np.inf, 3: 1500}


def enumerate_choices(regret, prices, max_groups, limit):
    """Choose up to three groups by enumeration; None if the regret of each choice is above `limit`.

    At the `prices` of a `Bound`, each additional group lowers regret by at most its savings.
    """
    savings = np.maximum(prices - regret, 0).sum(axis=1)
    order = np.argsort(-savings, kind="stable")
    regret, savings = regret[order], savings[order]
    search = _Search(regret, savings, np.minimum(prices, regret), limit)
    search.evaluate(np.arange(len(regret))[:, None])
    if max_groups >= 2:
        for first in range(len(regret) - 1):
            search.extend(first, max_groups)
    return None if search.best is None else order[search.best].tolist()


class _Search:
    """The best choice so far, and the limit of regret for a better one."""

    def __init__(self, regret, savings, capped, limit):
        self.regret, self.savings, self.capped = regret, savings, capped
        self.limit, self.best = limit, None

    def evaluate(self, choices):
        """Compute the regret of choices (n, k), and keep the best one."""
        for start in range(0, len(choices), _AT_ONCE):
            block = choices[start : start + _AT_ONCE]
            least = self.regret[block[:, 0]]
            for column in block.T[1:]:
                least = np.minimum(least, self.regret[column])
            totals = least.sum(axis=1)
            row = int(totals.argmin())
            if totals[row] <= self.limit and (self.best is None or totals[row] < self.limit):
                self.limit, self.best = float(totals[row]), block[row]

    def extend(self, first, max_groups):
        """Evaluate the choices of several groups in which this group has the largest savings."""
        n_more = max_groups - 1
        second = np.arange(first + 1, len(self.regret))
        if self.capped[first].sum() - n_more * self.savings[first + 1] > self.limit:
            return
        sums = np.minimum(self.capped[first], self.capped[second]).sum(axis=1)
        if max_groups == 2:
            second = second[sums <= self.limit]
            self.evaluate(np.column_stack([np.full(len(second), first), second]))
            return
        possible = sums - self.savings[second] <= self.limit
        second, sums = second[possible], sums[possible]
        # the third group must save enough, and at most as much as the second one
        ends = np.searchsorted(-self.savings, self.limit - sums, side="right")
        counts = np.maximum(ends - second - 1, 0)
        pairs = np.repeat(np.arange(len(second)), counts)
        third = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        third += second[pairs] + 1
        self.evaluate(np.column_stack([np.full(len(second), first), second]))
        self.evaluate(np.column_stack([np.full(len(pairs), first), second[pairs], third]))
