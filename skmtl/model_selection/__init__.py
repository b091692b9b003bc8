"""Cross-validation: splitters that take tasks into account, batched searches and fits.

Splitters read the task id from X, so they can be passed as `cv` to scikit-learn's functions.
"""

from skmtl.model_selection._batched import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skmtl.model_selection._fit_many import fit_many
from skmtl.model_selection._predict import cross_val_predict
from skmtl.model_selection._splitters import LeaveTasksOut, TaskKFold, TaskShuffleSplit
from skmtl.model_selection._time_series import TaskTimeSeriesSplit

__all__ = [
    "BatchedGridSearchCV",
    "BatchedRandomizedSearchCV",
    "LeaveTasksOut",
    "TaskKFold",
    "TaskShuffleSplit",
    "TaskTimeSeriesSplit",
    "cross_val_predict",
    "fit_many",
]
