"""Turn what a user passes as `task_weighting` into a method: a name, an object or a tuple."""

from skmtl.weighting._base import METHODS, TaskWeighting
from skmtl.weighting._composed import Composition
from skmtl.weighting._torchjd import TorchJDWeighting


def get_weighting(method):
    """Return the method that a name, an object or a tuple stands for.

    Every estimator calls it on its `task_weighting`.

    Parameters
    ----------
    method : str, TaskWeighting, torchjd.aggregation.Weighting, or tuple of two of these
        What `task_weighting` of an estimator may be. A tuple is a method for losses and one for
        gradients.

    Returns
    -------
    TaskWeighting
        The object itself, if it is one.

    Raises
    ------
    ValueError
        If there is no method of that name, or a tuple is not of a loss and a gradient method.
    TypeError
        If `method` is of any other type.

    See Also
    --------
    Composition : What a tuple becomes.

    Examples
    --------
    >>> from skmtl.weighting import get_weighting
    >>> get_weighting("pcgrad")
    PCGrad()
    >>> get_weighting(("uncertainty", "pcgrad")).needs == {"losses", "gramian"}
    True
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise ValueError(
                f"task_weighting={method!r} is not known. Known names are "
                f"{', '.join(sorted(METHODS))}; methods with settings are objects of "
                "skmtl.weighting."
            )
        return METHODS[method]()
    if isinstance(method, TaskWeighting):
        return method
    if isinstance(method, (tuple, list)):
        if len(method) != 2:
            raise ValueError(
                "a tuple for task_weighting is a method for losses and one for gradients, such as "
                f"('uncertainty', 'pcgrad'); got {len(method)} items."
            )
        composed = Composition(*(get_weighting(part) for part in method))
        composed._check_parameters(None)
        return composed
    module = next((c.__module__ for c in type(method).__mro__ if "torchjd" in c.__module__), "")
    if module.startswith("torchjd.aggregation") and hasattr(method, "forward"):
        return TorchJDWeighting(method)
    raise TypeError(
        "task_weighting must be a name, an object of skmtl.weighting, a tuple of two of them, or a "
        f"Weighting of TorchJD; got {method!r}."
    )
