"""Tables of known gains, which show how near an estimate of gains comes to the oracle.

The score of a choice of groups is (chosen - random) / (oracle - random) of the true mean gain.
"""

import time

import numpy as np
import pandas as pd
from common.groups import gain_table
from scipy.stats import spearmanr
from sklearn.base import clone

from skmtl.grouping import MTGNet, assign_tasks, estimate_gains, select_groups

# parameters of MTGNet without networks: fast, and nearly as good where few groups are measured
NO_NETWORKS = {"max_iter": 0, "n_members": 1, "embedding_dim": 1}


def chosen_gain(predicted, true, n_groups, method="exact"):
    """Return the true mean gain when predicted gains select groups and assign tasks to them."""
    groups = select_groups(predicted, n_groups, method=method)
    members = true.notna().to_numpy()
    rows = []
    for group in assign_tasks(predicted, groups):
        serving = np.isin(np.arange(true.shape[1]), list(group))
        rows.append(int(np.flatnonzero((members == serving).all(axis=1))[0]))
    return true.to_numpy()[rows, np.arange(true.shape[1])].mean()


def random_gain(values, n_groups, n_draws=5000):
    """Return the mean over random choices that serve every task by its best group."""
    rng, gains = np.random.default_rng(0), []
    for _ in range(100 * n_draws):
        chosen = values[rng.choice(len(values), n_groups, replace=False)]
        if not np.isnan(chosen).all(axis=0).any():
            gains.append(np.nanmax(chosen, axis=0).mean())
            if len(gains) == n_draws:
                break
    return float(np.mean(gains))


def of_unmeasured(predicted, true, measured):
    """Return predicted and true gains in groups that were not measured, as two arrays."""
    unknown = true.notna().to_numpy() & ~measured[:, None]
    return predicted.to_numpy()[unknown], true.to_numpy()[unknown]


class Table:
    """Known gains of all groups, with the bounds that random choice and the oracle set."""

    def __init__(self, name, values, limits, selection="exact", affinity=None):
        self.name, self.values, self.limits, self.affinity = name, values, limits, affinity
        self.groups, self.selection = ~np.isnan(values), selection
        self.true = gain_table(self.groups, values)
        self.known = {
            group.tobytes(): gains for group, gains in zip(self.groups, values, strict=True)
        }
        self._bounds = {}

    def bounds(self, n):
        """Return the true mean gain of random choice and of the oracle for one limit."""
        if n not in self._bounds:
            self._bounds[n] = random_gain(self.values, n), chosen_gain(self.true, self.true, n)
        return self._bounds[n]

    def procedure(self, groups):
        """Return the measured gains of groups."""
        return np.array([self.known[group.tobytes()] for group in groups])

    def score(self, predicted, true=None):
        """Return the mean score over the limits on the number of groups."""
        true = self.true if true is None else true
        return np.mean([self.score_at(predicted, true, n) for n in self.limits])

    def score_at(self, predicted, true, n):
        """Return the score for one limit."""
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


# label: method and rounds of MTG-Net, None for (N - 1) / 2
WAYS = {
    "HOA": ("hoa", None),
    "TAG": ("tag", None),
    "MTG-Net, K = 1": (MTGNet(**NO_NETWORKS), 1),
    "MTG-Net, K = (N - 1) / 2": (MTGNet(**NO_NETWORKS), None),
}
# of a histogram: the rest is counted in the last bins
_SHARE_SHOWN = 0.98


def figure2(tables, limits=None, ways=WAYS):
    """Return what the paper's figure 2 shows, as points of lines and of histograms.

    Parameters
    ----------
    tables : list of Table
    limits : sequence of int, optional
        Largest numbers of groups; by default 1 to the number of tasks.
    ways : dict of str to tuple
        Methods, and rounds of MTG-Net.

    Returns
    -------
    DataFrame
        Columns table, panel ("gains", "errors" or "true"), label, x and y. A histogram has the left
        edges of its bins and their heights.
    """
    lines = []

    def add(table, panel, label, x, y):
        lines.append(pd.DataFrame({"table": table, "panel": panel, "label": label, "x": x, "y": y}))

    for table in tables:
        numbers = range(1, table.groups.shape[1] + 1) if limits is None else limits
        errors = {}
        for label, (method, rounds) in ways.items():
            predicted, true, measured = table.estimate(method, 0, rounds)
            gains = [chosen_gain(predicted, true, n) for n in numbers]
            add(table.name, "gains", label, numbers, gains)
            if method != "tag":
                # affinities are no gains
                errors[label] = np.subtract(*of_unmeasured(predicted, true, measured))
        random, oracle = zip(*(table.bounds(n) for n in numbers), strict=True)
        add(table.name, "gains", "oracle", numbers, oracle)
        add(table.name, "gains", "random", numbers, random)
        widest = np.quantile(np.abs(np.concatenate(list(errors.values()))), _SHARE_SHOWN)
        bins = np.linspace(-widest, widest, 41)
        for label, values in errors.items():
            heights, _ = np.histogram(values.clip(-widest, widest), bins, density=True)
            add(table.name, "errors", label, bins[:-1], heights)
        values = table.values[table.groups & (table.groups.sum(1) > 1)[:, None]]
        values = values.clip(*np.quantile(values, [1 - _SHARE_SHOWN, _SHARE_SHOWN]))
        heights, bins = np.histogram(values, 40)
        add(table.name, "true", "gains", bins[:-1], heights)
    return pd.concat(lines, ignore_index=True)
