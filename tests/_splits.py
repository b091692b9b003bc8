"""Rows of tasks to be split, and what holds for the splits of every splitter."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skmtl.model_selection import LeaveTasksOut, TaskKFold, TaskShuffleSplit, TaskTimeSeriesSplit

SPLITTERS = [TaskKFold, TaskShuffleSplit, LeaveTasksOut, TaskTimeSeriesSplit]
SPLITTER_IDS = [splitter.__name__ for splitter in SPLITTERS]

# numbers of rows of some tasks
task_sizes = st.lists(st.integers(1, 15), min_size=1, max_size=8)
seeds = st.integers(0, 1000)
n_folds = st.integers(2, 6)


def make_rows(sizes, seed=0):
    """Rows of tasks with these sizes, in no order; `when` differs between the rows of a task."""
    generator = np.random.default_rng(seed)
    names = [f"task {number}" for number in generator.permutation(len(sizes))]
    X = pd.DataFrame(
        {"x": generator.normal(size=sum(sizes)), "task": np.repeat(names, sizes)},
        index=generator.permutation(sum(sizes)),
    )
    X["when"] = generator.permutation(len(X))
    return X.iloc[generator.permutation(len(X))]


def splits_of(splitter, X, **others):
    """The splits as a list, after checks that hold for all splitters."""
    splits = list(splitter.split(X, **others))
    assert len(splits) == splitter.get_n_splits() == splitter.get_n_splits(X)
    for train, test in splits:
        for rows in (train, test):
            assert rows.dtype == np.intp
            assert len(rows) > 0
            assert (np.diff(rows) > 0).all()
            assert 0 <= rows[0] <= rows[-1] < len(X)
        assert not set(train) & set(test)
    return splits


def assert_equal_splits(splits, others):
    splits, others = list(splits), list(others)
    assert len(splits) == len(others)
    for (train, test), (other_train, other_test) in zip(splits, others, strict=True):
        assert_array_equal(train, other_train)
        assert_array_equal(test, other_test)
