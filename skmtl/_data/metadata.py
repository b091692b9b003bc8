"""Metadata of tasks, from columns that are constant within each task or from a table by task id.

Errors name the column or the tasks and say what to change.
"""

from numbers import Integral

import numpy as np
import pandas as pd

from skmtl._data.columns import check_unique_columns, numbers_of
from skmtl._data.task_ids import first_rows


def check_metadata(metadata):
    """Return the caller's `metadata` as None, a DataFrame or a list of columns of X."""
    if isinstance(metadata, pd.Series):
        raise ValueError(
            "metadata must be a list of columns of X or a DataFrame with one row per task, not "
            "a Series; use metadata.to_frame() for one column."
        )
    if isinstance(metadata, pd.DataFrame):
        check_unique_columns(metadata, "metadata")
        return metadata
    if metadata is None:
        return None
    single = isinstance(metadata, (str, Integral))
    metadata = [metadata] if single else list(metadata)
    if not all(isinstance(column, (str, Integral)) for column in metadata):
        raise ValueError(
            "metadata must be a list of columns of X, or a DataFrame with one row per "
            "task indexed by task id; other tables do not say which task a row is about."
        )
    return metadata


def check_without_id(metadata, wide):
    """Refuse metadata that cannot be assigned to tasks without a column of task ids."""
    if not wide:
        raise ValueError(
            "metadata describes tasks, but task_id=None means that there is only one "
            "task. Name the column that says which task a row belongs to: task_id='...'."
        )
    if not isinstance(metadata, pd.DataFrame):
        raise ValueError(
            "in wide form (task_id=None and a y of several columns) rows belong to no task, so "
            "metadata must be a DataFrame with one row per task, indexed by the columns of y."
        )


def metadata_of_rows(codes, values, names, tasks):
    """Return the metadata of every task, from columns that must not vary within one.

    Parameters
    ----------
    codes : ndarray of shape (n,) of int
        Task numbers, each of which occurs.
    values : ndarray of shape (n, d_m)
        Metadata of every row.
    names : list
        Names of the columns.
    tasks : Index
        Labels of the tasks.

    Returns
    -------
    ndarray of shape (T, d_m)
    """
    by_task = values[first_rows(codes)]
    differs = values != by_task[codes]
    if differs.any():
        row, column = np.argwhere(differs)[0]
        raise ValueError(
            f"metadata must be constant within a task, but {names[column]!r} "
            f"varies within the task {tasks[codes[row]]!r}: it is "
            f"{by_task[codes[row], column]:g} in one row and {values[row, column]:g} in "
            "another. Leave it out of metadata to use it as a feature."
        )
    return by_task


def metadata_of_table(tasks, names, estimator):
    """Return the metadata of tasks from the estimator's table, which may have grown since ``fit``.

    Parameters
    ----------
    tasks : Index
    names : list
        Columns of the table in ``fit``.
    estimator : estimator
        Has the table, and is named in the errors.

    Returns
    -------
    ndarray of shape (len(tasks), d_m)
    """
    table = estimator.metadata
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            "metadata was a DataFrame in fit and must be one now, with one row per task; it is "
            f"{table!r}."
        )
    if list(table.columns) != names or not table.columns.is_unique:
        raise ValueError(
            f"metadata must have the columns of fit, each once: {names}; it has "
            f"{list(table.columns)}."
        )
    if not table.index.is_unique:
        repeated = table.index[table.index.duplicated()].unique()[:5].tolist()
        raise ValueError(f"metadata has several rows for the same task: {repeated}.")
    rows = table.index.get_indexer(tasks)
    if (rows < 0).any():
        missing = tasks[rows < 0]
        raise ValueError(
            f"metadata has no row for {len(missing)} task(s): {missing[:10].tolist()}. It "
            "needs one row per task, indexed by task id."
        )
    return numbers_of(table.iloc[rows], list(range(table.shape[1])), "metadata", estimator)


def permute_table(table, tasks, column, generator):
    """Return a table of metadata with one column permuted between `tasks`."""
    rows = table.index.get_indexer(tasks)
    values = table.iloc[:, column].to_numpy().copy()
    values[rows] = generator.permutation(values[rows])
    table = table.copy()
    table.isetitem(column, values)
    return table


def permute_column(table, codes, position, generator):
    """Permute one column of a table of rows between tasks, in place."""
    first = first_rows(codes)
    if not isinstance(table, pd.DataFrame):
        table[:, position] = generator.permutation(table[first, position])[codes]
        return
    values = table.iloc[first, position].to_numpy()
    table.isetitem(position, generator.permutation(values)[codes])
