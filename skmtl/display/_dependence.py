"""How predictions depend on one feature, task by task."""

from numbers import Integral

import numpy as np
import pandas as pd

from skmtl._data.columns import as_table
from skmtl._data.messages import label_text
from skmtl.display._axes import Display, check_shows

# rows over which a curve is averaged, and tasks with a curve
_MOST_ROWS, _MOST_TASKS = 50, 60


class TaskDependenceDisplay(Display):
    """Predictions along one feature: a curve for each task, and their average.

    Each curve is a partial dependence: the mean prediction of a task over the same rows, whose
    feature is set to the values on the axis.

    Parameters
    ----------
    curves : DataFrame
        A column for each task, indexed by values of the feature.
    feature : str, default=""
        Name of the feature.

    {attributes}
    curves_ : list of matplotlib Line2D
        The curves of the tasks, then that of their average.

    See Also
    --------
    TaskEffectsDisplay : Levels and slopes with intervals.

    Examples
    --------
    {cubic_tasks}
    >>> model = MultiTaskRegressor(task_id="task", max_iter=20, random_state=0)
    >>> model = model.fit(X, cubic.target)
    >>> display = TaskDependenceDisplay.from_estimator(model, X, cubic.feature_names[0])
    >>> display.curves.shape
    (30, 3)
    """

    def __init__(self, curves, *, feature=""):
        self.curves, self.feature = curves, feature

    @classmethod
    def from_estimator(cls, estimator, X, feature, *, n_points=30, ax=None, **kwargs):
        """Predict along a feature for the tasks of a table, and draw the curves.

        Parameters
        ----------
        estimator : estimator with ``task_id``
            Fitted to numbers.
        X : DataFrame or array of shape (n, n_columns)
            Rows, of which at most 50 are averaged over; their tasks, at most the first 60, have
            curves.
        feature : str or int
            Label or position of a column of numbers.
        n_points : int, default=30
            Number of values, between the 2nd and the 98th percentile of the feature.
        {drawing}

        Raises
        ------
        ValueError
            If the feature is not a column of numbers, or the estimator has no tasks in long form.
        """
        estimator = check_shows(estimator, "predict", "fit an estimator with task_id")
        reader = estimator._tables.reader
        if reader.task_id is None or estimator._targets.parts[0].n_outputs != 1:
            raise ValueError(
                "curves of tasks need an estimator with task_id and one number per row as label."
            )
        table = as_table(X)
        from_frame = isinstance(table, pd.DataFrame)
        frame = table if from_frame else pd.DataFrame(table)
        at = _position(frame, feature, reader, from_frame)
        values = pd.to_numeric(frame.iloc[:, at]).dropna()
        grid = np.linspace(*np.percentile(values, [2, 98]), n_points)
        chosen = np.linspace(0, len(frame) - 1, min(len(frame), _MOST_ROWS)).astype(int)
        of_task = [*reader.task_positions, *reader.metadata_positions]
        keys = [frame.iloc[:, position] for position in reader.task_positions]
        numbers = pd.Series(np.arange(len(frame)))
        groups = numbers.groupby([key.to_numpy() for key in keys], sort=True).first()
        rows = []
        for number in groups.to_numpy()[:_MOST_TASKS]:
            part = frame.iloc[np.tile(chosen, n_points)].copy()
            for position in of_task:
                part.isetitem(position, frame.iloc[np.full(len(part), number), position].array)
            part.isetitem(at, np.repeat(grid, len(chosen)))
            rows.append(part)
        together = pd.concat(rows, ignore_index=True)
        predicted = estimator.predict(together if from_frame else together.to_numpy())
        curves = predicted.reshape(len(rows), n_points, len(chosen)).mean(axis=2).T
        names = groups.index[: len(rows)]
        name = str(feature if from_frame else f"column {at}")
        curves = pd.DataFrame(curves, index=pd.Index(grid, name=name), columns=names)
        return cls(curves, feature=name).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        options = {"color": "C0", "alpha": 0.4, "linewidth": 1, **kwargs}
        self.curves_ = list(ax.plot(self.curves.index, self.curves.to_numpy(), **options))
        average = self.curves.mean(axis=1)
        self.curves_ += ax.plot(average.index, average, color="C1", linewidth=2, label="average")
        ax.set(xlabel=self.feature, ylabel="prediction")
        ax.legend()


def _position(frame, feature, reader, from_frame):
    """Return the position of a feature, after checking that it holds numbers."""
    if from_frame and feature in frame.columns:
        at = frame.columns.get_loc(feature)
    elif isinstance(feature, Integral) and -frame.shape[1] <= feature < frame.shape[1]:
        at = int(feature) % frame.shape[1]
    else:
        raise ValueError(f"feature={label_text(feature)} is not a column of X.")
    kinds = dict(zip(reader.feature_positions, reader.features, strict=True))
    if at not in kinds or kinds[at].kind != "numeric":
        raise ValueError(
            f"feature={label_text(feature)} must be a feature that holds numbers, not an id, "
            "metadata, or categories."
        )
    return at
