"""Cross-validation that knows about tasks: splitters in the style of scikit-learn.

All read the task id from X, so that they can be given as `cv` to scikit-learn's functions.
"""

from skmtl.model_selection._splitters import LeaveTasksOut, TaskKFold, TaskShuffleSplit
from skmtl.model_selection._time_series import TaskTimeSeriesSplit

__all__ = ["LeaveTasksOut", "TaskKFold", "TaskShuffleSplit", "TaskTimeSeriesSplit"]
