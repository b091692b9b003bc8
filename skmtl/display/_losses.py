"""Losses along the steps of candidates, in one and two dimensions.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020, figures
2, 3 and 7.
"""

import numpy as np
import pandas as pd
import torch

from skmtl.display._axes import Display, axes_for, check_shows, draw_curves, member_of
from skmtl.display._landscape import Landscape

_SHARED = {
    "rows": """
estimator : estimator
    Fitted.
X, y : as ``fit`` takes them
    Rows over which gradients and losses are averaged.
""",
    "candidate": """
candidate : str, optional
    Show the loss of each task along the step of this candidate, instead of the sum of the
    losses along each step.
""",
    "task": """
task : task id, optional
    The task whose loss is shown; the sum over tasks by default.
""",
    "solver": """
solver : {"adam", "sgd"}, default="adam"
    Steps are the first step of this solver, without momentum.
learning_rate : float, optional
    Learning rate of the solver; by default that of the estimator.
{member}
""",
}


class LossAlongStepsDisplay(Display):
    """Losses along the steps of several candidates (the paper's figures 2 and 7).

    The current parameters are at 0, and the end of a candidate's step at 1.

    Parameters
    ----------
    losses : DataFrame
        Mean losses. Rows are indexed by the multiple of the step; columns have the levels
        candidate and task.

    {attributes}
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    LossSurfaceDisplay : The same in two dimensions.

    Examples
    --------
    {cubic_tasks}
    >>> model = MultiTaskRegressor(task_id="task", max_iter=5, random_state=0)
    >>> model = model.fit(X, cubic.target)
    >>> display = LossAlongStepsDisplay.from_estimator(model, X, cubic.target)
    >>> display.losses.columns.get_level_values("candidate").unique().tolist()
    ['equal', 'task 0', 'task 1', 'task 2']
    """

    _shared = _SHARED

    def __init__(self, losses):
        self.losses = losses

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        candidates=("equal", "tasks"),
        candidate=None,
        reach=3.0,
        n_points=61,
        solver="adam",
        learning_rate=None,
        member=0,
        ax=None,
        **kwargs,
    ):
        """Compute the losses and draw them.

        Parameters
        ----------
        {rows}
        candidates : list, default=("equal", "tasks")
            The candidates whose steps are shown, as in ``ITMTL``.
        {candidate}
        reach : float, default=3.0
            Length of the curves, as a multiple of the step.
        n_points : int, default=61
            Number of points on a curve.
        {solver}
        {drawing}
        """
        landscape = _landscape(estimator, X, y, member, solver, learning_rate)
        names, moves = landscape.steps(list(candidates))
        multiples = np.linspace(0.0, reach, n_points)
        scales = torch.as_tensor(multiples).to(moves).unsqueeze(1)
        tables = {
            name: pd.DataFrame(landscape.losses(scales * move), multiples, estimator.tasks_)
            for name, move in zip(names, moves, strict=True)
        }
        losses = pd.concat(tables, axis=1, names=["candidate", "task"]).dropna(axis=1, how="all")
        return cls(losses.rename_axis("step")).plot(candidate=candidate, ax=ax, **kwargs)

    def plot(self, *, candidate=None, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        {candidate}
        {drawing}
        """
        names = self.losses.columns.get_level_values("candidate").unique()
        if candidate is not None and candidate not in names:
            raise ValueError(f"candidate must be one of {names.tolist()}, got {candidate!r}.")
        ax = axes_for(self, ax)
        if candidate is None:
            curves = self.losses.T.groupby(level="candidate", sort=False).sum().T
            title, label = "step of", "sum of the losses"
        else:
            curves = self.losses[candidate]
            title, label = "loss of task", "loss"
        self.lines_ = draw_curves(ax, curves, kwargs)
        # end of the step
        ax.axvline(1.0, color="0.4", linewidth=0.8, linestyle="--")
        along = "" if candidate is None else f" of {candidate}"
        ax.set(xlabel=f"multiple of the step{along}", ylabel=label)
        ax.legend(title=title)
        return self


class LossSurfaceDisplay(Display, draws_with="``contourf``"):
    """Losses in the plane of two directions (the paper's figure 3).

    The directions are steps of candidates, or random.

    Parameters
    ----------
    losses : DataFrame
        Mean losses: the index has levels second and first, multiples of the two directions;
        columns are tasks.
    names : tuple of two str
        Names of the directions.

    {attributes}
    contours_ : matplotlib QuadContourSet
        The surface.
    minimum_ : tuple of two floats
        The lowest point: multiples of the first and the second direction.

    See Also
    --------
    LossAlongStepsDisplay : The same in one dimension.

    Examples
    --------
    {cubic_tasks}
    >>> model = MultiTaskRegressor(task_id="task", max_iter=5, random_state=0)
    >>> model = model.fit(X, cubic.target)
    >>> display = LossSurfaceDisplay.from_estimator(model, X, cubic.target, n_points=11)
    >>> display.names
    ('step of task 0', 'step of task 1')
    """

    _shared = _SHARED

    def __init__(self, losses, names):
        self.losses, self.names = losses, names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        directions="tasks",
        task=None,
        reach=None,
        n_points=31,
        solver="adam",
        learning_rate=None,
        member=0,
        random_state=None,
        ax=None,
        **kwargs,
    ):
        """Compute the losses and draw them.

        Parameters
        ----------
        {rows}
        directions : list of candidates, "tasks" or "random", default="tasks"
            Steps of the first two of these candidates (see ``ITMTL``), or of single tasks; or, as
            in the paper, two random directions with the norm of the shared parameters.
        {task}
        reach : float, optional
            Extent to each side: 3 steps by default, or a tenth of a random direction.
        n_points : int, default=31
            Number of points along each direction.
        {solver}
        random_state : int, optional
            Determines the random directions.
        {drawing}
        """
        landscape = _landscape(estimator, X, y, member, solver, learning_rate)
        if isinstance(directions, str) and directions == "random":
            generator = torch.Generator()
            if random_state is None:
                generator.seed()
            else:
                generator.manual_seed(random_state)
            moves = landscape.random_directions(2, generator)
            names = ["random direction", "other random direction"]
            reach = 0.1 if reach is None else reach
        else:
            candidates = [directions] if isinstance(directions, str) else list(directions)
            names, moves = landscape.steps(candidates)
            names = [f"step of {name}" for name in names]
            reach = 3.0 if reach is None else reach
            if len(names) < 2:
                raise ValueError(f"a plane needs two directions, got {names}.")
        multiples = np.linspace(-reach, reach, n_points)
        index = pd.MultiIndex.from_product([multiples, multiples], names=["second", "first"])
        second, first = torch.as_tensor(np.array(index.to_list())).to(moves).T.unsqueeze(2)
        values = landscape.losses(first * moves[0] + second * moves[1])
        losses = pd.DataFrame(values, index, estimator.tasks_).dropna(axis=1, how="all")
        return cls(losses, tuple(names[:2])).plot(task=task, ax=ax, **kwargs)

    def plot(self, *, task=None, ax=None, **kwargs):
        """Draw the surface, with a dot at the parameters and a cross at the lowest point.

        Parameters
        ----------
        {task}
        {drawing}
        """
        if task is not None and task not in self.losses.columns:
            tasks = self.losses.columns.tolist()
            raise ValueError(f"task {task!r} is not among the tasks, {tasks[:10]}.")
        ax = axes_for(self, ax)
        surface = self.losses.sum(axis=1) if task is None else self.losses[task]
        table = surface.unstack("first")
        options = {"levels": 20, **kwargs}
        self.contours_ = ax.contourf(table.columns, table.index, table.to_numpy(), **options)
        lowest = surface.idxmin()
        self.minimum_ = (lowest[1], lowest[0])
        ax.plot(0.0, 0.0, "o", color="w", markeredgecolor="k", label="parameters")
        ax.plot(*self.minimum_, "X", color="w", markeredgecolor="k", label="lowest", clip_on=False)
        ax.set(
            **{f"{a}label": f"multiple of the {n}" for a, n in zip("xy", self.names, strict=True)}
        )
        ax.locator_params(nbins=6)
        label = "sum of the losses" if task is None else f"loss of {task}"
        self.figure_.colorbar(self.contours_, ax=ax, label=label)
        ax.legend()
        return self


def _landscape(estimator, X, y, member, solver, learning_rate):
    estimator = check_shows(estimator, "task_weights_", "fit an estimator of skmtl")
    member = member_of(estimator, member)
    return Landscape(estimator, X, y, member, solver, learning_rate)
