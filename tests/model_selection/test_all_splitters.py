"""What all splitters share: ids, parameters, and their use in scikit-learn."""

import time

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    check_cv,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmtl.model_selection import LeaveTasksOut, TaskKFold, TaskShuffleSplit, TaskTimeSeriesSplit
from tests._splits import SPLITTER_IDS, SPLITTERS, assert_equal_splits, make_rows, splits_of
from tests._tables import make_schools

# ids


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
@pytest.mark.parametrize(
    "ids",
    [
        pd.Series([3, 1, 2]),
        pd.Series([0.5, 1.5, 2.5]),
        pd.Series(["b", "a", "c"]),
        pd.Series(["b", 1, (2, 3)], dtype=object),
        pd.Series(["b", "a", "c"], dtype="category"),
        pd.Series(pd.to_datetime(["2024-01-02", "2024-01-01", "2025-01-01"])),
        pd.Series([True, False]),
    ],
    ids=lambda ids: str(ids.dtype),
)
def test_types_of_ids(Splitter, ids):
    X = pd.DataFrame({"x": 0.0, "task": pd.concat([ids] * 8, ignore_index=True)})
    for train, test in splits_of(Splitter("task", 2), X):
        both = set(X["task"].iloc[train]) & set(X["task"].iloc[test])
        assert len(both) == (0 if Splitter is LeaveTasksOut else len(ids))


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_several_id_columns_are_one_id(Splitter):
    X = pd.DataFrame({"store": list("aabb") * 8, "product": [1, 2] * 16})
    X["both"] = X["store"] + X["product"].astype(str)
    arguments = {} if Splitter is TaskTimeSeriesSplit else {"random_state": 0}
    if Splitter is TaskKFold:
        arguments["shuffle"] = True
    expected = splits_of(Splitter("both", 2, **arguments), X)
    for task_id in (["store", "product"], [0, 1], ["store", -2]):
        assert_equal_splits(Splitter(task_id, 2, **arguments).split(X), expected)


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_array_and_position(Splitter):
    X = make_rows([6, 7, 8, 9]).assign(task=lambda X: X["task"].str[-1].astype(float))
    seed = {"random_state": 0} if Splitter in (TaskShuffleSplit, LeaveTasksOut) else {}
    expected = splits_of(Splitter("task", 3, **seed), X)
    for table in (X.to_numpy(), X.to_numpy().astype(object), X.to_numpy().tolist(), X):
        for position in (1, -2):
            assert_equal_splits(Splitter(position, 3, **seed).split(table), expected)
    with pytest.raises(ValueError, match="task_id names the column 'task', but X is an array"):
        next(Splitter("task", 3).split(X.to_numpy()))


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_id_that_is_missing(Splitter):
    X = make_rows([6, 6])
    X.iloc[3, X.columns.get_loc("task")] = None
    with pytest.raises(ValueError, match=r"task id column 'task' has 1 missing.*row 3"):
        next(Splitter("task", 2).split(X))


# parameters


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_parameters_that_have_no_meaning(Splitter):
    for task_id in (None, [], ()):
        with pytest.raises(ValueError, match="names no column.*KFold"):
            Splitter(task_id)
    for n_splits in (0, -1, 2.5, "3", *([] if Splitter is TaskShuffleSplit else [1])):
        with pytest.raises(ValueError, match=f"'n_splits' parameter of {Splitter.__name__}"):
            Splitter("task", n_splits)
    with pytest.raises(ValueError, match="task_id names the column 'class'"):
        next(Splitter("class").split(make_rows([6, 6])))


@pytest.mark.parametrize(
    ("Splitter", "arguments"),
    [
        (TaskKFold, {"shuffle": "yes"}),
        (TaskKFold, {"shuffle": True, "random_state": "a"}),
        (TaskShuffleSplit, {"test_size": 0}),
        (TaskShuffleSplit, {"test_size": 1.0}),
        (TaskShuffleSplit, {"test_size": 3}),
        (TaskTimeSeriesSplit, {"test_size": 0}),
        (TaskTimeSeriesSplit, {"test_size": 0.2}),
        (TaskTimeSeriesSplit, {"gap": -1}),
        (TaskTimeSeriesSplit, {"max_train_size": 0}),
    ],
)
def test_values_that_have_no_meaning(Splitter, arguments):
    with pytest.raises(ValueError, match=f"'{list(arguments)[-1]}' parameter of"):
        Splitter("task", **arguments)


