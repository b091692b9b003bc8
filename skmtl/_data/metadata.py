"""Facts about tasks, from columns that are constant within each task or from a table of their own.

Everything here raises errors that name the column or the tasks and say what to change.
"""

from numbers import Integral

import numpy as np
import pandas as pd

from skmtl._data.columns import check_unique_columns, numbers_of
from skmtl._data.task_ids import first_rows


def check_metadata(metadata):
    """The caller's `metadata`, as None, a DataFrame, or a list of columns of X."""
    if isinstance(metadata, pd.Series):
        raise ValueError(
            "metadata must be a list of columns of X or a DataFrame with one row per task, not "
            "a Series; use metadata.to_frame() for one fact."
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
    """Refuse facts that no row can be told to be about."""
    if not wide:
        raise ValueError(
            "metadata are facts about tasks, but task_id=None means that there is only one "
            "task. Name the column that says which task a row belongs to: task_id='...'."
        )
    if not isinstance(metadata, pd.DataFrame):
        raise ValueError(
            "in wide form (task_id=None and a y of several columns) rows belong to no task, so "
            "metadata must be a DataFrame with one row per task, indexed by the columns of y."
        )


def constant_facts(codes, metadata, names, tasks):
    """Facts of every task, from columns that must not vary within one.

    Parameters
    ----------
    codes : ndarray of shape (n,) of int
        Task numbers, each of which occurs.
    metadata : ndarray of shape (n, d_m)
    names : list
        Of the columns.
    tasks : Index
        Labels of the tasks.

    Returns
    -------
    ndarray of shape (T, d_m)
    """
    facts = metadata[first_rows(codes)]
    differs = metadata != facts[codes]
    if differs.any():
        row, column = np.argwhere(differs)[0]
        raise ValueError(
            f"metadata must be constant within a task, but {names[column]!r} "
            f"varies within the task {tasks[codes[row]]!r}: it is "
            f"{facts[codes[row], column]:g} in one row and {metadata[row, column]:g} in "
            "another. Leave it out of metadata to use it as a feature."
        )
    return facts


def look_up(tasks, names, estimator):
    """Facts of the given tasks, from the estimator's table, which may have grown since ``fit``.

    Parameters
    ----------
    tasks : Index
    names : list
        Columns that the table had in ``fit``.
    estimator : estimator
        Has the table, and is named in the errors.

    Returns
    -------
    ndarray of shape (len(tasks), d_m)
    """
    facts = estimator.metadata
    if not isinstance(facts, pd.DataFrame):
        raise ValueError(
            "metadata was a DataFrame in fit and must be one now, with one row per task; it is "
            f"{facts!r}."
        )
    if list(facts.columns) != names or not facts.columns.is_unique:
        raise ValueError(
            f"metadata must have the columns of fit, each once: {names}; it has "
            f"{list(facts.columns)}."
        )
    if not facts.index.is_unique:
        repeated = facts.index[facts.index.duplicated()].unique()[:5].tolist()
        raise ValueError(f"metadata has several rows for the same task: {repeated}.")
    rows = facts.index.get_indexer(tasks)
    if (rows < 0).any():
        missing = tasks[rows < 0]
        raise ValueError(
            f"metadata has no row for {len(missing)} task(s): {missing[:10].tolist()}. It "
            "needs one row per task, indexed by task id."
        )
    return numbers_of(facts.iloc[rows], list(range(facts.shape[1])), "metadata", estimator)


def permuted_table(metadata, tasks, column, generator):
    """A table of facts in which `tasks` have swapped what stands in one column."""
    rows = metadata.index.get_indexer(tasks)
    facts = metadata.iloc[:, column].to_numpy().copy()
    facts[rows] = generator.permutation(facts[rows])
    metadata = metadata.copy()
    metadata.isetitem(column, facts)
    return metadata


def permute_column(table, codes, position, generator):
    """Let the tasks of a table, which is changed, swap what stands in one column."""
    first = first_rows(codes)
    if not isinstance(table, pd.DataFrame):
        table[:, position] = generator.permutation(table[first, position])[codes]
        return
    facts = table.iloc[first, position].to_numpy()
    table.isetitem(position, generator.permutation(facts)[codes])
