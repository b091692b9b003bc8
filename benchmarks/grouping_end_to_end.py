"""Task grouping from rows to predictions: test errors of groups, of all in one, of each alone.

Run as a file; needs ``skmtl[examples]``. Wide: the eight school tests of STAR. Long: the eight
largest schools of High School & Beyond. A quarter of the rows tests; errors are squared, relative
to those of each task alone.
"""

import argparse

import numpy as np
import pandas as pd
from _common import save, standard_error
from sklearn.model_selection import train_test_split

from skmtl import TaskGrouper
from skmtl.baselines import SharedBottomRegressor
from skmtl.datasets import load_high_school, load_star

SETTINGS = {"hidden_layer_sizes": (16, 16), "max_iter": 200, "n_iter_no_change": 20}


def star():
    """Rows with at least one test, 1,500 drawn."""
    data = load_star()
    y = data.target[data.target.notna().any(axis=1)].sample(1500, random_state=0)
    return data.data.loc[y.index], y, SharedBottomRegressor(**SETTINGS), None


def high_school():
    """Pupils of the eight largest schools; facts about schools are left out."""
    data = load_high_school()
    task = data.task_id
    largest = data.data[task].value_counts().index[:8]
    rows = data.data[task].isin(largest)
    X = data.data[rows].drop(columns=data.metadata)
    return X, data.target[rows], SharedBottomRegressor(task_id=task, **SETTINGS), X[task]


WAYS = ["hoa", "tag", "mtgnet"]
TABLES = {"star (wide)": star, "high_school (long)": high_school}


def main():
    """Fit and test everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--gains", nargs="+", default=WAYS, help="how to estimate gains")
    parser.add_argument("--quick", action="store_true", help="one seed")
    arguments = parser.parse_args()
    rows = []
    for name, read in TABLES.items():
        X, y, model, strata = read()
        for seed in range(1 if arguments.quick else arguments.seeds):
            parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=strata)
            X_train, X_test, y_train, y_test = parts
            for gains in arguments.gains:
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
    save(runs, "grouping_end_to_end_runs")
    save(summary.reset_index(), "grouping_end_to_end")


if __name__ == "__main__":
    main()
