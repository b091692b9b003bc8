"""Widths of layers, as estimators take them: a tuple, or a number for one layer."""

from numbers import Integral

from sklearn.utils._param_validation import Interval

# of a parameter with widths
LAYER_SIZES = ["array-like", Interval(Integral, 1, None, closed="left")]


def check_layer_sizes(value, name, at_least=0):
    """Widths as a tuple of int.

    Parameters
    ----------
    value : int or sequence of int
    name : str
        Of the parameter, for the errors.
    at_least : int, default=0
        Layers that there must be.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If a width is not a positive integer, or there are too few.
    """
    widths = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(width, Integral) and width > 0 for width in widths):
        raise ValueError(f"{name} must be a tuple of positive integers, got {value!r}.")
    if len(widths) < at_least:
        raise ValueError(
            f"{name}={value!r} has {len(widths)} layer(s); this architecture needs at least "
            f"{at_least}, (32,) say."
        )
    return tuple(int(width) for width in widths)
