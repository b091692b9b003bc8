"""Find the task ids and the classes of the tasks of a fitted estimator."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import labels_of
from skmtl.metrics._inputs import by_task, columns_of

# attributes of scikit-learn's meta-estimators that hold the wrapped estimator; fitted ones first
_WRAPPED = ("best_estimator_", "estimator_", "regressor_", "estimator", "regressor")


def _task_labels(estimator, X, level=None):
    """Return the task of each row by the `task_id` of the innermost estimator, or None.

    Of several levels of ids one is chosen by its name; the id of a nested one is its path.
    """
    chain = _chain(estimator)
    task_id = getattr(chain[-1], "task_id", None)
    if task_id is None:
        if level is not None:
            raise ValueError(f"level={level!r} names a column of ids, but task_id is None.")
        return None
    task_id = _level_columns(task_id, level, getattr(chain[-1], "task_levels", "joint"))
    for outer in chain[:-1]:
        if isinstance(outer, Pipeline) and len(outer.steps) > 1:
            X = outer[:-1].transform(X)
    table = as_table(X)
    names = getattr(chain[-1], "feature_names_in_", None)
    if isinstance(table, pd.DataFrame) and names is not None and set(table.columns) == set(names):
        # positions refer to the columns in fit
        table = table[list(names)]
    return labels_of(table, find_columns(table, task_id, "task_id"))


def _level_columns(task_id, level, kind):
    """Return the columns of the ids of a level, or of all columns without levels."""
    several = np.ndim(task_id) == 1
    if level is None:
        if kind != "joint":
            raise ValueError(
                f"this model has {kind} levels of ids, and combinations of ids have too few rows "
                f"to be scored: choose a level, one of {list(task_id)}, with level=."
            )
        return task_id
    if not several or level not in task_id:
        raise ValueError(f"level={level!r} is not among the columns of task_id, {task_id!r}.")
    names = list(task_id)
    return names[: names.index(level) + 1] if kind == "nested" else level


def method_of(estimator, name):
    """Return a method of an estimator or of the one at the end of pipelines and searches, or None.

    scikit-learn's pipelines and searches only pass on the methods that they know.
    """
    method = getattr(estimator, name, None)
    if method is not None:
        return method
    if isinstance(estimator, Pipeline):
        last = method_of(estimator.steps[-1][1], name)
        if last is None or len(estimator.steps) == 1:
            return last
        return lambda X, **settings: last(estimator[:-1].transform(X), **settings)
    best = getattr(estimator, "best_estimator_", None)
    return None if best is None else method_of(best, name)


def _chain(estimator):
    """Return the estimator and those nested in it, up to the first one with `task_id`."""
    chain = [estimator]
    while not hasattr(chain[-1], "task_id"):
        outer = chain[-1]
        if isinstance(outer, Pipeline):
            inner = outer.steps[-1][1]
        else:
            wrapped = (getattr(outer, name, None) for name in _WRAPPED)
            inner = next((value for value in wrapped if hasattr(value, "get_params")), None)
        if inner is None or isinstance(inner, str):
            break
        chain.append(inner)
    return chain


def classes_by_task(estimator, y, y_pred):
    """Return the classes (None if unknown) and kinds of the tasks, by columns of y in wide form.

    They are those of the estimator's `task_types_`, and `classes_per_task_` or `classes_`, if any.
    """
    truth = columns_of(y, "y")
    n_tasks = len(truth.values)
    types = _attribute(estimator, "task_types_")
    classes = _attribute(estimator, "classes_per_task_", "classes_")
    kinds = ["classification" if is_classifier(estimator) else "regression"] * n_tasks
    if classes is not None and not isinstance(classes, dict):
        if any(each is not None and np.ndim(each) == 0 for each in classes):
            return _shared(classes, y_pred, n_tasks), kinds
        # classes are in the order of fit, which is that of the columns of predictions
        named = isinstance(y_pred, (dict, pd.DataFrame)) and truth.is_table
        if named and len(y_pred.keys()) == len(classes):
            classes = dict(zip(y_pred.keys(), classes, strict=True))
    if classes is not None:
        _, classes = by_task(classes, truth, "classes_")
        kinds = ["regression" if each is None else "classification" for each in classes]
    if types is not None:
        _, types = by_task(types, truth, "task_types_")
        kinds = ["regression" if each == "regression" else "classification" for each in types]
    return classes, kinds


def _attribute(estimator, *names):
    """Return the first of these attributes that an estimator or one nested in it has, or None."""
    for each in _chain(estimator):
        for name in names:
            value = getattr(each, name, None)
            if value is not None:
                return value
    return None


def _shared(classes, y_pred, n_tasks):
    """Repeat one array of classes for each task, if the shapes of the probabilities match it."""
    if n_tasks == 1:
        return [classes]
    if not isinstance(y_pred, (dict, list, tuple)) and np.ndim(y_pred) < 3:
        return None
    arrays = y_pred.values() if isinstance(y_pred, dict) else y_pred
    widths = {np.shape(array)[1:] for array in arrays if array is not None}
    return [classes] * n_tasks if widths == {(len(classes),)} else None
