"""27 planted tasks, 3,000 random groups, 2 to 10 groups to choose.

Tasks are linear in 30 features with noise, in nine families of three that are alike but not equal.
A group is trained by one ridge regression for all its tasks or as a network with a shared trunk;
gains on validation rows are the truth. MTG-Net is the baseline of `MTGNet` alone, without networks,
and affinity is that of a shared-bottom network trained once on all tasks.
"""

import time

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.groups import all_groups
from common.saving import save
from common.summaries import standard_error, verdict
from grouping_paper.known_gains import NO_NETWORKS, Table, figure2, of_unmeasured
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from skmtl import MultiTaskRegressor
from skmtl.architectures import SharedBottom
from skmtl.datasets import make_related_tasks
from skmtl.grouping import MTGNet
from skmtl.model_selection import fit_many

N_TASKS, N_TRAIN, N_VALID = 27, 40, 100
# with one group there is nothing to choose: it holds all tasks
LIMITS = tuple(range(2, 11))
ROUNDS = tuple(range(1, 14))
# groups whose rows are in memory at once
CHUNK = 200


def data():
    """Return rows of all tasks, and which of them train."""
    related = make_related_tasks(
        N_TASKS,
        0.9,
        30,
        n_groups=9,
        n_sines=0,
        n_rows=N_TRAIN + N_VALID,
        noise=0.7,
        random_state=0,
    )
    train = np.arange(len(related.data)) % (N_TRAIN + N_VALID) < N_TRAIN
    return related, train


def groups_of(n_groups):
    """Draw groups: tasks alone, pairs, all together, and others of random sizes."""
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


def network():
    """Return what trains a group as a network."""
    return MultiTaskRegressor(
        SharedBottom(hidden_layer_sizes=(32,)),
        task_id="task",
        alpha=1.0,
        max_iter=5 if QUICK else 100,
        early_stopping=False,
        random_state=0,
    )


def errors_of(groups, related, train, members):
    """Train groups and return the squared error of every task on validation rows.

    Returns
    -------
    ndarray of shape (n_groups, N_TASKS)
        NaN outside the groups.
    """
    X, y, tasks = related.data, related.target, related.data["task"].to_numpy()
    codes = np.unique(tasks, return_inverse=True)[1]
    errors = np.full(groups.shape, np.nan)
    # groups of one size have networks of one shape
    order = np.argsort(groups.sum(axis=1), kind="stable")
    for begin in range(0, len(order), CHUNK):
        chunk = order[begin : begin + CHUNK]
        rows = [np.flatnonzero(groups[k][codes] & train) for k in chunk]
        if members:
            models = [network() for _ in chunk]
            fit_many(models, [(X.iloc[some], y.iloc[some]) for some in rows])
        else:
            models = [Ridge(10.0).fit(X.iloc[r].drop(columns="task"), y.iloc[r]) for r in rows]
        for k, model in zip(chunk, models, strict=True):
            valid = np.flatnonzero(groups[k][codes] & ~train)
            X_valid = X.iloc[valid] if members else X.iloc[valid].drop(columns="task")
            squared = (model.predict(X_valid) - y.iloc[valid].to_numpy()) ** 2
            sums = np.bincount(codes[valid], squared, minlength=N_TASKS)
            errors[k, groups[k]] = sums[groups[k]] / N_VALID
    return errors


def planted(members, options):
    """Train the groups, estimate gains in every way, and compare.

    Parameters
    ----------
    members : bool
        Whether networks train the groups, instead of ridge regressions.
    options : Namespace
        Of the script.
    """
    related, train = data()
    groups = groups_of(400 if QUICK else options.groups)
    start = time.perf_counter()
    errors = errors_of(groups, related, train, members)
    alone = np.nanmax(np.where(groups.sum(axis=1)[:, None] == 1, errors, np.nan), axis=0)
    values = (alone - errors) / alone
    seconds = time.perf_counter() - start
    mean = np.nanmean(values[groups.sum(axis=1) > 1])
    print(f"{len(groups)} groups trained in {seconds:.0f} s, mean gain {mean:.3f}", flush=True)
    what = "27 planted tasks" + (", groups as members" if members else "")
    limits = LIMITS[:1] if QUICK else LIMITS
    table = Table("27 planted tasks", values, limits, "exact", affinity_of(related, train))
    runs = estimate_all(table)
    by_seed = runs.groupby(["method", "rounds", "seed"], sort=False, dropna=False)
    by_seed = by_seed[["score", "spearman"]].mean()
    grouped = by_seed.groupby(level=["method", "rounds"], sort=False, dropna=False)
    summary = grouped.mean()
    summary["standard_error"] = grouped["score"].agg(standard_error)
    summary = summary.reset_index()
    print(summary.round(3).to_string())
    name = "planted_members" if members else "planted"
    save(runs, f"{name}_runs")
    save(summary, name)
    save(targets(runs, what), f"{name}_targets")
    if not QUICK:
        ways = {
            "HOA": ("hoa", None),
            "TAG": ("tag", None),
            "MTG-Net, K = 1": (MTGNet(**NO_NETWORKS), 1),
            "MTG-Net, K = 13": (MTGNet(**NO_NETWORKS), 13),
        }
        save(figure2([table], LIMITS, ways), f"{name}_figure2")


def affinity_of(related, train):
    """Return the affinities of one run of all tasks."""
    trunk = SharedBottom(hidden_layer_sizes=(32,))
    shared = MultiTaskRegressor(
        trunk, task_id="task", record_affinity=True, max_iter=50, random_state=0
    )
    shared.fit(related.data[train], related.target[train])
    tasks = np.unique(related.data["task"])
    return shared.affinity_.loc[tasks, tasks].to_numpy()


def estimate_all(table):
    """Estimate gains in every way; return a row per method, rounds, seed and limit."""
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
    for rounds in (1, 13) if QUICK else ROUNDS:
        for seed in range(1 if QUICK else 3):
            add("mtgnet", MTGNet(**NO_NETWORKS), seed, rounds)
            random = MTGNet(acquisition="random", verification=0.0, **NO_NETWORKS)
            add("random sampling", random, seed, rounds)
    return pd.DataFrame(results)


def targets(runs, what):
    """Return the table of targets."""

    def score(method, rounds=None):
        here = (runs["method"] == method) & (runs["rounds"].fillna(0) == (rounds or 0))
        return runs.loc[here, "score"].mean()

    compared = [
        ("mtgnet (K = 1)", score("mtgnet", 1), "tag", score("tag")),
        ("mtgnet (K = 13)", score("mtgnet", 13), "hoa", score("hoa")),
        (
            "mtgnet (K = 13)",
            score("mtgnet", 13),
            "random sampling (K = 13)",
            score("random sampling", 13),
        ),
    ]
    return pd.DataFrame(
        [
            (f"{what}: {one}", f"> {other} ({least:.3f})", f"{got:.3f}", verdict(got > least))
            for one, got, other, least in compared
        ],
        columns=["measure", "target", "got", "result"],
    )
