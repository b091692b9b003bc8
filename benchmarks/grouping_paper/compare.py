"""Task grouping on tables of known gains: how near each estimate of gains comes to the oracle.

``published``: every group of five tasks of Taskonomy in four settings, from the files
``results*.txt`` of https://github.com/tstandley/taskgrouping in ``taskgrouping_results/``, and in
``tag_tables/`` the affinities of these tasks that Fifty et al. published ("Efficiently identifying
task groupings", 2021), of another network. ``made``: the tables that `gain_tables` writes.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.saving import save, saved, saved_names
from common.summaries import standard_error, verdict
from grouping_paper.known_gains import NO_NETWORKS, Table, figure2

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
    "baseline alone": MTGNet(**NO_NETWORKS),
    "baseline, no verification": MTGNet(verification=0.0, **NO_NETWORKS),
    "baseline, random sampling": MTGNet(acquisition="random", verification=0.0, **NO_NETWORKS),
    "mtgnet of the paper": MTGNet.paper(max_iter=300),
}

# pairs are always the same, and so is affinity; the paper's own settings take long
FEWER_SEEDS = {"hoa": 1, "tag": 1, "mtgnet of the paper": 3}
# tasks in the files of results, by the names of the files of affinities
TASKONOMY = ["ss_l", "depth_l", "norm_l", "key_l", "edge2d_l"]


def published(folder):
    """Yield gains of every group in the four settings: relative falls of the loss.

    Yields
    ------
    name, gains, affinity
    """
    found = json.loads(Path(folder, "tag_tables", "taskonomy_tag_affinity.json").read_text())
    order = [found["tasks"].index(task) for task in TASKONOMY]
    # their rows are the affected tasks
    affinity = np.array(found["matrix"])[np.ix_(order, order)].T
    for name, file in SETTINGS.items():
        lines = Path(folder, "taskgrouping_results", f"{file}.txt").read_text().splitlines()
        cells = [(line.split("\t") + [""] * 5)[:5] for line in lines if line.strip()]
        # the first line holds networks of half the size
        losses = np.array([[float(c) if c.strip() else np.nan for c in row] for row in cells[1:]])
        alone = np.nansum(losses[(~np.isnan(losses)).sum(1) == 1], axis=0)
        yield name, (alone - losses) / alone, affinity


def made():
    """Yield gains and affinities that `gain_tables` has written, as `published` does."""
    for name in saved_names("gains_*"):
        name = name.removeprefix("gains_")
        gains, affinity = (saved(f"{what}_{name}") for what in ("gains", "affinity"))
        yield name, gains.to_numpy(), affinity.to_numpy()


def compare(tables, methods, n_seeds, kept):
    """Run every method on every table with every seed, except what an earlier run has kept."""
    rows = kept.to_dict("records")
    done = {(row["table"], row["method"], row["seed"]) for row in rows}
    for table in tables:
        for name, method in methods.items():
            for seed in range(min(n_seeds, FEWER_SEEDS.get(name, n_seeds))):
                if (table.name, name, seed) in done:
                    continue
                row = table.run(method, seed)
                rows.append({"table": table.name, "method": name, "seed": seed, **row})
            scores = [r["score"] for r in rows if (r["table"], r["method"]) == (table.name, name)]
            print(table.name, name, f"{np.mean(scores):.3f}", flush=True)
    return pd.DataFrame(rows)


def summarise(results):
    """Return means over seeds, by table and over all."""
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
    """Return the table of targets."""
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


def compare_all(source, options):
    """Run one source of tables, print and save.

    Parameters
    ----------
    source : {"published", "made"}
    options : Namespace
        Of the script.
    """
    if source == "published" and options.data_home is None:
        print("published needs --data-home; it is left out")
        return
    names = list(METHODS)[:3] if QUICK else options.methods
    methods = {name: METHODS[name] for name in names}
    values = published(options.data_home) if source == "published" else made()
    tables = [Table(name, gains, (2, 3, 4), "exact", affinity) for name, gains, affinity in values]
    kept = saved(f"{source}_runs") if options.resume else pd.DataFrame()
    results = compare(tables, methods, 2 if QUICK else options.seeds, kept)
    summary = summarise(results)
    print(summary.round(3).to_string(), flush=True)
    save(results, f"{source}_runs")
    save(summary, source)
    save(targets(summary), f"{source}_targets")
    if not QUICK:
        save(figure2(tables), f"{source}_figure2")
