"""Task ids: read from a table, checked and numbered.

A task id is any label; a combination of columns is a label with several levels.
"""

import warnings
from datetime import date, datetime
from numbers import Real

import numpy as np
import pandas as pd

from skmtl._data.columns import column_names, series_of
from skmtl._data.kinds import index_of
from skmtl._data.messages import label_text
from skmtl.exceptions import ForgottenTaskIdWarning


def labels_of(table, positions):
    """Return task ids, none missing, as an Index, those of several columns as a MultiIndex."""
    names = column_names(table)
    columns = id_columns(table, positions)
    if len(columns) == 1:
        return index_of(columns[0])
    return pd.MultiIndex.from_arrays(
        [index_of(c) for c in columns], names=[names[p] for p in positions]
    )


def id_columns(table, positions, missing_id="error"):
    """Return columns of ids as Series; a missing id is an error unless it is an "average" one."""
    names = column_names(table)
    columns = []
    for position in positions:
        column = series_of(table, position)
        if column.dtype == np.float16:
            # pandas has no index of these
            column = column.astype(np.float32)
        present = pd.notna(column.array)
        if not present.all() and missing_id == "error":
            raise ValueError(
                f"the task id column {label_text(names[position])} has {(~present).sum()} missing "
                f"(NaN) id(s), the first in row {np.argmin(present)}. Drop those rows, or give "
                "them an id of their own, such as 'unknown'."
            )
        if column.dtype == object and present.any() and _is_date(column.iloc[np.argmax(present)]):
            # the same ids as timestamps of these days
            column = pd.to_datetime(column)
        if isinstance(column.dtype, pd.CategoricalDtype):
            # unused categories must not matter
            column = column.astype(column.cat.categories.dtype if present.all() else object)
        if isinstance(column.dtype, pd.IntervalDtype):
            # an index of these looks numbers up in them, and refuses overlaps
            column = column.astype(object)
        columns.append(column)
    return columns


def _is_date(label):
    return isinstance(label, date) and not isinstance(label, datetime)


def spelling(label):
    """Return what an id has in common with other spellings of it: 3, 3.0, "3", "003" and b"3 "."""
    if isinstance(label, tuple):
        return tuple(map(spelling, label))
    if isinstance(label, bytes):
        label = label.decode(errors="replace")
    if isinstance(label, (pd.Timestamp, datetime, np.datetime64)):
        moment = pd.Timestamp(label)
        moment = moment if moment.tz is None else moment.tz_convert("UTC").tz_localize(None)
        return moment.isoformat().removesuffix("T00:00:00")
    whole = isinstance(label, Real) and abs(label) < 1e15 and label == int(label)
    # as text, single precision has an exponent from a million on
    text = str(int(label) if whole and not isinstance(label, bool) else label).strip()
    number = text[1:] if text.startswith(("+", "-")) else text
    if number.replace(".", "", 1).isdecimal() and len(number) < 16:
        return f"{float(text) + 0.0:.17g}"
    return text


def check_spelling(new, known):
    """Refuse new ids that are another spelling of a known one; `known` has them by `spelling`."""
    for label in new:
        other = known.get(spelling(label), label)
        if other is label:
            continue
        same_type = type(other) is type(label)
        what = "another spelling of" if same_type else "of another type than"
        raise ValueError(
            f"the task id {label_text(label)} is {what} {label_text(other)}, which fit saw, and so "
            "would be a new task. Convert the column of task ids to what it was in fit: with "
            f"X[{label_text(new.name or 'task')}].astype(str), .str.strip(), .str.lstrip('0') or "
            ".dt.tz_localize(None) of pandas, for example."
        )


def warn_of_forgotten_id(table):
    """Warn if a column of a frame looks like task ids although there is no `task_id`.

    That is one of whole numbers, categories or words by which another column is constant.
    """
    if not isinstance(table, pd.DataFrame):
        return
    n_rows = len(table)
    # all pairs of columns on a part of the rows first: there may be hundreds of columns
    part = table.iloc[:: max(1, n_rows // 1000)]
    codes = np.column_stack([_factorized(part.iloc[:, k]) for k in range(part.shape[1])])
    for k, name in enumerate(table.columns):
        values = table.iloc[:, k]
        whole = pd.api.types.is_integer_dtype(values.dtype)
        words = isinstance(values.dtype, (pd.CategoricalDtype, pd.StringDtype))
        if not (whole or words or pd.api.types.is_object_dtype(values.dtype)):
            continue
        described = (codes == codes[first_rows(codes[:, k])[codes[:, k]]]).all(axis=0)
        described = np.flatnonzero(described & (codes.max(axis=0) > 1))
        if len(described) < 2:
            continue
        labels = _factorized(values)
        n_labels = labels.max() + 1
        if not 3 <= n_labels <= n_rows / 3:
            continue
        for other in described[described != k]:
            codes = _factorized(table.iloc[:, other])
            if (codes == codes[first_rows(labels)][labels]).all():
                warnings.warn(
                    f"task_id=None treats all rows as one task, but {name!r} looks like a task id: "
                    f"{table.columns[other]!r} is constant for each of its {n_labels} values. If "
                    f"it is one, pass task_id={name!r}.",
                    ForgottenTaskIdWarning,
                    stacklevel=6,
                )
                return


def _factorized(values):
    """Number the values of a Series, missing ones included; all are 0 if they cannot be hashed."""
    try:
        return pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
    except TypeError:
        return np.zeros(len(values), dtype=np.int64)


def encode(labels):
    """Number labels in sorted order; in order of type and text if they cannot be sorted.

    Returns codes and the distinct labels, with the names and the levels of `labels`.
    """
    if len(labels) == 1:
        return np.zeros(1, dtype=np.int64), labels
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


def combined(codes):
    """Number the distinct rows of codes (n, L), each at least -1, in sorted order.

    Returns the number of the combination of every row, (n,), and the first row of each.
    """
    numbers = codes[:, 0]
    for column in codes.T[1:]:
        # pair by pair: the product of all sizes may not fit into an integer
        pairs = (numbers + 1) * (column.max() + 2) + column + 1
        numbers = np.unique(pairs, return_inverse=True)[1]
    return numbers, first_rows(numbers)


def distinct(codes, metadata, sort=False):
    """Number the distinct pairs of a code and a row of metadata, perhaps in sorted order.

    Returns the number of the pair of every row, (n,), and the number of a row of every pair.
    """
    first = first_rows(codes)
    if len(codes) > 1 and not np.array_equal(metadata, metadata[first[codes]], equal_nan=True):
        frame = pd.DataFrame(metadata).assign(code=codes)
        codes = (
            frame.groupby(list(frame.columns), sort=sort, dropna=False).ngroup().to_numpy(copy=True)
        )
        first = first_rows(codes)
    return codes, first
