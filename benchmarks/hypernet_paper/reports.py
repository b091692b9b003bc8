"""Parallel jobs, and lines of the tables of means and of targets."""

import pandas as pd
from common.summaries import standard_error, verdict
from joblib import Parallel, delayed


def run_jobs(function, jobs, n_jobs):
    """Call a function with every tuple of arguments, in parallel."""
    return pd.DataFrame(Parallel(n_jobs=n_jobs)(delayed(function)(*job) for job in jobs))


def describe(experiment, method, settings, errors, unit="MSE"):
    """Return one line of the summary: mean and standard error of an error."""
    return {
        "experiment": experiment,
        "method": method,
        "settings": " ".join(f"{k}={v:g}" for k, v in settings.items()),
        "score": unit,
        "n": len(errors),
        "mean": errors.mean(),
        "standard_error": standard_error(errors),
        "median": errors.median(),
    }


def target(name, value, sense, bound, note=""):
    """Return one line of the table of targets."""
    holds = value <= bound if sense == "at most" else value >= bound
    return {
        "target": name,
        "sense": sense,
        "bound": bound,
        "got": value,
        "result": verdict(holds),
        "note": note,
    }
