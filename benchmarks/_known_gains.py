"""Tables of known gains, to see how near a way to estimate them comes to the oracle.

The score of a choice of groups is (chosen - random) / (oracle - random) of the true mean gain.
"""

import time

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.base import clone

from skmtl.grouping import assign_tasks, estimate_gains, select_groups
from skmtl.grouping._gain_tables import gain_table, parse_groups

# of MTGNet, without networks: quick, and nearly as good where few groups are measured
QUICK = {"max_iter": 0, "n_members": 1, "embedding_dim": 1}


def chosen_gain(predicted, true, n_groups, method="exact"):
    """True mean gain of the groups that predicted gains select, and serve tasks by."""
    groups = select_groups(predicted, n_groups, method=method)
    serving = parse_groups(assign_tasks(predicted, groups).tolist(), predicted.columns)
    members = true.notna().to_numpy()
    rows = [int(np.flatnonzero((members == group).all(axis=1))[0]) for group in serving]
    return true.to_numpy()[rows, np.arange(true.shape[1])].mean()


def random_gain(values, n_groups, n_draws=5000):
    """Mean over random choices that serve every task, by the group that is best for it."""
    rng, gains = np.random.default_rng(0), []
    for _ in range(100 * n_draws):
        some = values[rng.choice(len(values), n_groups, replace=False)]
        if not np.isnan(some).all(axis=0).any():
            gains.append(np.nanmax(some, axis=0).mean())
            if len(gains) == n_draws:
                break
    return float(np.mean(gains))


def of_unmeasured(predicted, true, measured):
    """Predicted and true gains of the tasks in groups that were not measured, as two arrays."""
    unknown = true.notna().to_numpy() & ~measured[:, None]
    return predicted.to_numpy()[unknown], true.to_numpy()[unknown]


class Table:
    """Known gains, what random choice and the oracle make of them."""

    def __init__(self, name, values, limits, selection="exact", affinity=None):
        self.name, self.values, self.limits, self.affinity = name, values, limits, affinity
        self.groups, self.selection = ~np.isnan(values), selection
        self.true = gain_table(self.groups, values, pd.RangeIndex(values.shape[1]))
        self.known = {
            group.tobytes(): gains for group, gains in zip(self.groups, values, strict=True)
        }
        self._bounds = {}

    def bounds(self, n):
        """True mean gain of random choice and of the oracle for one limit, computed once."""
        if n not in self._bounds:
            self._bounds[n] = random_gain(self.values, n), chosen_gain(self.true, self.true, n)
        return self._bounds[n]

    def procedure(self, groups):
        """Gains as measured."""
        return np.array([self.known[group.tobytes()] for group in groups])

    def score(self, predicted, true=None):
        """Mean score over the limits on the number of groups."""
        true = self.true if true is None else true
        return np.mean([self.score_at(predicted, true, n) for n in self.limits])

    def score_at(self, predicted, true, n):
        """Score for one limit."""
        random, oracle = self.bounds(n)
        return (chosen_gain(predicted, true, n, self.selection) - random) / (oracle - random)

    def estimate(self, method, seed, rounds=None):
        """Estimate the gains from few of them.

        Returns
        -------
        predicted, true : DataFrames with a row per group
            Without tasks alone if the method says nothing of them.
        measured : ndarray of bool
            Whether a row was measured.
        """
        if rounds is not None:
            method = clone(method).set_params(rounds=rounds)
        predicted, measured = estimate_gains(
            self.procedure,
            self.groups.shape[1],
            method,
            candidates=self.groups,
            affinity=self.affinity if method == "tag" else None,
            random_state=seed,
            return_measured=True,
        )
        # affinity says nothing of tasks alone
        true = self.true if method != "tag" else self.true[self.groups.sum(1) > 1]
        return predicted, true, measured.to_numpy()

    def run(self, method, seed, rounds=None):
        """Estimate, select, and compare."""
        start = time.process_time()
        predicted, true, known = self.estimate(method, seed, rounds)
        seconds = time.process_time() - start
        only = np.nan
        if method not in ("hoa", "tag"):
            # among the groups that were measured, tasks alone included
            only = self.score(self.true[known], self.true[known])
        return {
            "score": self.score(predicted, true),
            "measured_only": only,
            "spearman": spearmanr(*of_unmeasured(predicted, true, known))[0],
            "n_measured": int((known & (true.notna().sum(axis=1) > 1)).sum()),
            "seconds": seconds,
        }
