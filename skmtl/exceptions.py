"""Errors and warnings that callers may want to catch by name.

All of them derive from what scikit-learn users already catch.
"""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["DivergenceError", "UnlabelledRowsWarning", "ValidationWarning"]


class DivergenceError(FloatingPointError, ValueError):
    """Training produced a loss or a weight that is not finite.

    Parameters
    ----------
    message : str
        What happened and what to try.
    members : sequence of int
        Members that diverged.
    """

    def __init__(self, message, members=()):
        super().__init__(message)
        self.members = tuple(members)


class ValidationWarning(ConvergenceWarning):
    """No row could be set aside for early stopping."""


class UnlabelledRowsWarning(UserWarning):
    """Some rows have no label of any task, so that nothing is learned from them."""
