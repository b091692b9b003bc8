"""Gains of a new task, predicted from its metadata: each task left out of an exhaustive table.

Run as a file, after make_gain_tables.py; needs ``skmtl[examples]``. MTG-Net learns from all groups
without the task, and predicts the gains of the new task in groups with others. Beside it: the mean
gain of the other tasks in groups of that size.
"""

import argparse

import numpy as np
import pandas as pd
from _common import RESULTS, save, standard_error
from make_gain_tables import ANGLES
from scipy.stats import spearmanr

from skmtl.datasets import load_star
from skmtl.grouping import MTGNet

FACTS = {
    "star": lambda: load_star().metadata.to_numpy(dtype=float),
    "angles": lambda: np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]),
}


def leave_out(values, facts, task, seed):
    """Errors and rank correlation of predicted gains of one task that was in no group."""
    order = np.r_[np.delete(np.arange(len(facts)), task), task]
    values, facts = values[:, order], facts[order]
    groups = ~np.isnan(values)
    size = groups.sum(axis=1)
    known, asked = (size > 1) & ~groups[:, -1], (size > 1) & groups[:, -1]
    net = MTGNet(random_state=seed)
    net.fit(groups[known][:, :-1], values[known][:, :-1], metadata=facts[:-1])
    predicted = net.predict(groups[asked], metadata=facts)[:, -1]
    true = values[asked, -1]
    by_size = {k: np.nanmean(values[known & (size == k), :-1]) for k in range(2, len(facts))}
    by_size[len(facts)] = by_size[len(facts) - 1]
    plain = np.array([by_size[k] for k in size[asked]])
    return {
        "spearman": spearmanr(true, predicted)[0],
        "spearman_by_size": spearmanr(true, plain)[0],
        "error": np.abs(true - predicted).mean(),
        "error_by_size": np.abs(true - plain).mean(),
    }


def main():
    """Leave out every task of every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed, one table")
    arguments = parser.parse_args()
    rows = []
    for name, read in FACTS.items() if not arguments.quick else [("angles", FACTS["angles"])]:
        facts = read()
        frame = pd.read_csv(RESULTS / f"grouping_gains_{name}.csv", comment="#")
        for task in range(len(facts)):
            for seed in range(1 if arguments.quick else arguments.seeds):
                found = leave_out(frame.to_numpy(), facts, task, seed)
                rows.append({"table": name, "task": frame.columns[task], "seed": seed, **found})
        print(pd.DataFrame(rows).groupby("table").mean(numeric_only=True).round(3), flush=True)
    if arguments.quick:
        return
    runs = pd.DataFrame(rows)
    by_task = runs.groupby(["table", "task"], sort=False).mean(numeric_only=True)
    summary = by_task.drop(columns="seed").groupby(level="table", sort=False)
    table = summary.mean()
    table["spearman_standard_error"] = summary["spearman"].agg(standard_error)
    save(table.reset_index(), "grouping_new_tasks")


if __name__ == "__main__":
    main()
