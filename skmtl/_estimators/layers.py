"""Layers as estimators take them: their widths, a tuple or a number, and their activation."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.nn import ACTIVATIONS

# of a parameter with widths
LAYER_SIZES = ["array-like", Interval(Integral, 1, None, closed="left")]
# of a parameter that names what stands behind a layer
ACTIVATION = [StrOptions(set(ACTIVATIONS))]


def layer_sizes(estimator, name, at_least=0):
    """Widths of an estimator's layers, checked.

    Parameters
    ----------
    estimator : estimator
    name : str
        Of its parameter: an int, or a sequence of them.
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
    value = getattr(estimator, name)
    widths = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(width, Integral) and width > 0 for width in widths):
        raise ValueError(f"{name} must be a tuple of positive integers, got {value!r}.")
    if len(widths) < at_least:
        raise ValueError(
            f"{name}={value!r} has {len(widths)} layer(s); this architecture needs at least "
            f"{at_least}, (32,) say."
        )
    return tuple(int(width) for width in widths)
