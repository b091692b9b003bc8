"""Splitters that do not depend on time."""

from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state

from skmtl._sklearn_compat import Interval
from skmtl.model_selection._base import BaseTaskSplitter, one_row_error, positions_in_tasks


class TaskKFold(BaseTaskSplitter):
    """K folds with rows of each task in training.

    The rows of each task are divided evenly among the folds, and each fold is the test set once.
    Use it to estimate how well new rows of known tasks are predicted. Classes are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of folds.
    shuffle : bool, default=False
        Whether the rows of each task are shuffled first. Otherwise each fold gets consecutive rows
        of X, as in scikit-learn's `KFold`.
    random_state : int, RandomState instance or None, default=None
        Determines how rows are shuffled; pass an int for the same folds in every call.

    Raises
    ------
    ValueError
        If a parameter is invalid. In `split`, if no task has two rows or if there are fewer
        rows than folds.

    See Also
    --------
    TaskShuffleSplit : Any number of random splits of any size.
    LeaveTasksOut : Test sets of whole tasks.
    sklearn.model_selection.KFold : K folds for one task.

    Notes
    -----
    The sizes of folds differ by at most one row, for each task and in total. A task with fewer rows
    than folds is tested in as many splits as it has rows, and is in all training sets.

    A task with one row is always in the training set and never tested. `cross_val_predict` then
    raises an error, because it needs each row in a test set; drop such tasks first.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.model_selection import TaskKFold
    >>> X = pd.DataFrame({"x": range(7), "school": ["a", "a", "a", "a", "b", "b", "c"]})
    >>> for train, test in TaskKFold("school", n_splits=2).split(X):
    ...     print(train, test)
    [2 3 5 6] [0 1 4]
    [0 1 4 6] [2 3 5]
    """

    def __init__(self, task_id, n_splits=5, *, shuffle=False, random_state=None):
        self.task_id = task_id
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self._check_parameters()

    def _masks(self, table, codes):
        fold = self._deal(codes)
        for number in range(self.n_splits):
            yield fold != number, fold == number

    def _deal(self, codes):
        """Return the fold of each row, -1 for rows that are never tested."""
        counts = np.bincount(codes)
        rows = np.flatnonzero(counts[codes] > 1)
        if len(rows) == 0:
            raise one_row_error()
        if len(rows) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {len(rows)} rows of tasks with at "
                "least two rows, so that some folds would be empty. Use "
                f"n_splits={len(rows)} or less."
            )
        turn = np.arange(len(counts))
        if self.shuffle:
            random_state = check_random_state(self.random_state)
            rows = random_state.permutation(rows)
            turn = random_state.permutation(turn)
        rows = rows[np.argsort(turn[codes[rows]], kind="stable")]
        # Folds are dealt in turn, continuing from task to task, so that sizes are even.
        dealt = np.arange(len(rows)) % self.n_splits
        fold = np.full(len(codes), -1)
        # Sorted within each task, so that consecutive rows stay together.
        fold[rows] = dealt[np.lexsort((dealt, turn[codes[rows]]))]
        return fold


