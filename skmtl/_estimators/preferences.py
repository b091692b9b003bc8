"""Preferences as a user gives them: one or many, checked; grids of them; fronts.

A preference is a weight for each task: non-negative, of any scale, more means a lower loss.
"""

import numpy as np
import pandas as pd
from scipy.stats import qmc

from skmtl._data.messages import label_text
from skmtl.weighting._preferences import normalised


def as_preferences(value, tasks):
    """Check one or several preferences; return them of shape (P, T) and whether one was given.

    A dict, Series or DataFrame has them by name of the task, an array has shape (T,) or (P, T).
    They are divided by their sums; one that is negative, not finite or all zero is an error.
    """
    values = _by_task(value, tasks)
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"preference must be numbers, one for each task; got {value!r}."
        ) from error
    one = values.ndim == 1
    values = np.atleast_2d(values)
    if values.ndim != 2 or values.shape[1] != len(tasks) or not len(values):
        raise ValueError(
            f"preference has the shape {np.shape(value)}, but there are {len(tasks)} task(s), "
            f"{_listed(tasks)}: give one weight for each, or a table with one preference per row."
        )
    for wrong, what in (
        (~np.isfinite(values), "a weight that is not finite"),
        (values < 0, "a negative weight"),
    ):
        if wrong.any():
            row, task = np.argwhere(wrong)[0]
            raise ValueError(
                f"preference has {what}, {values[row, task]:g} for the task "
                f"{label_text(tasks[task])}; weights are at least 0, and more means a lower loss."
            )
    zero = ~(values > 0).any(axis=1)
    if zero.any():
        raise ValueError(
            "preference is all zero, so it prefers nothing; equal weights are a 1 for each task."
        )
    # divided first: sums of very large numbers would not be finite
    return normalised(values / values.max(axis=1, keepdims=True)), one


def _by_task(value, tasks):
    """Return weights in the order of the tasks, if they have names."""
    if isinstance(value, dict):
        value = pd.Series(value, dtype=object)
    if not isinstance(value, (pd.Series, pd.DataFrame)):
        return value
    names = value.index if isinstance(value, pd.Series) else value.columns
    if len(names) == len(tasks) and names.equals(pd.RangeIndex(len(tasks))):
        return value.to_numpy()
    unknown = [name for name in names if name not in tasks]
    missing = [task for task in tasks if task not in names]
    if unknown or missing:
        wrong = f"names {unknown[:20]}" if unknown else f"lacks {missing[:20]}"
        raise ValueError(f"preference {wrong}, but the tasks are {_listed(tasks)}.")
    return value[list(tasks)].to_numpy()


def _listed(tasks):
    return f"{list(tasks[:20])}" + ("" if len(tasks) <= 20 else " and others")


def check_training_preferences(value, tasks, n_members):
    """Refuse a set of preferences to train with, (P, T) or (n_members, P, T), that does not fit."""
    names = getattr(value, "columns", tasks)
    if list(names) != list(tasks):
        raise ValueError(
            f"the columns of preferences are {list(names[:20])}, but the tasks are "
            f"{list(tasks[:20])}; they must be the same in that order."
        )
    if isinstance(value, str):
        return
    preferences = np.asarray(value)
    if preferences.ndim == 3:
        if len(preferences) != n_members:
            raise ValueError(
                f"preferences of shape {preferences.shape} are for {len(preferences)} member(s), "
                f"but n_members is {n_members}: give a set for each, of shape (n_members, P, "
                f"{len(tasks)}), or one for all, of shape (P, {len(tasks)})."
            )
        preferences = preferences.reshape(-1, preferences.shape[2])
    as_preferences(preferences, tasks)


def separated(answer, n_preferences, axis):
    """Return a result with the preferences along an axis of their own."""
    if isinstance(answer, tuple):
        return tuple(separated(part, n_preferences, axis) for part in answer)
    if isinstance(answer, dict):
        return {task: separated(part, n_preferences, axis) for task, part in answer.items()}
    answer = np.asarray(answer)
    shape = answer.shape
    return answer.reshape(*shape[:axis], n_preferences, -1, *shape[axis + 1 :])


def preference_grid(n_preferences, n_tasks):
    """Return preferences (P, T) that cover the simplex evenly, corners included.

    With two tasks they are evenly spaced, with three they form a triangular lattice (of at most as
    many points); with more they are the corners, the centre and a quasi-random set.
    """
    if n_tasks == 1:
        return np.ones((1, 1))
    if n_tasks == 2:
        first = np.linspace(0, 1, max(2, n_preferences))
        return np.column_stack([first, 1 - first])
    if n_tasks == 3:
        steps = 1
        while (steps + 2) * (steps + 3) // 2 <= n_preferences:
            steps += 1
        points = [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
        return np.array(points) / steps
    fixed = np.vstack([np.eye(n_tasks), np.full((1, n_tasks), 1 / n_tasks)])
    n_more = max(0, n_preferences - len(fixed))
    if not n_more:
        return fixed
    points = qmc.Halton(n_tasks, seed=0).random(n_more)
    # exponential numbers, divided by their sum, are uniform on the simplex
    return np.vstack([fixed, normalised(-np.log(np.clip(points, 1e-12, 1 - 1e-12)))])


def dominated(losses):
    """Mark which of P rows of losses another row beats: no worse anywhere, and better somewhere."""
    result = np.zeros(len(losses), dtype=bool)
    for row, row_losses in enumerate(losses):
        result[row] = ((losses <= row_losses).all(axis=1) & (losses < row_losses).any(axis=1)).any()
    return result


def front_table(preferences, losses, tasks):
    """Return preferences and losses, of shape (P, T), as one table with columns of two levels.

    Those are ("preference", task), ("loss", task) and ("dominated", "").
    """
    columns = [("preference", task) for task in tasks] + [("loss", task) for task in tasks]
    columns.append(("dominated", ""))
    values = np.hstack([preferences, losses])
    table = pd.DataFrame(values, columns=pd.MultiIndex.from_tuples(columns[:-1]))
    table[("dominated", "")] = dominated(losses)
    return table
