"""Task weighting: T losses, or the T x T Gramian of their gradients, in; T weights out.

One method a file. None of them knows where losses and gradients come from.
"""

from skmtl.weighting._affinity import Affinity, normalized_affinity
from skmtl.weighting._aligned import AlignedMTL
from skmtl.weighting._base import TaskWeighting
from skmtl.weighting._cagrad import CAGrad
from skmtl.weighting._composed import Composition
from skmtl.weighting._dynamic_average import DynamicWeightAverage
from skmtl.weighting._equal import EqualWeights, FixedWeights
from skmtl.weighting._fairgrad import FairGrad
from skmtl.weighting._famo import FAMO
from skmtl.weighting._gradient import GradientWeighting
from skmtl.weighting._gradnorm import GradNorm
from skmtl.weighting._gradvac import GradVac
from skmtl.weighting._imtl_g import IMTLG
from skmtl.weighting._imtl_l import IMTLL
from skmtl.weighting._it_mtl import ITMTL
from skmtl.weighting._mgda import MGDA
from skmtl.weighting._nash import NashMTL
from skmtl.weighting._pcgrad import PCGrad
from skmtl.weighting._random_loss import RandomLossWeighting
from skmtl.weighting._resolve import get_weighting
from skmtl.weighting._smooth_chebyshev import SmoothChebyshev
from skmtl.weighting._torchjd import TorchJDWeighting
from skmtl.weighting._uncertainty import UncertaintyWeighting
from skmtl.weighting._upgrad import UPGrad

__all__ = [
    "FAMO",
    "IMTLG",
    "IMTLL",
    "ITMTL",
    "MGDA",
    "Affinity",
    "AlignedMTL",
    "CAGrad",
    "Composition",
    "DynamicWeightAverage",
    "EqualWeights",
    "FairGrad",
    "FixedWeights",
    "GradNorm",
    "GradVac",
    "GradientWeighting",
    "NashMTL",
    "PCGrad",
    "RandomLossWeighting",
    "SmoothChebyshev",
    "TaskWeighting",
    "TorchJDWeighting",
    "UPGrad",
    "UncertaintyWeighting",
    "get_weighting",
    "normalized_affinity",
]
