"""Gains of a new task, predicted from its metadata: each task is held out of an exhaustive table.

MTG-Net learns from all groups without the task, and predicts the gains of the new task in groups
with others. It is compared with the mean gain of the other tasks in groups of that size.
"""

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.saving import save, saved
from common.summaries import standard_error
from grouping_paper.gain_tables import ANGLES
from scipy.stats import spearmanr

from skmtl.datasets import load_star
from skmtl.grouping import MTGNet

METADATA = {
    "star": lambda: load_star().metadata.to_numpy(dtype=float),
    "angles": lambda: np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]),
}


def hold_out(values, metadata, task, seed):
    """Return errors and rank correlation of the predicted gains of one task held out."""
    order = np.r_[np.delete(np.arange(len(metadata)), task), task]
    values, metadata = values[:, order], metadata[order]
    groups = ~np.isnan(values)
    size = groups.sum(axis=1)
    known, new = (size > 1) & ~groups[:, -1], (size > 1) & groups[:, -1]
    net = MTGNet(random_state=seed)
    net.fit(groups[known][:, :-1], values[known][:, :-1], metadata=metadata[:-1])
    predicted = net.predict(groups[new], metadata=metadata)[:, -1]
    true = values[new, -1]
    by_size = {k: np.nanmean(values[known & (size == k), :-1]) for k in range(2, len(metadata))}
    by_size[len(metadata)] = by_size[len(metadata) - 1]
    plain = np.array([by_size[k] for k in size[new]])
    return {
        "spearman": spearmanr(true, predicted)[0],
        "spearman_by_size": spearmanr(true, plain)[0],
        "error": np.abs(true - predicted).mean(),
        "error_by_size": np.abs(true - plain).mean(),
    }


def new_tasks(options):
    """Hold out every task of every table."""
    rows = []
    for name, read in METADATA.items() if not QUICK else [("angles", METADATA["angles"])]:
        metadata, gains = read(), saved(f"gains_{name}")
        for task in range(2 if QUICK else len(metadata)):
            for seed in range(1 if QUICK else 3):
                scores = hold_out(gains.to_numpy(), metadata, task, seed)
                rows.append({"table": name, "task": gains.columns[task], "seed": seed, **scores})
        print(pd.DataFrame(rows).groupby("table").mean(numeric_only=True).round(3), flush=True)
    by_task = pd.DataFrame(rows).groupby(["table", "task"], sort=False).mean(numeric_only=True)
    by_table = by_task.drop(columns="seed").groupby(level="table", sort=False)
    table = by_table.mean()
    table["spearman_standard_error"] = by_table["spearman"].agg(standard_error)
    save(table.reset_index(), "new_tasks")
