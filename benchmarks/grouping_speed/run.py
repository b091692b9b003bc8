"""Speed of task grouping: groups trained in one call, and exact selection.

Processor time of one thread counts; contenders run in turn.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
import torch
from common.cli import QUICK, parser
from common.groups import all_groups, gain_table
from common.saving import save
from common.summaries import verdict

from skmtl import MultiTaskRegressor
from skmtl.architectures import SharedBottom
from skmtl.grouping import select_groups
from skmtl.model_selection import fit_many

try:
    import resource
except ImportError:  # not on Windows
    resource = None


def table(n_tasks, n_rows, seed=0):
    """Return wide rows whose tasks are smooth functions of ten features."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 10))
    y = np.sin(0.7 * X @ rng.normal(size=(10, n_tasks))) + 0.5 * rng.normal(size=(n_rows, n_tasks))
    return X, pd.DataFrame(y)


def seconds(work):
    """Return the processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def fit_groups(X, Y, groups, max_iter, together=True):
    """Train a network for each group of columns, on three quarters of the rows."""
    n_train = 3 * len(X) // 4
    models = [MultiTaskRegressor(SharedBottom(), random_state=0, max_iter=max_iter) for _ in groups]
    tables = [(X[:n_train], Y.iloc[:n_train, np.flatnonzero(group)]) for group in groups]
    if together:
        return fit_many(models, tables)
    return [model.fit(*one) for model, one in zip(models, tables, strict=True)]


def all_groups_of_seven(max_iter, n_repeats):
    """Train all 127 groups in one call, and every eighth of them one after another."""
    X, Y = table(7, 1000)
    groups, ratios = all_groups(7), []
    for _ in range(n_repeats):
        together = seconds(lambda: fit_groups(X, Y, groups, max_iter))
        part = groups[::8]
        apart = seconds(lambda: fit_groups(X, Y, part, max_iter, together=False))  # noqa: B023
        apart *= len(groups) / len(part)
        ratios.append(apart / together)
        print(f"127 groups: {together:.1f} s, apart {apart:.1f} s", flush=True)
    got = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return (
        "all 127 groups of 7 tasks, 1,000 rows: times faster in one call",
        ">= 5",
        got,
        verdict(np.median(ratios) >= 5),
    )


def pairs_of_27(max_iter):
    """Train all 351 pairs in one call, and report the memory of the process."""
    X, Y = table(27, 1000)
    groups = all_groups(27, [2])
    spent = seconds(lambda: fit_groups(X, Y, groups, max_iter))
    memory = ""
    if resource is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        memory = f", {peak:.2f} GiB of the process at most"
    return "351 pairs of 27 tasks in one call", "runs", f"{spent:.0f} s{memory}", verdict(True)


def candidate_tables(n_tasks=27, n_groups=3000):
    """Yield gains of random groups: noise, means over partners with noise, families with noise."""
    rng = np.random.default_rng(0)
    groups = rng.random((n_groups, n_tasks)) < rng.uniform(0.05, 0.95, (n_groups, 1))
    groups = np.vstack([np.eye(n_tasks, dtype=bool), np.ones((1, n_tasks), dtype=bool), groups])
    groups = np.unique(groups[groups.any(axis=1)], axis=0)[:n_groups]
    size = groups.sum(axis=1, keepdims=True)
    by_pair = 0.02 + 0.1 * rng.normal(size=(n_tasks, n_tasks))
    family = np.arange(n_tasks) // 3
    alike = 0.3 * (family == family[:, None]) - 0.05
    noise = rng.normal(size=groups.shape)
    yield "noise", groups, 0.1 * noise
    yield "pairs and noise", groups, groups @ by_pair.T / size + 0.01 * noise
    yield "pairs", groups, groups @ by_pair.T / size
    yield "families and noise", groups, groups @ alike.T / np.sqrt(size) + 0.02 * noise


def selection(limits):
    """Time exact selection among 3,000 groups of 27 tasks."""
    rows = []
    for name, groups, gains in candidate_tables():
        frame = gain_table(groups, gains)
        for limit in limits:
            spent = seconds(lambda: select_groups(frame, limit))  # noqa: B023
            rows.append({"gains": name, "groups": limit, "seconds": spent})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main():
    """Measure everything."""
    parser(__doc__).parse_args()
    torch.set_num_threads(1)
    selected = selection((1, 2) if QUICK else range(1, 11))
    slowest = selected["seconds"].max()
    lines = [
        (
            "exact selection among 3,000 groups of 27 tasks, 1 to 10 groups: slowest",
            "<= 10 s",
            f"{slowest:.2f} s (median {selected['seconds'].median():.2f} s)",
            verdict(slowest <= 10),
        ),
        all_groups_of_seven(5 if QUICK else 100, 1 if QUICK else 3),
        pairs_of_27(5 if QUICK else 100),
    ]
    summary = pd.DataFrame(lines, columns=["measure", "target", "got", "result"])
    print(summary.to_string(), flush=True)
    save(selected, "selection")
    save(summary, "speed")


if __name__ == "__main__":
    main()
