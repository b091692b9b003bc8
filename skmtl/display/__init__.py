"""Displays in scikit-learn's style: ``from_estimator`` computes and plots, ``plot`` plots again.

matplotlib is imported when something is plotted, and not before.
"""

from skmtl.display._allocation import AllocationDisplay, TaskSimilarityDisplay
from skmtl.display._components import AllocationHistoryDisplay, ComponentUseDisplay
from skmtl.display._gains import GainPredictionDisplay, GroupEncodingDisplay
from skmtl.display._groups import GroupBudgetDisplay, TaskGroupsDisplay

__all__ = [
    "AllocationDisplay",
    "AllocationHistoryDisplay",
    "ComponentUseDisplay",
    "GainPredictionDisplay",
    "GroupBudgetDisplay",
    "GroupEncodingDisplay",
    "TaskGroupsDisplay",
    "TaskSimilarityDisplay",
]
