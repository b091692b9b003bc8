"""Facts about tasks as `MTGNet` uses them: standardised, and as similarities of tasks."""

import numpy as np

from skmtl.grouping._pairwise import squared_distances, typical_distance


class TaskFacts:
    """Learn the scale of facts from those of the tasks of ``fit``.

    Parameters
    ----------
    metadata : array-like of shape (n_tasks, n_metadata)
    n_tasks : int

    Attributes
    ----------
    values : ndarray of shape (n_tasks, n_metadata)
        Standardised.
    """

    def __init__(self, metadata, n_tasks):
        metadata = _check_metadata(metadata, n_tasks)
        if len(metadata) != n_tasks:
            raise ValueError(f"metadata has {len(metadata)} rows, but there are {n_tasks} tasks.")
        deviation = metadata.std(axis=0)
        self._center, self._unit = metadata.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
        self.values = (metadata - self._center) / self._unit
        self._distance = typical_distance(self.values)

    def of(self, metadata):
        """Standardised facts of the same tasks, and of further ones behind them."""
        metadata = _check_metadata(metadata, len(self.values))
        n_columns = self.values.shape[1]
        if metadata.shape[1] != n_columns:
            raise ValueError(f"metadata has {metadata.shape[1]} columns, but fit saw {n_columns}.")
        return (metadata - self._center) / self._unit

    def similarity(self, values):
        """How alike tasks with these standardised facts are, shape (n_tasks, n_tasks)."""
        return np.exp(-squared_distances(values) / self._distance)


def _check_metadata(metadata, n_tasks):
    metadata = np.asarray(metadata, dtype=np.float64)
    if metadata.ndim != 2 or len(metadata) < n_tasks or not np.isfinite(metadata).all():
        raise ValueError(
            "metadata must be a table of finite numbers with one row for each of the "
            f"{n_tasks} tasks; its shape is {metadata.shape}."
        )
    return metadata
