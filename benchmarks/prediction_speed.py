"""Speed and memory of predictions: a million rows of 16 features in 160 tasks.

Run as a file. Memory is what the process holds at most, beyond what it held with the input.
"""

import argparse
import threading
import time

import numpy as np
import pandas as pd
from _common import save, spread, verdict

from skmtl import MultiTaskHypernetRegressor

N_FEATURES, N_TASKS = 16, 160
SECONDS, MEGABYTES = 3.0, 1000.0


class PeakMemory:
    """Watch the resident memory of this process while a block runs; Linux only.

    Attributes
    ----------
    megabytes : float
        Most that was held during the block, beyond what was held at its start.
    """

    def __enter__(self):
        self._start = self._most = self._resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()
        self.megabytes = (max(self._most, self._resident()) - self._start) / 1e6

    def _watch(self):
        while not self._done.wait(0.005):
            self._most = max(self._most, self._resident())

    @staticmethod
    def _resident():
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return 1024 * int(line.split()[1])
        raise RuntimeError("the system does not tell how much memory the process holds")


def rows(n_rows, generator, with_facts):
    """A table of normal features, ids and, if asked for, two facts about every task."""
    names = [f"f{k}" for k in range(N_FEATURES)]
    table = pd.DataFrame(generator.normal(size=(n_rows, N_FEATURES)), columns=names)
    # every task occurs
    tasks = np.concatenate([np.arange(N_TASKS), generator.integers(0, N_TASKS, n_rows - N_TASKS)])
    table["task"] = tasks
    if with_facts:
        table["fact_1"], table["fact_2"] = np.sin(tasks), np.cos(tasks)
    return table


def measure(n_rows, n_repeats, facts):
    """Fit briefly, then predict several times.

    Returns
    -------
    list of dict
    """
    generator = np.random.default_rng(0)
    train = rows(4000, generator, bool(facts))
    model = MultiTaskHypernetRegressor("task", facts or None, max_iter=3, random_state=0)
    model.fit(train, train["f0"] + np.sin(train["task"]))
    table = rows(n_rows, generator, bool(facts))
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
                "metadata": bool(facts),
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


def main():
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two repeats")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats = 2
    results = []
    for facts in ([], ["fact_1", "fact_2"]):
        results += measure(arguments.rows, arguments.repeats, facts)
    results = pd.DataFrame(results)
    summary = []
    for with_facts, here in results.groupby("metadata"):
        for column, bound in (
            ("seconds", SECONDS),
            ("processor_seconds", None),
            ("extra_megabytes", MEGABYTES),
        ):
            line = {"metadata": with_facts, "what": column, **spread(here[column])}
            if bound is not None:
                # memory: the most of all repeats counts
                got = line["max" if column == "extra_megabytes" else "median"]
                line |= {"target": f"at most {bound:g}", "result": verdict(got <= bound)}
            summary.append(line)
    summary = pd.DataFrame(summary)
    print(summary.to_string(index=False, float_format="%.3f", na_rep=""), end="\n\n")
    save(results, "prediction_speed")
    save(summary, "prediction_speed_summary")


if __name__ == "__main__":
    main()
