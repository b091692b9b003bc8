"""What a mixed model would show: effects of tasks, their shrinkage, and shares of the variance."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from skmtl._data.messages import did_you_mean
from skmtl.display._axes import Display, check_shows, name_points, name_ticks

_REMEDY = "fit a MultiTaskHypernetRegressor"
_MODEL = """
>>> from skmtl import MultiTaskHypernetRegressor
>>> from skmtl.datasets import make_cubic
>>> from skmtl.display import {display}
>>> cubic = make_cubic(n_tasks=8, n_rows=10, random_state=0)
>>> X = cubic.data[["task", "x"]]
>>> model = MultiTaskHypernetRegressor(task_id="task", max_iter=20, random_state=0)
>>> model = model.fit(X, cubic.target)
"""


def _shared_texts(display):
    return {"effects_model": _MODEL.format(display=display)}


class TaskEffectsDisplay(Display, draws_with="``errorbar``"):
    """Effects of tasks with intervals, in increasing order (a caterpillar plot).

    Tasks whose intervals do not overlap with the line at zero differ from the mean over tasks.

    Parameters
    ----------
    effects : Series
        Effects by task.
    errors : Series
        Their standard errors.
    name : str, default="level"
        Name of the effect.
    coverage : float, default=0.9
        Of the intervals, taking errors to be normal.

    {attributes}
    bars_ : matplotlib ErrorbarContainer
        The effects and intervals.

    See Also
    --------
    skmtl.MultiTaskHypernetRegressor.task_effects : Compute the effects.

    Examples
    --------
    {effects_model}
    >>> display = TaskEffectsDisplay.from_estimator(model)
    >>> display.effects.shape
    (8,)
    """

    _shared = _shared_texts("TaskEffectsDisplay")

    def __init__(self, effects, errors, *, name="level", coverage=0.9):
        self.effects, self.errors = effects, errors
        self.name, self.coverage = name, coverage

    @classmethod
    def from_estimator(cls, estimator, X=None, *, effect="level", coverage=0.9, ax=None, **kwargs):
        """Compute the effects of the tasks of an estimator, and draw them.

        Parameters
        ----------
        estimator : MultiTaskHypernetRegressor
            Fitted.
        X : DataFrame or array of shape (n, n_columns), optional
            As for ``task_effects``.
        effect : str, default="level"
            A column of ``task_effects``, such as "slope_x".
        coverage : float, default=0.9
            Of the intervals.
        {drawing}

        Raises
        ------
        ValueError
            If there is no such effect, or `coverage` is not between 0 and 1.
        """
        estimator = check_shows(estimator, "task_effects", _REMEDY)
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
        table = estimator.task_effects(X)
        known = [name for name in table if f"{name}_se" in table]
        if effect not in known:
            hint = did_you_mean(effect, known)
            raise ValueError(f"{effect!r} is not among the effects, {known[:20]}.{hint}")
        display = cls(table[effect], table[f"{effect}_se"], name=effect, coverage=coverage)
        return display.plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        order = np.argsort(self.effects.to_numpy(), kind="stable")
        effects, errors = self.effects.iloc[order], self.errors.iloc[order]
        width = norm.ppf((1 + self.coverage) / 2) * errors.to_numpy()
        positions = np.arange(len(effects))
        options = {"fmt": "o", "markersize": 3, "elinewidth": 1, **kwargs}
        self.bars_ = ax.errorbar(effects.to_numpy(), positions, xerr=width, **options)
        ax.axvline(0, color="0.5", linewidth=1, zorder=0)
        name_ticks(ax.yaxis, effects.index)
        if len(effects) > 60:
            ax.set_yticks([])
        ax.set(
            xlabel=f"{self.name}, with {self.coverage:.0%} intervals",
            ylabel=str(effects.index.name or "task"),
        )


class ShrinkageDisplay(Display, draws_with="``scatter``"):
    """Levels of tasks as their rows alone say, against those that are estimated.

    Dots on the diagonal are not shrunk; the fewer rows a task has, the smaller its dot, and the
    closer its effect should be to what its metadata say.

    Parameters
    ----------
    raw : Series
        The estimated level plus the mean residual of its rows, by task.
    effects : Series
        Estimated levels.
    rows : Series
        Numbers of rows.

    {attributes}
    points_ : matplotlib PathCollection
        The dots.

    See Also
    --------
    TaskEffectsDisplay : The estimated levels with intervals.

    Examples
    --------
    {effects_model}
    >>> display = ShrinkageDisplay.from_estimator(model, X, cubic.target)
    >>> display.raw.shape
    (8,)
    """

    _shared = _shared_texts("ShrinkageDisplay")

    def __init__(self, raw, effects, rows):
        self.raw, self.effects, self.rows = raw, effects, rows

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Compute levels and mean residuals, and draw them.

        Parameters
        ----------
        estimator : MultiTaskHypernetRegressor
            Fitted.
        X : DataFrame or array of shape (n, n_columns)
            Rows of known tasks, those of ``fit``, say.
        y : array-like of shape (n,)
            Their labels.
        {drawing}
        """
        estimator = check_shows(estimator, "task_effects", _REMEDY)
        effects = estimator.task_effects()
        residuals = np.asarray(y, dtype=float).ravel() - estimator.predict(X)
        query = estimator._tables.prediction_rows(X, "error", estimator)
        tasks = effects.index[query.tasks[query.networks]]
        means = pd.Series(residuals).groupby(pd.Index(tasks)).agg(["mean", "size"])
        effects = effects.loc[means.index]
        return cls(effects["level"] + means["mean"], effects["level"], means["size"]).plot(
            ax=ax, **kwargs
        )

    def _draw(self, ax, kwargs):
        sizes = 10 + 60 * self.rows / self.rows.max()
        options = {"s": sizes, "alpha": 0.7, "edgecolor": "white", **kwargs}
        self.points_ = ax.scatter(self.raw, self.effects, **options)
        ax.axline((0, 0), slope=1, color="0.5", linewidth=1, zorder=0)
        name_points(ax, self.raw, self.effects, self.effects.index)
        ax.set(xlabel="level of the task's rows alone", ylabel="estimated level")


