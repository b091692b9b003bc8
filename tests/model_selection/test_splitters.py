"""Splitters that do not look at the time keep their promises, whatever the sizes of the tasks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, KFold

from skmtl.model_selection import LeaveTasksOut, TaskKFold, TaskShuffleSplit
from tests._splits import assert_equal_splits, make_rows, n_folds, seeds, splits_of, task_sizes


def counts(X, rows):
    """Rows of every task of X among some rows."""
    tasks = X["task"].iloc[rows].value_counts()
    return tasks.reindex(X["task"].unique(), fill_value=0)


# TaskKFold


@settings(deadline=None, max_examples=60)
@given(task_sizes, n_folds, st.booleans(), seeds)
def test_task_k_fold(sizes, n_splits, shuffle, seed):
    X = make_rows(sizes, seed)
    cv = TaskKFold("task", n_splits, shuffle=shuffle, random_state=seed if shuffle else None)
    n_dealt = sum(size for size in sizes if size > 1)
    if n_dealt < n_splits:
        with pytest.raises(ValueError, match=r"task_id|n_splits"):
            next(cv.split(X))
        return
    splits = splits_of(cv, X)
    total = counts(X, np.arange(len(X)))
    for train, test in splits:
        assert len(train) + len(test) == len(X)
        of_task = counts(X, test)
        assert (counts(X, train) >= 1).all()
        assert (of_task[total == 1] == 0).all()
        # in proportion: each fold has its share of each task, rounded up or down
        assert (abs(of_task - total / n_splits)[total > 1] < 1).all()
    tests = [set(test) for _, test in splits]
    assert sum(map(len, tests)) == len(set.union(*tests)) == n_dealt
    assert max(map(len, tests)) - min(map(len, tests)) <= 1
    # a task tests in as many splits as it has rows, if these are fewer than the folds
    tested = sum(counts(X, test) > 0 for _, test in splits)
    assert (tested[total > 1] == np.minimum(total, n_splits)[total > 1]).all()
    assert_equal_splits(splits, cv.split(X))


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 30), n_folds, seeds)
def test_one_task_in_folds_is_k_fold(n, n_splits, seed):
    X = make_rows([max(n, n_splits)])
    assert_equal_splits(TaskKFold("task", n_splits).split(X), KFold(n_splits).split(X))
    arguments = {"n_splits": n_splits, "shuffle": True, "random_state": seed}
    assert_equal_splits(TaskKFold("task", **arguments).split(X), KFold(**arguments).split(X))


def test_task_k_fold_of_tasks_with_fewer_rows_than_folds():
    X = make_rows([2] * 10)
    for train, test in splits_of(TaskKFold("task", 5), X):
        assert len(test) == 4
        assert counts(X, train).min() == 1


def test_task_k_fold_shuffles():
    X = make_rows([10, 10])
    plain, *others = (
        [test.tolist() for _, test in TaskKFold("task", **arguments).split(X)]
        for arguments in [
            {},
            {"shuffle": True, "random_state": 0},
            {"shuffle": True, "random_state": 1},
        ]
    )
    assert plain != others[0] != others[1] != plain


# TaskShuffleSplit


@settings(deadline=None, max_examples=60)
@given(task_sizes, st.floats(0.01, 0.99), seeds)
def test_task_shuffle_split(sizes, test_size, seed):
    X = make_rows(sizes, seed)
    cv = TaskShuffleSplit("task", 3, test_size=test_size, random_state=seed)
    if max(sizes) == 1:
        with pytest.raises(ValueError, match="LeaveTasksOut"):
            next(cv.split(X))
        return
    splits = splits_of(cv, X)
    expected = counts(X, np.arange(len(X))).map(
        lambda n: min(max(round(test_size * n), 1), n - 1) if n > 1 else 0
    )
    for train, test in splits:
        assert len(train) + len(test) == len(X)
        assert (counts(X, test) == expected).all()
    assert_equal_splits(splits, cv.split(X))


def test_every_row_is_drawn_equally_often():
    X = make_rows([4, 12])
    tests = [test for _, test in TaskShuffleSplit("task", 2000, random_state=0).split(X)]
    share = np.bincount(np.concatenate(tests), minlength=len(X)) / len(tests)
    total = counts(X, np.arange(len(X)))
    expected = X["task"].map({task: round(0.2 * n) / n for task, n in total.items()})
    # about five standard deviations
    assert_array_equal(abs(share - expected) < 0.05, True)


# LeaveTasksOut


@settings(deadline=None, max_examples=60)
@given(task_sizes, n_folds, st.booleans(), seeds)
def test_leave_tasks_out(sizes, n_splits, shuffle, seed):
    X = make_rows(sizes, seed)
    cv = LeaveTasksOut("task", n_splits, shuffle=shuffle, random_state=seed if shuffle else None)
    if n_splits > len(sizes):
        with pytest.raises(ValueError, match=f"number of tasks, which is {len(sizes)}"):
            next(cv.split(X))
        return
    splits = splits_of(cv, X)
    for train, test in splits:
        assert len(train) + len(test) == len(X)
        assert not set(X["task"].iloc[train]) & set(X["task"].iloc[test])
    assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(len(X)))
    if shuffle:
        n_tasks = [X["task"].iloc[test].nunique() for _, test in splits]
        assert max(n_tasks) - min(n_tasks) <= 1
    else:
        n_rows = [len(test) for _, test in splits]
        assert max(n_rows) - min(n_rows) <= max(sizes)
    assert_equal_splits(splits, cv.split(X))
    reference = GroupKFold(n_splits, shuffle=shuffle, random_state=seed if shuffle else None)
    codes = np.unique(X["task"], return_inverse=True)[1]
    assert_equal_splits(splits, reference.split(X, groups=codes))


# errors


def test_tasks_with_one_row_each():
    X = make_rows([1] * 10)
    for Splitter in (TaskKFold, TaskShuffleSplit):
        with pytest.raises(ValueError, match="every task has only one row.*LeaveTasksOut"):
            next(Splitter("task").split(X))


def test_more_folds_than_rows():
    with pytest.raises(ValueError, match="n_splits=5 is more than the 4 rows.*n_splits=4 or less"):
        next(TaskKFold("task").split(make_rows([2, 2, 1, 1])))
