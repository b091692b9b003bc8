"""Torch modules of the architectures, whose parameters have the member axis first.

Nothing here depends on pandas or scikit-learn.
"""

from skmtl.nn._experts import ExtractionNetwork, MixtureNetwork
from skmtl.nn._gumbel import GumbelNetwork
from skmtl.nn._hypernet import TaskHypernetwork
from skmtl.nn._inputs import ModuleInputs
from skmtl.nn._levels import LevelHypernetwork
from skmtl.nn._members import ACTIVATIONS, MemberModule, member_generators
from skmtl.nn._pareto import ParetoNetwork
from skmtl.nn._relations import RelationNetwork
from skmtl.nn._roaming import RoamingNetwork
from skmtl.nn._shared import SharedBottomNetwork, SingleTaskNetwork
from skmtl.nn._stitch import StitchedNetwork
from skmtl.nn._task_layers import TaskLayers, task_layers
from skmtl.nn._tensors import FactorisedNetwork
from skmtl.nn._trunk_gradients import task_gradients
from skmtl.nn._written import WrittenModule, WrittenSharedBottom

__all__ = [
    "ACTIVATIONS",
    "ExtractionNetwork",
    "FactorisedNetwork",
    "GumbelNetwork",
    "LevelHypernetwork",
    "MemberModule",
    "MixtureNetwork",
    "ModuleInputs",
    "ParetoNetwork",
    "RelationNetwork",
    "RoamingNetwork",
    "SharedBottomNetwork",
    "SingleTaskNetwork",
    "StitchedNetwork",
    "TaskHypernetwork",
    "TaskLayers",
    "WrittenModule",
    "WrittenSharedBottom",
    "member_generators",
    "task_gradients",
    "task_layers",
]
