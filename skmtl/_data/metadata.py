"""Metadata of tasks, from columns that are constant within each task or from a table by task id.

Errors name the column or the tasks and say what to change.
"""

from numbers import Integral

import numpy as np
import pandas as pd

from skmtl._data.columns import check_unique_columns, series_of
from skmtl._data.frames import as_pandas
from skmtl._data.messages import label_text, labels_text
from skmtl._data.task_ids import first_rows, spelling


def check_metadata(metadata):
    """Return the caller's `metadata` as None, a DataFrame or a list of columns of X."""
    metadata = as_pandas(metadata)
    if isinstance(metadata, dict):
        raise ValueError(
            "metadata must be a list of columns of X, or a DataFrame with one row per task; of a "
            "dict by task make one with "
            + (
                "pd.DataFrame.from_dict(metadata, orient='index')."
                if all(isinstance(value, (dict, list, tuple)) for value in metadata.values())
                else "pd.Series(metadata).to_frame('name')."
            )
        )
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
    if not all(isinstance(column, (str, Integral, tuple)) for column in metadata):
        raise ValueError(
            "metadata must be a list of columns of X, or a DataFrame with one row per "
            "task indexed by task id, such as pd.DataFrame(metadata, index=ids); other tables do "
            "not say which task a row is about."
        )
    return metadata


def check_without_id(metadata, wide):
    """Raise an error for metadata that cannot be assigned to tasks without task ids."""
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


def constant_columns(table, positions, labels):
    """Return the positions of columns that are constant within every task, but not over all."""
    if labels is None:
        return []
    tasks, _ = pd.factorize(labels)
    constant = []
    for position in positions:
        values, distinct_values = pd.factorize(series_of(table, position), use_na_sentinel=False)
        pairs = pd.DataFrame({"task": tasks, "value": values}).drop_duplicates()
        if len(pairs) == tasks.max() + 1 and len(distinct_values) > 1:
            constant.append(position)
    return constant


def metadata_of_rows(codes, values, columns, tasks):
    """Return metadata of tasks (T, d_m) from those of rows (n, d_m), constant within each task."""
    by_task = values[first_rows(codes)]
    if np.isnan(by_task).any():
        # a value that is missing in some rows of a task is that of its other rows
        for column in np.flatnonzero(np.isnan(by_task).any(axis=0)):
            known = np.flatnonzero(~np.isnan(values[:, column]))
            by_task[codes[known[::-1]], column] = values[known[::-1], column]
    differs = (values != by_task[codes]) & ~np.isnan(values)
    if differs.any():
        row, column = np.argwhere(differs)[0]
        show = columns[column].show
        raise ValueError(
            f"metadata must be constant within a task, but {label_text(columns[column].name)} "
            f"varies within the task {label_text(tasks[codes[row]])}: it is "
            f"{show(by_task[codes[row], column])} in one row and {show(values[row, column])} in "
            "another. Leave it out of metadata to use it as a feature."
        )
    return by_task


def table_by_task(table, task_id, tasks):
    """Return a table of metadata with one row per task, indexed by task id.

    The id may be a column of the table. Identical rows of a task count once; different ones raise
    an error.
    """
    names = [task_id] if isinstance(task_id, str) else task_id
    by_column = isinstance(names, list) and all(
        isinstance(name, str) and name in table.columns for name in names
    )
    indexed = tasks.nlevels == table.index.nlevels and tasks.isin(table.index).any()
    if by_column and (_is_unnamed_range(table.index) or not indexed):
        table = table.set_index(names if len(names) > 1 else names[0])
    if isinstance(table.index, pd.IntervalIndex):
        # as objects they may overlap
        table = table.set_axis(table.index.astype(object))
    if not table.index.is_unique:
        # identical rows of a task count once
        table = table[~table.reset_index().duplicated().to_numpy()]
    if not table.index.is_unique:
        repeated = table.index[table.index.duplicated()].unique()
        raise ValueError(
            f"metadata has several rows for the same task: {labels_text(repeated)}. Keep one of "
            "each, for example with metadata.groupby(level=0).first()."
        )
    return table


def _is_unnamed_range(index):
    """Return whether the index is only pandas' numbering of rows."""
    return index.name is None and index.equals(pd.RangeIndex(len(index)))


def rows_of_tasks(table, tasks):
    """Return the rows of given tasks in a table of metadata.

    If a task has none, the error suggests the pandas code to add it.
    """
    rows = table.index.get_indexer(tasks)
    if (rows < 0).any():
        missing = tasks[rows < 0]
        same = {spelling(label): label for label in table.index}
        other = same.get(spelling(missing[0]))
        name = label_text(tasks.name or "task")
        hint = (
            f"It has {label_text(other)}, of another type or spelling than "
            f"{label_text(missing[0])}: convert its index, for example with "
            f"metadata.set_axis(metadata.index.astype({type(missing.tolist()[0]).__name__}))."
            if other is not None
            else "It needs one row per task, indexed by task id, as "
            f"metadata.groupby({name}).first() gives it if the id is a column: add them, or rows "
            "of missing values with metadata.reindex(...)."
        )
        raise ValueError(
            f"metadata has no row for {len(missing)} task(s): {labels_text(missing)}. {hint}"
        )
    return table.iloc[rows]


def current_table(estimator, names, table=None):
    """Return a table of metadata, by default the estimator's, which may have grown since ``fit``.

    It must still have the columns of ``fit``, `names`.
    """
    table = as_pandas(estimator.metadata if table is None else table)
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            "metadata was a DataFrame in fit and must be one now, with one row per task; it is "
            f"{table!r}."
        )
    if not table.columns.is_unique or not set(names) <= set(table.columns):
        raise ValueError(
            f"metadata must have the columns of fit, each once: {names}; it has "
            f"{list(table.columns)}."
        )
    return table


def permute_table(table, tasks, name, generator):
    """Return a table of metadata with one column permuted between `tasks`."""
    rows = table.index.get_indexer(tasks)
    order = np.arange(len(table))
    order[rows] = generator.permutation(rows)
    table = table.copy()
    table[name] = table[name].array[order]
    return table


def permute_column(table, codes, position, generator):
    """Permute one column of a table of rows between tasks, in place."""
    first = first_rows(codes)
    if not isinstance(table, pd.DataFrame):
        table[:, position] = generator.permutation(table[first, position])[codes]
        return
    values = table.iloc[first, position]
    table.isetitem(position, values.iloc[generator.permutation(len(values))[codes]].array)
