"""Cross-validation: splitters that know about tasks, and searches that train side by side.

Splitters read the task id from X, so that they can be given as `cv` to scikit-learn's functions.
"""

from skmtl.model_selection._batched import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skmtl.model_selection._splitters import LeaveTasksOut, TaskKFold, TaskShuffleSplit
from skmtl.model_selection._time_series import TaskTimeSeriesSplit

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "LeaveTasksOut",
    "TaskKFold",
    "TaskShuffleSplit",
    "TaskTimeSeriesSplit",
]
