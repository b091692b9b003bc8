"""Bunches of all data sets in long form.

Generators, loaders and downloads only differ in the source of their rows; the rows are checked
here.
"""

import inspect
import re
from functools import wraps

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

# A numpydoc section: a blank line, a capitalised heading, a line of dashes.
_SECTION = re.compile(r"\n\n(?=[A-Z][A-Za-z ]*\n-{3,}\n)")


def build_bunch(table, target, *, task_id, source, numeric=True):
    """Check a data set and return it as a Bunch.

    Parameters
    ----------
    table : DataFrame
        Columns before the task-id column are features of a row, columns after it are metadata.
    target : Series or DataFrame
        One row per row of `table`.
    task_id : str
        Name of the task-id column.
    source : callable
        The public function that returns the data set; its docstring becomes the description.
    numeric : bool
        Whether all columns hold numbers, none missing, which is checked.

    Returns
    -------
    Bunch
        With `data`, `target`, `task_id`, `metadata` (None if there are none), `feature_names`
        and `DESCR`.
    """
    columns = table.columns.tolist()
    position = columns.index(task_id)
    features, metadata = columns[:position], columns[position + 1 :]
    data = table.reset_index(drop=True)
    target = target.reset_index(drop=True)
    if numeric:
        _check(data, target, task_id, features, metadata)
    return Bunch(
        data=data,
        target=target,
        task_id=task_id,
        metadata=metadata or None,
        feature_names=features,
        DESCR=_description(source),
    )


def as_bunch(task_id):
    """Return a decorator of a function that returns a table and a target; see `build_bunch`."""

    def decorate(load):
        @wraps(load)
        def load_bunch():
            table, target = load()
            return build_bunch(table, target, task_id=task_id, source=load)

        return load_bunch

    return decorate


def as_arrays(bunch):
    """Return the data set as numpy arrays, with columns given by position.

    Task ids become the integers 0, 1, ... in the order of appearance, because an array of floats
    cannot hold names; `task_names` maps them back.

    Parameters
    ----------
    bunch : Bunch
        Returned by `build_bunch`.

    Returns
    -------
    Bunch
        Has the additional `column_names`, `target_names` and `task_names`.
    """
    data = bunch.data.copy()
    codes, names = pd.factorize(data[bunch.task_id])
    data[bunch.task_id] = codes
    columns = data.columns.tolist()
    target = bunch.target
    metadata = bunch.metadata
    return Bunch(
        data=data.to_numpy(dtype=float),
        target=target.to_numpy(dtype=float),
        task_id=columns.index(bunch.task_id),
        metadata=None if metadata is None else [columns.index(name) for name in metadata],
        feature_names=bunch.feature_names,
        column_names=columns,
        target_names=target.columns.tolist() if target.ndim == 2 else [target.name],
        task_names=names.tolist(),
        DESCR=bunch.DESCR,
    )


def _check(data, target, task_id, features, metadata):
    """Raise a ValueError if a data set is not as documented."""
    if len(target) != len(data):
        raise ValueError(f"There are {len(data)} rows but {len(target)} targets.")
    if data[task_id].isna().any():
        raise ValueError(f"The task-id column {task_id!r} has missing values.")
    check_numbers(pd.concat([data[[*features, *metadata]], target], axis=1))
    if metadata:
        distinct = data.groupby(task_id)[metadata].nunique().max()
        varying = distinct.index[distinct > 1].tolist()
        if varying:
            raise ValueError(f"Metadata must be constant within a task, but {varying} vary.")


def check_numbers(table, missing=False):
    """Raise a ValueError if a data set is not as documented."""
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise ValueError(f"Column {name!r} is not numeric but {column.dtype}.")
        values = column.to_numpy(dtype=float)
        if missing and np.isnan(values).all():
            raise ValueError(f"Column {name!r} has no label at all.")
        if not np.isfinite(values[~np.isnan(values)] if missing else values).all():
            kinds = "infinite" if missing else "missing or infinite"
            raise ValueError(f"Column {name!r} has {kinds} values.")


def _description(source):
    """Return the introduction, notes and references of a docstring."""
    # Docstrings are absent when Python runs with -OO.
    opening, *sections = _SECTION.split(inspect.getdoc(source) or "")
    kept = [section for section in sections if section.startswith(("Notes\n", "References\n"))]
    return "\n\n".join([opening, *kept])
