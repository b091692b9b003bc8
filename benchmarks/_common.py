"""What the benchmarks share: interleaved timing, result files, the description of the machine.

Scripts of this folder import it by its bare name, since they are run as files.
"""

import datetime
import platform
import shlex
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy import stats

import skmtl
from skmtl._estimators.run import train_together

RESULTS = Path(__file__).parent / "results"
# a short run shows whether a script works; what it finds is not worth keeping
# (argparse takes the beginning of an option for it)
QUICK = any(len(word) > 2 and "--quick".startswith(word) for word in sys.argv[1:])


def cpu_model():
    """Name of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def command_line(hidden=("--data-home", "--cache-dir")):
    """How the script was called, without the values of options that name folders."""
    words = []
    for word in sys.argv[1:]:
        name, separator, _ = word.partition("=")
        if words and words[-1] in hidden:
            words.append("DIR")
        elif name in hidden and separator:
            words.append(f"{name}=DIR")
        else:
            words.append(word)
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def circumstances():
    """Command, date, versions and machine, as pairs of strings."""
    versions = [f"python {platform.python_version()}", f"skmtl {skmtl.__version__}"]
    versions += [f"{name} {version(name)}" for name in ("torch", "scikit-learn", "skorch", "numpy")]
    return {
        "command": command_line(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "versions": ", ".join(versions),
        "machine": f"{cpu_model()}, {joblib.cpu_count()} cores, {platform.system()}",
    }


def save(table, name, **notes):
    """Write a table as CSV below lines that start with "#" and say how it was made.

    Read it with ``pandas.read_csv(path, comment="#")``. A quick run writes nothing.

    Parameters
    ----------
    table : DataFrame
    name : str
        Name of the file in the folder of results, without ".csv".
    **notes : str
        More lines for the head of the file.
    """
    if QUICK:
        return
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        for key, value in {**circumstances(), **notes}.items():
            file.write(f"# {key}: {value}\n")
        table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")
    print(f"wrote benchmarks/results/{path.name}", flush=True)


def saved(name):
    """What `save` has written under a name; an empty table if nothing has been."""
    path = RESULTS / f"{name}.csv"
    return pd.read_csv(path, comment="#") if path.exists() else pd.DataFrame()


def save_figure(figure, name):
    """Write a picture beside the tables, the same file for the same numbers, and close it."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    if not QUICK:
        with mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(RESULTS / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def time_interleaved(contenders, n_repeats):
    """Run contenders in turn, so that a slow moment of the machine hits all of them.

    What counts is processor time: with one thread it is what a clock on the wall shows on an idle
    machine, and other programs on the same machine disturb it less.

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


def side_by_side(models, tables, at_once=20):
    """Fit each model on its table (X, y); models that can share a stack do."""
    jobs = [model._job(*table) for model, table in zip(models, tables, strict=True)]
    groups = {}
    for job in jobs:
        groups.setdefault(job.key(), []).append(job)
    for group in groups.values():
        for begin in range(0, len(group), at_once):
            train_together(group[begin : begin + at_once])
    return models


def interval(values, level=0.9):
    """Mean, and half the width of its interval."""
    values = np.asarray(values, dtype=float)
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return values.mean(), float(half)


def spread(values):
    """Minimum, median and maximum, as a dict."""
    values = list(values)
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def verdict(holds):
    """The word for a target."""
    return "holds" if holds else "falls short"


def standard_error(values):
    """Standard error of the mean."""
    values = np.asarray(values, dtype=float)
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