class VarianceSharesDisplay(Display, draws_with="``barh``"):
    """Shares of the variance of y as bars with standard errors.

    Those of "features", "metadata", "task" and "noise" add up to 1; lighter bars are parts of
    "task".

    Parameters
    ----------
    shares : DataFrame
        As ``variance_shares`` returns them.

    {attributes}
    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    skmtl.MultiTaskHypernetRegressor.variance_shares : Compute the shares.

    Examples
    --------
    {effects_model}
    >>> display = VarianceSharesDisplay.from_estimator(model)
    >>> display.shares.columns.tolist()
    ['variance', 'share', 'share_se', 'part_of']
    """

    _shared = _shared_texts("VarianceSharesDisplay")

    def __init__(self, shares):
        self.shares = shares

    @classmethod
    def from_estimator(cls, estimator, X=None, *, ax=None, **kwargs):
        """Compute the shares of an estimator, and draw them.

        Parameters
        ----------
        estimator : MultiTaskHypernetRegressor
            Fitted.
        X : DataFrame or array of shape (n, n_columns), optional
            As for ``variance_shares``.
        {drawing}
        """
        estimator = check_shows(estimator, "variance_shares", _REMEDY)
        return cls(estimator.variance_shares(X)).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        shown = self.shares[self.shares["part_of"] != "ratio"].iloc[::-1]
        parts = shown["part_of"].str.startswith("task")
        self.bars_ = ax.barh(
            [f"{'of it: ' if part else ''}{name}" for name, part in parts.items()],
            shown["share"],
            xerr=shown["share_se"],
            **{"color": "C0", "capsize": 3, **kwargs},
        )
        if "color" not in kwargs:
            # parts of "task", and of its levels, in a lighter color
            for bar in np.array(self.bars_.patches)[parts.to_numpy(dtype=bool)]:
                bar.set_alpha(0.5)
        ax.set(xlabel="share of the variance of y", xlim=(0, None))
