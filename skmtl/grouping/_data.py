"""The rows of a group of tasks, in wide and in long form."""

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, ShuffleSplit, check_cv
from sklearn.utils import check_consistent_length

from skmtl._data.columns import as_table, find_columns
from skmtl._data.task_ids import encode, labels_of
from skmtl._data.wide import as_labels, check_finite, labels_frame
from skmtl._sklearn_compat import _check_sample_weight, _safe_indexing
from skmtl.model_selection import TaskKFold, TaskShuffleSplit

_VALIDATION_SHARE = 0.25


def group_data(X, y, sample_weight, task_id):
    """Return the data of all tasks, in long form if there is a task id, else in wide form."""
    if task_id is not None:
        return LongData(X, y, sample_weight, task_id)
    if np.ndim(y) != 2:
        raise ValueError(
            f"y has {np.ndim(y)} dimension(s), so that there is one task only, and nothing to "
            "group. Pass a y with a column for every task, or task_id='...' to name the column "
            "of X that says which task a row belongs to."
        )
    return WideData(X, y, sample_weight)


class _Data:
    """Base of both forms: `part` returns the rows of a group, `n_labels` counts its labels."""

    def __init__(self, X, y, sample_weight):
        self.X = as_table(X)
        check_consistent_length(self.X, y)
        self.weights = sample_weight
        if sample_weight is not None:
            self.weights = _check_sample_weight(sample_weight, self.X)

    def splits(self, cv, seed):
        """Return pairs of training and validation rows, all of which have labels of every task."""
        by_task, shuffle, folds = (self.task_id,), TaskShuffleSplit, TaskKFold
        if self.task_id is None:
            by_task, shuffle, folds = (), ShuffleSplit, KFold
        if cv is None:
            cv = shuffle(*by_task, 1, test_size=_VALIDATION_SHARE, random_state=seed)
        elif isinstance(cv, (int, np.integer)):
            cv = folds(*by_task, int(cv), shuffle=True, random_state=seed)
        splits = list(check_cv(cv).split(self.X, self.y))
        empty = [np.flatnonzero(self.n_labels(rows) == 0) for split in splits for rows in split]
        empty = np.unique(np.concatenate(empty))
        if len(empty):
            raise ValueError(
                f"cv leaves these tasks without any training or validation label: "
                f"{self.tasks[empty][:20].tolist()}. Use fewer folds, or drop the tasks."
            )
        return splits

    def _rows(self, rows, y):
        weights = None if self.weights is None else self.weights[rows]
        return _safe_indexing(self.X, rows), _safe_indexing(y, rows), weights


class WideData(_Data):
    """Data in wide form: a row is an example of every task, and y has a column for each."""

    task_id = None

    def __init__(self, X, y, sample_weight=None):
        super().__init__(X, y, sample_weight)
        y = as_labels(y)
        self.from_frame = isinstance(y, pd.DataFrame)
        self.y = labels_frame(y, None, self.from_frame)
        check_finite(self.y)
        self.tasks = self.y.columns
        empty = self.tasks[self.y.isna().all(axis=0)].tolist()
        if empty:
            raise ValueError(f"these columns of y have no label at all: {empty[:20]}. Drop them.")

    def part(self, group, rows=None):
        """Return X, y and weights of the rows with a label of any task of a boolean group."""
        y = self.y.iloc[:, np.flatnonzero(group)]
        rows = np.arange(len(y)) if rows is None else rows
        return self._rows(rows[y.iloc[rows].notna().any(axis=1).to_numpy()], y)

    def n_labels(self, rows):
        """Return the number of labels of each task in rows."""
        return self.y.iloc[rows].notna().sum().to_numpy()


class LongData(_Data):
    """Data in long form: a row is an example of one task, which a column of X names."""

    from_frame = False

    def __init__(self, X, y, sample_weight, task_id):
        super().__init__(X, y, sample_weight)
        self.y, self.task_id = y, task_id
        labels = labels_of(self.X, find_columns(self.X, task_id, "task_id"))
        self.codes, self.tasks = encode(labels)

    def part(self, group, rows=None):
        """Return X, y and weights of the rows of the tasks of a boolean group."""
        rows = np.arange(len(self.codes)) if rows is None else rows
        return self._rows(rows[group[self.codes[rows]]], self.y)

    def n_labels(self, rows):
        """Return the number of rows of each task among rows."""
        return np.bincount(self.codes[rows], minlength=len(self.tasks))
