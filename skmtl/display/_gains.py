"""MTG-Net: predicted against true gains, and encodings of groups.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", figure 4.
"""

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE

from skmtl.display._axes import Display
from skmtl.grouping._gain_tables import check_gains


class GainPredictionDisplay(Display, draws_with="``scatter``"):
    """Predicted against true gains, with a dot for each task in each group.

    Exclude measured groups, whose predictions are the measured gains.

    Parameters
    ----------
    true : ndarray of shape (n,)
        Measured gains.
    predicted : ndarray of shape (n,)
        Predicted gains.
    spearman : float
        Rank correlation of the two.

    {attributes}
    points_ : matplotlib PathCollection
        The dots.

    See Also
    --------
    GroupEncodingDisplay : Encodings of the groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.display import GainPredictionDisplay
    >>> true = pd.DataFrame({"a": [0.1, 0.2], "b": [-0.1, None]})
    >>> display = GainPredictionDisplay.from_tables(true, true + 0.01)
    >>> round(display.spearman, 6)
    1.0
    """

    def __init__(self, true, predicted, spearman):
        self.true, self.predicted, self.spearman = true, predicted, spearman

    @classmethod
    def from_tables(cls, true, predicted, *, rows=None, ax=None, **kwargs):
        """Draw two tables of gains of the same groups.

        Parameters
        ----------
        true : DataFrame of shape (n_groups, n_tasks)
            True gains.
        predicted : DataFrame of shape (n_groups, n_tasks)
            Predicted gains, with the same rows and columns.
        rows : array-like of shape (n_groups,) of bool, optional
            The groups to compare, such as those that were not measured; all by default.
        {drawing}
        """
        true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
        if true.shape != predicted.shape:
            raise ValueError(f"the tables have the shapes {true.shape} and {predicted.shape}.")
        if rows is not None:
            true, predicted = true[np.asarray(rows)], predicted[np.asarray(rows)]
        known = np.isfinite(true) & np.isfinite(predicted)
        true, predicted = true[known], predicted[known]
        spearman = pd.Series(true).corr(pd.Series(predicted), method="spearman")
        return cls(true, predicted, float(spearman)).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        self.points_ = ax.scatter(self.true, self.predicted, **{"s": 12, "alpha": 0.6, **kwargs})
        ends = [
            min(self.true.min(), self.predicted.min()),
            max(self.true.max(), self.predicted.max()),
        ]
        ax.plot(ends, ends, color="gray", linewidth=1, linestyle="--")
        ax.set(
            xlabel="true gain",
            ylabel="predicted gain",
            title=f"rank correlation {self.spearman:.2f}",
        )


class GroupEncodingDisplay(Display, draws_with="``scatter``"):
    """Encodings of the groups of one task in two dimensions, coloured by gain (figure 4).

    Groups with similar gains of the task should be close to each other.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        One point for each group with the task.
    gains : ndarray of shape (n,)
        Gain of the task in each group.
    task : object
        Label of the task.

    {attributes}
    points_ : matplotlib PathCollection
        The dots.

    See Also
    --------
    GainPredictionDisplay : Predicted against true gains.

    Examples
    --------
    >>> from skmtl.display import GroupEncodingDisplay
    >>> from skmtl.grouping import MTGNet, estimate_gains
    >>> gains = estimate_gains(lambda groups: groups * 0.1, 4, "exhaustive")
    >>> groups = gains.notna().to_numpy()
    >>> net = MTGNet(max_iter=5, random_state=0).fit(groups, gains)
    >>> GroupEncodingDisplay.from_net(net, gains, 0, random_state=0).points.shape
    (8, 2)
    """

    def __init__(self, points, gains, task):
        self.points, self.gains, self.task = points, gains, task

    @classmethod
    def from_net(cls, net, gains, task, *, random_state=None, ax=None, **kwargs):
        """Draw the encodings of groups by a meta-learner.

        Parameters
        ----------
        net : MTGNet
            Fitted, such as ``gain_model_`` of a TaskGrouper.
        gains : DataFrame of shape (n_groups, n_tasks)
            Gains of the groups to show, preferably true gains.
        task : label
            A column of `gains`.
        random_state : int, RandomState instance or None, default=None
            Determines the projection by t-SNE.
        {drawing}
        """
        values, tasks = check_gains(gains)
        number = tasks.get_loc(task)
        rows = np.flatnonzero(~np.isnan(values[:, number]))
        if len(rows) < 3:
            raise ValueError(f"only {len(rows)} groups have the task {task!r}; 3 are needed.")
        encoded = net.encode(~np.isnan(values[rows]))[:, number]
        projection = TSNE(
            perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=random_state
        )
        # in float64, so that groups with nearly equal encodings do not coincide
        points = projection.fit_transform(encoded.astype(np.float64))
        return cls(points, values[rows, number], task).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        largest = max(np.abs(self.gains).max(), 1e-12)
        options = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "s": 25}
        options |= {"edgecolors": "gray", "linewidths": 0.3}
        self.points_ = ax.scatter(*self.points.T, c=self.gains, **{**options, **kwargs})
        ax.set(xticks=[], yticks=[], title=f"groups with {self.task}")
        self.figure_.colorbar(self.points_, ax=ax, label="gain")
