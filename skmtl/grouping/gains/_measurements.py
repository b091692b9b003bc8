"""The procedure that measures true gains, called once for each group and counted."""

import numpy as np


class Measurements:
    """Measure the gains of groups, each group once.

    An object is called with groups, a boolean array, and returns their gains.

    Parameters
    ----------
    procedure : callable
        Maps groups, a boolean array of shape (n, n_tasks), to gains of this shape, NaN for tasks
        outside a group.
    n_tasks : int
        Number of tasks.

    Attributes
    ----------
    groups : list of ndarray
        Measured groups of several tasks, in the order in which they were measured.

    See Also
    --------
    GainEstimator : Calls the measurements.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import Measurements
    >>> measurements = Measurements(lambda groups: groups * 0.1, n_tasks=2)
    >>> measurements(np.array([[True, False], [True, True]]))
    array([[0. , nan],
           [0.1, 0.1]])
    >>> len(measurements)
    1
    """

    def __init__(self, procedure, n_tasks):
        self.procedure, self.n_tasks = procedure, n_tasks
        self.groups, self._gains = [], {}

    def __len__(self):
        return len(self.groups)

    def __call__(self, groups: np.ndarray) -> np.ndarray:
        """Return the gains of groups; those of single tasks are 0 and need no measurement."""
        new = {}
        for group in groups:
            key = group.tobytes()
            if group.sum() > 1 and key not in self._gains and key not in new:
                new[key] = group
        if new:
            missing = np.array(list(new.values()))
            for group, gains in zip(missing, self._measure(missing), strict=True):
                self._gains[group.tobytes()] = gains
                self.groups.append(group)
        return np.array([self._known_gains(group) for group in groups]).reshape(-1, self.n_tasks)

    def _known_gains(self, group):
        gains = self._gains.get(group.tobytes())
        return np.where(group, 0.0, np.nan) if gains is None else gains

    def _measure(self, groups):
        gains = np.asarray(self.procedure(groups.copy()), dtype=np.float64)
        if gains.shape != groups.shape:
            raise ValueError(
                f"the procedure was called with {len(groups)} groups of {self.n_tasks} tasks and "
                f"returned an array of the shape {gains.shape}; it must be {groups.shape}."
            )
        missing = groups & ~np.isfinite(gains)
        if missing.any():
            row, task = np.argwhere(missing)[0]
            raise ValueError(
                "the procedure returned no finite gain of task "
                f"{task} for the group {np.flatnonzero(groups[row]).tolist()}."
            )
        return np.where(groups, gains, np.nan)

    def known(self, groups: np.ndarray) -> np.ndarray:
        """Return whether the gains of groups are known.

        Parameters
        ----------
        groups : ndarray of shape (n, n_tasks) of bool
            Groups.

        Returns
        -------
        ndarray of shape (n,) of bool
            True for groups that were measured, and for tasks alone.
        """
        return np.array([g.sum() == 1 or g.tobytes() in self._gains for g in groups], dtype=bool)

    def merged(self, groups: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Replace predicted gains by measured ones.

        Parameters
        ----------
        groups, gains : ndarrays of shape (n, n_tasks)
            Boolean groups, and their predicted gains.

        Returns
        -------
        ndarray of shape (n, n_tasks)
            Measured gains of the groups whose gains are known, predicted gains of the others.
        """
        known, gains = self.known(groups), gains.copy()
        gains[known] = self(groups[known])
        return gains

    def table(self):
        """Return all measured groups and their gains.

        Returns
        -------
        groups : ndarray of shape (n, n_tasks) of bool
            Groups of several tasks.
        gains : ndarray of shape (n, n_tasks)
            Their gains, NaN outside the groups.
        """
        groups = np.array(self.groups, dtype=bool).reshape(-1, self.n_tasks)
        return groups, self(groups)
