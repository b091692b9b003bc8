"""Affinity: the effect of a step of each task on the loss of each task.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020, whose
figure 6 is the radar.
"""

import numpy as np

from skmtl.display._axes import (
    Display,
    axes_for,
    check_shows,
    draw_curves,
    mark_epochs,
    member_of,
    name_ticks,
)

_KINDS = ("heatmap", "radar", "history")


class AffinityDisplay(Display, draws_with="``imshow`` or ``plot``"):
    """Effect of a step of each task on the loss of each task, as heat map, radar or over epochs.

    An estimator records it with ``record_affinity=True``.

    Parameters
    ----------
    affinity : DataFrame of shape (n_tasks, n_tasks)
        Effect of a step of the row's task on the loss of the column's task.
    history : DataFrame, default=None
        The same for each epoch: index levels epoch and task. Only ``kind="history"`` needs it.

    {attributes}
    image_ : matplotlib AxesImage
        The matrix, with ``kind="heatmap"``.
    lines_ : list of matplotlib Line2D
        The curves, with other kinds.

    See Also
    --------
    TaskSimilarityDisplay : Similarity of the components that tasks use.

    Examples
    --------
    {cubic_tasks}
    >>> model = MultiTaskRegressor(
    ...     task_id="task", record_affinity=True, max_iter=5, random_state=0
    ... )
    >>> display = AffinityDisplay.from_estimator(model.fit(X, cubic.target))
    >>> display.affinity.shape
    (3, 3)
    """

    def __init__(self, affinity, history=None):
        self.affinity, self.history = affinity, history

    @classmethod
    def from_estimator(
        cls, estimator, *, kind="heatmap", member=None, task=None, ax=None, **kwargs
    ):
        """Draw the affinity that an estimator recorded.

        Parameters
        ----------
        estimator : estimator
            Fitted with ``record_affinity``.
        kind : {"heatmap", "radar", "history"}, default="heatmap"
            What to draw; axes for a radar need ``projection="polar"``.
        member : int, optional
            Number of a member; the mean over members by default.
        task : task id, optional
            With ``kind="history"``: the affected task. By default, curves are means over all tasks
            other than the one that steps.
        {drawing}
        """
        estimator = check_shows(estimator, "affinity_", "fit an estimator of skmtl")
        table = estimator.affinity_history_
        if member is not None:
            table = table.xs(member_of(estimator, member), level="member")
        history = table.groupby(level=["epoch", "task"], sort=False).mean()
        affinity = estimator.affinity_
        if member is not None:
            affinity = history.groupby(level="task", sort=False).mean().loc[table.columns]
        return cls(affinity, history).plot(kind=kind, task=task, ax=ax, **kwargs)

    def plot(self, *, kind="heatmap", task=None, ax=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        kind : {"heatmap", "radar", "history"}, default="heatmap"
            A heat map with values; a radar with an axis for each affected task (in units of the
            effect of its own step) and a polygon for each task that steps; or curves over epochs.
        task : task id, optional
            With ``kind="history"``: the affected task.
        {drawing}
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}, got {kind!r}.")
        if kind == "history":
            return self._history(ax, task, kwargs)
        return self._radar(ax, kwargs) if kind == "radar" else self._heatmap(ax, kwargs)

    def _heatmap(self, ax, kwargs):
        ax = axes_for(self, ax)
        values = self.affinity.to_numpy(dtype=float)
        largest = np.nanmax(np.abs(values), initial=0.0) or 1.0
        # white is no effect
        options = {"vmin": -largest, "vmax": largest, "cmap": "RdBu", "interpolation": "nearest"}
        self.image_ = ax.imshow(values, **{**options, **kwargs})
        name_ticks(ax.xaxis, self.affinity.columns)
        name_ticks(ax.yaxis, self.affinity.index)
        ax.xaxis.set_tick_params(rotation=45 if _are_long(self.affinity.columns) else 0)
        if len(values) <= 16:
            low, high = self.image_.get_clim()
            for (i, j), value in np.ndenumerate(values):
                dark = abs(value - (low + high) / 2) > 0.35 * (high - low)
                text = "" if np.isnan(value) else f"{value:.2g}"
                size = min(10, 90 / len(values))
                ax.text(j, i, text, ha="center", va="center", size=size, color="w" if dark else "k")
        ax.set(xlabel="task affected", ylabel="task that steps")
        self.figure_.colorbar(self.image_, ax=ax, label="affinity")
        return self

    def _radar(self, ax, kwargs):
        n_tasks = len(self.affinity)
        if n_tasks < 3:
            raise ValueError("a radar needs three tasks or more; use kind='heatmap'.")
        if ax is not None and ax.name != "polar":
            raise ValueError(
                "a radar needs polar axes, such as plt.subplots(subplot_kw={'projection': "
                "'polar'})."
            )
        ax = axes_for(self, ax, subplot_kw={"projection": "polar"})
        values = self.affinity.to_numpy(dtype=float)
        diagonal = np.diag(values)
        share = values / np.where(diagonal > 0, diagonal, np.nan)
        angles = np.linspace(0, 2 * np.pi, n_tasks, endpoint=False)
        around = np.r_[angles, angles[0]]
        self.lines_ = []
        for task, row in zip(self.affinity.index, share, strict=True):
            options = {"label": str(task), "linewidth": 1.5, **kwargs}
            self.lines_ += ax.plot(around, np.r_[row, row[0]], **options)
        (ring,) = ax.plot(np.linspace(0, 2 * np.pi, 200), np.zeros(200), color="0.4", linewidth=0.8)
        ring.set_label("no effect")
        ax.set_xticks(angles, [str(task) for task in self.affinity.columns])
        low = min(0.0, np.nanmin(share, initial=0.0))
        high = max(1.0, np.nanmax(share, initial=1.0))
        ax.set_ylim(low - 0.1 * (high - low), high * 1.05)
        # between two axes, away from their labels
        ax.set_rlabel_position(np.degrees(np.pi / n_tasks))
        ax.set_title("effect relative to the task's own step", pad=18)
        # outside the axes, since there is no room inside
        ax.legend(title="task that steps", loc="upper left", bbox_to_anchor=(1.12, 1.0))
        return self

    def _history(self, ax, task, kwargs):
        if self.history is None:
            raise ValueError("kind='history' needs a history; pass one to AffinityDisplay.")
        tasks = self.affinity.columns
        if task is not None and task not in tasks:
            raise ValueError(f"task {task!r} is not among the tasks, {tasks.tolist()[:10]}.")
        ax = axes_for(self, ax)
        if task is None:
            columns = tasks.get_indexer(self.history.index.get_level_values("task"))
            values = self.history.to_numpy(dtype=float, copy=True)
            values[np.arange(len(values)), columns] = np.nan
            curves = self.history.assign(mean=_mean(values))["mean"]
        else:
            curves = self.history[task]
        curves = curves.unstack("task")[list(self.affinity.index)]
        self.lines_ = draw_curves(ax, curves, kwargs)
        ax.axhline(0.0, color="0.4", linewidth=0.8)
        onto = "the other tasks, mean" if task is None else str(task)
        ax.set_ylabel(f"affinity to {onto}")
        mark_epochs(ax, legend="task that steps")
        return self


def _mean(values):
    """Return the mean of each row, without NaN."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)


def _are_long(names):
    return sum(len(str(name)) for name in names) > 50
