"""Speed of task grouping: groups trained in one call, and exact selection.

Run as a file. What counts is processor time of one thread; contenders run in turn.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import save, verdict

from skmtl.baselines import SharedBottomRegressor
from skmtl.grouping import select_groups
from skmtl.grouping._data import WideData
from skmtl.grouping._gain_tables import all_groups, gain_table
from skmtl.grouping._trainer import GroupTrainer

try:
    import resource
except ImportError:  # not on Windows
    resource = None


def table(n_tasks, n_rows, seed=0):
    """Wide rows whose tasks are smooth functions of ten features."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 10))
    y = np.sin(0.7 * X @ rng.normal(size=(10, n_tasks))) + 0.5 * rng.normal(size=(n_rows, n_tasks))
    return WideData(X, pd.DataFrame(y))


def seconds(work):
    """Processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def all_groups_of_seven(max_iter, n_repeats):
    """All 127 groups in one call, against one fit after another: every eighth of them."""
    data = table(7, 1000)
    splits, groups = data.splits(None, 0), all_groups(7)
    model = SharedBottomRegressor(random_state=0, max_iter=max_iter)
    ratios = []
    for _ in range(n_repeats):
        together = seconds(lambda: GroupTrainer(model, data, splits).scores(groups))
        some = groups[::8]
        trainer = GroupTrainer(model, data, splits, max_members=1)
        apart = seconds(lambda: trainer.scores(some)) / len(some) * len(groups)  # noqa: B023
        ratios.append(apart / together)
        print(f"127 groups: {together:.1f} s, apart {apart:.1f} s", flush=True)
    got = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return (
        "all 127 groups of 7 tasks, 1,000 rows: times faster in one call",
        ">= 5",
        got,
        (verdict(np.median(ratios) >= 5)),
    )


def pairs_of_27(max_iter):
    """All 351 pairs in one call, and the memory that the process has then."""
    data = table(27, 1000)
    splits, groups = data.splits(None, 0), all_groups(27, [2])
    model = SharedBottomRegressor(random_state=0, max_iter=max_iter)
    spent = seconds(lambda: GroupTrainer(model, data, splits).scores(groups))
    memory = ""
    if resource is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        memory = f", {peak:.2f} GiB of the process at most"
    return "351 pairs of 27 tasks in one call", "runs", f"{spent:.0f} s{memory}", verdict(True)


def candidate_tables(n_tasks=27, n_groups=3000):
    """Gains of random groups: noise, means over partners with noise, families with noise."""
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
    """Exact selection among 3,000 groups of 27 tasks."""
    rows = []
    for name, groups, gains in candidate_tables():
        frame = gain_table(groups, gains, pd.RangeIndex(groups.shape[1]))
        for limit in limits:
            spent = seconds(lambda: select_groups(frame, limit))  # noqa: B023
            rows.append({"gains": name, "groups": limit, "seconds": spent})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main():
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few epochs and limits")
    arguments = parser.parse_args()
    quick = arguments.quick
    selected = selection((1, 2) if quick else range(1, 11))
    slowest = selected["seconds"].max()
    lines = [
        (
            "exact selection among 3,000 groups of 27 tasks, 1 to 10 groups: slowest",
            "<= 10 s",
            f"{slowest:.2f} s (median {selected['seconds'].median():.2f} s)",
            verdict(slowest <= 10),
        ),
        all_groups_of_seven(5 if quick else 100, 1 if quick else 3),
        pairs_of_27(5 if quick else 100),
    ]
    summary = pd.DataFrame(lines, columns=["measure", "target", "got", "result"])
    print(summary.to_string(), flush=True)
    save(selected, "grouping_selection")
    save(summary, "grouping_speed")


if __name__ == "__main__":
    main()
