"""A splitter that depends on time."""

from numbers import Integral

import numpy as np
import pandas as pd

from skmtl._data.columns import column_names, find_columns
from skmtl._sklearn_compat import Interval
from skmtl.model_selection._base import BaseTaskSplitter, positions_in_tasks


class TaskTimeSeriesSplit(BaseTaskSplitter):
    """Splits in which the past of each task predicts its future.

    The rows of each task are sorted by time. The last rows are divided into `n_splits` parts of
    equal size; each part is the test set once, and earlier rows of the task train. Use it to
    estimate how well the future of known tasks is predicted. Classes are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of splits.
    time : str, int or None, default=None
        The column of X with the time, given as `task_id`: dates, numbers, or anything else that
        can be sorted, except strings. None means that the rows of X are in the order of time.
    test_size : int or None, default=None
        Test rows of each task in each split. None means ``n // (n_splits + 1)`` for a task of
        n rows.
    gap : int, default=0
        Rows of each task between training and test that are left out.
    max_train_size : int or None, default=None
        Largest number of training rows of each task; the latest are taken. None means all.

    Raises
    ------
    ValueError
        If a parameter is invalid. In `split`, if a time is missing, or if no task has enough
        rows for the first split.
    TypeError
        In `split`, if the times cannot be sorted or are strings.

    See Also
    --------
    TaskKFold : K folds of rows without an order in time.
    sklearn.model_selection.TimeSeriesSplit : Splits by time for one task.

    Notes
    -----
    Each task has its own time line: splits are at the same share of its rows, not at the same date.
    Rows of one task with the same time keep their order in X, and may be in both sets of a split.

    A task is left out of splits in which it has no earlier rows to train on. A task with so few
    rows that its test part is empty is always in the training set, without a gap.

    Since the first rows are never tested, `cross_val_predict` cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.model_selection import TaskTimeSeriesSplit
    >>> X = pd.DataFrame({"year": [1, 2, 3, 1, 2, 3, 4, 5, 6], "school": list("aaabbbbbb")})
    >>> for train, test in TaskTimeSeriesSplit("school", n_splits=2, time="year").split(X):
    ...     print(train, test)
    [0 3 4] [1 5 6]
    [0 1 3 4 5 6] [2 7 8]
    """

    _parameter_constraints = {
        **BaseTaskSplitter._parameter_constraints,
        "test_size": [Interval(Integral, 1, None, closed="left"), None],
        "gap": [Interval(Integral, 0, None, closed="left")],
        "max_train_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self, task_id, n_splits=5, *, time=None, test_size=None, gap=0, max_train_size=None
    ):
        self.task_id = task_id
        self.n_splits = n_splits
        self.time = time
        self.test_size = test_size
        self.gap = gap
        self.max_train_size = max_train_size
        self._check_parameters()

    def _masks(self, table, codes):
        position = positions_in_tasks(codes, self._order(table))
        counts = np.bincount(codes)
        sizes = counts // (self.n_splits + 1)
        if self.test_size is not None:
            sizes = np.full(len(counts), self.test_size)
        # one row for each split, one column for each task
        starts = counts - np.arange(self.n_splits, 0, -1)[:, None] * sizes
        ends = starts - np.where(sizes > 0, self.gap, 0)
        tested = (sizes > 0) & (ends > 0)
        # later splits have more training rows
        if not tested[0].any():
            raise ValueError(
                f"the first of n_splits={self.n_splits} splits would have no test row: the longest "
                f"task has {counts.max()} rows, which is too few for rows to train on, a gap of "
                f"{self.gap}, and all test parts with test_size={self.test_size}. Use a smaller "
                "n_splits, test_size or gap."
            )
        for start, end, has_test in zip(starts, ends, tested, strict=True):
            stop = np.where(has_test, start + sizes, start)
            first = 0 if self.max_train_size is None else end - self.max_train_size
            train = (position < end[codes]) & (position >= np.broadcast_to(first, end.shape)[codes])
            yield train, (position >= start[codes]) & (position < stop[codes])

    def _order(self, table):
        """Return the positions of the rows sorted by time; ties stay in the order of X."""
        if self.time is None:
            return np.arange(len(table))
        positions = find_columns(table, self.time, "time")
        if len(positions) != 1:
            raise ValueError(f"time={self.time!r} must name one column.")
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
            return column.argsort(kind="stable").to_numpy()
        except TypeError as error:
            raise TypeError(
                f"the time column {name!r} cannot be put in the order of time: {error}. Turn it "
                "into dates with pandas.to_datetime, or into numbers."
            ) from error
