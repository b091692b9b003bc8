"""Exact selection of groups by mixed-integer linear programming.

A bound first eliminates groups that no better choice can use, which leaves the solver little to do.
"""

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from skmtl.grouping.selection._beam import beam_search
from skmtl.grouping.selection._bound import Bound
from skmtl.grouping.selection._enumeration import MAX_ROWS, enumerate_choices

# tolerance within which sums of gains count as equal, relative to the largest term
_TOLERANCE = 1e-9


def choose_exactly(values, max_groups, costs=None, max_cost=None):
    """Choose the rows with the largest sum of gains, and the fewest groups among equal choices.

    Return None if no choice serves every task.
    """
    problem = _Problem(values, costs, max_cost)
    chosen = problem.solve(max_groups)
    while chosen is not None and len(chosen) > 1:
        # ties go to fewer groups
        fewer = problem.solve(len(chosen) - 1, at_most=problem.regret_of(chosen))
        if fewer is None:
            return chosen
        chosen = fewer
    return chosen


class _Problem:
    """Selection as minimisation of regret, the loss of each task relative to its best group."""

    def __init__(self, values, costs, max_cost):
        best = np.nanmax(values, axis=0)
        self.values = values
        self.regret = np.where(np.isnan(values), np.inf, best - values)
        self.costs, self.max_cost = costs, max_cost
        self.usable = np.ones(len(values), dtype=bool)
        if costs is not None:
            self.usable = costs <= max_cost * (1 + 1e-12)

    def regret_of(self, chosen):
        """Return the sum over tasks of the regret in the best of the chosen groups."""
        return self.regret[chosen].min(axis=0).sum()

    def solve(self, max_groups, at_most=None):
        """Choose up to `max_groups` groups; None if the regret of each choice exceeds `at_most`."""
        known = beam_search(self.values, max_groups, self.costs, self.max_cost)
        known = self._improved(known, max_groups)
        best = np.inf if known is None else self.regret_of(known)
        if at_most is not None:
            if best <= at_most + self._slack(at_most):
                return known
            best, known = at_most, None
        keep = np.isfinite(self.regret) & self.usable[:, None]
        bound = None
        if np.isfinite(best):
            limit = best + self._slack(best)
            keep &= self.regret <= limit
            costs = None if self.costs is None else self.costs[self.usable]
            bound = Bound(self.regret[self.usable], max_groups, costs, self.max_cost, best)
            kept = np.zeros_like(keep)
            kept[self.usable] = bound.kept(limit)
            keep &= kept
            if bound.value > limit:
                keep[:] = False
        if not keep.any(axis=0).all():
            # no choice is better than the known one
            return known
        rows = np.flatnonzero(keep.any(axis=1))
        if bound is not None and self.costs is None and len(rows) <= MAX_ROWS.get(max_groups, 0):
            regret = np.where(keep[rows], self.regret[rows], np.inf)
            chosen = enumerate_choices(regret, bound.prices, max_groups, limit)
            chosen = None if chosen is None else rows[chosen].tolist()
        else:
            chosen = self._program(rows, keep[rows], max_groups, best)
        if chosen is None:
            return known
        regret = self.regret_of(chosen)
        if at_most is not None:
            return chosen if regret <= at_most + self._slack(at_most) else None
        return chosen if known is None or regret < best else known

    def _slack(self, regret):
        largest = self.regret[np.isfinite(self.regret)].max(initial=0.0)
        return _TOLERANCE * max(regret, min(largest, 1e3 * regret), np.finfo(float).tiny)

    def _improved(self, chosen, max_groups):
        """Exchange or add single groups as long as that lowers the regret."""
        if chosen is None:
            return None
        chosen = list(chosen)
        while True:
            best, move = self.regret_of(chosen), None
            for k in range(len(chosen) + (len(chosen) < max_groups)):
                rest = chosen[:k] + chosen[k + 1 :]
                least = self.regret[rest].min(axis=0, initial=np.inf)
                totals = np.minimum(least, self.regret).sum(axis=1)
                if self.costs is not None:
                    spent = self.costs[rest].sum()
                    totals[spent + self.costs > self.max_cost] = np.inf
                new = int(totals.argmin())
                if totals[new] < best - self._slack(best):
                    best, move = totals[new], [*rest, new]
            if move is None:
                return chosen
            chosen = move

    def _program(self, rows, keep, max_groups, best):
        """Choose from the remaining groups by mixed-integer programming; None if infeasible."""
        n_groups, n_tasks = keep.shape
        group, task = np.nonzero(keep)
        regret = self.regret[rows][group, task]
        # the solver's gaps are absolute, so regret is scaled
        unit = min(best, regret.max(initial=0.0)) if np.isfinite(best) else regret.max(initial=0.0)
        scale = 1e4 / unit if unit > 0 else 1.0
        n_served = len(group)
        objective = np.concatenate([np.zeros(n_groups), scale * regret])
        is_group = np.concatenate([np.ones(n_groups), np.zeros(n_served)])
        ones, pairs = np.ones(n_served), np.arange(n_served)
        served = sparse.csr_array(
            (ones, (task, n_groups + pairs)), shape=(n_tasks, n_groups + n_served)
        )
        link = sparse.csr_array(
            (np.r_[ones, -ones], (np.r_[pairs, pairs], np.r_[n_groups + pairs, group])),
            shape=(n_served, n_groups + n_served),
        )
        constraints = [
            LinearConstraint(served, 1, 1),
            LinearConstraint(link, -np.inf, 0),
            LinearConstraint(is_group[None], -np.inf, max_groups),
        ]
        if self.costs is not None:
            spent = np.concatenate([self.costs[rows], np.zeros(n_served)])[None]
            constraints.append(LinearConstraint(spent, -np.inf, self.max_cost))
        result = milp(
            objective,
            integrality=is_group,
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
        if result.status == 2:
            return None
        # the gap is 0 up to the rounding of sums
        if not result.success or result.mip_gap > _TOLERANCE:
            raise RuntimeError(f"the solver found no proven best choice: {result.message}")
        chosen = rows[result.x[:n_groups] > 0.5].tolist()
        serving = self.regret[chosen].argmin(axis=0)
        return [row for k, row in enumerate(chosen) if k in serving]
