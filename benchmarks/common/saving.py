"""Result files: CSV below lines that say with which command, when and where they were made."""

import datetime
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import joblib
import pandas as pd
from common.cli import RESULTS, STUDY

import skmtl

# options that name folders of one machine
_FOLDERS = ("--data-home", "--cache-dir", "--results")


def cpu_model():
    """Return the name of the processor, as far as the system knows it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def command_line():
    """Return the command of this run, without the values of options that name folders."""
    words = []
    for word in sys.argv[1:]:
        name, separator, _ = word.partition("=")
        if words and words[-1] in _FOLDERS:
            words.append("DIR")
        elif name in _FOLDERS and separator:
            words.append(f"{name}=DIR")
        else:
            words.append(word)
    return shlex.join(["python", f"benchmarks/{STUDY.name}/{Path(sys.argv[0]).name}", *words])


def circumstances():
    """Return command, date, versions and machine, as a dict of strings."""
    versions = [f"python {platform.python_version()}", f"skmtl {skmtl.__version__}"]
    versions += [f"{name} {version(name)}" for name in ("torch", "scikit-learn", "skorch", "numpy")]
    return {
        "command": command_line(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "versions": ", ".join(versions),
        "machine": f"{cpu_model()}, {joblib.cpu_count()} cores, {platform.system()}",
    }


def save(table, name, **notes):
    """Write a table to the results of the study; a quick run writes nothing.

    Read it with ``pandas.read_csv(path, comment="#")``.

    Parameters
    ----------
    table : DataFrame
    name : str
        Name of the file without ".csv".
    **notes : str
        More lines for the head of the file.
    """
    if RESULTS is None:
        return
    RESULTS.mkdir(exist_ok=True, parents=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        for key, value in {**circumstances(), **notes}.items():
            file.write(f"# {key}: {value}\n")
        table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")
    print(f"wrote {name}.csv", flush=True)


def saved(name):
    """Return the table that was saved under a name; an empty one if there is none.

    A run with a folder of its own reads what it lacks from the results of the study.
    """
    for folder in (RESULTS, STUDY / "results"):
        path = folder and folder / f"{name}.csv"
        if path and path.exists():
            return pd.read_csv(path, comment="#")
    return pd.DataFrame()


def saved_names(pattern):
    """Return the names of files in the results of the study that match a pattern."""
    return sorted(path.stem for path in (STUDY / "results").glob(f"{pattern}.csv"))
