"""The contract of gain estimators: measured gains in, a gain of every candidate group out."""

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skmtl._persistence import VersionedState, saveable
from skmtl.grouping.gains._measurements import Measurements


@dataclass
class GainContext:
    """The inputs of a gain estimator besides measured gains.

    Unknown ones are None.

    Parameters
    ----------
    random_state : RandomState
        Source of all random draws.
    affinity : ndarray of shape (n_tasks, n_tasks), default=None
        Effect of a step of the row's task on the loss of the column's task.
    metadata : ndarray of shape (n_tasks, n_metadata), default=None
        Features of the tasks.
    max_groups : int, default=None
        Largest number of groups that will be selected.

    See Also
    --------
    GainEstimator : Receives the context.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import GainContext
    >>> GainContext(np.random.RandomState(0), max_groups=3).max_groups
    3
    """

    random_state: np.random.RandomState
    affinity: np.ndarray | None = None
    metadata: np.ndarray | None = None
    max_groups: int | None = None


@dataclass
class GainEstimate:
    """Estimated gains of groups.

    Gains may be measured or predicted.

    Parameters
    ----------
    candidates : ndarray of shape (n, n_tasks) of bool
        Groups; an estimator may omit those that it cannot estimate.
    gains : array-like of shape (n, n_tasks)
        Their gains; values outside the groups are ignored.
    model : object, default=None
        Fitted model whose ``predict(groups, metadata=None)`` returns the gains of other groups.

    See Also
    --------
    GainEstimator : Returns the estimate.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import GainEstimate
    >>> GainEstimate(np.array([[True, True]]), [[0.1, -0.1]]).gains
    array([[ 0.1, -0.1]])
    """

    candidates: np.ndarray
    gains: np.ndarray
    model: Any = None

    def __post_init__(self):
        self.gains = np.asarray(self.gains, dtype=np.float64)
        if self.gains.shape != self.candidates.shape:
            raise ValueError(
                f"the estimated gains have the shape {self.gains.shape}, but the candidates "
                f"{self.candidates.shape}."
            )


@saveable
class GainEstimator(VersionedState, BaseEstimator, metaclass=ABCMeta):
    """Base class of the methods that estimate gains.

    A subclass implements `estimate`. One that knows at the start which groups it measures also
    overrides `first_groups`, so that these groups train in one call.

    Attributes
    ----------
    needs_affinity : bool
        Whether the context must have affinities.

    See Also
    --------
    estimate_gains : Runs an estimator on any procedure that measures gains.
    TaskGrouper : Runs an estimator on groups that it trains.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import GainEstimate, GainEstimator, estimate_gains
    >>> class LeaveOneOut(GainEstimator):
    ...     def estimate(self, measurements, candidates, *, context):
    ...         everything = np.ones((1, candidates.shape[1]), dtype=bool)
    ...         return GainEstimate(candidates, measurements(everything) * candidates)
    >>> estimate_gains(lambda groups: groups * 0.1, 2, LeaveOneOut()).to_numpy()
    array([[0.1, nan],
           [nan, 0.1],
           [0.1, 0.1]])
    """

    needs_affinity: bool = False

    def first_groups(self, candidates: np.ndarray) -> np.ndarray:
        """Return the groups to train in one call before `estimate`.

        Parameters
        ----------
        candidates : ndarray of shape (n, n_tasks) of bool
            Groups that may be selected.

        Returns
        -------
        ndarray of shape (n_first, n_tasks) of bool
            Every task alone by default, since measured gains compare with it.
        """
        return np.eye(candidates.shape[1], dtype=bool)

    def n_procedures(self, candidates: np.ndarray) -> int:
        """Return the number of training procedures that the estimation needs.

        Parameters
        ----------
        candidates : ndarray of shape (n, n_tasks) of bool
            Groups that may be selected.

        Returns
        -------
        int
            By default the distinct `first_groups`, and one training that records affinities.
        """
        return len(np.unique(self.first_groups(candidates), axis=0)) + int(self.needs_affinity)

    def scored_by(self, trainer: Any) -> Any:
        """Return what scores groups in a `TaskGrouper` instead of training them.

        Parameters
        ----------
        trainer : object
            Trains and scores the groups of a `TaskGrouper`.

        Returns
        -------
        object
            By default the trainer. Others have `data`, `splits`, `scores` and `scores_by_split`.
        """
        return trainer

    def check_procedure(self, procedure: Any) -> None:
        """Raise a ValueError if the procedure of `estimate_gains` cannot be used.

        Parameters
        ----------
        procedure : callable
            The procedure of the user; by default, any may be used.
        """

    @abstractmethod
    def estimate(
        self, measurements: Measurements, candidates: np.ndarray, *, context: GainContext
    ) -> GainEstimate:
        """Estimate the gains of candidates.

        Parameters
        ----------
        measurements : Measurements
            Callable that measures the gains of groups.
        candidates : ndarray of shape (n, n_tasks) of bool
            Groups that may be selected.
        context : GainContext
            Random state, affinities, metadata and limits.

        Returns
        -------
        GainEstimate
            One row for each candidate.
        """
