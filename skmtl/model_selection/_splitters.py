"""The splitters that do not look at the time."""

from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state

from skmtl._sklearn_compat import Interval
from skmtl.model_selection._base import BaseTaskSplitter, places


class TaskKFold(BaseTaskSplitter):
    """K folds with rows of every task in training.

    The rows of each task are dealt evenly over the folds, and each fold tests once while the
    others train. The question it answers: how well are further rows of known tasks predicted?
    Classes are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of folds.
    shuffle : bool, default=False
        Whether the rows of each task are shuffled first. Otherwise each fold gets rows that follow
        each other in X, as in scikit-learn's `KFold`.
    random_state : int, RandomState instance or None, default=None
        Decides how rows are shuffled; pass an int for the same folds in every call.

    Raises
    ------
    ValueError
        If a parameter has no meaning. In `split`, if no task has two rows or if there are too few
        rows for so many folds.

    See Also
    --------
    TaskShuffleSplit : Random splits in any number and any proportion.
    LeaveTasksOut : Whole tasks test.
    sklearn.model_selection.KFold : The same for one task.

    Notes
    -----
    The folds of one task differ by at most one row, and so do the folds as a whole. A task with
    fewer rows than there are folds is tested in as many splits as it has rows, and trains in all.

    A task with one row always trains and never tests, since nothing would be left to train on.
    `cross_val_predict` refuses to work then, because it needs every row in some test fold. Drop
    these tasks before, if it is needed.

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
        """Number of each row's fold, -1 for rows that never test."""
        counts = np.bincount(codes)
        rows = np.flatnonzero(counts[codes] > 1)
        if len(rows) == 0:
            raise ValueError(
                "every task has only one row, so that no task can be on both sides of a split. "
                "Use LeaveTasksOut to test whole tasks, or check task_id."
            )
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
        # Dealt like cards, each task from where the one before it ended: sizes are even.
        cards = np.arange(len(rows)) % self.n_splits
        fold = np.full(len(codes), -1)
        # Sorted within each task, so that rows which follow each other stay together.
        fold[rows] = cards[np.lexsort((cards, turn[codes[rows]]))]
        return fold


class TaskShuffleSplit(BaseTaskSplitter):
    """Random splits with rows of every task on both sides.

    Each split draws test rows from each task, in proportion to its size, anew. The question it
    answers is that of `TaskKFold`: how well are further rows of known tasks predicted? Classes
    are not stratified.

    Parameters
    ----------
    {task_id}
    n_splits : int, default=10
        Number of splits.
    test_size : float, default=0.2
        Share of the rows of each task that test, between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Decides which rows test; pass an int for the same splits in every call.

    Raises
    ------
    ValueError
        If a parameter has no meaning. In `split`, if no task has two rows.

    See Also
    --------
    TaskKFold : Every row tests once.
    LeaveTasksOut : Whole tasks test.
    sklearn.model_selection.ShuffleSplit : Random splits that know no tasks.

    Notes
    -----
    Of a task with n rows ``round(test_size * n)`` rows test, but at least 1 and at most n - 1. If
    there are many small tasks, more rows test than `test_size` says: of two rows always one.
    A task with one row always trains and never tests.

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
        # A bound from above beats one from below: of a single row, none tests.
        n_test = np.clip(np.rint(self.test_size * counts), 1, counts - 1)
        if not n_test.any():
            raise ValueError(
                "every task has only one row, so that no task can be on both sides of a split. "
                "Use LeaveTasksOut to test whole tasks, or check task_id."
            )
        random_state = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            test = places(codes, random_state.permutation(len(codes))) < n_test[codes]
            yield ~test, test


class LeaveTasksOut(BaseTaskSplitter):
    """K folds of whole tasks: no task is on both sides of a split.

    Every task tests once, while it has no rows in training. The question it answers: how well are
    tasks predicted that were never seen?

    Parameters
    ----------
    {task_id}
    n_splits : int, default=5
        Number of folds; with the number of tasks, each task tests alone.
    shuffle : bool, default=True
        Whether tasks are drawn at random, about as many for each fold. Otherwise the folds get
        about as many rows: the largest tasks come first, and each goes to the smallest fold.
    random_state : int, RandomState instance or None, default=None
        Decides how tasks are shuffled; pass an int for the same folds in every call.

    Raises
    ------
    ValueError
        If a parameter has no meaning. In `split`, if there are fewer tasks than folds.

    See Also
    --------
    TaskKFold : Every task trains in every split.
    sklearn.model_selection.GroupKFold : The same, with the ids given as `groups`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.model_selection import LeaveTasksOut
    >>> X = pd.DataFrame({"x": range(7), "school": ["a", "a", "a", "a", "b", "b", "c"]})
    >>> for train, test in LeaveTasksOut("school", n_splits=2, shuffle=False).split(X):
    ...     print(train, test)
    [4 5 6] [0 1 2 3]
    [0 1 2 3] [4 5 6]
    """

    def __init__(self, task_id, n_splits=5, *, shuffle=True, random_state=None):
        self.task_id = task_id
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self._check_parameters()

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
