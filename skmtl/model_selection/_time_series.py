"""A splitter that depends on time."""

from numbers import Integral

import numpy as np

from skmtl._data.times import order_in_time
from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.model_selection._base import BaseTaskSplitter, positions_in_tasks


class TaskTimeSeriesSplit(BaseTaskSplitter):
    """Splits in which the past of each task predicts its future.

    The rows of each task are sorted by time. The last rows are divided into `n_splits` parts of
    equal size; each part is the test set once, and earlier rows of the task train. Use it to
    estimate how well the future of known tasks is predicted. Rows of the same time are never
    separated. Classes are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of splits.
    time : str, int or None, default=None
        The column of X with the time, given as `task_id`: dates, numbers, or anything else that
        can be sorted, except strings. None means that the rows of X are in the order of time.
    cut : {"rows", "dates"}, default="rows"
        Where splits are. "rows": each task has its own time line, and is cut at the same share of
        its rows. "dates": all tasks are cut at the same dates, so that nothing that trains is later
        than what is tested; a date is a calendar day if `time` holds dates, otherwise a distinct
        value.
    test_size : int or None, default=None
        Test rows of each task in each split, or with ``cut="dates"`` test dates. None means
        ``n // (n_splits + 1)`` for a task of n rows, or for n dates.
    gap : int, default=0
        Rows of each task, or dates, between training and test that are left out.
    max_train_size : int or None, default=None
        Largest number of training rows of each task, or of dates; the latest are taken. None means
        all.

    Raises
    ------
    ValueError
        If a parameter is invalid. In `split`, if a time is missing, or if a split would have no
        test row.
    TypeError
        In `split`, if the times cannot be sorted or are strings.

    See Also
    --------
    TaskKFold : K folds of rows without an order in time.
    sklearn.model_selection.TimeSeriesSplit : Splits by time for one task.

    Notes
    -----
    A split by rows that would separate rows of one task with the same time is moved back to the
    first of them.

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
    >>> cv = TaskTimeSeriesSplit("school", n_splits=2, time="year", cut="dates")
    >>> for train, test in cv.split(X):
    ...     print(train, test)
    [0 1 3 4] [2 5 6]
    [0 1 2 3 4 5 6] [7 8]
    """

    _parameter_constraints = {
        **BaseTaskSplitter._parameter_constraints,
        "cut": [StrOptions({"rows", "dates"})],
        "test_size": [Interval(Integral, 1, None, closed="left"), None],
        "gap": [Interval(Integral, 0, None, closed="left")],
        "max_train_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        task_id,
        n_splits=5,
        *,
        time=None,
        cut="rows",
        test_size=None,
        gap=0,
        max_train_size=None,
    ):
        self.task_id = task_id
        self.n_splits = n_splits
        self.time = time
        self.cut = cut
        self.test_size = test_size
        self.gap = gap
        self.max_train_size = max_train_size
        self._check_parameters()
        if cut == "dates" and time is None:
            raise ValueError("cut='dates' needs time, the column of X with the dates.")

    def _masks(self, table, codes):
        order, times = self._order(table)
        lines, position = codes, positions_in_tasks(codes, order)
        if self.cut == "dates":
            # one time line, on which a date is a position
            lines, position = np.zeros_like(codes), times
        counts = np.zeros(lines.max() + 1, dtype=np.int64)
        np.maximum.at(counts, lines, position + 1)
        sizes = counts // (self.n_splits + 1)
        if self.test_size is not None:
            sizes = np.full(len(counts), self.test_size)
        # one row for each cut, one column for each time line
        cuts = counts - np.arange(self.n_splits, -1, -1)[:, None] * sizes
        if self.cut == "rows":
            cuts = _before_ties(cuts, counts, lines, position, times)
        starts, stops = cuts[:-1], cuts[1:]
        ends = starts - np.where(sizes > 0, self.gap, 0)
        tested = (sizes > 0) & (ends > 0)
        for start, stop, end, has_test in zip(starts, stops, ends, tested, strict=True):
            begin = 0 if self.max_train_size is None else end - self.max_train_size
            train = (position < end[lines]) & (position >= np.broadcast_to(begin, end.shape)[lines])
            test = has_test[lines] & (position >= start[lines]) & (position < stop[lines])
            # a task without earlier rows is unknown
            test &= np.bincount(codes[train], minlength=codes.max() + 1)[codes] > 0
            if not test.any():
                raise ValueError(self._no_test_row(counts.max()))
            yield train, test

    def _no_test_row(self, longest):
        what = f"the longest task has {longest} rows"
        if self.cut == "dates":
            what = f"there are {longest} dates"
        return (
            f"one of n_splits={self.n_splits} splits would have no test row: {what}, which is too "
            f"few for rows to train on, a gap of {self.gap}, and all test parts with "
            f"test_size={self.test_size}; rows of the same time are not separated. Use a smaller "
            "n_splits, test_size or gap."
        )

    def _order(self, table):
        """Return the positions of the rows sorted by time, and the number of each row's time.

        Ties stay in the order of X.
        """
        if self.time is None:
            return np.arange(len(table)), np.arange(len(table))
        return order_in_time(table, self.time, days=self.cut == "dates")


def _before_ties(cuts, counts, lines, position, times):
    """Move cuts of shape (k, n_lines) back to the first row of their time.

    Lines have `counts` rows; `lines`, `position` and `times` are those of each row.
    """
    order = np.lexsort((position, lines))
    position, times = position[order], times[order]
    new = np.r_[True, times[1:] != times[:-1]] | (position == 0)
    first = position[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))]
    inside = (cuts > 0) & (cuts < counts)
    return np.where(inside, first[np.where(inside, cuts + np.cumsum(counts) - counts, 0)], cuts)
