"""Exhaustive gain tables of three data sets: every group of tasks trained, for paper_grouping.py.

Run as a file. The eight school tests of STAR (numbers, 43 % missing; needs ``skmtl[examples]``),
seven digits told from all others (classes), and seven tasks of known likeness. Gains are means over
repeats on validation rows. Beside them the affinity of one run of all tasks together.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import save
from sklearn.datasets import load_digits
from sklearn.model_selection import ShuffleSplit

from skmtl import TaskGrouper
from skmtl.baselines import SharedBottomClassifier, SharedBottomRegressor
from skmtl.datasets import load_star


def star():
    """Pupils' tests, a row a pupil; those with at least one of them, 1,500 drawn."""
    data = load_star()
    frame = data.target[data.target.notna().any(axis=1)].sample(1500, random_state=0)
    model = SharedBottomRegressor(hidden_layer_sizes=(16, 16), max_iter=200, n_iter_no_change=20)
    return data.data.loc[frame.index], frame, model


def digits():
    """Images, a column for each of seven digits: is it that one?"""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:700]
    columns = {f"is_{k}": (y[rows] == k).astype(int) for k in range(7)}
    model = SharedBottomClassifier(hidden_layer_sizes=(8,), max_iter=200, n_iter_no_change=20)
    return X[rows], pd.DataFrame(columns), model


def angles():
    """Made: seven tasks that look along directions from 0 to 90 degrees, with 60 rows to learn."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 12))
    directions = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    z = X[:, :2] @ directions.T
    y = pd.DataFrame(z + np.sin(2 * z) + 0.5 * rng.normal(size=z.shape)).add_prefix("angle_")
    model = SharedBottomRegressor(hidden_layer_sizes=(16,), max_iter=200, n_iter_no_change=20)
    return X, y, model


ANGLES = np.linspace(0, np.pi / 2, 7)
TABLES = {"star": star, "digits": digits, "angles": angles}


def main():
    """Train all groups, and write the gains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cache-dir", default=None)
    parser.add_argument("--affinity-only", action="store_true", help="keep the gains there are")
    arguments = parser.parse_args()
    for name in arguments.tables:
        X, y, model = TABLES[name]()
        cache = arguments.cache_dir and f"{arguments.cache_dir}/{name}"
        grouper = TaskGrouper(
            model,
            1,
            gains="exhaustive",
            cv=ShuffleSplit(1, train_size=60, random_state=0) if name == "angles" else None,
            n_repeats=arguments.repeats,
            compare=False,
            cache_dir=cache,
            random_state=0,
            verbose=1,
        )
        if not arguments.affinity_only:
            start = time.perf_counter()
            gains = grouper.fit(X, y).gains_.reset_index(drop=True)
            seconds = f"{time.perf_counter() - start:.0f} seconds for {len(gains)} groups"
            save(gains, f"grouping_gains_{name}", trained=f"{arguments.repeats} repeats, {seconds}")
        tag = grouper.set_params(gains="tag", cache_dir=None).fit(X, y)
        # a row is the task that steps
        save(tag.affinity_, f"grouping_affinity_{name}")


if __name__ == "__main__":
    main()
