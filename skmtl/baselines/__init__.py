"""Other multi-task architectures, as their papers define them, to compare with.

Each is a regressor and a classifier with the contract of the hypernetworks.
"""

from skmtl.baselines._cross_stitch import CrossStitchClassifier, CrossStitchRegressor
from skmtl.baselines._independent_tasks import IndependentTasksClassifier, IndependentTasksRegressor
from skmtl.baselines._maximum_roaming import MaximumRoamingClassifier, MaximumRoamingRegressor
from skmtl.baselines._multi_gate_mixture import (
    MultiGateMixtureOfExpertsClassifier,
    MultiGateMixtureOfExpertsRegressor,
)
from skmtl.baselines._multilinear_relation import (
    MultilinearRelationClassifier,
    MultilinearRelationRegressor,
)
from skmtl.baselines._progressive_extraction import (
    ProgressiveLayeredExtractionClassifier,
    ProgressiveLayeredExtractionRegressor,
)
from skmtl.baselines._shared_bottom import SharedBottomClassifier, SharedBottomRegressor
from skmtl.baselines._single_task import SingleTaskClassifier, SingleTaskRegressor
from skmtl.baselines._sluice import SluiceClassifier, SluiceRegressor
from skmtl.baselines._tensor_factorized import TensorFactorizedClassifier, TensorFactorizedRegressor

__all__ = [
    "CrossStitchClassifier",
    "CrossStitchRegressor",
    "IndependentTasksClassifier",
    "IndependentTasksRegressor",
    "MaximumRoamingClassifier",
    "MaximumRoamingRegressor",
    "MultiGateMixtureOfExpertsClassifier",
    "MultiGateMixtureOfExpertsRegressor",
    "MultilinearRelationClassifier",
    "MultilinearRelationRegressor",
    "ProgressiveLayeredExtractionClassifier",
    "ProgressiveLayeredExtractionRegressor",
    "SharedBottomClassifier",
    "SharedBottomRegressor",
    "SingleTaskClassifier",
    "SingleTaskRegressor",
    "SluiceClassifier",
    "SluiceRegressor",
    "TensorFactorizedClassifier",
    "TensorFactorizedRegressor",
]
