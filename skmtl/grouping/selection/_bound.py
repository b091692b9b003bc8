"""Lower bounds on the regret of choices, and elimination of groups that no better choice can use.

Lagrangian relaxation of "every task is served once", as for the p-median problem.
"""

import numpy as np

_STEPS = 400
# number of steps without a better bound after which steps become shorter
_PATIENCE = 15


class Bound:
    """A lower bound on regret from prices of the tasks.

    For any prices, their sum minus the savings of the best groups is a lower bound, which
    subgradient steps raise. `regret` is the gain of a task in the best group minus its gain in this
    one, inf outside the group; `best` is the regret of a known choice.
    """

    def __init__(self, regret, max_groups, costs, max_cost, best):
        self.regret, self.max_groups = regret, max_groups
        self.costs, self.max_cost = costs, max_cost
        self.value = -np.inf
        self._improve(best)

    def _evaluate(self, prices, toll):
        """Return the lower bound for prices of the tasks and for a `toll`, the price of cost.

        Also return the least increase of the bound by using each group, negative for chosen groups,
        and the chosen groups.
        """
        savings = np.maximum(prices - self.regret, 0).sum(axis=1)
        value = prices.sum()
        if self.costs is not None:
            savings = savings - toll * self.costs
            value -= toll * self.max_cost
        k = min(self.max_groups, len(savings))
        # the price of one more group is the saving of the best group that is not chosen
        threshold = max(0.0, np.partition(savings, -k - 1)[-k - 1]) if k < len(savings) else 0.0
        reduced = threshold - savings
        value = value - threshold * self.max_groups + np.minimum(reduced, 0).sum()
        chosen = np.argsort(-savings, kind="stable")[:k]
        return value, reduced, chosen[savings[chosen] > 0]

    def _improve(self, best):
        """Raise the bound by subgradient steps."""
        finite = np.where(np.isfinite(self.regret), self.regret, np.nan)
        prices = np.nanquantile(finite, min(1.0, 2 * self.max_groups / len(finite)), axis=0)
        toll, scale, stale = 0.0, 1.5, 0
        for _ in range(_STEPS):
            value, reduced, chosen = self._evaluate(prices, toll)
            if value > self.value + 1e-9 * abs(self.value) or not np.isfinite(self.value):
                self.value, self.prices, self.toll, self.reduced = value, prices, toll, reduced
                stale = 0
            else:
                stale += 1
            if self.value >= best or scale < 1e-4:
                break
            if stale > _PATIENCE:
                scale, stale = scale / 2, 0
                prices, toll = self.prices, self.toll
                continue
            served = (prices - self.regret[chosen] > 0).sum(axis=0)
            slope = 1.0 - served
            spent = 0.0
            if self.costs is not None:
                spent = self.costs[chosen].sum() - self.max_cost
            norm = (slope**2).sum() + spent**2
            if norm == 0:
                break
            step = scale * max(best - value, 1e-12 * max(1.0, abs(best))) / norm
            prices = prices + step * slope
            toll = max(0.0, toll + step * spent)

    def kept(self, best):
        """Return the groups and the tasks in them that a choice of at most this regret may use."""
        gap = best - self.value
        # a task with a regret above its price adds the difference
        excess = np.maximum(self.regret - self.prices, 0)
        by_group = np.maximum(self.reduced, 0)
        return by_group[:, None] + excess <= gap
