"""Task grouping on tables of known gains: how near each way to estimate them comes to the oracle.

Run as a file. ``published``: every group of five tasks of Taskonomy in four settings, from the
files ``results*.txt`` of https://github.com/tstandley/taskgrouping in the folder of --data-home.
``made``: the tables that make_gain_tables.py has written. The score of a choice of groups is
(chosen - random) / (oracle - random) of the true mean gain.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, save, standard_error, verdict
from scipy.stats import spearmanr

from skmtl.grouping import MTGNet, assign_tasks, estimate_gains, select_groups
from skmtl.grouping._gain_tables import gain_table, parse_groups

SETTINGS = {
    "taskonomy_1": "results",
    "taskonomy_2": "results_large",
    "taskonomy_3": "results_small_data",
    "taskonomy_4": "results_alt",
}
# without networks: quick, and nearly as good where few groups are measured
QUICK = {"max_iter": 0, "n_members": 1, "embedding_dim": 1}
METHODS = {
    "hoa": "hoa",
    "mtgnet": MTGNet(),
    "baseline alone": MTGNet(**QUICK),
    "baseline, no verification": MTGNet(verification=0.0, **QUICK),
    "baseline, random sampling": MTGNet(acquisition="random", verification=0.0, **QUICK),
    "mtgnet of the paper": MTGNet.paper(max_iter=300),
}

# pairs are always the same; the paper's own settings take long
FEWER_SEEDS = {"hoa": 1, "mtgnet of the paper": 3}


def published(folder):
    """Gains of every group in the four settings, relative falls of the loss against one task."""
    for name, file in SETTINGS.items():
        lines = Path(folder, f"{file}.txt").read_text().splitlines()
        cells = [(line.split("\t") + [""] * 5)[:5] for line in lines if line.strip()]
        # the first line holds networks of half the size
        losses = np.array([[float(c) if c.strip() else np.nan for c in row] for row in cells[1:]])
        alone = np.nansum(losses[(~np.isnan(losses)).sum(1) == 1], axis=0)
        yield name, (alone - losses) / alone


def made():
    """Gains that were written by make_gain_tables.py."""
    for path in sorted(RESULTS.glob("grouping_gains_*.csv")):
        yield path.stem.removeprefix("grouping_gains_"), pd.read_csv(path, comment="#").to_numpy()


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


class Table:
    """Known gains, what random choice and the oracle make of them."""

    def __init__(self, name, values, limits, selection="exact"):
        self.name, self.values, self.limits = name, values, limits
        self.groups, self.selection = ~np.isnan(values), selection
        self.true = gain_table(self.groups, values, pd.RangeIndex(values.shape[1]))
        self.known = {
            group.tobytes(): gains for group, gains in zip(self.groups, values, strict=True)
        }
        self.random = {n: random_gain(values, n) for n in limits}
        self.oracle = {n: chosen_gain(self.true, self.true, n) for n in limits}

    def procedure(self, groups):
        """Gains as measured."""
        return np.array([self.known[group.tobytes()] for group in groups])

    def score(self, predicted, true=None):
        """Mean score over the limits on the number of groups."""
        true = self.true if true is None else true
        return np.mean([self.score_at(predicted, true, n) for n in self.limits])

    def score_at(self, predicted, true, n):
        """Score for one limit."""
        gain = chosen_gain(predicted, true, n, self.selection)
        return (gain - self.random[n]) / (self.oracle[n] - self.random[n])

    def run(self, method, seed, rounds=None):
        """Estimate, select, and compare."""
        start = time.process_time()
        predicted, measured = estimate_gains(
            self.procedure,
            self.groups.shape[1],
            method,
            rounds=rounds,
            candidates=self.groups,
            random_state=seed,
            return_measured=True,
        )
        seconds = time.process_time() - start
        unknown = ~measured.to_numpy()[:, None] & self.groups
        two = predicted.to_numpy()[unknown], self.values[unknown]
        known = measured.to_numpy()
        only = np.nan
        if method != "hoa":
            # among the groups that were measured, tasks alone included
            only = self.score(self.true[known], self.true[known])
        return {
            "score": self.score(predicted),
            "measured_only": only,
            "spearman": spearmanr(*two)[0],
            "n_measured": int((known & (self.groups.sum(1) > 1)).sum()),
            "seconds": seconds,
        }


def compare(tables, methods, n_seeds):
    """Every method on every table with every seed."""
    rows = []
    for table in tables:
        for name, method in methods.items():
            for seed in range(min(n_seeds, FEWER_SEEDS.get(name, n_seeds))):
                row = table.run(method, seed)
                rows.append({"table": table.name, "method": name, "seed": seed, **row})
            own = [r["score"] for r in rows if (r["table"], r["method"]) == (table.name, name)]
            print(table.name, name, f"{np.mean(own):.3f}", flush=True)
    return pd.DataFrame(rows)


def summarise(results):
    """Means over seeds, by table and over all."""
    everything = results.assign(table="mean of all")
    both = pd.concat([results, everything])
    by_seed = both.groupby(["table", "method", "seed"], sort=False).mean(numeric_only=True)
    by_seed["above_measured_only"] = by_seed["score"] - by_seed["measured_only"]
    grouped = by_seed.groupby(level=["table", "method"], sort=False)
    summary = grouped.mean()
    summary["score_error"] = grouped["score"].agg(standard_error)
    summary["above_measured_only_error"] = grouped["above_measured_only"].agg(standard_error)
    return summary.reset_index()


def targets(summary):
    """What was to be reached, and what was got."""
    of_all = summary[summary["table"] == "mean of all"].set_index("method")
    own, hoa = of_all.loc["mtgnet"], of_all.loc["hoa"]
    above, error = own["above_measured_only"], own["above_measured_only_error"]
    return pd.DataFrame(
        [
            ("score of MTG-Net, mean", f">= HOA ({hoa['score']:.3f})", f"{own['score']:.3f}",
             verdict(own["score"] >= hoa["score"])),
            ("score of MTG-Net, aim", ">= 0.95", f"{own['score']:.3f}",
             verdict(own["score"] >= 0.95)),
            ("above choosing among measured groups only", "> 2 standard errors",
             f"{above:+.4f} ({error:.4f})", verdict(above > 2 * error)),
            ("Spearman of unmeasured gains", f"> HOA ({hoa['spearman']:.3f})",
             f"{own['spearman']:.3f}", verdict(own["spearman"] > hoa["spearman"])),
        ],
        columns=["measure", "target", "got", "result"],
    )  # fmt: skip


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", default=None, help="folder with results*.txt")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="two seeds, the first two methods")
    arguments = parser.parse_args()
    n_seeds = 2 if arguments.quick else arguments.seeds
    names = list(METHODS)[:2] if arguments.quick else arguments.methods
    methods = {name: METHODS[name] for name in names}
    sources = []
    if arguments.data_home is not None:
        sources.append(("published", published(arguments.data_home)))
    sources.append(("made", made()))
    for source, values in sources:
        tables = [Table(name, gains, (2, 3, 4)) for name, gains in values]
        results = compare(tables, methods, n_seeds)
        summary = summarise(results)
        print(summary.round(3).to_string(), flush=True)
        if not arguments.quick:
            save(results, f"grouping_{source}_runs")
            save(summary, f"grouping_{source}")
            save(targets(summary), f"grouping_{source}_targets")


if __name__ == "__main__":
    main()
