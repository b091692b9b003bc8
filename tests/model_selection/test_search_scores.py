"""Batched searches give the scores of fits one by one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, PredefinedSplit, ShuffleSplit

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV, LeaveTasksOut, TaskKFold
from tests._search import (
    EARLY,
    IN_ONE_RUN,
    RATES,
    STOPS_EARLY,
    brief_model,
    classes_of,
    compare,
    without_stopping,
)
from tests._tables import make_wide, metadata_table, quick_classifier


@pytest.mark.parametrize(
    ("n_members", "early"), [(1, {"early_stopping": False}), (1, STOPS_EARLY), (2, STOPS_EARLY)]
)
def test_regressor(schools, in_double, early, n_members):
    grid = [
        IN_ONE_RUN,
        {"embedding_alpha": [0.0, 1.0], "weight_averaging": [0.0], "learning_rate_init": [0.1]},
    ]
    compare(brief_model(n_members=n_members, **early), grid, *schools)


@EARLY
def test_regressor_in_single_precision(schools, early):
    compare(brief_model(**early), {"learning_rate_init": [1e-3, 1e-1]}, *schools, atol=1e-5)


def test_candidates_of_many_shapes(schools, in_double, groups_trained):
    grid = [
        {"hidden_layer_sizes": [(8,), (4, 4)], **RATES},
        {"embedding_dim": [2], "alpha": [0.0, 1.0]},
        {"max_iter": [2], "metadata": [["size"], ["sector", "size"]]},
        {"n_members": [2], "batch_size": [7, "auto"]},
    ]
    compare(without_stopping(), grid, *schools, cv=2)
    assert sorted(groups_trained) == [(2, 2)] * 2 + [(2, 4)] * 2 + [(4, 4)] * 3


def test_metadata_of_a_table(schools, in_double, groups_trained):
    X, y = schools
    metadata = metadata_table(X)
    model = without_stopping(metadata=metadata)
    grid = {**RATES, "metadata": [metadata, metadata[["size"]]]}
    compare(model, grid, X.drop(columns=["size", "sector"]), y)
    assert [size for size, _ in groups_trained] == [4, 4]


@pytest.mark.parametrize("seed", [np.int64(3), np.random.RandomState(3)], ids=["int", "state"])
def test_random_states(schools, in_double, seed):
    compare(brief_model(random_state=seed), {"alpha": [0.0, 1.0]}, *schools)
    grid = {"random_state": [0, 1, np.random.RandomState(2)]}
    compare(brief_model(random_state=seed), grid, *schools, cv=2)


def test_no_random_state(schools):
    X, y = schools
    search = BatchedGridSearchCV(brief_model(random_state=None), {"alpha": [0.1] * 2}, cv=2)
    scores = search.fit(X, y).cv_results_["split0_test_score"]
    assert scores[0] != scores[1]


@EARLY
@pytest.mark.parametrize("shares", [(0.5,), (0.2, 0.7)], ids=["two classes", "three classes"])
def test_classifier(schools, in_double, early, shares):
    X, y = schools
    settings = {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}
    compare(quick_classifier(**early), IN_ONE_RUN, X, classes_of(y, *shares), **settings)


def test_classes_and_tasks_that_a_fold_lacks(schools, in_double, groups_trained):
    X, y = schools
    y = classes_of(y, 0.3, 0.7)
    rows, school = np.arange(len(X)), X["school"].to_numpy()
    # of one task, of all tasks, a task as a whole, and none
    tests = [
        np.flatnonzero((y == "mid") & (school == "school 02")),
        np.flatnonzero(y == "mid"),
        np.flatnonzero(school == "school 01"),
        rows[::5],
    ]
    assert all(len(test) for test in tests)
    splits = [(np.setdiff1d(rows, test), test) for test in tests]
    model = quick_classifier(**STOPS_EARLY, task_sampling="sqrt")
    compare(model, {**RATES, "class_weight": [None, "balanced"]}, X, y, cv=splits)
    # without "mid" there are two classes and one output
    assert sorted(size for size, _ in groups_trained) == [2, 2, 6, 6]


@pytest.mark.parametrize(
    "cv",
    [
        TaskKFold("school", 3, shuffle=True, random_state=0),
        LeaveTasksOut("school", 3, random_state=0),
        ShuffleSplit(2, random_state=0),
        KFold(2),
        PredefinedSplit(np.arange(48) % 3 - 1),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_splitters(schools, in_double, cv):
    search = compare(brief_model(**STOPS_EARLY), RATES, *schools, cv=cv)
    assert search.n_splits_ in (2, 3)


def test_embeddings_that_start_apart(schools, in_double):
    # folds have different tasks, and as many draws as tasks
    X, y = schools
    cv = LeaveTasksOut("school", 3, random_state=0)
    compare(brief_model(embedding_init="apart"), RATES, X, y, cv=cv)


def test_groups(schools, in_double):
    groups = np.arange(48) % 7
    search = compare(brief_model(), RATES, *schools, cv=GroupKFold(3), fit={"groups": groups})
    assert search.n_splits_ == 3


@EARLY
def test_wide_form(in_double, early):
    X, Y = make_wide(n_rows=60)
    compare(brief_model(task_id=None, metadata=None, **early), IN_ONE_RUN, X, Y)


def test_wide_form_with_columns_of_all_kinds(in_double):
    X, Y = make_wide(n_rows=60)
    Y["yes"] = np.where(Y["t0"].isna(), None, np.where(Y["t0"] > 0, "yes", "no"))
    Y["kind"] = np.select([X["x0"] < -0.5, X["x0"] < 0.5], ["u", "v"], "w")
    metadata = pd.DataFrame({"size": np.arange(5.0)}, index=Y.columns)
    for changes in ({"metadata": None}, {"metadata": metadata, **STOPS_EARLY}):
        model = brief_model(task_id=None, **changes)
        compare(model, RATES, X, Y, cv=2)
    model = quick_classifier(task_id=None, metadata=None)
    compare(model, RATES, X, Y[["yes", "kind"]], cv=KFold(2))


def test_several_outputs_and_losses(schools, in_double):
    X, y = schools
    both = np.column_stack([y, X["status"]])
    compare(without_stopping(), {**RATES, "loss": ["huber", "squared_error"]}, X, both)
    compare(without_stopping(), {**RATES, "task_sampling": ["rows", "tasks"]}, X, y)


def test_arrays_and_lists(schools, in_double):
    X, y = schools
    model = brief_model(task_id=2, metadata=[3, 4])
    table = X.assign(school=X["school"].str[-2:].astype(float)).to_numpy()
    compare(model, RATES, table, y.to_numpy())
    compare(model, RATES, table.tolist(), y.tolist())


def test_sample_weight(schools, in_double):
    weights = np.arange(48) % 4 / 2
    for early in ({"early_stopping": False}, STOPS_EARLY):
        fit = {"sample_weight": weights}
        compare(brief_model(**early), RATES, *schools, fit=fit, return_train_score=True)


def test_validation_rows_of_the_caller(schools, in_double):
    X, y = schools
    fit = {"X_val": X.head(20), "y_val": y.head(20)}
    compare(brief_model(**STOPS_EARLY, random_state=None), {"random_state": [0, 1]}, X, y, fit=fit)


@pytest.mark.parametrize("cv", [None, 3])
def test_a_number_of_folds_keeps_tasks_that_could_not_be_predicted(in_double, cv):
    """On a table sorted by task scikit-learn's folds hold out whole tasks, which is an error."""
    cubic = make_cubic(n_tasks=8, n_rows=12, random_state=0)
    settings = {"max_iter": 1, "early_stopping": False, "random_state": 0}
    model = MultiTaskHypernetRegressor(task_id="task", **settings)
    grid = {"learning_rate_init": [1e-2]}
    actual = BatchedGridSearchCV(model, grid, cv=cv).fit(cubic.data, cubic.target)
    expected = GridSearchCV(model, grid, cv=TaskKFold("task", cv or 5))
    expected.fit(cubic.data, cubic.target)
    np.testing.assert_allclose(
        actual.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-5
    )
    # where tasks can be predicted without rows, folds are scikit-learn's
    model.set_params(metadata=cubic.metadata)
    actual = BatchedGridSearchCV(model, grid, cv=cv).fit(cubic.data, cubic.target)
    expected = GridSearchCV(model, grid, cv=cv).fit(cubic.data, cubic.target)
    np.testing.assert_allclose(
        actual.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-5
    )
