"""Pareto fronts: a curve for two tasks, a triangle for three, parallel coordinates for more."""

import numpy as np

from skmtl._estimators.preferences import as_preferences
from skmtl.display._axes import Display, axes_for, check_shows

# corners of the triangle, for the three tasks
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
_CHOSEN = {"marker": "*", "s": 220, "color": "tab:red", "edgecolor": "black", "zorder": 4}


class ParetoFrontDisplay(Display, draws_with="``scatter`` (``plot`` with four or more tasks)"):
    """Losses of all tasks for many preferences, with the chosen preference marked.

    With two tasks, the front is a curve in the plane of their losses, coloured by the weight of the
    first task. With three tasks, preferences are points in a triangle, coloured by the mean loss or
    the loss of one task. With more tasks, each preference is a line across the tasks. Dominated
    points are hollow; dominated lines are faint.

    Parameters
    ----------
    front : DataFrame
        The result of ``pareto_front`` of a `ParetoHypernet`.
    chosen : array-like of shape (T,), dict or Series, default=None
        A preference; the nearest point of the front is marked.

    {attributes}

    See Also
    --------
    skmtl.ParetoHypernet.choose_preference : Choose a preference by limits on losses.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ParetoHypernet
    >>> from skmtl.display import ParetoFrontDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = ParetoHypernet(hidden_layer_sizes=(1,), max_iter=5, random_state=0).fit(X, X)
    >>> display = ParetoFrontDisplay.from_estimator(model, X, X, preferences=20, chosen=[1, 3])
    >>> display.ax_.get_xlabel()
    'loss of 0'
    """

    def __init__(self, front, chosen=None):
        self.front, self.chosen = front, chosen

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, preferences=100, chosen=None, task=None, ax=None, **kwargs
    ):
        """Draw the front of an estimator on given rows.

        Parameters
        ----------
        estimator : ParetoHypernet
            Fitted.
        X : DataFrame or array of shape (n, n_columns)
            Rows that were held out.
        y : array-like
            Their labels.
        preferences : int or array-like of shape (P, T), default=100
            As in ``pareto_front``.
        chosen : array-like of shape (T,), dict or Series, default=None
            A preference to mark; by default the preference of the estimator, if set.
        task : task, default=None
            With three tasks, the task whose loss is shown; the mean loss by default.
        {drawing}
        """
        check_shows(estimator, "pareto_front", "fit a ParetoHypernet")
        front = estimator.pareto_front(X, y, preferences)
        chosen = estimator.preference if chosen is None else chosen
        return cls(front, chosen).plot(task=task, ax=ax, **kwargs)

    @property
    def tasks(self):
        """Names of the tasks."""
        return self.front["loss"].columns

    def _row_of_chosen(self):
        """Return the row of the front nearest to the chosen preference, or None."""
        if self.chosen is None:
            return None
        chosen = as_preferences(self.chosen, self.tasks)[0][0]
        distance = np.abs(self.front["preference"].to_numpy() - chosen).sum(axis=1)
        return int(distance.argmin())

    def plot(self, *, task=None, ax=None, **kwargs):
        """Draw the front.

        Parameters
        ----------
        task : task, default=None
            With three tasks, the task whose loss is shown; the mean loss by default.
        {drawing}
        """
        n_tasks = len(self.tasks)
        if n_tasks < 2:
            raise ValueError("a front needs at least two tasks; there is one.")
        ax = axes_for(self, ax)
        draw = {2: self._plane, 3: self._triangle}.get(n_tasks, self._lines)
        draw(ax, self._row_of_chosen(), task, kwargs)
        return self

    def _plane(self, ax, chosen, task, options):
        losses = self.front["loss"].to_numpy()
        weight = self.front["preference"].to_numpy()[:, 0]
        marked = self.front["dominated"].to_numpy()
        options = {"cmap": "viridis", "vmin": 0, "vmax": 1, **options}
        points = ax.scatter(*losses[~marked].T, c=weight[~marked], label="front", **options)
        if marked.any():
            hollow = points.cmap(points.norm(weight[marked]))
            ax.scatter(*losses[marked].T, facecolors="none", edgecolors=hollow, label="dominated")
        if chosen is not None:
            ax.scatter(*losses[chosen], label="chosen", **_CHOSEN)
        self.figure_.colorbar(points, ax=ax, label=f"weight of {self.tasks[0]}")
        ax.set(xlabel=f"loss of {self.tasks[0]}", ylabel=f"loss of {self.tasks[1]}")
        ax.legend()

    def _triangle(self, ax, chosen, task, options):
        losses = self.front["loss"]
        shown = losses.mean(axis=1) if task is None else losses[task]
        positions = self.front["preference"].to_numpy() @ _CORNERS
        marked = self.front["dominated"].to_numpy()
        options = {"cmap": "viridis_r", "s": 60, **options}
        points = ax.scatter(*positions.T, c=shown, **options)
        # white centres of dominated points
        ax.scatter(*positions[marked].T, color="white", s=options["s"] / 6)
        if chosen is not None:
            ax.scatter(*positions[chosen], label="chosen", **_CHOSEN)
            ax.legend()
        outline = np.vstack([_CORNERS, _CORNERS[:1]])
        ax.plot(*outline.T, color="grey", linewidth=1, zorder=0)
        for corner, name in zip(_CORNERS, self.tasks, strict=True):
            below = corner[1] == 0
            ax.annotate(
                f"all weight on {name}",
                corner,
                xytext=(0, -12 if below else 10),
                textcoords="offset points",
                ha="center",
                va="top" if below else "bottom",
            )
        label = "mean loss" if task is None else f"loss of {task}"
        self.figure_.colorbar(points, ax=ax, label=label)
        ax.set_aspect("equal")
        ax.margins(0.15)
        ax.set_axis_off()

    def _lines(self, ax, chosen, task, options):
        losses = self.front["loss"].to_numpy()
        marked = self.front["dominated"].to_numpy()
        positions = np.arange(losses.shape[1])
        options = {"color": "tab:blue", "linewidth": 1, **options}
        for row in np.flatnonzero(marked):
            ax.plot(positions, losses[row], **{**options, "alpha": 0.1})
        for row in np.flatnonzero(~marked):
            ax.plot(positions, losses[row], **{"alpha": 0.5, **options})
        if chosen is not None:
            ax.plot(positions, losses[chosen], color="tab:red", linewidth=2.5, label="chosen")
            ax.legend()
        ax.set_xticks(positions, [str(name) for name in self.tasks], rotation=45, ha="right")
        ax.set(ylabel="loss", xlabel="task")
