"""Axes to draw on, and the one import of matplotlib."""

from numbers import Integral

from sklearn.utils.validation import check_is_fitted


def axes_for(display, ax, **subplots):
    """Return the caller's axes, or new ones, and remember them and their figure.

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
        _, ax = pyplot.subplots(**subplots)
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def check_shows(
    estimator, needs, instead="fit a GumbelMatrixRegressor or a GumbelMatrixClassifier"
):
    """Raise an error if an estimator is not fitted or has nothing that a display can show."""
    if not hasattr(type(estimator), needs):
        raise TypeError(
            f"this display shows {needs}, which {type(estimator).__name__} does not have; "
            f"{instead}."
        )
    check_is_fitted(estimator, "module_")


def member_of(estimator, member):
    """Number of a member, checked."""
    n_members = estimator.module_.n_members
    if not isinstance(member, Integral) or not -n_members <= member < n_members:
        raise ValueError(f"member must be an int below {n_members}, got {member!r}.")
    return int(member) % n_members


def tables_of(estimator, tables, member):
    """Tables of one member: with several, the first level of the columns is the member.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    tables : list of DataFrame
        One a layer.
    member : int

    Returns
    -------
    list of DataFrame
    """
    member = member_of(estimator, member)
    return [table[member] for table in tables] if estimator.module_.n_members > 1 else tables


def name_ticks(axis, names, at_most=60):
    """Write names beside an axis, unless there are too many to read."""
    if len(names) <= at_most:
        axis.set_ticks(range(len(names)), [str(name) for name in names])
