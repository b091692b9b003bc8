"""Base class of all displays, axes to draw on, and the only import of matplotlib."""

import inspect
from numbers import Integral

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skmtl._docstrings import fill

_SHARED = {
    "attributes": """
Attributes
----------
ax_ : matplotlib Axes
    The axes drawn on.
figure_ : matplotlib Figure
    The figure of the axes.
""",
    "gumbel_model": """
>>> from skmtl import GumbelMatrixRegressor
>>> from skmtl.datasets import make_related_tasks
>>> from skmtl.display import {display}
>>> pairs = make_related_tasks(4, 1.0, 8, n_groups=2, n_rows=40, random_state=0)
>>> model = GumbelMatrixRegressor(task_id="task", max_iter=5, random_state=0)
>>> model = model.fit(pairs.data, pairs.target)
""",
    "cubic_tasks": """
>>> from skmtl import MultiTaskRegressor
>>> from skmtl.datasets import make_cubic
>>> from skmtl.display import {display}
>>> cubic = make_cubic(n_tasks=3, n_rows=20, random_state=0)
>>> X = cubic.data[["task", *cubic.feature_names]]
""",
    "gumbel_estimator": """
estimator : GumbelMatrixRegressor or GumbelMatrixClassifier
    Fitted.
""",
    "member": """
member : int, default=0
    Number of a member.
""",
    "drawing": """
ax : matplotlib Axes, optional
    Axes to draw on; those of a new figure by default.
**kwargs : dict
    Passed on to {method} of the axes.

Returns
-------
{display}
    The display, drawn.
""",
}


class Display:
    """Base class of all displays, with axes and the shared parts of the documentation.

    A subclass names the method of the axes to which ``kwargs`` are passed, and defines
    `_draw(ax, kwargs)`, or `plot` if that has more parameters. `_shared` are further shared texts.
    """

    _shared = {}

    def __init_subclass__(cls, draws_with="``plot``", **kwargs):
        super().__init_subclass__(**kwargs)
        names = {"method": draws_with, "display": cls.__name__}
        texts = {name: text.format(**names) for name, text in _SHARED.items()}
        for documented in (cls, *vars(cls).values()):
            function = getattr(documented, "__func__", documented)
            if documented is cls or inspect.isfunction(function):
                fill(function, **cls._shared, **texts)

    def plot(self, ax=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        {drawing}
        """
        self._draw(axes_for(self, ax), kwargs)
        return self


fill(Display.plot, drawing=_SHARED["drawing"].format(method="the drawing method", display="self"))


def axes_for(display, ax, **subplots):
    """Return the given axes, or new ones, and store them and their figure in the display.

    `subplots` are arguments of ``matplotlib.pyplot.subplots``.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} plots with matplotlib, which is not installed. Install it "
            'with: pip install "skmtl[plot]"'
        ) from error
    if ax is None:
        _, ax = pyplot.subplots(layout="constrained", **subplots)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def check_shows(estimator, needs, remedy="fit a GumbelMatrixRegressor or a GumbelMatrixClassifier"):
    """Return an estimator, or the last step of a Pipeline, after checking what a display needs.

    The error for an estimator without the attribute `needs` suggests the `remedy`.
    """
    if isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    if not hasattr(type(estimator), needs):
        raise TypeError(
            f"this display shows {needs}, which {type(estimator).__name__} does not have; {remedy}."
        )
    check_is_fitted(estimator, "module_")
    return estimator


def member_of(estimator, member):
    """Return the index of a member, after checking it."""
    n_members = estimator.module_.n_members
    if not isinstance(member, Integral) or not -n_members <= member < n_members:
        raise ValueError(f"member must be an int below {n_members}, got {member!r}.")
    return int(member) % n_members


def tables_of(estimator, tables, member):
    """Return the tables of one member, a DataFrame for each layer.

    With several members, the first level of the columns is the member.
    """
    member = member_of(estimator, member)
    return [table[member] for table in tables] if estimator.module_.n_members > 1 else tables


def draw_curves(ax, table, kwargs, label="{}"):
    """Draw a curve for each column of a table, and return the curves."""
    curves = []
    for name, values in table.items():
        curves += ax.plot(table.index, values, **{"label": label.format(name), **kwargs})
    return curves


def mark_epochs(ax, legend):
    """Label the axis of epochs, and add a legend with this title to its right."""
    ax.set_xlabel("epoch")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(title=legend, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def name_ticks(axis, names, at_most=60):
    """Label an axis with names, unless there are too many to read."""
    if len(names) <= at_most:
        axis.set_ticks(range(len(names)), [str(name) for name in names])


def name_points(ax, x, y, names, at_most=40):
    """Label points with names, unless there are too many to read."""
    if len(names) > at_most:
        return
    for *point, name in zip(x, y, names, strict=True):
        ax.annotate(str(name), point, xytext=(4, 4), textcoords="offset points", fontsize="small")
