"""Time and memory of contenders on a machine that also does other things."""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import pandas as pd


def time_interleaved(contenders, n_repeats):
    """Run contenders in turn, so that a slow moment of the machine hits all of them.

    Processor time counts: with one thread it is what a clock on the wall shows on an idle machine,
    and other programs on the same machine disturb it less.

    Parameters
    ----------
    contenders : dict of str to callable
        A call prepares a run and returns a function without arguments, which is timed.
    n_repeats : int

    Returns
    -------
    DataFrame
        Seconds: one row per repeat, one column per contender.
    """
    names = list(contenders)
    rows = []
    for repeat in range(n_repeats):
        row = {}
        # another one goes first each time
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            run = contenders[name]()
            start = time.process_time()
            run()
            row[name] = time.process_time() - start
        rows.append(row)
    return pd.DataFrame(rows)[names]


class PeakMemory:
    """Watch the resident memory of this process while a block runs; Linux only.

    Attributes
    ----------
    megabytes : float
        Largest amount held during the block, minus the amount at its start.
    """

    def __enter__(self):
        self._start = self._most = resident_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()
        self.megabytes = (max(self._most, resident_bytes()) - self._start) / 1e6

    def _watch(self):
        while not self._done.wait(0.005):
            self._most = max(self._most, resident_bytes())


def resident_bytes():
    """Return the memory that this process holds."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS"):
                return 1024 * int(line.split()[1])
    raise RuntimeError("the system does not tell how much memory the process holds")


def in_a_process(function, *arguments):
    """Call a function in a fresh process, whose memory nothing has used before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()
