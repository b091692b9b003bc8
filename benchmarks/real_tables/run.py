"""Thirteen tables with a column of tasks: our defaults against what users would pick instead.

Rows are split 60/20/20 inside each task, or a fifth of the tasks is held out. Rivals choose their
settings by the validation fifth; ours have one set of defaults for all.
"""

import sys
import time
import warnings
from itertools import chain, product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import joblib
import pandas as pd
import torch
from common.cli import QUICK, parser
from common.ranks import compare_ranks
from common.saving import save, saved
from common.summaries import standard_error, verdict
from real_tables.problem import OURS, Problem, answer, ours
from real_tables.rivals import NUMBERS_ONLY, RIVALS
from real_tables.tables import TABLES, halves, read

from skmtl.model_selection import fit_many

CLASSES = {"guimmun"}
METHODS = {**OURS, **RIVALS}
QUICK_RIVALS = ["ridge", "mixed model", "hierarchical (scikit-lego)"]
OURS_FIRST, ENSEMBLE = "hypernetwork", "hypernetwork, 4 members"
WITH_METADATA = set(TABLES) - {"sleepstudy", "chem97", "gcsemv"}


def problem_of(name, kind, seed):
    """Return the split of a seed: of rows inside tasks, or of whole tasks."""
    X, y, task_id, metadata = read(name)
    known, test = halves(X, task_id, kind, 0.2, seed)
    train, valid = halves(X.iloc[known], task_id, kind, 0.25, seed + 1000)
    labels = y.astype(int) if name in CLASSES else y
    return Problem(
        X, labels, task_id, metadata, known[train], known[valid], test, name in CLASSES, seed
    )


def run(name, kind, method, seeds):
    """Return errors and seconds of one method for several seeds; ours train in one run."""
    torch.set_num_threads(1)
    problems = [problem_of(name, kind, seed) for seed in seeds]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method in OURS:
            models = [ours(problem, method) for problem in problems]
            tables = [(p.X.iloc[p.known], p.y[p.known]) for p in problems]
            pairs = zip(problems, fit_many(models, tables), strict=True)
            answers = [answer(p, model, p.X.iloc[p.test]) for p, model in pairs]
        else:
            answers = [RIVALS[method](problem) for problem in problems]
    seconds = (time.perf_counter() - start) / len(seeds)
    key = {"table": name, "split": kind, "method": method}
    return [
        {**key, "seed": problem.seed, "error": problem.error(problem.test, said)}
        | {"seconds": seconds}
        for problem, said in zip(problems, answers, strict=True)
    ]


def summarise(rows):
    """Return means per table, and ratios to the best rival."""
    lines = []
    for (name, kind), part in rows.groupby(["table", "split"], sort=False):
        # seeds that one method lacks are other rows, which would favour or harm the others
        errors = part.pivot(index="seed", columns="method", values="error").dropna()
        rivals = errors[[m for m in errors if m in RIVALS] or list(errors)]
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
    """Return mean ranks over the tables of numbers, and targets."""
    some = summary[(summary["split"] == kind) & ~summary["table"].isin(CLASSES)]
    if kind == "tasks":
        # without metadata, unseen tasks cannot be told apart
        some = some[some["table"].isin(WITH_METADATA)]
    errors = some.pivot(index="table", columns="method", values="error").dropna(axis=1)
    if len(errors) < 3:
        return None, None
    best = errors.rank(axis=1).mean().idxmin()
    table = compare_ranks(errors, best)
    p_values = table.set_index("method")["nemenyi_p"]
    targets = []
    for method in (OURS_FIRST, ENSEMBLE):
        if method not in errors:
            continue
        p = p_values[method]
        line = {"split": kind, "method": method, "got": p, "result": verdict(p > 0.05)}
        targets.append({**line, "target": "p against the best mean rank above", "bound": 0.05})
        rank = int((table["method"] == method).to_numpy().nonzero()[0][0]) + 1
        line = {"split": kind, "method": method, "got": rank, "result": verdict(rank == 1)}
        targets.append({**line, "target": "place by mean rank (an aim)", "bound": 1})
        own = some[some["method"] == method]
        behind = own["ratio_to_best_rival"] - 1
        bad = own[(behind > 0.03) & (behind > 2 * own["standard_error"])]
        line = {"split": kind, "method": method, "got": len(bad), "result": verdict(len(bad) == 0)}
        line["tables"] = " ".join(bad["table"])
        targets.append({**line, "target": "tables 3% and 2 errors behind the best rival"})
        targets[-1]["bound"] = 0
    return table.assign(split=kind), pd.DataFrame(targets)


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parse.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parse.add_argument("--splits", nargs="+", default=["rows", "tasks"])
    parse.add_argument("--seeds", type=int, default=10)
    parse.add_argument("--jobs", type=int, default=2)
    parse.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parse.parse_args()
    if QUICK:
        arguments.tables, arguments.seeds, arguments.jobs = (
            ["sleepstudy", "theoph", "orthodont"],
            1,
            1,
        )
        arguments.methods = [*list(OURS)[:2], *QUICK_RIVALS]
    rows = saved("runs") if arguments.resume else pd.DataFrame()
    keys = ["table", "split", "method", "seed"]
    done = set() if rows.empty else set(rows[keys].itertuples(index=False, name=None))
    for name in arguments.tables:
        wanted = {}
        for kind, method, seed in product(
            arguments.splits, arguments.methods, range(arguments.seeds)
        ):
            impossible = name in CLASSES and method in NUMBERS_ONLY
            if not impossible and (name, kind, method, seed) not in done:
                wanted.setdefault((name, kind, method), []).append(seed)
        found = joblib.Parallel(arguments.jobs)(
            joblib.delayed(run)(*key, seeds) for key, seeds in wanted.items()
        )
        rows = pd.concat([rows, pd.DataFrame(chain.from_iterable(found))], ignore_index=True)
        save(rows, "runs")
    summary = summarise(rows)
    save(summary, "summary")
    tables = [ranks(summary, kind) for kind in arguments.splits]
    for part, name in zip(zip(*tables, strict=True), ("ranks", "targets"), strict=True):
        if any(table is not None for table in part):
            save(pd.concat(part, ignore_index=True), name)
            print(pd.concat(part).to_string(index=False, float_format="%.3g", na_rep=""))
    for kind in arguments.splits:
        here = summary[summary["split"] == kind]
        wide = here.pivot(index="method", columns="table", values="ratio_to_best_rival")
        print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
