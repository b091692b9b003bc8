"""Task ids: read from a table, checked and numbered.

A task id is any label; a combination of columns is a label with several levels.
"""

import numpy as np
import pandas as pd

from skmtl._data.columns import column_names


def labels_of(table, positions):
    """Return task ids as an Index, those of several columns as a MultiIndex.

    Raises
    ------
    ValueError
        If an id is missing.
    """
    names = column_names(table)
    columns = []
    for position in positions:
        column = (
            table.iloc[:, position]
            if isinstance(table, pd.DataFrame)
            else pd.Series(table[:, position])
        )
        if isinstance(column.dtype, pd.CategoricalDtype):
            # unused categories must not matter
            column = column.astype(column.cat.categories.dtype)
        missing = np.flatnonzero(column.isna().to_numpy())
        if len(missing):
            raise ValueError(
                f"the task id column {names[position]!r} has {len(missing)} missing (NaN) id(s), "
                f"the first in row {missing[0]}. Drop those rows, or give them an id of their own, "
                "such as 'unknown'."
            )
        columns.append(column)
    if len(columns) == 1:
        return pd.Index(columns[0])
    return pd.MultiIndex.from_arrays(
        [pd.Index(c) for c in columns], names=[names[p] for p in positions]
    )


def check_types(ids, known):
    """Refuse ids that are new only because of another type, such as "3" instead of 3.

    Parameters
    ----------
    ids, known : Index
        Ids to check, and ids of ``fit``.

    Raises
    ------
    ValueError
        If an id has the text of one of `known`.
    """
    new = ids[~ids.isin(known)]
    if not len(new):
        return
    by_text = {_text(label): label for label in known}
    for label in new:
        if _text(label) in by_text:
            other = by_text[_text(label)]
            raise ValueError(
                f"the task id {label!r} is of another type than {other!r}, which fit saw, and so "
                "would be a new task. Convert the column of task ids to the type that it had in "
                "fit, for example with X.astype({'task': str})."
            )


def _text(label):
    return tuple(map(str, label)) if isinstance(label, tuple) else str(label)


def encode(labels):
    """Number labels in sorted order; in order of type and text if they cannot be sorted.

    Returns
    -------
    codes : ndarray of int64
    tasks : Index
        The distinct labels, with the names and the levels of `labels`.
    """
    codes, _ = pd.factorize(labels)
    tasks = labels[first_rows(codes)]
    try:
        order = tasks.argsort()
    except TypeError:
        keys = [(type(label).__name__, repr(label)) for label in tasks]
        order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], tasks[order]


def first_rows(codes):
    """Return the number of the first row of every code."""
    first = np.empty(codes.max() + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def distinct(codes, metadata):
    """Number the distinct pairs of a code and a row of metadata.

    Returns
    -------
    pairs : ndarray of shape (n,)
        Number of the pair of every row.
    first : ndarray
        A row of every pair.
    """
    first = first_rows(codes)
    if not np.array_equal(metadata, metadata[first[codes]]):
        frame = pd.DataFrame(metadata).assign(code=codes)
        codes = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy(copy=True)
        first = first_rows(codes)
    return codes, first
