"""Errors and warnings of this package, derived from standard ones."""

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "CheckpointWarning",
    "DivergenceError",
    "ForgottenTaskIdWarning",
    "HarmfulGroupsWarning",
    "ModelFileError",
    "RetryWarning",
    "UnknownTasksWarning",
    "UnlabelledRowsWarning",
    "ValidationWarning",
    "VersionWarning",
]


class DivergenceError(FloatingPointError, ValueError):
    """Training produced a loss or a weight that is not finite.

    Parameters
    ----------
    message : str
        Describes the problem and what to try.
    members : sequence of int
        Numbers of the members that diverged.
    """

    def __init__(self, message, members=()):
        super().__init__(message)
        self.members = tuple(members)


class ModelFileError(ValueError):
    """A model cannot be saved to a file, or a file cannot be loaded as a model."""


class CheckpointWarning(UserWarning):
    """A checkpoint or a file of a cache cannot be read or written; the work goes on without it."""


class ValidationWarning(ConvergenceWarning):
    """No rows could be held out for early stopping."""


class UnlabelledRowsWarning(UserWarning):
    """Rows without any label were ignored."""


class UnknownTasksWarning(UserWarning):
    """None of the tasks to predict was seen in ``fit``; they are predicted from their metadata."""


class HarmfulGroupsWarning(UserWarning):
    """Groups of tasks may be worse than each task alone."""


class RetryWarning(UserWarning):
    """A worker process was killed, and its work starts again."""


class ForgottenTaskIdWarning(UserWarning):
    """A column of X looks like a task id, but `task_id` is None."""


class VersionWarning(UserWarning):
    """A model comes from another version of this package."""
