"""Architectures: torch modules whose parameters have the member axis first.

Nothing here knows pandas or scikit-learn.
"""

from skmtl.nn._experts import ExtractionNetwork, MixtureNetwork
from skmtl.nn._gumbel import GumbelNetwork
from skmtl.nn._hypernet import TaskHypernetwork
from skmtl.nn._members import ACTIVATIONS, MemberModule, member_generators
from skmtl.nn._relations import RelationNetwork
from skmtl.nn._roaming import RoamingNetwork
from skmtl.nn._shared import SharedBottomNetwork, SingleTaskNetwork
from skmtl.nn._stitch import StitchedNetwork
from skmtl.nn._tensors import FactorisedNetwork
from skmtl.nn._trunk_gradients import task_gradients

__all__ = [
    "ACTIVATIONS",
    "ExtractionNetwork",
    "FactorisedNetwork",
    "GumbelNetwork",
    "MemberModule",
    "MixtureNetwork",
    "RelationNetwork",
    "RoamingNetwork",
    "SharedBottomNetwork",
    "SingleTaskNetwork",
    "StitchedNetwork",
    "TaskHypernetwork",
    "member_generators",
    "task_gradients",
]
