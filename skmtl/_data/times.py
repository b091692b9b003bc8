"""The order of rows in time: reading a column of times, and the last rows of each task."""

import numpy as np
import pandas as pd

from skmtl._data.columns import column_names, find_columns


def order_in_time(table, time, parameter="time", *, days=False):
    """Return the positions of the rows sorted by time, and the number of each row's time.

    Ties stay in the order of the table. `time` names its column, as the given constructor
    parameter; with `days`, times of a calendar day are the same.
    """
    positions = find_columns(table, time, parameter)
    if len(positions) != 1:
        raise ValueError(f"{parameter}={time!r} must name one column.")
    name = column_names(table)[positions[0]]
    if isinstance(table, pd.DataFrame):
        column = table.iloc[:, positions[0]]
    else:
        column = pd.Series(table[:, positions[0]])
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise ValueError(
            f"the time column {name!r} has {len(missing)} missing (NaN) value(s), the first in "
            f"row {missing[0]}. Drop those rows, or fill in when they happened."
        )
    if isinstance(column.dtype, pd.CategoricalDtype) and not column.cat.ordered:
        column = column.astype(column.cat.categories.dtype)
    try:
        if pd.api.types.infer_dtype(column) == "string":
            raise TypeError("strings are sorted by letters, '10' before '9'")
        if days and column.dtype.kind == "M":
            column = column.dt.normalize()
        order = column.argsort(kind="stable").to_numpy()
    except TypeError as error:
        raise TypeError(
            f"the time column {name!r} cannot be put in the order of time: {error}. Turn it "
            "into dates with pandas.to_datetime, or into numbers."
        ) from error
    ordered = column.to_numpy()[order]
    times = np.empty(len(order), dtype=np.int64)
    times[order] = np.cumsum(np.r_[False, ordered[1:] != ordered[:-1]])
    return order, times


def last_rows(table, time, tasks, fraction, parameter):
    """Return a mask of the last rows of each task, floor(fraction * its rows) but at least one.

    Rows of the same time are not separated: if need be fewer or more are last. A task whose rows
    all have one time has none. In wide form, where `tasks` are None, rows belong together.
    """
    order, times = order_in_time(table, time, parameter)
    tasks = np.zeros(len(times), dtype=np.int64) if tasks is None else tasks
    late = np.zeros(len(times), dtype=bool)
    order = order[np.argsort(tasks[order], kind="stable")]
    for rows in np.split(order, np.cumsum(np.bincount(tasks))[:-1]):
        of_task = times[rows]
        if len(rows) and of_task[0] < of_task[-1]:
            n_last = max(1, int(np.floor(fraction * len(rows) + 1e-9)))
            # after the last of the earlier rows, or if that is the last time, from then on
            edge = min(of_task[-n_last - 1], of_task[of_task < of_task[-1]].max())
            late[rows] = of_task > edge
    return late
