"""Displays in scikit-learn's style: ``from_estimator`` computes and plots, ``plot`` plots again.

matplotlib is only imported when a display is plotted.
"""

from skmtl.display._affinity import AffinityDisplay
from skmtl.display._allocation import (
    AllocationDisplay,
    AllocationHistoryDisplay,
    ComponentUseDisplay,
    TaskSimilarityDisplay,
)
from skmtl.display._candidates import CandidateChoicesDisplay
from skmtl.display._comparison import ComparisonDisplay
from skmtl.display._coverage import CoverageDisplay
from skmtl.display._dependence import TaskDependenceDisplay
from skmtl.display._effects import (
    ShrinkageDisplay,
    TaskEffectsDisplay,
    VarianceSharesDisplay,
)
from skmtl.display._embeddings import TaskEmbeddingDisplay
from skmtl.display._gains import GainPredictionDisplay, GroupEncodingDisplay
from skmtl.display._groups import GroupBudgetDisplay, TaskGroupsDisplay
from skmtl.display._losses import LossAlongStepsDisplay, LossSurfaceDisplay
from skmtl.display._pareto import ParetoFrontDisplay
from skmtl.display._scores import PerTaskScoreDisplay
from skmtl.display._training import LearningCurvesDisplay

__all__ = [
    "AffinityDisplay",
    "AllocationDisplay",
    "AllocationHistoryDisplay",
    "CandidateChoicesDisplay",
    "ComparisonDisplay",
    "ComponentUseDisplay",
    "CoverageDisplay",
    "GainPredictionDisplay",
    "GroupBudgetDisplay",
    "GroupEncodingDisplay",
    "LearningCurvesDisplay",
    "LossAlongStepsDisplay",
    "LossSurfaceDisplay",
    "ParetoFrontDisplay",
    "PerTaskScoreDisplay",
    "ShrinkageDisplay",
    "TaskDependenceDisplay",
    "TaskEffectsDisplay",
    "TaskEmbeddingDisplay",
    "TaskGroupsDisplay",
    "TaskSimilarityDisplay",
    "VarianceSharesDisplay",
]
