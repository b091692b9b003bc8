"""Exhaustive gain tables of three data sets: every group of tasks is trained.

The eight school tests of STAR (numbers, 43 % missing), seven digits against all others (classes),
and seven tasks of known likeness. Gains are means over repeats on validation rows. The affinity of
one run of all tasks together is saved, too.
"""

import time

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.saving import save
from sklearn.datasets import load_digits
from sklearn.model_selection import ShuffleSplit

from skmtl import MultiTaskClassifier, MultiTaskRegressor, TaskGrouper
from skmtl.architectures import SharedBottom
from skmtl.datasets import load_star

SETTINGS = {"max_iter": 200, "n_iter_no_change": 20}


def star():
    """Return tests of pupils, a row a pupil: 1,500 of those with at least one test."""
    data = load_star()
    frame = data.target[data.target.notna().any(axis=1)].sample(1500, random_state=0)
    model = MultiTaskRegressor(SharedBottom(hidden_layer_sizes=(16, 16)), **SETTINGS)
    return data.data.loc[frame.index], frame, model


def digits():
    """Return images, and a column for each of seven digits: is it that one?"""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:700]
    columns = {f"is_{k}": (y[rows] == k).astype(int) for k in range(7)}
    model = MultiTaskClassifier(SharedBottom(hidden_layer_sizes=(8,)), **SETTINGS)
    return X[rows], pd.DataFrame(columns), model


def angles():
    """Make seven tasks with directions from 0 to 90 degrees, and 60 rows to learn."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 12))
    directions = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    z = X[:, :2] @ directions.T
    y = pd.DataFrame(z + np.sin(2 * z) + 0.5 * rng.normal(size=z.shape)).add_prefix("angle_")
    model = MultiTaskRegressor(SharedBottom(hidden_layer_sizes=(16,)), **SETTINGS)
    return X, y, model


ANGLES = np.linspace(0, np.pi / 2, 7)
TABLES = {"star": star, "digits": digits, "angles": angles}


def make_gain_tables(options):
    """Train all groups, and save the gains."""
    for name in ["angles"] if QUICK else options.tables:
        X, y, model = TABLES[name]()
        cache = options.cache_dir and f"{options.cache_dir}/{name}"
        n_repeats = 1 if QUICK else options.repeats
        grouper = TaskGrouper(
            model.set_params(max_iter=2) if QUICK else model,
            1,
            gains="exhaustive",
            cv=ShuffleSplit(1, train_size=60, random_state=0) if name == "angles" else None,
            n_repeats=n_repeats,
            compare=False,
            cache_dir=cache,
            random_state=0,
            verbose=1,
        )
        if not options.affinity_only:
            start = time.perf_counter()
            gains = grouper.fit(X, y).gains_.reset_index(drop=True)
            seconds = f"{time.perf_counter() - start:.0f} seconds for {len(gains)} groups"
            save(gains, f"gains_{name}", trained=f"{n_repeats} repeats, {seconds}")
        tag = grouper.set_params(gains="tag", cache_dir=None).fit(X, y)
        # a row is the task that steps
        save(tag.affinity_, f"affinity_{name}")
