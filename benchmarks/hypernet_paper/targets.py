"""Targets of the first release: the paper's Cubic and High School & Beyond."""

import warnings

import pandas as pd
from common.saving import save, saved
from hypernet_paper.cubic import N_TRAIN, N_VALID, cubic
from hypernet_paper.high_school import high_school
from sklearn.exceptions import ConvergenceWarning


def earlier():
    """Return what the files hold of Cubic: rows, and summary and targets as lists of dict."""
    parts = []
    for name in ("summary", "targets"):
        table = saved(f"{name}")
        parts.append(table[table.iloc[:, 0].str.startswith("Cubic")].to_dict("records"))
    return saved("cubic"), *parts


def run(data_home, n_seeds, n_splits, n_jobs, resume=False):
    """Run, print and save.

    Parameters
    ----------
    data_home : str or None
    n_seeds : int
        Draws of the rows of Cubic.
    n_splits : int
        Of High School & Beyond.
    n_jobs : int
    resume : bool
        Whether to keep what the files have of Cubic, which takes most of the time.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)
    cubic_rows, summary, targets = earlier() if resume else cubic(data_home, range(n_seeds), n_jobs)
    school_rows, school_summary, school_targets = high_school(n_splits, n_jobs)
    summary, targets = (
        pd.DataFrame(summary + school_summary),
        pd.DataFrame(targets + school_targets),
    )
    for table in (summary, targets):
        print(table.to_string(index=False, float_format="%.4f", na_rep=""), end="\n\n")
    notes = {
        "protocol": f"Cubic: {N_TRAIN} + {N_VALID} rows a task, the rest is test, mean squared "
        f"error of unscaled labels, {n_seeds} paired seeds, settings of least mean "
        "validation loss over the seeds (for tasks held out: those of the 20 tasks); "
        f"HSB: defaults, {n_splits} paired splits, a fifth is test",
    }
    save(cubic_rows, "cubic", **notes)
    save(school_rows, "high_school", **notes)
    save(summary, "summary", **notes)
    save(targets, "targets", **notes)
