"""Embeddings of tasks in two dimensions."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from skmtl._data.messages import did_you_mean
from skmtl.display._axes import Display, check_shows, member_of, name_points


class TaskEmbeddingDisplay(Display, draws_with="``scatter``"):
    """Embeddings of tasks, projected to two dimensions.

    The axes are the first two principal components of the embeddings.

    Parameters
    ----------
    positions : DataFrame of shape (n_tasks, 2)
        Indexed by task.
    explained : ndarray of shape (2,)
        Share of the embeddings' variance along each axis.
    color : array-like of shape (n_tasks,) or None, default=None
        A number or a category for each task.
    color_name : str, default=""
        Name of the color values.

    {attributes}
    points_ : list of matplotlib PathCollection
        The dots: one collection, or one for each category.

    See Also
    --------
    TaskSimilarityDisplay : Similarities of all pairs.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.display import TaskEmbeddingDisplay
    >>> cubic = make_cubic(n_tasks=8, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(task_id="task", max_iter=20, random_state=0)
    >>> model = model.fit(cubic.data[["x", "task"]], cubic.target)
    >>> constant = cubic.data.groupby("task")["d"].first()
    >>> display = TaskEmbeddingDisplay.from_estimator(model, color=constant)
    >>> display.positions.shape
    (8, 2)
    """

    def __init__(self, positions, explained, *, color=None, color_name=""):
        self.positions, self.explained = positions, explained
        self.color, self.color_name = color, color_name

    @classmethod
    def from_estimator(cls, estimator, *, color=None, level=None, member=0, ax=None, **kwargs):
        """Draw the embeddings of an estimator.

        Parameters
        ----------
        estimator : estimator with ``task_embeddings_``
            Fitted.
        color : Series or str, optional
            A value for each task, indexed by task id, or the name of a metadata
            column.
        level : str or int, optional
            The level to draw, of a model with several levels of ids.
        {member}
        {drawing}

        Raises
        ------
        ValueError
            If embeddings have length 0, or a task has no value in `color`.
        """
        estimator = check_shows(
            estimator,
            "task_embeddings_",
            "fit a MultiTaskHypernetRegressor or a GumbelMatrixRegressor",
        )
        table = _of_level(estimator.task_embeddings_, level)
        if estimator.module_.n_members > 1 and table.columns.nlevels > 1:
            table = table[member_of(estimator, member)]
        values = table.to_numpy(dtype=float)
        if values.shape[1] == 0:
            raise ValueError("embedding_dim=0: there are no embeddings to show.")
        n_axes = min(2, *values.shape)
        reduced = PCA(n_axes).fit(values)
        coordinates, explained = np.zeros((len(values), 2)), np.zeros(2)
        coordinates[:, :n_axes] = reduced.transform(values)
        explained[:n_axes] = np.nan_to_num(reduced.explained_variance_ratio_)
        positions = pd.DataFrame(coordinates, index=table.index, columns=["first", "second"])
        name = ""
        if isinstance(color, str):
            name, color = color, _metadata_column(estimator, color, level)
        if color is not None:
            name = name or str(getattr(color, "name", "") or "")
            color = _by_task(color, table.index)
        return cls(positions, explained, color=color, color_name=name).plot(ax=ax, **kwargs)

    def _draw(self, ax, kwargs):
        x, y = self.positions.to_numpy().T
        options = {"edgecolor": "white", **kwargs}
        if self.color is None or pd.api.types.is_numeric_dtype(pd.Series(self.color)):
            self.points_ = [ax.scatter(x, y, c=self.color, **options)]
            if self.color is not None:
                self.figure_.colorbar(self.points_[0], ax=ax, label=self.color_name)
        else:
            categories = np.asarray(self.color, dtype=object)
            markers = "osD^v<>PX*"
            self.points_ = [
                ax.scatter(
                    x[categories == category],
                    y[categories == category],
                    label=str(category),
                    **{"marker": markers[number % len(markers)], **options},
                )
                for number, category in enumerate(pd.unique(categories))
            ]
            ax.legend(title=self.color_name or None)
        name_points(ax, x, y, self.positions.index)
        ax.set(
            xlabel=f"first axis ({self.explained[0]:.0%} of the variance)",
            ylabel=f"second axis ({self.explained[1]:.0%})",
        )


def _of_level(tables, level):
    """Return the table of a level, or the only one."""
    if isinstance(tables, dict):
        if level not in tables:
            raise ValueError(
                f"this model has several levels of ids: choose one of {list(tables)} with level=, "
                f"got {level!r}."
            )
        return tables[level]
    if level is not None:
        raise ValueError(f"level={level!r}, but this model has one table of embeddings only.")
    return tables


def _metadata_column(estimator, name, level=None):
    """Return a metadata column that the estimator was fitted with."""
    tables = estimator._tables
    if level is not None:
        return tables.metadata_column(level, name)
    if name not in tables.metadata_names:
        hint = did_you_mean(name, tables.metadata_names)
        raise ValueError(f"{name!r} is not among the metadata, {tables.metadata_names[:20]}.{hint}")
    k = tables.metadata_names.index(name)
    values, column = tables.metadata_values[:, k], tables.reader.metadata[k]
    if column.kind == "category":
        values = [column.show(number).strip("'") for number in values]
    return pd.Series(values, index=estimator.tasks_)


def _by_task(color, tasks):
    """Return the values in the order of the tasks."""
    color = pd.Series(color)
    missing = ~tasks.isin(color.index)
    if missing.any():
        raise ValueError(
            f"color has no value for the tasks {tasks[missing].tolist()[:10]}; give a Series "
            "indexed by task id."
        )
    return color.loc[tasks].to_numpy()
