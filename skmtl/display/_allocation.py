"""Allocations of a Gumbel-Matrix network: the matrices of the paper's figures 5 and 6.

Source: Maziarz et al., "Flexible multi-task networks by learning parameter allocation".
"""

import numpy as np
import pandas as pd

from skmtl.display._axes import Display, check_shows, name_ticks, tables_of


class AllocationDisplay(Display):
    """Allocation matrix: which task uses which component (the paper's figure 5).

    One row per task, one column per component, layers next to each other.

    Parameters
    ----------
    allocation : DataFrame of shape (n_tasks, n_components)
        0 and 1, or probabilities; columns with two levels, layer and component.

    Attributes
    ----------
    {axes}
    image_ : matplotlib AxesImage
        The matrix.

    See Also
    --------
    TaskSimilarityDisplay : Similarity of the rows.

    Examples
    --------
    >>> from skmtl import GumbelMatrixRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.display import AllocationDisplay
    >>> pairs = make_related_tasks(4, 1.0, 8, n_groups=2, n_rows=40, random_state=0)
    >>> model = GumbelMatrixRegressor(task_id="task", max_iter=5, random_state=0)
    >>> display = AllocationDisplay.from_estimator(model.fit(pairs.data, pairs.target))
    >>> display.allocation.shape
    (4, 8)
    """

    _draws_with = "``imshow``"

    def __init__(self, allocation):
        self.allocation = allocation

    @classmethod
    def from_estimator(cls, estimator, *, member=0, probabilities=False, ax=None, **kwargs):
        """Draw the allocations of an estimator.

        Parameters
        ----------
        estimator : GumbelMatrixRegressor or GumbelMatrixClassifier
            Fitted.
        member : int, default=0
            Number of a member.
        probabilities : bool, default=False
            Whether to show probabilities instead of 0 and 1.
        {drawing}
        """
        check_shows(estimator, "allocations_")
        tables = estimator.allocation_probabilities_ if probabilities else estimator.allocations_
        tables = tables_of(estimator, tables, member)
        table = pd.concat(dict(enumerate(tables)), axis=1, names=["layer", "component"])
        return cls(table).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        table = self.allocation
        options = {"vmin": 0, "vmax": 1, "aspect": "auto", "interpolation": "nearest", **kwargs}
        self.image_ = ax.imshow(table.to_numpy(dtype=float), **options)
        name_ticks(ax.yaxis, table.index)
        layers = table.columns.get_level_values(0)
        name_ticks(ax.xaxis, table.columns.get_level_values(1))
        for start in np.flatnonzero(layers[1:] != layers[:-1]):
            ax.axvline(start + 0.5, color="white", linewidth=2)
        ax.set(xlabel="component, layer by layer", ylabel=table.index.name or "task")


class TaskSimilarityDisplay(Display):
    """Cosine similarity of the allocations of tasks (the paper's figure 6).

    The similarities are means over the members of the estimator.

    Parameters
    ----------
    similarity : DataFrame of shape (n_tasks, n_tasks)
        Similarity of each pair of tasks, from 0 to 1.

    Attributes
    ----------
    {axes}
    image_ : matplotlib AxesImage
        The matrix.

    See Also
    --------
    AllocationDisplay : The allocations themselves.

    Examples
    --------
    >>> from skmtl import GumbelMatrixRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.display import TaskSimilarityDisplay
    >>> pairs = make_related_tasks(4, 1.0, 8, n_groups=2, n_rows=40, random_state=0)
    >>> model = GumbelMatrixRegressor(task_id="task", max_iter=5, random_state=0)
    >>> display = TaskSimilarityDisplay.from_estimator(model.fit(pairs.data, pairs.target))
    >>> display.similarity.shape
    (4, 4)
    """

    _draws_with = "``imshow``"

    def __init__(self, similarity):
        self.similarity = similarity

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the similarity of the tasks of an estimator.

        Parameters
        ----------
        estimator : GumbelMatrixRegressor or GumbelMatrixClassifier
            Fitted.
        {drawing}
        """
        check_shows(estimator, "task_similarity_")
        return cls(estimator.task_similarity_).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        options = {"vmin": 0, "vmax": 1, "interpolation": "nearest", **kwargs}
        self.image_ = ax.imshow(self.similarity.to_numpy(), **options)
        for axis in (ax.xaxis, ax.yaxis):
            name_ticks(axis, self.similarity.index)
        self.figure_.colorbar(self.image_, ax=ax, label="cosine similarity")
