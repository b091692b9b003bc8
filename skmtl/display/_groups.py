"""Selected groups of tasks, and the mean gain for each number of groups.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", figure 2.
"""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl.display._axes import Display, name_ticks
from skmtl.grouping import assign_tasks, select_groups
from skmtl.grouping._gain_tables import check_gains, parse_groups


def _check_grouper(estimator):
    if not hasattr(type(estimator), "predict_gains"):
        raise TypeError(f"this display shows a fitted TaskGrouper, got {type(estimator).__name__}.")
    check_is_fitted(estimator, "estimators_")


class TaskGroupsDisplay(Display, draws_with="``imshow``"):
    """Matrix of tasks and groups, coloured by gain.

    Dots mark the group that serves each task. Red is a positive gain, blue a negative gain, and
    gray means that the task is not in the group.

    Parameters
    ----------
    gains : DataFrame of shape (n_groups, n_tasks)
        One row for each selected group, indexed by tuples of tasks; NaN where a task is not in the
        group.
    assignment : Series
        The group that serves each task.

    {attributes}
    image_ : matplotlib AxesImage
        The matrix.

    See Also
    --------
    GroupBudgetDisplay : The mean gain for each number of groups.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmtl import TaskGrouper
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.display import TaskGroupsDisplay
    >>> pairs = make_related_tasks(4, 1.0, 20, n_sines=0, n_groups=2, n_rows=40, random_state=0)
    >>> grouper = TaskGrouper(
    ...     LinearRegression(), max_groups=2, task_id="task", task_encoding="drop", random_state=0
    ... )
    >>> display = TaskGroupsDisplay.from_estimator(grouper.fit(pairs.data, pairs.target))
    >>> display.gains.shape
    (2, 4)
    """

    def __init__(self, gains, assignment):
        self.gains, self.assignment = gains, assignment

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the groups of an estimator.

        Parameters
        ----------
        estimator : TaskGrouper
            Fitted.
        {drawing}
        """
        _check_grouper(estimator)
        rows = [estimator.gains_.index.get_loc(group) for group in estimator.groups_]
        display = cls(estimator.gains_.iloc[rows], estimator.assignment_)
        return display.plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        values = self.gains.to_numpy(dtype=float)
        largest = max(np.nanmax(np.abs(values)), 1e-12)
        options = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "aspect": "auto"}
        self.image_ = ax.imshow(values.T, **{**options, "interpolation": "nearest", **kwargs})
        # to distinguish tasks outside a group from a gain of 0, which is white
        ax.set_facecolor("0.8")
        groups = self.gains.index.tolist()
        tasks = self.gains.columns
        for t, task in enumerate(tasks):
            ax.plot(groups.index(self.assignment[task]), t, "o", color="black", markersize=5)
        name_ticks(ax.yaxis, tasks)
        name_ticks(ax.xaxis, range(1, len(groups) + 1))
        ax.set(xlabel="group (a dot: serves the task)", ylabel=tasks.name or "task")
        self.figure_.colorbar(self.image_, ax=ax, label="gain")


class GroupBudgetDisplay(Display):
    """Mean gain of the best selection for each number of groups.

    The curve rises as long as more groups help.

    Parameters
    ----------
    mean_gains : Series
        Indexed by number of groups; NaN where no selection serves every task.

    {attributes}
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    TaskGroupsDisplay : The groups of one selection.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.display import GroupBudgetDisplay
    >>> gains = pd.DataFrame({"a": [0.1, 0, None], "b": [-0.3, None, 0]})
    >>> GroupBudgetDisplay.from_table(gains).mean_gains.tolist()
    [-0.1, 0.05]
    """

    def __init__(self, mean_gains):
        self.mean_gains = mean_gains

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw lower bounds of the mean gains that an estimator estimated.

        Parameters
        ----------
        estimator : TaskGrouper
            Fitted.
        {drawing}
        """
        _check_grouper(estimator)
        # absent from models of earlier versions
        bounds = getattr(estimator, "gain_bounds_", estimator.gains_)
        return cls.from_table(bounds, ax=ax, **kwargs)

    @classmethod
    def from_table(cls, gains, *, true=None, ax=None, **kwargs):
        """Draw the mean gains of the groups selected from a table for each limit.

        Parameters
        ----------
        gains : DataFrame of shape (n_groups, n_tasks)
            Gains by which groups are selected.
        true : DataFrame of shape (n_groups, n_tasks), optional
            Gains of the same groups, which are drawn; `gains` by default.
        {drawing}
        """
        values, tasks = check_gains(gains)
        members = ~np.isnan(values)
        shown = values if true is None else np.asarray(true, dtype=float)
        means = {}
        for limit in range(1, len(tasks) + 1):
            try:
                groups = select_groups(gains, limit)
            except ValueError:
                means[limit] = np.nan
                continue
            serving = parse_groups(assign_tasks(gains, groups).tolist(), tasks)
            rows = [np.flatnonzero((members == group).all(axis=1)) for group in serving]
            best = [equal[values[equal, t].argmax()] for t, equal in enumerate(rows)]
            means[limit] = shown[best, np.arange(len(tasks))].mean()
        series = pd.Series(means, name="mean gain").rename_axis("groups")
        return cls(series).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        (self.line_,) = ax.plot(self.mean_gains, **{"marker": "o", **kwargs})
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="maximum number of groups", ylabel="mean gain")
