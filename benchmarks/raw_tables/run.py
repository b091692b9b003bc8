"""Tables with words, dates and gaps: our estimator on them as they are, and rivals.

Rows are split 60/20/20 inside each task, or a fifth of the tasks is held out. Rivals choose their
settings by the validation fifth; ours have default settings.
"""

import sys
import time
import warnings
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch
from common.cli import QUICK, parser
from common.saving import save, saved
from common.summaries import standard_error, verdict
from raw_tables.methods import ENCODERS, OURS, RIVALS, ours
from raw_tables.problem import TABLES, WIDE, problem_of

METHODS = [*OURS, *RIVALS]
RAW = OURS[0]
PIPELINES = [name for name in ENCODERS if name.startswith("hand-made")]


def run(name, kind, method, seeds):
    """Return errors and processor seconds of one method; seeds of ours train in one run."""
    problems = [problem_of(name, kind, seed) for seed in seeds]
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method in OURS:
            answers = ours(problems, method)
        else:
            answers = [RIVALS[method](problem) for problem in problems]
    seconds = (time.process_time() - start) / len(seeds)
    key = {"table": name, "split": kind, "method": method}
    return [
        {**key, "seed": p.seed, "error": p.error(p.test, predicted), "seconds": seconds}
        for p, predicted in zip(problems, answers, strict=True)
    ]


def summarise(rows):
    """Return mean errors, and ratios to ours on the same splits."""
    lines = []
    for (name, kind), part in rows.groupby(["table", "split"], sort=False):
        errors = part.pivot(index="seed", columns="method", values="error").dropna()
        for method in (m for m in METHODS if m in errors):
            ratio = errors[method] / errors[RAW]
            line = {"table": name, "split": kind, "method": method}
            line |= {
                "error": errors[method].mean(),
                "standard_error": standard_error(errors[method]),
            }
            line |= {
                "ratio_to_ours": ratio.mean(),
                "standard_error_of_ratio": standard_error(ratio),
            }
            seconds = part.loc[part["method"] == method, "seconds"].median()
            lines.append({**line, "seeds": len(errors), "seconds": seconds})
    return pd.DataFrame(lines)


def targets(rows):
    """Compare ours with the better of our pipelines on each table and split."""
    lines = []
    for (name, kind), part in rows.groupby(["table", "split"], sort=False):
        errors = part.pivot(index="seed", columns="method", values="error").dropna()
        if RAW not in errors or not set(PIPELINES) <= set(errors):
            continue
        pipeline = errors[PIPELINES].mean().idxmin()
        lost = errors[RAW] - errors[pipeline]
        line = {"table": name, "split": kind, "error": errors[RAW].mean(), "pipeline": pipeline}
        line |= {"error_of_pipeline": errors[pipeline].mean(), "difference": lost.mean()}
        # of the difference on the same splits
        error = standard_error(lost)
        holds = not lost.mean() > error
        rivals = errors[[m for m in RIVALS if m in errors]].mean()
        line |= {"standard_error": error, "result": verdict(holds)}
        if len(rivals):
            line |= {"best_rival": rivals.idxmin(), "error_of_rival": rivals.min()}
        lines.append({**line, "seeds": len(errors)})
    return pd.DataFrame(lines)


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parse.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parse.add_argument("--splits", nargs="+", default=["rows", "tasks"], choices=["rows", "tasks"])
    parse.add_argument("--seeds", type=int, default=5)
    parse.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parse.parse_args()
    torch.set_num_threads(1)
    if QUICK:
        arguments.tables, arguments.seeds = ["clinic", "star_wide"], 1
    rows = saved("runs") if arguments.resume else pd.DataFrame()
    done = set()
    if len(rows):
        done = set(rows[["table", "split", "method", "seed"]].itertuples(index=False, name=None))
    for key in product(arguments.tables, arguments.splits, arguments.methods):
        if key[0] in WIDE and key[1] == "tasks":
            continue
        seeds = [seed for seed in range(arguments.seeds) if (*key, seed) not in done]
        if not seeds:
            continue
        rows = pd.concat([rows, pd.DataFrame(run(*key, seeds))], ignore_index=True)
        save(rows, "runs")
    summary = summarise(rows)
    save(summary, "summary")
    save(targets(rows), "targets")
    print(summary.to_string(index=False, float_format="%.4g"))
    print(targets(rows).to_string(index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
