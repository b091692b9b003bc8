"""Architectures: what the networks of the tasks share; one method per file, as an object.

They are passed as ``architecture=`` to `skmtl.MultiTaskRegressor` and `skmtl.MultiTaskClassifier`.
"""

from skmtl.architectures._base import Architecture, NetworkShape
from skmtl.architectures._cross_stitch import CrossStitch
from skmtl.architectures._gumbel_matrix import GumbelMatrix
from skmtl.architectures._hypernetwork import Hypernetwork
from skmtl.architectures._independent_networks import IndependentNetworks
from skmtl.architectures._maximum_roaming import MaximumRoaming
from skmtl.architectures._multi_gate_mixture import MultiGateMixture
from skmtl.architectures._multilinear_relation import MultilinearRelation
from skmtl.architectures._progressive_extraction import ProgressiveExtraction
from skmtl.architectures._shared_bottom import SharedBottom
from skmtl.architectures._single_network import SingleNetwork
from skmtl.architectures._sluice import Sluice
from skmtl.architectures._tensor_factorization import TensorFactorization

__all__ = [
    "Architecture",
    "CrossStitch",
    "GumbelMatrix",
    "Hypernetwork",
    "IndependentNetworks",
    "MaximumRoaming",
    "MultiGateMixture",
    "MultilinearRelation",
    "NetworkShape",
    "ProgressiveExtraction",
    "SharedBottom",
    "SingleNetwork",
    "Sluice",
    "TensorFactorization",
]
