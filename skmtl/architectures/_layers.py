"""Constraints and checks of parameters for layers: their widths and their activation."""

from numbers import Integral

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.nn import ACTIVATIONS

LAYER_SIZES = ["array-like", Interval(Integral, 1, None, closed="left")]
ACTIVATION = [StrOptions(set(ACTIVATIONS))]
# constraints of an architecture with hidden layers, and of one with heads
LAYERS = {"hidden_layer_sizes": LAYER_SIZES, "activation": ACTIVATION}
HEADS = {"head_layer_sizes": LAYER_SIZES}


def layer_sizes(estimator, name, at_least=0):
    """Return the checked widths of layers.

    Parameters
    ----------
    estimator : estimator
        The object that has the parameter.
    name : str
        Name of the parameter, whose value is an int or a sequence of them.
    at_least : int, default=0
        Smallest number of layers.

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
            f"{at_least}, for example (32,)."
        )
    return tuple(int(width) for width in widths)
