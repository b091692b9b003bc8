"""Use of components by a Gumbel-Matrix network: over epochs (figure 8), and by layer.

Source: Maziarz et al., "Flexible multi-task networks by learning parameter allocation".
"""

import numpy as np

from skmtl.display._axes import Display, check_shows, member_of, tables_of


class AllocationHistoryDisplay(Display):
    """Allocation probabilities of one task over epochs (the paper's figure 8).

    One curve per component of one layer.

    Parameters
    ----------
    history : DataFrame of shape (n_epochs, n_components)
        Probabilities, indexed by epoch.

    Attributes
    ----------
    {axes}
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    AllocationDisplay : The allocations after training.

    Examples
    --------
    >>> from skmtl import GumbelMatrixRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.display import AllocationHistoryDisplay
    >>> pairs = make_related_tasks(4, 1.0, 8, n_groups=2, n_rows=40, random_state=0)
    >>> model = GumbelMatrixRegressor(task_id="task", max_iter=5, random_state=0)
    >>> model = model.fit(pairs.data, pairs.target)
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
        estimator : GumbelMatrixRegressor or GumbelMatrixClassifier
            Fitted.
        task : task id, optional
            The task to show; the first one by default.
        layer : int, default=0
            Number of a layer.
        member : int, default=0
            Number of a member.
        {drawing}
        """
        check_shows(estimator, "allocation_history_")
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
        self.lines_ = []
        for component, values in self.history.items():
            options = {"label": f"component {component}", **kwargs}
            self.lines_ += ax.plot(self.history.index, values, **options)
        ax.set(xlabel="epoch", ylabel="probability", ylim=(-0.02, 1.02))
        ax.legend()


class ComponentUseDisplay(Display):
    """Share of tasks that use each component, layer by layer.

    In layers whose bars differ, tasks are processed differently; a component without a bar is not
    used.

    Parameters
    ----------
    use : list of Series
        For each layer, the share of tasks that use each component.

    Attributes
    ----------
    {axes}
    bars_ : list of matplotlib BarContainer
        The bars of each layer.

    See Also
    --------
    AllocationDisplay : The tasks that use each component.

    Examples
    --------
    >>> from skmtl import GumbelMatrixRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.display import ComponentUseDisplay
    >>> pairs = make_related_tasks(4, 1.0, 8, n_groups=2, n_rows=40, random_state=0)
    >>> model = GumbelMatrixRegressor(task_id="task", max_iter=5, random_state=0)
    >>> display = ComponentUseDisplay.from_estimator(model.fit(pairs.data, pairs.target))
    >>> len(display.use)
    2
    """

    _draws_with = "``bar``"

    def __init__(self, use):
        self.use = use

    @classmethod
    def from_estimator(cls, estimator, *, member=0, ax=None, **kwargs):
        """Draw the use of components of an estimator.

        Parameters
        ----------
        estimator : GumbelMatrixRegressor or GumbelMatrixClassifier
            Fitted.
        member : int, default=0
            Number of a member.
        {drawing}
        """
        check_shows(estimator, "allocations_")
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
