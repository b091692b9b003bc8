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
from paper_grouping import QUICK, Table
from sklearn.linear_model import Ridge

from skmtl.baselines import SharedBottomRegressor
from skmtl.datasets import make_related_tasks
from skmtl.grouping import MTGNet, estimate_gains
from skmtl.grouping._adapters import LongModel
from skmtl.grouping._data import LongData
from skmtl.grouping._gain_tables import all_groups
from skmtl.grouping._scores import gains_of
from skmtl.grouping._trainer import GroupTrainer

N_TASKS, N_TRAIN, N_VALID = 27, 40, 100
# with one group there is nothing to choose: it holds all tasks
LIMITS = tuple(range(2, 11))


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
    table = Table("planted", values, LIMITS, "exact")
    shared = SharedBottomRegressor(
        task_id="task", record_affinity=True, max_iter=50, hidden_layer_sizes=(32,), random_state=0
    )
    shared.fit(planted.data[train], planted.target[train])
    affinity = shared.affinity_.loc[rows.tasks, rows.tasks].to_numpy()
    results = []

    def add(name, predicted, seed, n_measured):
        true = table.true if len(predicted) == len(table.true) else tag_true
        for limit in table.limits:
            score = table.score_at(predicted, true, limit)
            results.append(
                {
                    "method": name,
                    "seed": seed,
                    "n_measured": n_measured,
                    "limit": limit,
                    "score": score,
                }
            )
        print(
            name, seed, round(np.mean([r["score"] for r in results[-len(LIMITS) :]]), 3), flush=True
        )

    several = groups.sum(axis=1) > 1
    tag_true = table.true[several]
    candidates = {"candidates": groups, "random_state": 0}
    tag = estimate_gains(table.procedure, N_TASKS, "tag", affinity=affinity, **candidates)
    add("tag", tag, 0, 1)
    add("hoa (K = 13)", estimate_gains(table.procedure, N_TASKS, "hoa", **candidates), 0, 351)
    for rounds in (1, 7, 13):
        for name, net in {
            "mtgnet": MTGNet(**QUICK),
            "random sampling": MTGNet(acquisition="random", verification=0.0, **QUICK),
        }.items():
            for seed in range(n_seeds):
                predicted = estimate_gains(
                    table.procedure,
                    N_TASKS,
                    net,
                    rounds=rounds,
                    candidates=groups,
                    random_state=seed,
                )
                add(f"{name} (K = {rounds})", predicted, seed, rounds * N_TASKS + 1)
    runs = pd.DataFrame(results)
    by_seed = runs.groupby(["method", "seed"], sort=False)["score"].mean()
    grouped = by_seed.groupby(level="method", sort=False)
    summary = pd.DataFrame({"score": grouped.mean(), "standard_error": grouped.agg(standard_error)})
    print(summary.round(3).to_string())
    score = summary["score"]
    targets = pd.DataFrame(
        [
            (f"27 planted tasks: {one}", f"> {other} ({score[other]:.3f})", f"{score[one]:.3f}",
             verdict(score[one] > score[other]))
            for one, other in (("mtgnet (K = 1)", "tag"), ("mtgnet (K = 13)", "hoa (K = 13)"),
                               ("mtgnet (K = 13)", "random sampling (K = 13)"))
        ],
        columns=["measure", "target", "got", "result"],
    )  # fmt: skip
    print(targets.to_string())
    if not arguments.quick:
        save(runs, f"{name_of_files}_runs")
        save(summary.reset_index(), name_of_files)
        save(targets, f"{name_of_files}_targets")


if __name__ == "__main__":
    main()