class TaskShuffleSplit(BaseTaskSplitter):
    """Random splits with rows of each task in both sets.

    Each split draws test rows from each task, in proportion to its size. Use it, like `TaskKFold`,
    to estimate how well new rows of known tasks are predicted. Classes are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=10
        Number of splits.
    test_size : float, default=0.2
        Share of test rows in each task, between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Determines the test rows; pass an int for the same splits in every call.

    Raises
    ------
    ValueError
        If a parameter is invalid. In `split`, if no task has two rows.

    See Also
    --------
    TaskKFold : Each row is tested once.
    LeaveTasksOut : Test sets of whole tasks.
    sklearn.model_selection.ShuffleSplit : Random splits without tasks.

    Notes
    -----
    A task with n rows has ``round(test_size * n)`` test rows, but at least 1 and at most n - 1.
    With many small tasks, the overall share of test rows exceeds `test_size`. A task with one row
    is always in the training set and never tested.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.model_selection import TaskShuffleSplit
    >>> X = pd.DataFrame({"x": range(7), "school": ["a", "a", "a", "a", "b", "b", "c"]})
    >>> cv = TaskShuffleSplit("school", n_splits=2, test_size=0.5, random_state=0)
    >>> for train, test in cv.split(X):
    ...     print(train, test)
    [0 3 4 6] [1 2 5]
    [2 3 5 6] [0 1 4]
    """

    _parameter_constraints = {
        **BaseTaskSplitter._parameter_constraints,
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(self, task_id, n_splits=10, *, test_size=0.2, random_state=None):
        self.task_id = task_id
        self.n_splits = n_splits
        self.test_size = test_size
        self.random_state = random_state
        self._check_parameters()

    def _masks(self, table, codes):
        counts = np.bincount(codes)
        # The upper bound has priority: a single row is never tested.
        n_test = np.clip(np.rint(self.test_size * counts), 1, counts - 1)
        if not n_test.any():
            raise one_row_error()
        random_state = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            positions = positions_in_tasks(codes, random_state.permutation(len(codes)))
            test = positions < n_test[codes]
            yield ~test, test


class LeaveTasksOut(BaseTaskSplitter):
    """K folds of whole tasks: no task is in both sets of a split.

    Each task is in the test set once, without rows in the training set. Use it to estimate how well
    unseen tasks are predicted.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of folds; with as many folds as tasks, each task is tested alone.
    level : str or int, default=None
        Of several columns in `task_id`, the one whose ids are held out, whatever their ids in the
        other columns; None holds out combinations.
    shuffle : bool, default=True
        Whether tasks are assigned at random, with about the same number for each fold. Otherwise
        folds have about the same number of rows: tasks are assigned from the largest to the
        smallest, each to the smallest fold.
    random_state : int, RandomState instance or None, default=None
        Determines how tasks are shuffled; pass an int for the same folds in every call.

    Raises
    ------
    ValueError
        If a parameter is invalid. In `split`, if there are fewer tasks than folds.

    See Also
    --------
    TaskKFold : Each task is in each training set.
    sklearn.model_selection.GroupKFold : The same with ids passed as `groups`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.model_selection import LeaveTasksOut
    >>> X = pd.DataFrame({"x": range(7), "school": ["a", "a", "a", "a", "b", "b", "c"]})
    >>> for train, test in LeaveTasksOut("school", n_splits=2, shuffle=False).split(X):
    ...     print(train, test)
    [4 5 6] [0 1 2 3]
    [0 1 2 3] [4 5 6]

    New products of known stores:

    >>> X = X.assign(product=["p", "q", "p", "q", "p", "p", "r"])
    >>> cv = LeaveTasksOut(["school", "product"], 2, level="product", shuffle=False)
    >>> [X["product"].iloc[test].unique().tolist() for _, test in cv.split(X)]
    [['p'], ['q', 'r']]
    """

    def __init__(self, task_id, n_splits=5, *, level=None, shuffle=True, random_state=None):
        self.task_id = task_id
        self.n_splits = n_splits
        self.level = level
        self.shuffle = shuffle
        self.random_state = random_state
        self._check_parameters()

    def _columns(self):
        if self.level is None:
            return self.task_id
        if np.ndim(self.task_id) != 1 or self.level not in self.task_id:
            raise ValueError(
                f"level={self.level!r} is not among the columns of task_id, {self.task_id!r}."
            )
        return self.level

    def _masks(self, table, codes):
        n_tasks = codes.max() + 1
        if self.n_splits > n_tasks:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of tasks, which is {n_tasks}, "
                "so that some folds would hold no task. Use fewer splits, or check task_id."
            )
        groups = GroupKFold(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)
        for _, rows in groups.split(codes, groups=codes):
            test = np.zeros(len(codes), dtype=bool)
            test[rows] = True
            yield ~test, test
