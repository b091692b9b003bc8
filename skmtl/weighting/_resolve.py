"""From what a user passes to a method: names, objects, tuples, methods of TorchJD."""

from skmtl.weighting._aligned import AlignedMTL
from skmtl.weighting._base import TaskWeighting
from skmtl.weighting._cagrad import CAGrad
from skmtl.weighting._composed import Composition
from skmtl.weighting._dynamic_average import DynamicWeightAverage
from skmtl.weighting._equal import EqualWeights
from skmtl.weighting._fairgrad import FairGrad
from skmtl.weighting._famo import FAMO
from skmtl.weighting._gradnorm import GradNorm
from skmtl.weighting._gradvac import GradVac
from skmtl.weighting._imtl_g import IMTLG
from skmtl.weighting._imtl_l import IMTLL
from skmtl.weighting._it_mtl import ITMTL
from skmtl.weighting._mgda import MGDA
from skmtl.weighting._nash import NashMTL
from skmtl.weighting._pcgrad import PCGrad
from skmtl.weighting._random_loss import RandomLossWeighting
from skmtl.weighting._smooth_chebyshev import SmoothChebyshev
from skmtl.weighting._torchjd import TorchJDWeighting
from skmtl.weighting._uncertainty import UncertaintyWeighting

NAMES = {
    "equal": EqualWeights,
    "uncertainty": UncertaintyWeighting,
    "dwa": DynamicWeightAverage,
    "random": RandomLossWeighting,
    "imtl-l": IMTLL,
    "chebyshev": SmoothChebyshev,
    "famo": FAMO,
    "mgda": MGDA,
    "mgda-ub": lambda: MGDA(upper_bound=True),
    "pcgrad": PCGrad,
    "cagrad": CAGrad,
    "imtl-g": IMTLG,
    "nash-mtl": NashMTL,
    "aligned-mtl": AlignedMTL,
    "fairgrad": FairGrad,
    "gradvac": GradVac,
    "gradnorm": GradNorm,
    "it-mtl": ITMTL,
}


def get_weighting(method):
    """Return the method that a name, an object or a tuple stands for.

    What every estimator does with its `task_weighting`.

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
        If it is something else.

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
        if method not in NAMES:
            raise ValueError(
                f"task_weighting={method!r} is not known. Known names are {', '.join(NAMES)}; "
                "methods with settings are objects of skmtl.weighting."
            )
        return NAMES[method]()
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
