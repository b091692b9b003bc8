"""Which intervals a fit learns, and from which rows."""

from __future__ import annotations

import numpy as np

from skmtl._data.times import last_rows
from skmtl._estimators.base_learner import base_inputs
from skmtl._estimators.held_out import hold_out
from skmtl._estimators.intervals import Intervals

# tasks from which on there are intervals for new ones: with fewer, 90% is out of reach
_FEWEST_TASKS = 10


def late_rows(estimator, table, tasks):
    """Return a mask of the last rows of every task, or None if time does not matter."""
    time = estimator.interval_time
    if time is None:
        return None
    if estimator.intervals not in (True, "known"):
        raise ValueError(
            f"interval_time={time!r} says how rows of known tasks are held out for intervals: use "
            "it with intervals=True or 'known'."
        )
    if not estimator.validation_fraction:
        raise ValueError("interval_time needs a validation_fraction above 0, of rows to hold out.")
    late = last_rows(table, time, tasks, estimator.validation_fraction, "interval_time")
    if not late.any():
        raise ValueError(
            f"interval_time={time!r} holds out the last rows of each task, and no task has rows of "
            "two different times; use interval_time=None to hold out rows at random."
        )
    return late


def rows_by_task(rows, n_tasks):
    """Return the number of labels of each task (T,) among `TrainingRows`."""
    if rows.shared_rows:
        return ((rows.weights > 0) * rows.copies[:, None]).sum(axis=0).astype(np.float64)
    return np.bincount(rows.tasks, rows.copies, n_tasks).astype(np.float64)


def check_intervals(estimator, rows, tables):
    """Return whether known and new tasks are to have intervals; refuse what is impossible."""
    wanted = estimator.intervals
    if not wanted:
        return False, False
    if estimator.task_levels != "joint":
        raise ValueError(
            f"intervals are of tasks, and with task_levels={estimator.task_levels!r} a row belongs "
            "to several ids at once: use intervals=False, or task_levels='joint'."
        )
    n_tasks = len(tables.tasks)
    long = not rows.shared_rows and estimator.task_id is not None
    predictable = tables.metadata_values is not None or estimator.unseen_tasks == "average"
    possible = long and predictable and n_tasks >= _FEWEST_TASKS
    if wanted == "new" and not possible:
        if not (long and predictable):
            raise ValueError(
                "intervals='new' is for tasks that were never seen, which this estimator does not "
                "predict: it needs task_id, and metadata or unseen_tasks='average'. Use "
                "intervals='known'."
            )
        raise ValueError(
            f"intervals='new' needs at least {_FEWEST_TASKS} tasks, since every task counts as one "
            f"observation of how far off new tasks are, and there are {n_tasks}. A coverage of "
            "90% needs 10 tasks, one of 95% needs 19. Use intervals='known'."
        )
    several = rows_by_task(rows, n_tasks).max() >= 2
    if (wanted == "known" and not several) or not (several or possible):
        raise ValueError(
            f"intervals={wanted!r} holds out rows of known tasks, and every task has one row only"
            + (": use intervals='new'." if possible else "; use intervals=False.")
        )
    return wanted != "new" and several, wanted != "known" and possible


def fit_intervals(plan, results, blends):
    """Return the `Intervals` of a fit, or None if there are to be none.

    `results` and `blends` are those of the plan, and of that for new tasks if there is one.
    """
    rows, tables = plan.interval_rows, plan.tables
    if rows is None:
        return None
    known, new = check_intervals(plan.estimator, rows, tables)
    held_out = hold_out(plan, results, blends, known=known, new=new)
    inputs = base_inputs(tables.scale(rows.features), tables.scaled_metadata(), rows.tasks)
    intervals = Intervals(rows_by_task(rows, len(tables.tasks)))
    return intervals.learned(plan.targets, *held_out, inputs)
