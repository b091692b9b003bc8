"""The past of every task predicts its future, whatever the order of the rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import TimeSeriesSplit

from skmtl.model_selection import TaskTimeSeriesSplit
from tests._splits import assert_equal_splits, make_rows, n_folds, seeds, splits_of


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    n_folds,
    st.none() | st.integers(1, 4),
    st.integers(0, 3),
    st.none() | st.integers(1, 6),
    seeds,
)
def test_task_time_series_split(sizes, n_splits, test_size, gap, max_train_size, seed):
    X = make_rows(sizes, seed)
    arguments = {"test_size": test_size, "gap": gap, "max_train_size": max_train_size}
    cv = TaskTimeSeriesSplit("task", n_splits, time="when", **arguments)
    n_test = {size: size // (n_splits + 1) if test_size is None else test_size for size in sizes}
    if all(n == 0 or size - n_splits * n - gap <= 0 for size, n in n_test.items()):
        with pytest.raises(ValueError, match="no test row"):
            next(cv.split(X))
        return
    splits = splits_of(cv, X)
    rank = X.groupby("task")["when"].rank().to_numpy().astype(int) - 1
    for number, (train, test) in enumerate(splits):
        for task in X["task"].unique():
            of_task = X["task"].to_numpy() == task
            n, size = n_test[of_task.sum()], of_task.sum()
            start = size - (n_splits - number) * n
            end = start - gap if n else start
            first = 0 if max_train_size is None else max(end - max_train_size, 0)
            trained = np.sort(rank[train][of_task[train]])
            tested = np.sort(rank[test][of_task[test]])
            assert_array_equal(trained, np.arange(first, end))
            assert_array_equal(tested, np.arange(start, start + n) if end > 0 else [])
            if len(tested):
                assert tested[0] - trained[-1] == gap + 1
    assert_equal_splits(splits, cv.split(X))


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 40),
    n_folds,
    st.none() | st.integers(1, 6),
    st.integers(0, 6),
    st.none() | st.integers(1, 12),
)
def test_one_task_in_time_is_time_series_split(n, n_splits, test_size, gap, max_train_size):
    X = make_rows([n])
    arguments = {"test_size": test_size, "gap": gap, "max_train_size": max_train_size}
    ours = TaskTimeSeriesSplit("task", n_splits, **arguments)
    try:
        expected = list(TimeSeriesSplit(n_splits, **arguments).split(X))
    except ValueError:
        with pytest.raises(ValueError, match="no test row"):
            next(ours.split(X))
    else:
        assert_equal_splits(ours.split(X), expected)


def test_task_that_is_too_short_for_the_first_splits():
    X = pd.DataFrame({"task": ["long"] * 20 + ["short"] * 7 + ["single"]})
    for number, (train, test) in enumerate(TaskTimeSeriesSplit("task", 5, test_size=3).split(X)):
        of_short = (7 - (5 - number) * 3 > 0) * 3
        assert (X["task"].iloc[test] == "short").sum() == of_short
        assert (X["task"].iloc[train] == "short").sum() == max(7 - (5 - number) * 3, 0)


def test_task_that_never_tests_always_trains():
    X = pd.DataFrame({"task": ["long"] * 20 + ["short"] * 3})
    for train, test in TaskTimeSeriesSplit("task", 5, gap=2).split(X):
        assert {20, 21, 22} <= set(train)
        assert max(test) < 20


days = pd.date_range("2024-01-29", periods=12)


@pytest.mark.parametrize(
    "when",
    [
        pd.Series(days),
        pd.Series(days.tz_localize("Europe/Oslo")),
        pd.Series(days.to_period("D")),
        pd.Series(days.date),
        pd.Series(days - days[0]),
        pd.Series(np.arange(12.0)),
        pd.Series(np.arange(12), dtype="Int64"),
        pd.Series(np.arange(12), dtype="category"),
        pd.Series(pd.Categorical(list("lkjihgfedcba"), list("lkjihgfedcba"), ordered=True)),
    ],
    ids=lambda when: str(when.dtype),
)
def test_types_of_time(when):
    X = pd.DataFrame({"task": list("ab") * 6, "when": when})
    expected = TaskTimeSeriesSplit("task", 2).split(X)
    assert_equal_splits(TaskTimeSeriesSplit("task", 2, time="when").split(X), expected)
    backwards = X.iloc[::-1]
    for train, test in splits_of(TaskTimeSeriesSplit(0, 2, time=-1), backwards):
        assert train.min() > test.max()


def test_rows_of_the_same_time_cannot_be_split():
    X = pd.DataFrame({"task": list("ab") * 6, "when": 0})
    with pytest.raises(ValueError, match="no test row.*same time are not separated"):
        next(TaskTimeSeriesSplit("task", 2, time="when").split(X))


@pytest.mark.parametrize("cut", ["rows", "dates"])
@settings(deadline=None, max_examples=60)
@given(n_splits=n_folds, gap=st.integers(0, 2), seed=seeds)
def test_rows_of_the_same_time_are_on_one_side(cut, n_splits, gap, seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"task": rng.integers(3, size=400), "when": rng.integers(60, size=400)})
    cv = TaskTimeSeriesSplit("task", n_splits, time="when", cut=cut, gap=gap)
    splits = splits_of(cv, X)
    line = X["task"] if cut == "rows" else pd.Series(0, index=X.index)
    tested = []
    for train, test in splits:
        latest = X.iloc[train].groupby(line)["when"].max()
        earliest = X.iloc[test].groupby(line)["when"].min()
        assert (latest[earliest.index] < earliest).all()
        assert set(X["task"].iloc[test]) <= set(X["task"].iloc[train])
        tested.extend(test)
    assert len(set(tested)) == len(tested)


@pytest.mark.parametrize("arguments", [{}, {"test_size": 2}, {"gap": 1, "max_train_size": 4}])
def test_cuts_at_dates_are_those_of_time_series_split_over_dates(arguments):
    rng = np.random.default_rng(0)
    day = rng.integers(20, size=300)
    when = pd.Timestamp("2024-02-20") + pd.to_timedelta(24 * day + rng.integers(24, size=300), "h")
    X = pd.DataFrame({"task": rng.choice(list("abc"), 300), "when": when})
    cv = TaskTimeSeriesSplit("task", 3, time="when", cut="dates", **arguments)
    by_date = TimeSeriesSplit(3, **arguments).split(np.arange(20))
    expected = [[np.flatnonzero(np.isin(day, part)) for part in split] for split in by_date]
    assert_equal_splits(cv.split(X), expected)
    assert_equal_splits(cv.split(X.assign(when=when.tz_localize("UTC"))), expected)
    assert_equal_splits(cv.split(X.assign(when=day)), expected)


def test_a_task_that_begins_later_is_tested_once_it_was_trained_on():
    X = pd.DataFrame({"task": list("aaaaaa") + list("bb"), "when": [1, 2, 3, 4, 5, 6, 5, 6]})
    cv = TaskTimeSeriesSplit("task", 2, time="when", cut="dates")
    assert_equal_splits(cv.split(X), [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])])


def test_dates_need_a_column():
    with pytest.raises(ValueError, match="needs time"):
        TaskTimeSeriesSplit("task", cut="dates")
    X = pd.DataFrame({"task": list("aaab"), "when": [1, 2, 3, 3]})
    with pytest.raises(ValueError, match="there are 3 dates"):
        next(TaskTimeSeriesSplit("task", 3, time="when", cut="dates", gap=2).split(X))


@pytest.mark.parametrize("missing", [np.nan, pd.NaT, None])
def test_time_that_is_missing(missing):
    X = pd.DataFrame({"task": list("ab") * 6, "when": days})
    X["when"] = X["when"].where(X.index != 7, missing)
    with pytest.raises(ValueError, match=r"time column 'when' has 1 missing.*in row 7"):
        next(TaskTimeSeriesSplit("task", 2, time="when").split(X))
    array = np.array([[0, 1.0], [0, np.nan], [0, 3.0]])
    with pytest.raises(ValueError, match=r"time column 1 has 1 missing.*in row 1"):
        next(TaskTimeSeriesSplit(0, 2, time=1).split(array))


@pytest.mark.parametrize(
    "values", [["9", "10", "11"], [1, "b", 2], [1, pd.Timestamp("2024"), 2]], ids=str
)
@pytest.mark.parametrize("dtype", [object, "category", None])
def test_time_that_cannot_be_sorted(values, dtype):
    X = pd.DataFrame({"task": "a", "when": pd.Series(values, dtype=dtype)})
    with pytest.raises(TypeError, match=r"time column 'when' cannot.*pandas.to_datetime"):
        next(TaskTimeSeriesSplit("task", 2, time="when").split(X))


def test_time_that_is_no_column():
    X = make_rows([6, 6])
    with pytest.raises(ValueError, match="time names the column 'year', which is not in X"):
        next(TaskTimeSeriesSplit("task", time="year").split(X))
    with pytest.raises(ValueError, match="must name one column"):
        next(TaskTimeSeriesSplit("task", time=["when", "x"]).split(X))
