"""Comparison of two models, task by task."""

import numpy as np

from skmtl.display._axes import Display
from skmtl.metrics import per_task_score


class PerTaskScoreDisplay(Display, draws_with="``scatter``"):
    """Scores of two models on each task.

    Each dot is a task; above the diagonal, the second model is better.

    Parameters
    ----------
    first : Series
        Scores of the first model by task, greater is better; see
        :func:`skmtl.metrics.per_task_score`.
    second : Series
        Scores of the second model.
    names : tuple of two str, default=("first model", "second model")
        Names of the models.
    score_name : str, default="score"
        Name of the scores.

    {attributes}
    points_ : matplotlib PathCollection
        The dots.

    See Also
    --------
    skmtl.metrics.per_task_score : Compute the scores.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor, MultiTaskRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import PerTaskScoreDisplay
    >>> cubic = make_cubic(n_tasks=5, n_rows=20, random_state=0)
    >>> X, y = cubic.data[["x", "task"]], cubic.target
    >>> models = [
    ...     Model(task_id="task", max_iter=20, random_state=0).fit(X, y)
    ...     for Model in (MultiTaskRegressor, MultiTaskHypernetRegressor)
    ... ]
    >>> display = PerTaskScoreDisplay.from_estimators(*models, X, y)
    >>> display.first.shape
    (5,)
    """

    def __init__(self, first, second, *, names=("first model", "second model"), score_name="score"):
        self.first, self.second = first, second
        self.names, self.score_name = names, score_name

    @classmethod
    def from_estimators(
        cls, first, second, X, y, *, scoring=None, level=None, names=None, ax=None, **kwargs
    ):
        """Score two estimators, and draw the scores.

        Parameters
        ----------
        first, second : estimators
            Fitted; any estimator that :func:`skmtl.metrics.per_task_score` can score.
        X : DataFrame or array-like of shape (n, n_columns)
            Rows to predict.
        y : array-like of shape (n,) or (n, T)
            Their labels.
        scoring : str or callable, optional
            As for :func:`skmtl.metrics.per_task_score`.
        level : str or int, optional
            As for :func:`skmtl.metrics.per_task_score`.
        names : tuple of two str, optional
            Names of the models; their classes by default.
        {drawing}
        """
        scores = [
            per_task_score(model, X, y, scoring=scoring, level=level) for model in (first, second)
        ]
        if names is None:
            names = type(first).__name__, type(second).__name__
        score_name = scoring if isinstance(scoring, str) else "score"
        return cls(*scores, names=names, score_name=score_name).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, baseline, **kwargs):
        """Score an estimator and a baseline, and draw the scores.

        Parameters
        ----------
        estimator : estimator
            Fitted; tasks above the diagonal are those on which it is better.
        X, y : as for from_estimators
            Rows to predict, and their labels.
        baseline : estimator
            Fitted.
        **kwargs : dict
            Other parameters of ``from_estimators``.

        Returns
        -------
        PerTaskScoreDisplay
            Drawn.
        """
        return cls.from_estimators(baseline, estimator, X, y, **kwargs)

    def _draw(self, ax, kwargs):
        second = self.second.loc[self.first.index]
        self.points_ = ax.scatter(
            self.first, second, **{"alpha": 0.7, "edgecolor": "white", **kwargs}
        )
        values = np.concatenate([self.first, second])
        values = values[np.isfinite(values)]
        if len(values):
            margin = 0.05 * (np.ptp(values) or 1.0)
            limits = values.min() - margin, values.max() + margin
            ax.plot(limits, limits, color="0.5", linewidth=1, zorder=0)
            ax.set(xlim=limits, ylim=limits)
        known = self.first.notna() & second.notna()
        better = int((second[known] > self.first[known]).sum())
        ax.set(
            xlabel=f"{self.names[0]}: {self.score_name}",
            ylabel=f"{self.names[1]}: {self.score_name}",
            title=f"{self.names[1]} is better on {better} of {int(known.sum())} tasks",
            aspect="equal",
        )
