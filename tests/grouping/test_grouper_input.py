"""`TaskGrouper`: the input that it refuses, and scikit-learn's checks that fit no single task."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import SVR
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch.callbacks import EpochTimer

from skmtl import TaskGrouper
from tests._architectures import shared_bottom
from tests._grouping import SMALL, wide_table

X, Y = wide_table(40, 3)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"max_groups": 0}, Y, "max_groups must be from 1 to the number of tasks, 3; got 0"),
        ({"max_groups": 4}, Y, "number of tasks, 3; got 4"),
        ({}, Y[["a"]], "one task only, 'a', and nothing to group"),
        ({}, Y["a"], "one task only"),
        ({"estimator": SVR()}, Y, "SVR cannot learn several outputs"),
        ({"gains": "tag"}, Y, "affinities compare gradients.* Ridge has none"),
        ({"gains": pd.DataFrame({"a": [0.0]})}, Y, "table of gains has the columns"),
        (
            {"gains": pd.DataFrame({"a": [0.0], "b": np.nan, "c": 1.0})},
            Y,
            r"NaN in every row for these tasks: \['b'\]",
        ),
        ({"candidates": [("a", "b")]}, Y, r"in none of the candidates: \['c'\]"),
        ({"candidates": [("a", "q")]}, Y, "are no columns"),
        ({"max_cost": 2.0}, Y, "group_cost and max_cost must be given together"),
        ({"gains": "best"}, Y, "gains"),
        (
            {"estimator": shared_bottom(max_iter=1, warm_start=True)},
            Y,
            "warm_start of the estimator cannot be used",
        ),
        (
            {"estimator": shared_bottom(max_iter=1, callbacks=[EpochTimer()])},
            Y,
            "Pass an estimator without callbacks",
        ),
        (
            {"cv": [(np.arange(20), np.arange(20, 40))]},
            Y.assign(c=Y["c"].where(Y.index < 20)),
            r"without any training or validation label: \['c'\]",
        ),
        ({}, Y.assign(c=np.nan), "no label at all"),
        ({"estimator": shared_bottom(task_id="task"), "task_id": "w"}, Y, "give them the"),
        ({}, None, "requires y"),
    ],
)
def test_bad_input(parameters, y, message):
    model = TaskGrouper(**{"estimator": Ridge(), "max_groups": 2, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_a_group_without_complete_rows_is_named():
    y = Y.copy()
    y.loc[y.index < 20, "a"] = np.nan
    y.loc[y.index >= 20, "b"] = np.nan
    with pytest.raises(ValueError, match=r"no row has labels of all of the tasks \['a', 'b'"):
        TaskGrouper(Ridge(), 2, gains="exhaustive", random_state=0).fit(X, y)
    # ours need no complete rows
    TaskGrouper(shared_bottom(**SMALL), 2, gains="hoa", random_state=0).fit(X, y)


# the others fit a y of one column, which is one task
UNFITTED = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_valid_tag_types",
    "check_mixin_order",
    "check_estimators_unfitted",
    "check_parameters_default_constructible",
}


@pytest.mark.parametrize(
    "check",
    [
        check
        for _, check in estimator_checks_generator(TaskGrouper())
        if check.func.__name__ in UNFITTED
    ],
    ids=lambda check: check.func.__name__,
)
def test_checks_of_scikit_learn_that_fit_no_single_task(check):
    check(TaskGrouper())
