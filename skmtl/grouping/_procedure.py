"""The procedure that measures true gains, asked once for every group and counted."""

import numpy as np


class Measurements:
    """Gains that have been measured, and the procedure for those that have not.

    Parameters
    ----------
    procedure : callable
        Maps groups, a boolean array of shape (n, n_tasks), to gains of this shape, NaN for tasks
        outside a group.
    n_tasks : int
    on_measured : callable, optional
        Called with the number of groups that were measured.

    Attributes
    ----------
    groups : list of ndarray
        Groups of several tasks that were measured, in their order.
    """

    def __init__(self, procedure, n_tasks, on_measured=None):
        self.procedure, self.n_tasks = procedure, n_tasks
        self.on_measured = on_measured
        self.groups, self._gains = [], {}

    def __len__(self):
        return len(self.groups)

    def __call__(self, groups):
        """Gains of some groups; those of a task alone are 0, and nothing is asked for them."""
        new = {}
        for group in groups:
            key = group.tobytes()
            if group.sum() > 1 and key not in self._gains and key not in new:
                new[key] = group
        if new:
            asked = np.array(list(new.values()))
            for group, gains in zip(asked, self._ask(asked), strict=True):
                self._gains[group.tobytes()] = gains
                self.groups.append(group)
        return np.array([self._of(group) for group in groups]).reshape(-1, self.n_tasks)

    def _of(self, group):
        known = self._gains.get(group.tobytes())
        return np.where(group, 0.0, np.nan) if known is None else known

    def _ask(self, groups):
        gains = np.asarray(self.procedure(groups.copy()), dtype=np.float64)
        if gains.shape != groups.shape:
            raise ValueError(
                f"the procedure was asked for {len(groups)} groups of {self.n_tasks} tasks and "
                f"returned an array of the shape {gains.shape}; it must be {groups.shape}."
            )
        missing = groups & ~np.isfinite(gains)
        if missing.any():
            row, task = np.argwhere(missing)[0]
            raise ValueError(
                "the procedure returned no finite gain of task "
                f"{task} for the group {np.flatnonzero(groups[row]).tolist()}."
            )
        if self.on_measured is not None:
            self.on_measured(len(groups))
        return np.where(groups, gains, np.nan)

    def known(self, groups):
        """Whether the gains of groups are known; those of a task alone always are."""
        return np.array([g.sum() == 1 or g.tobytes() in self._gains for g in groups], dtype=bool)

    def table(self):
        """All groups that were measured, and their gains.

        Returns
        -------
        groups : ndarray of shape (n, n_tasks) of bool
        gains : ndarray of shape (n, n_tasks)
        """
        groups = np.array(self.groups, dtype=bool).reshape(-1, self.n_tasks)
        return groups, self(groups)
