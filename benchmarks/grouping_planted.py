"""The headline at size: 27 planted tasks, 3,000 random groups, 2 to 10 groups to choose.

Run as a file. Tasks are linear in 30 features with noise, in nine families of three that are alike
but not equal. A group is trained by one ridge regression for all its tasks or, with ``--members``,
as a network with a shared trunk, all groups of a size side by side; gains on validation rows are
the truth. MTG-Net is the baseline of `MTGNet` alone, without networks, and affinity is that of
`SharedBottomRegressor` trained once on all tasks.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import save, standard_error, verdict
from _grouping_figures import figure2, figure3
from _known_gains import QUICK, Table, of_unmeasured
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from skmtl.baselines import SharedBottomRegressor
from skmtl.datasets import make_related_tasks
from skmtl.grouping import MTGNet
from skmtl.grouping._adapters import LongModel
from skmtl.grouping._data import LongData
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping._scores import gains_of
from skmtl.grouping._trainer import GroupTrainer

N_TASKS, N_TRAIN, N_VALID = 27, 40, 100
# with one group there is nothing to choose: it holds all tasks
LIMITS = tuple(range(2, 11))
ROUNDS = tuple(range(1, 14))
SHOWN = 1, 4, 7, 10, 13


def data():
    """Rows of all tasks, and which of them train."""
    planted = make_related_tasks(
        N_TASKS,
        0.9,
        30,
        n_groups=9,
        n_sines=0,
        n_rows=N_TRAIN + N_VALID,
        noise=0.7,
        random_state=0,
    )
    train = np.arange(len(planted.data)) % (N_TRAIN + N_VALID) < N_TRAIN
    return planted, train


def groups_of(n_groups):
    """Tasks alone, pairs, all together, and others of random sizes."""
    rng = np.random.default_rng(0)
    groups = [*all_groups(N_TASKS, [1, 2, N_TASKS])]
    seen = {group.tobytes() for group in groups}
    while len(groups) < n_groups:
        # small groups are what helps, so half of the draws are of up to eight tasks
        size = rng.integers(3, 9) if rng.random() < 0.5 else rng.integers(9, N_TASKS)
        group = np.isin(np.arange(N_TASKS), rng.choice(N_TASKS, size, replace=False))
        if group.tobytes() not in seen:
            seen.add(group.tobytes())
            groups.append(group)
    return np.array(groups)


def model_of(members):
    """What trains a group."""
    if not members:
        return LongModel(Ridge(10.0), "task", "drop")
    return SharedBottomRegressor(
        task_id="task",
        hidden_layer_sizes=(32,),
        alpha=1.0,
        max_iter=100,
        early_stopping=False,
        random_state=0,
    )


def main():
    """Train the groups, estimate gains in every way, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--members", action="store_true", help="networks instead of ridge")
    parser.add_argument("--quick", action="store_true", help="500 groups, one seed")
    arguments = parser.parse_args()
    n_groups, n_seeds = arguments.groups, arguments.seeds
    name_of_files = "grouping_planted_members" if arguments.members else "grouping_planted"
    if arguments.quick:
        n_groups, n_seeds = 500, 1
    planted, train = data()
    rows = LongData(planted.data, planted.target, None, "task")
    model = model_of(arguments.members)
    split = [(np.flatnonzero(train), np.flatnonzero(~train))]
    groups = groups_of(n_groups)
    trainer = GroupTrainer(model, rows, split)
    alone = np.diag(trainer.scores(np.eye(N_TASKS, dtype=bool)))
    start = time.perf_counter()
    values = gains_of(trainer.scores(groups), alone)
    seconds = time.perf_counter() - start
    mean = np.nanmean(values[groups.sum(axis=1) > 1])
    print(f"{len(groups)} groups trained in {seconds:.0f} s, mean gain {mean:.3f}", flush=True)
    shared = SharedBottomRegressor(
        task_id="task", record_affinity=True, max_iter=50, hidden_layer_sizes=(32,), random_state=0
    )
    shared.fit(planted.data[train], planted.target[train])
    affinity = shared.affinity_.loc[rows.tasks, rows.tasks].to_numpy()
    table = Table("27 planted tasks", values, LIMITS, "exact", affinity)
    results = []

    def add(name, method, seed, rounds=None):
        predicted, true, known = table.estimate(method, seed, rounds)
        line = {"method": name, "rounds": rounds, "seed": seed}
        line["spearman"] = spearmanr(*of_unmeasured(predicted, true, known))[0]
        scores = [table.score_at(predicted, true, limit) for limit in table.limits]
        pairs = zip(table.limits, scores, strict=True)
        results.extend({**line, "limit": limit, "score": score} for limit, score in pairs)
        print(name, rounds, seed, round(np.mean(scores), 3), flush=True)

    add("tag", "tag", 0)
    add("hoa", "hoa", 0)
    for rounds in (1, 13) if arguments.quick else ROUNDS:
        for seed in range(n_seeds):
            add("mtgnet", MTGNet(**QUICK), seed, rounds)
            random = MTGNet(acquisition="random", verification=0.0, **QUICK)
            add("random sampling", random, seed, rounds)
    runs = pd.DataFrame(results)
    by_seed = runs.groupby(["method", "rounds", "seed"], sort=False, dropna=False)
    by_seed = by_seed[["score", "spearman"]].mean()
    grouped = by_seed.groupby(level=["method", "rounds"], sort=False, dropna=False)
    summary = grouped.mean()
    summary["standard_error"] = grouped["score"].agg(standard_error)
    summary = summary.reset_index()
    print(summary.round(3).to_string())

    def score(method, rounds=None):
        some = runs[(runs["method"] == method) & (runs["rounds"].fillna(0) == (rounds or 0))]
        return some["score"].mean()

    compared = [
        ("mtgnet (K = 1)", score("mtgnet", 1), "tag", score("tag")),
        ("mtgnet (K = 13)", score("mtgnet", 13), "hoa", score("hoa")),
        ("mtgnet (K = 13)", score("mtgnet", 13), "random sampling (K = 13)",
         score("random sampling", 13)),
    ]  # fmt: skip
    what = "27 planted tasks" + (", groups as members" if arguments.members else "")
    targets = pd.DataFrame(
        [
            (f"{what}: {one}", f"> {other} ({least:.3f})", f"{got:.3f}", verdict(got > least))
            for one, got, other, least in compared
        ],
        columns=["measure", "target", "got", "result"],
    )
    print(targets.to_string())
    save(runs, f"{name_of_files}_runs")
    save(summary, name_of_files)
    save(targets, f"{name_of_files}_targets")
    if not arguments.quick:
        ways = {
            "HOA": ("hoa", None),
            "TAG": ("tag", None),
            "MTG-Net, K = 1": (MTGNet(**QUICK), 1),
            "MTG-Net, K = 13": (MTGNet(**QUICK), 13),
        }
        figure2([table], f"{name_of_files}_figure2", LIMITS, ways)
        figure3(runs, SHOWN, f"{name_of_files}_figure3")


if __name__ == "__main__":
    main()
