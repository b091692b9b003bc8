"""Base of all splitters: it encodes the task ids in X and turns masks into positions."""

import warnings
from abc import abstractmethod
from numbers import Integral

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import encode, labels_of
from skmtl._docstrings import fill
from skmtl._sklearn_compat import Interval, validate_parameter_constraints

_TASK_ID = """
task_id : str, int, or list of these
    The column of X that says which task a row belongs to: a string is a label, an int a
    position, negative from the end. With a list the task is the combination of the columns.
"""


class BaseTaskSplitter(BaseCrossValidator):
    """Base of all splitters; a subclass defines its parameters and `_masks`."""

    _parameter_constraints = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        fill(cls, task_id=_TASK_ID)

    def _check_parameters(self):
        """Check the parameters; constructors call it, as in scikit-learn's splitters."""
        validate_parameter_constraints(
            self._parameter_constraints, vars(self), caller_name=type(self).__name__
        )
        if self.task_id is None or (np.ndim(self.task_id) and not len(self.task_id)):
            raise ValueError(
                f"task_id={self.task_id!r} names no column. If there is only one task, or if y "
                "has a column for each task, use a splitter of scikit-learn, such as KFold."
            )
        if not getattr(self, "shuffle", True) and self.random_state is not None:
            raise ValueError(
                "random_state has no effect since shuffle=False; leave it out, or use shuffle=True."
            )

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits.

        Parameters
        ----------
        X : DataFrame or array, optional
            Ignored.
        y : array-like, optional
            Ignored.
        groups : array-like, optional
            Ignored.

        Returns
        -------
        int
            The parameter `n_splits`.
        """
        return self.n_splits

    def split(self, X, y=None, groups=None):
        """Generate the positions of the training rows and of the test rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The table with the task ids.
        y : array-like of length n, optional
            Ignored; classes are not stratified.
        groups : array-like of length n, optional
            Ignored with a warning, since X contains the task ids.

        Yields
        ------
        train : ndarray of int
            Positions of the training rows, ascending.
        test : ndarray of int
            Positions of the test rows, ascending.

        Raises
        ------
        ValueError, TypeError
            If X lacks the columns, if an id is missing, or if the rows cannot be split; the message
            explains what to change.
        """
        if groups is not None:
            name = type(self).__name__
            warnings.warn(f"The groups parameter is ignored by {name}", UserWarning, stacklevel=2)
        table = as_table(X)
        check_consistent_length(table, y)
        codes, _ = encode(labels_of(table, find_columns(table, self._columns(), "task_id")))
        for train, test in self._masks(table, codes):
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _columns(self):
        """Return the columns whose ids make a task."""
        return self.task_id

    @abstractmethod
    def _masks(self, table, codes):
        """Generate two boolean arrays for each split: which rows train, and which test.

        `codes` is the number of the task of each row: 0, 1, ...
        """


def one_row_error():
    """Return the error for a table in which no task can be split."""
    return ValueError(
        "every task has only one row, so that no task can be on both sides of a split. Use "
        "LeaveTasksOut to test whole tasks, or check task_id."
    )


def positions_in_tasks(codes, order):
    """Return the position of each row within its task (0, 1, ...) when rows are in this order."""
    counts = np.bincount(codes)
    by_task = order[np.argsort(codes[order], kind="stable")]
    positions = np.empty(len(codes), dtype=np.int64)
    positions[by_task] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return positions
