"""Thirteen tables with a column of tasks: our defaults against what users would pick instead.

Run as a file; needs ``skmtl[examples,bench]``. Rows are split 60/20/20 inside each task, or a fifth
of the tasks is left out whole. Rivals choose their settings by the validation fifth; ours have one
set of defaults for all.
"""

import argparse
import time
import warnings

import joblib
import numpy as np
import pandas as pd
import torch
from _common import RESULTS, save, standard_error
from _rivals import NUMBERS_ONLY, OURS, RIVALS, Problem
from scipy.stats import friedmanchisquare

from skmtl import datasets
from skmtl.model_selection import TaskShuffleSplit

TABLES = {
    "high_school": datasets.load_high_school,
    "bdf": datasets.load_bdf,
    "radon": datasets.load_radon,
    "exam": datasets.load_exam,
    "egsingle": datasets.load_egsingle,
    "hedonic": datasets.load_hedonic,
    "produc": datasets.load_produc,
    "theoph": datasets.load_theoph,
    "orthodont": datasets.load_orthodont,
    "sleepstudy": datasets.load_sleepstudy,
    "chem97": datasets.load_chem97,
    "gcsemv": datasets.load_gcsemv,
    "guimmun": datasets.load_guimmun,
}
CLASSES = {"guimmun"}
MOST_TASKS = 200
METHODS = {**OURS, **RIVALS}


def read(name):
    """X, y, the task's column and the columns of metadata; rows without a label left out."""
    bunch = TABLES[name]()
    X, y, task_id, metadata = bunch.data, bunch.target, bunch.task_id, bunch.metadata
    if name == "gcsemv":
        # the written paper, with schools as tasks again
        schools = [c for c in X if c.startswith("school_")]
        X = X[["female"]].assign(school=X[schools].idxmax(axis=1))
        y, task_id = y["written"], "school"
        X, y = X[y.notna()], y[y.notna()]
    if name == "chem97":
        # an indicator for each of 2,410 schools is more than rivals can hold
        schools = np.random.default_rng(0).permutation(X[task_id].unique())[:MOST_TASKS]
        kept = X[task_id].isin(schools)
        X, y = X[kept], y[kept]
    # the same name of the task whatever it was
    X = X.reset_index(drop=True).assign(**{task_id: X[task_id].astype(str).to_numpy()})
    if set(X) == {task_id}:
        X = X.assign(one=1.0)
    return X, y.to_numpy(dtype=float), task_id, list(metadata) if metadata else None


def problem_of(name, kind, seed):
    """The split of a seed: of rows inside tasks, or of whole tasks."""
    X, y, task_id, metadata = read(name)

    def halves(X, share, seed):
        if kind == "rows":
            splitter = TaskShuffleSplit(task_id, 1, test_size=share, random_state=seed)
            return next(splitter.split(X))
        n_left = max(1, round(share * X[task_id].nunique()))
        tasks = np.random.default_rng(seed).permutation(X[task_id].unique())[:n_left]
        out = X[task_id].isin(tasks).to_numpy()
        return np.flatnonzero(~out), np.flatnonzero(out)

    known, test = halves(X, 0.2, seed)
    train, valid = halves(X.iloc[known], 0.25, seed + 1000)
    labels = y.astype(int) if name in CLASSES else y
    return Problem(
        X, labels, task_id, metadata, known[train], known[valid], test, name in CLASSES, seed
    )


def run(name, kind, seed, method):
    """Error and seconds of one method."""
    torch.set_num_threads(1)
    problem = problem_of(name, kind, seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = METHODS[method](problem)
    row = {"table": name, "split": kind, "seed": seed, "method": method}
    row |= {"error": problem.error(problem.test, predicted)}
    return {**row, "seconds": time.perf_counter() - start}


def summarise(rows):
    """Means per table, and how each of our methods compares with the best rival."""
    lines = []
    for (name, kind), part in rows.groupby(["table", "split"], sort=False):
        errors = part.pivot(index="seed", columns="method", values="error")
        rivals = errors[[m for m in errors if m in RIVALS]]
        best = rivals.mean().idxmin()
        for method in errors:
            ratio = errors[method] / rivals[best]
            line = {"table": name, "split": kind, "method": method, "best_rival": best}
            line |= {"error": errors[method].mean(), "ratio_to_best_rival": ratio.mean()}
            line |= {"standard_error": standard_error(ratio), "seeds": len(errors)}
            seconds = part.loc[part["method"] == method, "seconds"].median()
            lines.append({**line, "seconds": seconds})
    return pd.DataFrame(lines)


def ranks(summary, kind):
    """Mean rank over the tables of numbers, and the Friedman test's p value."""
    some = summary[(summary["split"] == kind) & ~summary["table"].isin(CLASSES)]
    errors = some.pivot(index="table", columns="method", values="error").dropna(axis=1)
    table = errors.rank(axis=1)
    p = friedmanchisquare(*errors.T.to_numpy()).pvalue if len(errors) > 2 else np.nan
    return table.mean().sort_values().rename("mean_rank"), p


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--splits", nargs="+", default=["rows", "tasks"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="three small tables, two seeds")
    parser.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.tables, arguments.seeds = ["sleepstudy", "theoph", "radon"], 2
    path = RESULTS / "real_tables.csv"
    rows = pd.read_csv(path, comment="#") if arguments.resume else pd.DataFrame()
    done = (
        set()
        if rows.empty
        else set(zip(rows["table"], rows["split"], rows["seed"], rows["method"], strict=True))
    )
    for name in arguments.tables:
        wanted = [
            (name, kind, seed, method)
            for kind in arguments.splits
            for seed in range(arguments.seeds)
            for method in arguments.methods
            if not (name in CLASSES and method in NUMBERS_ONLY)
        ]
        wanted = [key for key in wanted if key not in done]
        found = joblib.Parallel(arguments.jobs, verbose=1)(joblib.delayed(run)(*k) for k in wanted)
        rows = pd.concat([rows, pd.DataFrame(found)], ignore_index=True)
        save(rows, "real_tables")
    summary = summarise(rows)
    save(summary, "real_tables_summary")
    for kind in arguments.splits:
        mean_ranks, p = ranks(summary, kind)
        print(f"\n{kind}: mean rank, Friedman p = {p:.2g}\n{mean_ranks.round(2).to_string()}")
        some = summary[summary["split"] == kind]
        wide = some.pivot(index="method", columns="table", values="ratio_to_best_rival")
        print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
