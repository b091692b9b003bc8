"""Task grouping from rows to predictions: test errors of groups, of all in one, of each alone.

Wide: the eight school tests of STAR. Long: the eight largest schools of High School & Beyond. A
quarter of the rows tests; errors are squared, relative to those of each task alone.
"""

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK
from common.saving import save
from common.summaries import standard_error
from sklearn.model_selection import train_test_split

from skmtl import MultiTaskRegressor, TaskGrouper
from skmtl.architectures import SharedBottom
from skmtl.datasets import load_high_school, load_star

SETTINGS = {"max_iter": 200, "n_iter_no_change": 20, **FEW_EPOCHS}


def model_of(task_id=None):
    """Return the estimator of a group."""
    return MultiTaskRegressor(SharedBottom(hidden_layer_sizes=(16, 16)), task_id, **SETTINGS)


def star():
    """Return 1,500 of the rows with at least one test."""
    data = load_star()
    y = data.target[data.target.notna().any(axis=1)].sample(1500, random_state=0)
    return data.data.loc[y.index], y, model_of(), None


def high_school():
    """Return pupils of the eight largest schools, without metadata."""
    data = load_high_school()
    task = data.task_id
    largest = data.data[task].value_counts().index[:8]
    rows = data.data[task].isin(largest)
    X = data.data[rows].drop(columns=data.metadata)
    return X, data.target[rows], model_of(task), X[task]


WAYS = ["hoa", "tag", "mtgnet"]
TABLES = {"star (wide)": star, "high_school (long)": high_school}


def end_to_end(options):
    """Fit groups by every way to estimate gains, and test them."""
    rows = []
    for name, read in TABLES.items():
        X, y, model, strata = read()
        for seed in range(1 if QUICK else 5):
            parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=strata)
            X_train, X_test, y_train, y_test = parts
            for gains in WAYS[1:2] if QUICK else options.gains:
                grouper = TaskGrouper(model, 3, gains=gains, cv=3, random_state=seed)
                report = grouper.fit(X_train, y_train).report(X_test, y_test)
                rows.append(
                    {
                        "data": name,
                        "gains": gains,
                        "seed": seed,
                        "together": np.mean(report["together"] / report["alone"]),
                        "chosen": np.mean(report["chosen"] / report["alone"]),
                        "estimated_gain": report["estimated"].mean(),
                        "n_procedures": grouper.n_procedures_,
                        "seconds": grouper.seconds_.sum(),
                    }
                )
                print(rows[-1], flush=True)
    runs = pd.DataFrame(rows)
    grouped = runs.groupby(["data", "gains"], sort=False)
    summary = grouped.mean(numeric_only=True).drop(columns="seed")
    summary["chosen_standard_error"] = grouped["chosen"].agg(standard_error)
    summary["together_standard_error"] = grouped["together"].agg(standard_error)
    print(summary.round(3).to_string())
    save(runs, "end_to_end_runs")
    save(summary.reset_index(), "end_to_end")
