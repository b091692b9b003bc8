"""Inputs of `MTGNet`: checked groups and gains, and standardised metadata of tasks."""

import numpy as np

from skmtl._persistence import saveable


def check_groups(groups, n_tasks=None):
    """Return groups as a boolean array, each with at least one task."""
    groups = np.asarray(groups)
    if groups.ndim != 2 or groups.dtype != np.bool_:
        raise ValueError(
            f"groups must be a boolean array of shape (n, n_tasks), got {groups.dtype} of shape "
            f"{groups.shape}."
        )
    if n_tasks is not None and groups.shape[1] != n_tasks:
        raise ValueError(f"groups has {groups.shape[1]} tasks, but fit saw {n_tasks}.")
    if not groups.any(axis=1).all():
        raise ValueError("a group has no task at all.")
    return groups


def check_measured(groups, gains):
    """Return groups and their gains as arrays; gains are NaN for tasks outside a group."""
    groups, gains = check_groups(groups), np.asarray(gains, dtype=np.float64)
    if gains.shape != groups.shape:
        raise ValueError(f"gains has the shape {gains.shape}, but groups {groups.shape}.")
    if not np.isfinite(gains[groups]).all():
        raise ValueError("gains must be finite for every task in a group.")
    return groups, np.where(groups, gains, np.nan)


@saveable
class TaskMetadata:
    """Standardise metadata by the tasks of ``fit``, whose standardised metadata are `values`."""

    def __init__(self, metadata, n_tasks):
        metadata = _check_metadata(metadata, n_tasks)
        if len(metadata) != n_tasks:
            raise ValueError(f"metadata has {len(metadata)} rows, but there are {n_tasks} tasks.")
        deviation = metadata.std(axis=0)
        self._center, self._unit = metadata.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
        self.values = (metadata - self._center) / self._unit
        distances = _squared_distances(self.values)[~np.eye(n_tasks, dtype=bool)]
        self._distance = float(np.median(distances)) if distances.any() else 1.0

    def transform(self, metadata):
        """Standardise metadata of the tasks of ``fit``, followed by those of additional tasks."""
        metadata = _check_metadata(metadata, len(self.values))
        n_columns = self.values.shape[1]
        if metadata.shape[1] != n_columns:
            raise ValueError(f"metadata has {metadata.shape[1]} columns, but fit saw {n_columns}.")
        return (metadata - self._center) / self._unit

    def similarity(self, values):
        """Return similarities (n_tasks, n_tasks) of tasks by their standardised metadata."""
        return np.exp(-_squared_distances(values) / self._distance)


def _squared_distances(values):
    return ((values[:, None] - values[None]) ** 2).sum(axis=2)


def _check_metadata(metadata, n_tasks):
    metadata = np.asarray(metadata, dtype=np.float64)
    if metadata.ndim != 2 or len(metadata) < n_tasks or not np.isfinite(metadata).all():
        raise ValueError(
            "metadata must be a table of finite numbers with one row for each of the "
            f"{n_tasks} tasks; its shape is {metadata.shape}."
        )
    return metadata
