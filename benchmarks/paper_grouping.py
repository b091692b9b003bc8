"""Task grouping on tables of known gains: how near each way to estimate them comes to the oracle.

Run as a file. ``published``: every group of five tasks of Taskonomy in four settings, from the
files ``results*.txt`` of https://github.com/tstandley/taskgrouping in the folder
``taskgrouping_results`` of --data-home, and in ``tag_tables`` the affinities of these tasks that
Fifty et al. published ("Efficiently identifying task groupings", 2021), of another network.
``made``: the tables that make_gain_tables.py has written. The score of a choice of groups is
(chosen - random) / (oracle - random) of the true mean gain.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, save, saved, standard_error, verdict
from _grouping_figures import figure2
from _known_gains import QUICK, Table

from skmtl.grouping import MTGNet

SETTINGS = {
    "taskonomy_1": "results",
    "taskonomy_2": "results_large",
    "taskonomy_3": "results_small_data",
    "taskonomy_4": "results_alt",
}
METHODS = {
    "hoa": "hoa",
    "tag": "tag",
    "mtgnet": MTGNet(),
    "baseline alone": MTGNet(**QUICK),
    "baseline, no verification": MTGNet(verification=0.0, **QUICK),
    "baseline, random sampling": MTGNet(acquisition="random", verification=0.0, **QUICK),
    "mtgnet of the paper": MTGNet.paper(max_iter=300),
}

# pairs are always the same, and so is affinity; the paper's own settings take long
FEWER_SEEDS = {"hoa": 1, "tag": 1, "mtgnet of the paper": 3}
# tasks in the files of results, by the names of the files of affinities
TASKONOMY = ["ss_l", "depth_l", "norm_l", "key_l", "edge2d_l"]


def published(folder):
    """Gains of every group in the four settings, relative falls of the loss against one task.

    Yields
    ------
    name, gains, affinity
    """
    found = json.loads(Path(folder, "tag_tables", "taskonomy_tag_affinity.json").read_text())
    order = [found["tasks"].index(task) for task in TASKONOMY]
    # their rows are the tasks that are affected
    affinity = np.array(found["matrix"])[np.ix_(order, order)].T
    for name, file in SETTINGS.items():
        lines = Path(folder, "taskgrouping_results", f"{file}.txt").read_text().splitlines()
        cells = [(line.split("\t") + [""] * 5)[:5] for line in lines if line.strip()]
        # the first line holds networks of half the size
        losses = np.array([[float(c) if c.strip() else np.nan for c in row] for row in cells[1:]])
        alone = np.nansum(losses[(~np.isnan(losses)).sum(1) == 1], axis=0)
        yield name, (alone - losses) / alone, affinity


def made():
    """Gains and affinities that were written by make_gain_tables.py, as `published`."""
    for path in sorted(RESULTS.glob("grouping_gains_*.csv")):
        name = path.stem.removeprefix("grouping_gains_")
        gains, affinity = (saved(f"grouping_{what}_{name}") for what in ("gains", "affinity"))
        yield name, gains.to_numpy(), affinity.to_numpy()


def compare(tables, methods, n_seeds, kept):
    """Every method on every table with every seed, but for what is kept from an earlier run."""
    rows = kept.to_dict("records")
    done = {(row["table"], row["method"], row["seed"]) for row in rows}
    for table in tables:
        for name, method in methods.items():
            for seed in range(min(n_seeds, FEWER_SEEDS.get(name, n_seeds))):
                if (table.name, name, seed) in done:
                    continue
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
    own, hoa, tag = (of_all.loc[name] for name in ("mtgnet", "hoa", "tag"))
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
            ("Spearman of unmeasured gains", f"> TAG ({tag['spearman']:.3f})",
             f"{own['spearman']:.3f}", verdict(own["spearman"] > tag["spearman"])),
        ],
        columns=["measure", "target", "got", "result"],
    )  # fmt: skip


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", default=None, help="folder of the published tables")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--resume", action="store_true", help="keep the runs that the files have")
    parser.add_argument("--quick", action="store_true", help="two seeds, the first three methods")
    arguments = parser.parse_args()
    n_seeds = 2 if arguments.quick else arguments.seeds
    names = list(METHODS)[:3] if arguments.quick else arguments.methods
    methods = {name: METHODS[name] for name in names}
    sources = []
    if arguments.data_home is not None:
        sources.append(("published", published(arguments.data_home)))
    sources.append(("made", made()))
    for source, values in sources:
        tables = [
            Table(name, gains, (2, 3, 4), "exact", affinity) for name, gains, affinity in values
        ]
        kept = saved(f"grouping_{source}_runs") if arguments.resume else pd.DataFrame()
        results = compare(tables, methods, n_seeds, kept)
        summary = summarise(results)
        print(summary.round(3).to_string(), flush=True)
        save(results, f"grouping_{source}_runs")
        save(summary, f"grouping_{source}")
        save(targets(summary), f"grouping_{source}_targets")
        if not arguments.quick:
            figure2(tables, f"grouping_{source}_figure2")


if __name__ == "__main__":
    main()
