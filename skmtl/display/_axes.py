"""The base of all displays, axes to draw on, and the one import of matplotlib."""

import inspect
from numbers import Integral

from sklearn.utils.validation import check_is_fitted

from skmtl._docstrings import fill

_AXES = """
ax_ : matplotlib Axes
    The axes drawn on.
figure_ : matplotlib Figure
    The figure of the axes.
"""
_DRAWING = """
ax : matplotlib Axes, optional
    Where to draw; a new figure by default.
**kwargs : dict
    Passed on to {method} of the axes.

Returns
-------
{display}
    Drawn.
"""


class Display:
    """Base of all displays: it provides the axes and shared parts of the documentation.

    A subclass sets `_draws_with`, the method of the axes that gets ``kwargs``, and defines
    `_draw(ax, kwargs)`, or its own `plot` if that has more parameters.
    """

    _draws_with = "``plot``"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        drawing = _DRAWING.format(method=cls._draws_with, display=cls.__name__)
        fill(cls, axes=_AXES)
        for member in vars(cls).values():
            function = getattr(member, "__func__", member)
            if inspect.isfunction(function):
                fill(function, drawing=drawing)

    def plot(self, ax=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to the method of the axes that draws.

        Returns
        -------
        self
            The display, drawn.
        """
        self._draw(axes_for(self, ax), kwargs)
        return self


def axes_for(display, ax, **subplots):
    """Return the given axes, or new ones, and store them and their figure.

    Parameters
    ----------
    display : display
        Its `ax_` and `figure_` are set.
    ax : Axes or None
    **subplots
        Arguments of ``matplotlib.pyplot.subplots``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
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
    """Raise an error if an estimator is not fitted or has nothing that a display can show.

    Parameters
    ----------
    estimator : estimator
    needs : str
        The attribute that the display shows.
    remedy : str
        Advice if estimators of this class do not have the attribute.
    """
    if not hasattr(type(estimator), needs):
        raise TypeError(
            f"this display shows {needs}, which {type(estimator).__name__} does not have; {remedy}."
        )
    check_is_fitted(estimator, "module_")


def member_of(estimator, member):
    """Check the number of a member, and return it."""
    n_members = estimator.module_.n_members
    if not isinstance(member, Integral) or not -n_members <= member < n_members:
        raise ValueError(f"member must be an int below {n_members}, got {member!r}.")
    return int(member) % n_members


def tables_of(estimator, tables, member):
    """Return the tables of one member.

    With several members, the first level of the columns is the member.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    tables : list of DataFrame
        One for each layer.
    member : int

    Returns
    -------
    list of DataFrame
    """
    member = member_of(estimator, member)
    return [table[member] for table in tables] if estimator.module_.n_members > 1 else tables


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
