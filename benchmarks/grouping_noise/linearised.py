"""Gains by linear models (``gains="linearised"``) against measured pairs (HOA): error and time.

The nine tasks of ``run.py``, of which draws 0 and 1 chose the defaults. Errors are relative to each
task alone, on test rows. Processor time is that of the whole fit, and its share for the gains: the
check of the choice trains the groups that it chooses, which measured pairs have in part. In some
draws all groups are trained, to compare estimated gains with theirs by rank.
"""

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import QUICK, parser
from common.saving import save, saved
from common.summaries import standard_error, verdict
from grouping_noise.run import long_tables, network
from scipy.stats import spearmanr

from skmtl import TaskGrouper

METHODS = ("hoa", "linearised")
SETTINGS = (("families", 3), ("families", 9), ("unrelated", 9))
# chose the defaults
FIRST = 2


def fit(data, gains, limit, seed):
    """Fit groups; return them with the processor time, and its share for the gains."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grouper = TaskGrouper(
            network("task"), limit, gains=gains, compare=False, random_state=seed
        ).fit(*data[:2])
    seconds = time.process_time() - start
    spent = grouper.seconds_
    return grouper, seconds, seconds * spent["gains"] / spent.sum()


def errors_of(model, data):
    """Return the test error of every task."""
    X, y = data[2:]
    squared = (np.asarray(y) - model.predict(X)) ** 2
    return pd.Series(squared).groupby(X["task"].to_numpy()).mean()


def draw(seed, with_truth):
    """Yield a row for every setting and method."""
    for kind, limit in SETTINGS:
        data = long_tables(kind, 0.5, seed)
        tasks = np.unique(data[0]["task"])
        single = {(task,): [0.0 if t == task else np.nan for t in tasks] for task in tasks.tolist()}
        index = pd.Index(list(single), tupleize_cols=False)
        table = pd.DataFrame(list(single.values()), index=index, columns=tasks)
        alone = errors_of(fit(data, table, len(tasks), seed)[0], data)
        true = None
        if with_truth and (kind, limit) == SETTINGS[0]:
            true = fit(data, "exhaustive", limit, seed)[0].gains_.to_numpy()
        for method in METHODS:
            grouper, seconds, for_gains = fit(data, method, limit, seed)
            several = ~np.isnan(grouper.gains_.to_numpy())
            several &= (several.sum(axis=1) > 1)[:, None]
            rank = np.nan
            if true is not None:
                rank = spearmanr(grouper.gains_.to_numpy()[several], true[several])[0]
            yield {
                "kind": kind,
                "limit": limit,
                "method": method,
                "draw": seed,
                "ratio": (errors_of(grouper, data) / alone).mean(),
                "n_groups": len(grouper.groups_),
                "seconds": seconds,
                "seconds_gains": for_gains,
                "rank": rank,
            }


def summarise(runs):
    """Return means over draws; a positive difference is in favour of HOA."""
    keys = ["kind", "limit", "method"]
    table = runs.groupby(keys, sort=False).mean(numeric_only=True).drop(columns="draw")
    wide = runs.pivot_table(values="ratio", index=["kind", "limit", "draw"], columns="method")
    differences = (wide["linearised"] - wide["hoa"]).groupby(["kind", "limit"])
    table["ratio_standard_error"] = runs.groupby(keys, sort=False)["ratio"].agg(standard_error)
    table = table.reset_index().set_index(["kind", "limit"])
    table["difference"] = differences.mean()
    table["difference_standard_error"] = differences.agg(standard_error)
    table["n_draws"] = differences.size()
    return table.reset_index()


def targets(table):
    """Return the table of targets."""
    rows = []
    by_method = table.set_index(["kind", "limit", "method"])
    for kind, limit in SETTINGS:
        hoa, own = (by_method.loc[(kind, limit, method)] for method in METHODS)
        what = f"linearised gains, {kind}, at most {limit} groups"
        far = 2 * own["difference_standard_error"]
        rows.append(
            (
                f"{what}: error over alone",
                f"<= HOA's, {hoa['ratio']:.3f} (within 2 SE)",
                f"{own['ratio']:.3f} (difference {own['difference']:.3f}, SE {far / 2:.3f})",
                own["difference"] <= far,
            )
        )
        for name, words in (("seconds_gains", "time for the gains"), ("seconds", "time to fit")):
            share = own[name] / hoa[name]
            rows.append((f"{what}: {words} over HOA's", "<= 0.25", f"{share:.2f}", share <= 0.25))
    table = pd.DataFrame(rows, columns=["measure", "target", "got", "result"])
    return table.assign(result=table["result"].map(verdict))


def main():
    """Run draws, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--draws", type=int, default=1 if QUICK else 20)
    parse.add_argument("--truth", type=int, default=0 if QUICK else 2, help="draws with all groups")
    parse.add_argument("--summary", action="store_true", help="of the runs that there are")
    options = parse.parse_args()
    rows = []
    for seed in range(0 if options.summary else options.draws):
        for row in draw(FIRST + seed, seed < options.truth):
            rows.append(row)
            print(
                {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
        save(pd.DataFrame(rows), "linearised_runs")
    table = summarise(saved("linearised_runs") if options.summary else pd.DataFrame(rows))
    print(table.round(3).to_string())
    save(table, "linearised")
    save(targets(table), "linearised_targets")


if __name__ == "__main__":
    main()
