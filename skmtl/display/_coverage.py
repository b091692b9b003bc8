"""Coverage of intervals, task by task."""

import numpy as np
import pandas as pd
from scipy.stats import binom

from skmtl.display._axes import Display
from skmtl.metrics import mt_interval_coverage_scorer, per_task_score
from skmtl.metrics._estimators import _attribute, _task_labels
from skmtl.metrics._inputs import columns_of
from skmtl.metrics._scorers import make_mt_scorer

# chance with which the coverage of a task is between the limits
_BETWEEN = 0.95
# factor of the numbers of labels by which the axis goes beyond them
_MARGIN = 1.5


class CoverageDisplay(Display, draws_with="``scatter``"):
    """Coverage of the intervals of each task against its number of labels.

    Each dot is a task. If all intervals had the coverage that was asked for, and labels were
    independent, 95% of the tasks would be between the two lines, which are quantiles of the
    binomial distribution.

    Parameters
    ----------
    table : DataFrame
        One row per task: ``coverage``, its number of ``labels``, and whether it is ``new``.
    coverage : float, default=0.9
        The coverage that was asked for.

    {attributes}
    points_ : list of matplotlib PathCollection
        The dots of known and of new tasks, as far as there are any.

    See Also
    --------
    skmtl.metrics.mt_interval_coverage : Compute the coverage.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import CoverageDisplay
    >>> cubic = make_cubic(n_tasks=20, n_rows=20, random_state=0)
    >>> known, rest = cubic.data["task"] < 15, slice(None, None, 2)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id="task", metadata=cubic.metadata, intervals=True, max_iter=10, random_state=0
    ... )
    >>> model = model.fit(cubic.data[known][rest], cubic.target[known][rest])
    >>> display = CoverageDisplay.from_estimator(model, cubic.data, cubic.target)
    >>> int(display.table["new"].sum())
    5
    """

    def __init__(self, table, *, coverage=0.9):
        self.table, self.coverage = table, coverage

    @classmethod
    def from_estimator(cls, estimator, X, y, *, coverage=0.9, ax=None, **kwargs):
        """Predict intervals, and draw the coverage of each task.

        Parameters
        ----------
        estimator : estimator
            Fitted with `intervals`, also in a pipeline or a search.
        X : DataFrame or array-like of shape (n, n_columns)
            Rows that were not trained on.
        y : array-like of shape (n,) or (n, T)
            Their labels.
        coverage : float, default=0.9
            The coverage to ask for.
        {drawing}
        """
        scorer = mt_interval_coverage_scorer
        if coverage != 0.9:
            scorer = make_mt_scorer(scorer._function, coverage=coverage)
        shares = per_task_score(estimator, X, y, scoring=scorer)
        labels, known = _task_labels(estimator, X), _attribute(estimator, "tasks_")
        if labels is None:
            truth = columns_of(y, "y")
            counts = np.array([np.sum(~pd.isna(column)) for column in truth.values])
            if truth.names is not None:
                counts = pd.Series(counts, truth.names).loc[shares.index].to_numpy()
            new = np.zeros(len(shares), dtype=bool)
        else:
            counts = pd.Series(labels).value_counts().loc[shares.index].to_numpy()
            new = ~shares.index.isin(known)
        table = pd.DataFrame({"coverage": shares, "labels": counts, "new": new})
        return cls(table, coverage=coverage).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.points_ = []
        for new, name, marker in ((False, "known tasks", "o"), (True, "new tasks", "^")):
            part = self.table[self.table["new"] == new]
            if len(part):
                settings = {"alpha": 0.7, "edgecolor": "white", "marker": marker, "label": name}
                self.points_.append(
                    ax.scatter(part["labels"], part["coverage"], **{**settings, **kwargs})
                )
        counts = self.table["labels"]
        sizes = np.geomspace(max(counts.min() / _MARGIN, 1), counts.max() * _MARGIN, 200)
        sizes = np.unique(np.ceil(sizes).astype(int))
        for level in ((1 - _BETWEEN) / 2, (1 + _BETWEEN) / 2):
            limits = binom.ppf(level, sizes, self.coverage) / sizes
            ax.plot(sizes, limits, color="0.5", linewidth=1, zorder=0)
        ax.axhline(self.coverage, color="0.5", linewidth=1, linestyle="--", zorder=0)
        together = np.average(self.table["coverage"].fillna(0), weights=self.table["labels"])
        ax.set(
            xscale="log",
            xlabel="labels of the task",
            ylabel="share in their intervals",
            title=f"{self.coverage:.0%} intervals hold {together:.1%} of the labels",
        )
        ax.legend(loc="lower right")