@pytest.mark.parametrize("Splitter", [TaskKFold, LeaveTasksOut])
def test_random_state_without_shuffling(Splitter):
    with pytest.raises(ValueError, match="random_state has no effect"):
        Splitter("task", shuffle=False, random_state=0)


def test_y_of_another_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(TaskKFold("task").split(make_rows([6, 6]), np.zeros(11)))


def test_repr():
    assert repr(TaskKFold("task")) == (
        "TaskKFold(n_splits=5, random_state=None, shuffle=False, task_id='task')"
    )
    assert repr(TaskTimeSeriesSplit(["a", 1], 3, time="year")) == (
        "TaskTimeSeriesSplit(cut='rows', gap=0, max_train_size=None, n_splits=3,\n"
        "          task_id=['a', 1], test_size=None, time='year')"
    )


# with scikit-learn


def by_school(remainder="passthrough"):
    """A linear model with one indicator for each school."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["school"]), remainder=remainder
    )
    return make_pipeline(encode, Ridge())


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_search_and_score_with_a_pipeline(Splitter):
    X, y = make_schools()
    cv = Splitter("school", 3)
    # scikit-learn copies and clones what it is given
    clone(cv, safe=False)
    for target in (y, y.to_frame(), y.to_numpy(), y.to_frame().assign(again=y)):
        assert len(cross_val_score(by_school(), X, target, cv=cv)) == 3
    search = GridSearchCV(by_school(), {"ridge__alpha": [0.1, 10]}, cv=cv).fit(X, y)
    assert search.n_splits_ == 3
    scores = cross_val_score(LinearRegression(), X.drop(columns="school"), y, cv=cv.split(X))
    assert len(scores) == 3


def test_array_in_a_score():
    X, y = make_schools()
    table = X.assign(school=X["school"].str[-2:].astype(float)).to_numpy()
    assert len(cross_val_score(Ridge(), table, y, cv=TaskKFold(2, 3))) == 3


def test_cross_val_predict_needs_every_row_in_a_test_fold():
    X, y = make_schools()
    for cv in (TaskKFold("school"), LeaveTasksOut("school")):
        assert np.isfinite(cross_val_predict(by_school(), X, y, cv=cv)).all()
    X.loc[0, "school"] = "a school with one pupil"
    for cv in (TaskKFold("school"), TaskTimeSeriesSplit("school")):
        with pytest.raises(ValueError, match="only works for partitions"):
            cross_val_predict(by_school(), X, y, cv=cv)


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_groups_are_ignored_with_a_warning(Splitter):
    X, y = make_schools()
    with pytest.warns(UserWarning, match=f"groups parameter is ignored by {Splitter.__name__}"):
        splits_of(Splitter("school"), X, y=y, groups=np.arange(len(X)))


def test_metadata_routing():
    X, y = make_schools()
    with sklearn.config_context(enable_metadata_routing=True):
        assert len(cross_val_score(by_school(), X, y, cv=TaskKFold("school", 3))) == 3


# what numpy says about scikit-learn's look at the labels
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_what_the_guide_says_about_a_wide_y_of_a_classifier():
    y = np.array([[0, np.nan], [1, 0], [np.nan, 1], [1, 1], [0, 0]])
    with pytest.raises(ValueError, match="Input y contains NaN"):
        check_cv(5, y, classifier=True)
    assert isinstance(check_cv(KFold(5), y, classifier=True), KFold)


@pytest.mark.parametrize("Splitter", SPLITTERS, ids=SPLITTER_IDS)
def test_large_tables(Splitter):
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"task": generator.integers(2_000, size=100_000), "when": 1.0})
    start = time.perf_counter()
    splits_of(Splitter("task"), X)
    # measured: below 0.2 seconds; a loop over tasks and rows takes much longer than the bound
    assert time.perf_counter() - start < 3
