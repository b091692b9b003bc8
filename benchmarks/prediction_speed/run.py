"""Speed and memory of predictions: a million rows of 16 features in 160 tasks, and single rows.

Memory is the largest amount that the process holds, beyond what it held with the input.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import QUICK, parser
from common.saving import save
from common.summaries import spread, verdict
from common.timing import PeakMemory

from skmtl import MultiTaskHypernetRegressor

N_FEATURES, N_TASKS = 16, 160
SECONDS, MEGABYTES = 3.0, 1000.0
MILLISECONDS = 2.0


def rows(n_rows, generator, with_metadata):
    """Draw normal features, ids and, if wanted, two columns of metadata."""
    names = [f"f{k}" for k in range(N_FEATURES)]
    table = pd.DataFrame(generator.normal(size=(n_rows, N_FEATURES)), columns=names)
    # every task occurs
    tasks = np.concatenate([np.arange(N_TASKS), generator.integers(0, N_TASKS, n_rows - N_TASKS)])
    table["task"] = tasks
    if with_metadata:
        table["sine"], table["cosine"] = np.sin(tasks), np.cos(tasks)
    return table


def measure(n_rows, n_repeats, metadata):
    """Fit briefly, then predict several times.

    Returns
    -------
    list of dict
    """
    generator = np.random.default_rng(0)
    train = rows(4000, generator, bool(metadata))
    model = MultiTaskHypernetRegressor("task", metadata or None, max_iter=3, random_state=0)
    model.fit(train, train["f0"] + np.sin(train["task"]))
    table = rows(n_rows, generator, bool(metadata))
    model.predict(table.head(1000))
    results = []
    for repeat in range(n_repeats):
        with PeakMemory() as memory:
            wall, processor = time.perf_counter(), time.process_time()
            predictions = model.predict(table)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
        assert predictions.shape == (n_rows,)
        results.append(
            {
                "metadata": bool(metadata),
                "repeat": repeat,
                "rows": n_rows,
                "features": N_FEATURES,
                "tasks": N_TASKS,
                "seconds": wall,
                "processor_seconds": processor,
                "extra_megabytes": memory.megabytes,
            }
        )
        del predictions
    return results


def measure_rows(n_tasks, base, n_calls):
    """Predict one row many times, of a known task and of a new one that metadata describe.

    Returns
    -------
    list of dict
        Median milliseconds of a call, by the clock and of the processor; the latter are fewer if
        other processes share it.
    """
    generator = np.random.default_rng(0)
    tasks = np.repeat(np.arange(n_tasks), 20 if n_tasks < 1000 else 2)
    z, x = generator.normal(size=n_tasks), generator.normal(size=len(tasks))
    table = pd.DataFrame({"task": tasks, "x": x, "z": z[tasks]})
    model = MultiTaskHypernetRegressor("task", ["z"], max_iter=1, base=base, random_state=0)
    model.fit(table, table["x"] + table["z"])
    row = table.iloc[[3]]
    results = []
    for what, query in (("known", row), ("described", row.assign(task=-1))):
        for _ in range(20):
            model.predict(query)
        seconds = []
        for _ in range(n_calls):
            start = time.perf_counter(), time.process_time()
            model.predict(query)
            seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        wall, processor = 1e3 * np.median(seconds, axis=0)
        line = {"tasks": n_tasks, "task": what, "base": str(base)}
        results.append({**line, "milliseconds": wall, "processor_milliseconds": processor})
    return results


def main_of_rows():
    """Measure single rows, print and save."""
    counts, n_calls = ((20,), 10) if QUICK else ((100, 100_000), 1000)
    pairs = [(n_tasks, base) for n_tasks in counts for base in ("auto", None)]
    single = pd.DataFrame([line for pair in pairs for line in measure_rows(*pair, n_calls)])
    single["target"] = f"at most {MILLISECONDS:g}"
    single["result"] = [verdict(got <= MILLISECONDS) for got in single["milliseconds"]]
    print(single.to_string(index=False, float_format="%.2f"))
    save(single, "one_row")


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--rows", type=int, default=1_000_000)
    parse.add_argument("--repeats", type=int, default=7)
    parse.add_argument("--single", action="store_true", help="measure single rows only")
    arguments = parse.parse_args()
    if arguments.single:
        main_of_rows()
        return
    if QUICK:
        arguments.rows, arguments.repeats = 100_000, 2
    results = []
    for metadata in ([], ["sine", "cosine"]):
        results += measure(arguments.rows, arguments.repeats, metadata)
    results = pd.DataFrame(results)
    summary = []
    for with_metadata, here in results.groupby("metadata"):
        for column, bound in (
            ("seconds", SECONDS),
            ("processor_seconds", None),
            ("extra_megabytes", MEGABYTES),
        ):
            line = {"metadata": with_metadata, "what": column, **spread(here[column])}
            if bound is not None:
                # memory: the most of all repeats counts
                got = line["max" if column == "extra_megabytes" else "median"]
                line |= {"target": f"at most {bound:g}", "result": verdict(got <= bound)}
            summary.append(line)
    summary = pd.DataFrame(summary)
    print(summary.to_string(index=False, float_format="%.3f", na_rep=""), end="\n\n")
    save(results, "runs")
    save(summary, "summary")
    main_of_rows()


if __name__ == "__main__":
    main()
