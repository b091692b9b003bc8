"""Allocations of a Gumbel-Matrix network: the paper's figures 5, 6 and 8.

Source: Maziarz et al., "Flexible multi-task networks by learning parameter allocation".
"""

import numpy as np
import pandas as pd

from skmtl.display._axes import Display, check_shows, draw_curves, member_of, name_ticks, tables_of


class AllocationDisplay(Display, draws_with="``imshow``"):
    """Allocation matrix: the components that each task uses (the paper's figure 5).

    One row per task, one column per component, layers next to each other.

    Parameters
    ----------
    allocation : DataFrame of shape (n_tasks, n_components)
        0 and 1, or probabilities; columns with two levels, layer and component.

    {attributes}
    image_ : matplotlib AxesImage
        The matrix.

    See Also
    --------
    TaskSimilarityDisplay : Similarity of the rows.

    Examples
    --------
    {gumbel_model}
    >>> display = AllocationDisplay.from_estimator(model)
    >>> display.allocation.shape
    (4, 8)
    """

    def __init__(self, allocation):
        self.allocation = allocation

    @classmethod
    def from_estimator(cls, estimator, *, member=0, probabilities=False, ax=None, **kwargs):
        """Draw the allocations of an estimator.

        Parameters
        ----------
        {gumbel_estimator}
        {member}
        probabilities : bool, default=False
            Whether to show probabilities instead of 0 and 1.
        {drawing}
        """
        estimator = check_shows(estimator, "allocations_")
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


class TaskSimilarityDisplay(Display, draws_with="``imshow``"):
    """Cosine similarity of the allocations of tasks (the paper's figure 6).

    The similarities are means over the members of the estimator.

    Parameters
    ----------
    similarity : DataFrame of shape (n_tasks, n_tasks)
        Similarity of each pair of tasks, from 0 to 1.

    {attributes}
    image_ : matplotlib AxesImage
        The matrix.

    See Also
    --------
    AllocationDisplay : The allocations themselves.

    Examples
    --------
    {gumbel_model}
    >>> display = TaskSimilarityDisplay.from_estimator(model)
    >>> display.similarity.shape
    (4, 4)
    """

    def __init__(self, similarity):
        self.similarity = similarity

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the similarity of the tasks of an estimator.

        Parameters
        ----------
        {gumbel_estimator}
        {drawing}
        """
        estimator = check_shows(estimator, "task_similarity_")
        return cls(estimator.task_similarity_).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        options = {"vmin": 0, "vmax": 1, "interpolation": "nearest", **kwargs}
        self.image_ = ax.imshow(self.similarity.to_numpy(), **options)
        for axis in (ax.xaxis, ax.yaxis):
            name_ticks(axis, self.similarity.index)
        self.figure_.colorbar(self.image_, ax=ax, label="cosine similarity")


class AllocationHistoryDisplay(Display):
    """Allocation probabilities of one task over epochs (the paper's figure 8).

    One curve per component of one layer.

    Parameters
    ----------
    history : DataFrame of shape (n_epochs, n_components)
        Probabilities, indexed by epoch.

    {attributes}
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    AllocationDisplay : The allocations after training.

    Examples
    --------
    {gumbel_model}
    >>> display = AllocationHistoryDisplay.from_estimator(model, task=2, layer=1)
    >>> display.history.shape
    (5, 4)
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, task=None, layer=0, member=0, ax=None, **kwargs):
        """Draw the history of an estimator.

        Parameters
        ----------
        {gumbel_estimator}
        task : task id, optional
            The task to show; the first one by default.
        layer : int, default=0
            Number of a layer.
        {member}
        {drawing}
        """
        estimator = check_shows(estimator, "allocation_history_")
        member = member_of(estimator, member)
        tasks = estimator.tasks_
        task = tasks[0] if task is None else task
        position = tasks.get_indexer([task])[0]
        if position < 0:
            raise ValueError(f"task {task!r} is not among tasks_, {tasks.tolist()[:10]}.")
        n_layers = len(estimator.module_.sizes)
        if layer not in range(n_layers):
            raise ValueError(f"layer must be an int below {n_layers}, got {layer!r}.")
        table = estimator.allocation_history_.loc[member]
        history = table.iloc[position :: len(tasks)][layer]
        history.index = history.index.get_level_values("epoch")
        return cls(history).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.lines_ = draw_curves(ax, self.history, kwargs, label="component {}")
        ax.set(xlabel="epoch", ylabel="probability", ylim=(-0.02, 1.02))
        ax.legend()


class ComponentUseDisplay(Display, draws_with="``bar``"):
    """Share of tasks that use each component, layer by layer.

    Bars that differ within a layer mean that tasks are processed differently; a component without a
    bar is not used.

    Parameters
    ----------
    use : list of Series
        For each layer, the share of tasks that use each component.

    {attributes}
    bars_ : list of matplotlib BarContainer
        The bars of each layer.

    See Also
    --------
    AllocationDisplay : The tasks that use each component.

    Examples
    --------
    {gumbel_model}
    >>> display = ComponentUseDisplay.from_estimator(model)
    >>> len(display.use)
    2
    """

    def __init__(self, use):
        self.use = use

    @classmethod
    def from_estimator(cls, estimator, *, member=0, ax=None, **kwargs):
        """Draw the use of components of an estimator.

        Parameters
        ----------
        {gumbel_estimator}
        {member}
        {drawing}
        """
        estimator = check_shows(estimator, "allocations_")
        tables = tables_of(estimator, estimator.allocations_, member)
        return cls([table.mean() for table in tables]).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.bars_, start, positions, names = [], 0, [], []
        for layer, use in enumerate(self.use):
            x = start + np.arange(len(use))
            self.bars_.append(ax.bar(x, use.to_numpy(), **{"label": f"layer {layer}", **kwargs}))
            positions += x.tolist()
            names += [str(name) for name in use.index]
            start += len(use) + 1
        if len(positions) <= 60:
            ax.set_xticks(positions, names)
        ax.set(xlabel="component", ylabel="share of tasks", ylim=(0, 1.02))
        ax.legend()
