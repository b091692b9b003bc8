"""Targets of long and wide form on their own: what they learn and encode, and in which order."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from skmtl._data.long_targets import LongTargets
from skmtl._data.rows import TrainingRows
from skmtl._data.targets import make_targets
from skmtl._data.wide_targets import WideTargets
from skmtl.training import BinaryLoss, ClassLoss, JointLoss, NumberLoss

NUMBERS = np.array([1.0, 3.0, 5.0, 7.0])
CLASSES = np.array(["a", "b", "c", "a"])
TASKS = np.array([0, 0, 1, 1])
WIDE = pd.DataFrame(
    {"number": [1.0, np.nan, 5.0, 9.0], "class": ["no", "yes", None, "yes"], "many": list("xyzx")}
)


def rows_of(values, weights, tasks=None):
    n = len(values)
    return TrainingRows(np.zeros((n, 1)), tasks, values, weights, np.ones(n, dtype=np.int64))


def fitted(targets, y, tasks=None, n_tasks=3):
    rows = rows_of(*targets.fit_transform(y), tasks)
    return targets.fit_rows(rows, n_tasks), rows


@pytest.mark.parametrize(
    ("y", "task_id", "form"),
    [
        (NUMBERS, None, LongTargets),
        (NUMBERS[:, None], None, LongTargets),
        (pd.Series(NUMBERS), None, LongTargets),
        (WIDE, "task", LongTargets),
        (np.ones((4, 2)), None, WideTargets),
        (WIDE[["number"]], None, WideTargets),
    ],
)
def test_task_id_and_y_choose_the_form(y, task_id, form):
    targets = make_targets(y, task_id, kind="regression")
    assert type(targets) is form
    assert targets.wide == (form is WideTargets)


@pytest.mark.parametrize(
    ("y", "tasks", "kind"),
    [
        (NUMBERS, TASKS, "regression"),
        (CLASSES, TASKS, "classification"),
        (WIDE, None, "regression"),
    ],
)
def test_steps_in_the_wrong_order_are_refused(y, tasks, kind):
    targets = make_targets(y, None if tasks is None else "task", kind=kind)
    with pytest.raises(NotFittedError, match="call fit or fit_transform"):
        targets.transform(y)
    values, weights = targets.fit_transform(y)
    rows = rows_of(values, weights, tasks)
    assert targets.fit(y) is targets
    for method in (lambda: targets.scale(values), targets.criterion):
        with pytest.raises(NotFittedError, match="call fit_rows"):
            method()
    targets.fit_rows(rows, 3)
    assert np.isfinite(targets.scale(values)).all()
    # fitting again starts from the beginning
    targets.fit(y)
    with pytest.raises(NotFittedError, match="call fit_rows"):
        targets.scale(values)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_transform_encodes_as_fit_transform(kind):
    for y, task_id in ((NUMBERS if kind == "regression" else CLASSES, "task"), (WIDE, None)):
        targets = make_targets(y, task_id, kind=kind)
        first, again = targets.fit_transform(y, [1, 2, 1, 3]), targets.transform(y, [1, 2, 1, 3])
        for one, other in zip(first, again, strict=True):
            assert_array_equal(one, other)


def test_numbers_in_long_form():
    targets, rows = fitted(make_targets(NUMBERS, "task", kind="regression"), NUMBERS, TASKS)
    assert_array_equal(rows.targets[:, 0], NUMBERS)
    assert targets.scale(rows.targets).mean() == pytest.approx(0)
    assert targets.scale(rows.targets).std() == pytest.approx(1)
    assert isinstance(targets.criterion(), NumberLoss)
    assert targets.rows_to_keep(rows) is None
    assert targets.allowed_classes(np.array([0, 1])) is None
    assert targets.classes_by_task() == [None]
    assert targets.n_outputs == 1
    two = make_targets(np.ones((4, 2)), "task", kind="regression").fit(np.ones((4, 2)))
    assert two.n_outputs == 2
    with pytest.raises(ValueError, match="y has 3 outputs, but fit saw 2"):
        two.transform(np.ones((4, 3)))


def test_scales_come_from_the_rows_given():
    targets = make_targets(NUMBERS, "task", kind="regression")
    values, weights = targets.fit_transform(NUMBERS)
    targets.fit_rows(rows_of(values, weights, TASKS).take([0, 1]), 2)
    assert_array_equal(targets.parts[0].shift, [2.0])
    assert_array_equal(targets.scale(values)[:2, 0], [-1.0, 1.0])


def test_classes_of_tasks_in_long_form():
    targets, rows = fitted(make_targets(CLASSES, "task", kind="classification"), CLASSES, TASKS)
    assert_array_equal(rows.targets[:, 0], [0, 1, 2, 0])
    assert isinstance(targets.criterion(), ClassLoss)
    # a task without rows may have any class, and so may an unseen one
    expected = [[1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 1]]
    assert_array_equal(targets.allowed_classes(np.array([0, 1, 2, -1])), np.array(expected) > 0)
    assert [classes.tolist() for classes in targets.classes_by_task()[:2]] == [
        list("ab"),
        list("ac"),
    ]
    assert_array_equal(targets.rows_to_keep(rows), [True] * 4)
    # the second row has a class that task 1 does not have
    wrong = rows_of(rows.targets, rows.weights, TASKS[::-1].copy())
    with pytest.raises(ValueError, match="y_val has the label 'b' for the task 't1'"):
        targets.check_rows(wrong, pd.Index(["t0", "t1"]))
    with pytest.raises(ValueError, match="which fit did not see"):
        targets.transform(["d"])


def test_one_row_of_every_class_of_every_task_is_kept():
    y = np.array(["a", "a", "b", "a", "b", "b"])
    targets = make_targets(y, "task", kind="classification")
    rows = rows_of(*targets.fit_transform(y), np.array([0, 0, 0, 1, 1, 1]))
    assert_array_equal(targets.rows_to_keep(rows), [True, False, True, True, True, False])


def test_new_tasks_are_appended_with_the_same_scales():
    targets, rows = fitted(make_targets(CLASSES, "task", kind="classification"), CLASSES, TASKS)
    new = targets.for_new_tasks(rows_of(rows.targets[1:3], rows.weights[1:3], np.array([0, 0])), 1)
    joined = targets.joined(new)
    assert_array_equal(joined.allowed[:3], targets.allowed)
    assert_array_equal(joined.allowed[3], [False, True, True])
    assert len(targets.allowed) == 3


def test_class_weights_are_part_of_the_weights():
    y = ["a", "b", "b", "b"]
    targets = make_targets(y, "task", kind="classification", class_weight="balanced")
    assert_array_equal(targets.fit_transform(y)[1], [2.0, 2 / 3, 2 / 3, 2 / 3])
    # those of fit, whatever the classes of other rows
    assert_array_equal(targets.transform(["a", "a"])[1], [2.0, 2.0])
    targets = make_targets(y, "task", kind="classification", class_weight={"a": 0.0, "b": 0.0})
    with pytest.raises(ValueError, match="leaves no row"):
        targets.fit(y)


def test_columns_of_wide_form_differ_in_kind():
    targets, rows = fitted(make_targets(WIDE, None, kind="regression"), WIDE)
    assert targets.tasks.equals(WIDE.columns)
    assert [part.kind for part in targets.parts] == ["regression", "binary", "multiclass"]
    assert_array_equal(rows.targets, [[1, 0, 0], [np.nan, 1, 1], [5, np.nan, 2], [9, 1, 0]])
    assert_array_equal(rows.weights, ~np.isnan(rows.targets))
    scaled = targets.scale(rows.targets)
    assert scaled[1, 0] == scaled[2, 1] == 0
    assert scaled[[0, 2, 3], 0].mean() == pytest.approx(0)
    assert_array_equal(scaled[:, 2], rows.targets[:, 2])
    loss = targets.criterion()
    assert isinstance(loss, JointLoss)
    assert [type(loss.of_task(t)) for t in range(3)] == [NumberLoss, BinaryLoss, ClassLoss]
    assert targets.n_outputs == 3
    outputs = torch.zeros(1, 3, 4, 3)
    tasks = torch.arange(3).unsqueeze(0)
    labels = torch.as_tensor(scaled, dtype=torch.float32).T[None, ..., None]
    assert loss(outputs, labels, tasks, tasks).shape == (1, 3, 4)


def test_columns_of_wide_form_are_found_by_name():
    targets = make_targets(WIDE, None, kind="regression").fit(WIDE)
    assert_array_equal(targets.transform(WIDE[WIDE.columns[::-1]])[0], targets.transform(WIDE)[0])
    with pytest.raises(ValueError, match="y has 2 columns, but fit saw 3 tasks"):
        targets.transform(WIDE[["number", "class"]])


def test_several_columns_of_0_and_1_are_multi_label():
    labels = np.array([[0, 1], [1, 0]])
    assert make_targets(labels, None, kind="classification").fit(labels).multi_label
    frame = pd.DataFrame(labels)
    assert make_targets(frame, None, kind="classification").fit(frame).multi_label
    assert not make_targets(frame[[0]], None, kind="classification").fit(frame[[0]]).multi_label
    assert not make_targets([0, 1], None, kind="classification").fit([0, 1]).multi_label


def test_a_fit_that_continues_keeps_scales_and_classes():
    old, _ = fitted(make_targets(NUMBERS, "task", kind="regression"), NUMBERS, TASKS)
    new, _ = fitted(make_targets(NUMBERS, "task", kind="regression"), 10 * NUMBERS, TASKS)
    assert_array_equal(old.resumed(new).scale(NUMBERS[:, None]), old.scale(NUMBERS[:, None]))
    old, _ = fitted(make_targets(CLASSES, "task", kind="classification"), CLASSES, TASKS)
    y = np.array(["a", "c", "b", "b"])
    new, _ = fitted(make_targets(y, "task", kind="classification"), y, TASKS)
    assert_array_equal(old.resumed(new).allowed, np.ones((3, 3), dtype=bool))
    y = np.array(["a", "d", "b", "b"])
    other, _ = fitted(make_targets(y, "task", kind="classification"), y, TASKS)
    with pytest.raises(ValueError, match="warm_start=True"):
        old.resumed(other)
    wide, _ = fitted(make_targets(WIDE, None, kind="regression"), WIDE)
    with pytest.raises(ValueError, match="warm_start=True"):
        wide.resumed(new)


def test_task_types_are_for_wide_form():
    targets = make_targets(NUMBERS, "task", kind="regression", task_types={"y": "binary"})
    with pytest.raises(ValueError, match="task_types"):
        targets.fit(NUMBERS)
