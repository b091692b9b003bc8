"""Bounds on what any choice of groups can reach, and which groups no better choice can use.

Lagrangian relaxation of "every task is served once", as for the p-median problem.
"""

import numpy as np

_STEPS = 400
# steps without a better bound after which steps get shorter
_PATIENCE = 15


class Bound:
    """Prices that prove how much regret a choice must have at least.

    With a price of each task and one of each group, a choice costs no less than the prices of the
    tasks plus what the cheapest groups save; whatever the prices are, that is a lower bound.

    Parameters
    ----------
    regret : ndarray of shape (n_groups, n_tasks)
        What a task loses in a group against the best one for it; inf where it is not a member.
    max_groups : int
    costs : ndarray of shape (n_groups,) or None
    max_cost : float or None
    best : float
        Regret of a choice that is known.
    """

    def __init__(self, regret, max_groups, costs, max_cost, best):
        self.regret, self.max_groups = regret, max_groups
        self.costs, self.max_cost = costs, max_cost
        self.value = -np.inf
        self._improve(best)

    def _evaluate(self, prices, toll):
        """Lower bound for prices of the tasks and a price of a unit of cost.

        Returns
        -------
        value : float
        reduced : ndarray of shape (n_groups,)
            By how much the bound rises at least with the group in the choice; negative ones are in.
        chosen : ndarray of int
        """
        savings = np.maximum(prices - self.regret, 0).sum(axis=1)
        value = prices.sum()
        if self.costs is not None:
            savings = savings - toll * self.costs
            value -= toll * self.max_cost
        k = min(self.max_groups, len(savings))
        # the price of one more group: what the first group that is left out would save
        threshold = max(0.0, np.partition(savings, -k - 1)[-k - 1]) if k < len(savings) else 0.0
        reduced = threshold - savings
        value = value - threshold * self.max_groups + np.minimum(reduced, 0).sum()
        chosen = np.argsort(-savings, kind="stable")[:k]
        return value, reduced, chosen[savings[chosen] > 0]

    def _improve(self, best):
        """Raise the bound by steps along a subgradient."""
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
        """Which groups, and which tasks in them, a choice of at most this regret may use.

        Parameters
        ----------
        best : float

        Returns
        -------
        ndarray of shape (n_groups, n_tasks) of bool
        """
        rest = best - self.value
        # a task that is served above its price costs the difference on top
        excess = np.maximum(self.regret - self.prices, 0)
        by_group = np.maximum(self.reduced, 0)
        return by_group[:, None] + excess <= rest
