"""Displays in scikit-learn's style: ``from_estimator`` computes and plots, ``plot`` plots again.

matplotlib is imported when something is plotted, and not before.
"""

from skmtl.display._allocation import AllocationDisplay, TaskSimilarityDisplay
from skmtl.display._components import AllocationHistoryDisplay, ComponentUseDisplay
from skmtl.display._pareto import ParetoFrontDisplay

__all__ = [
    "AllocationDisplay",
    "AllocationHistoryDisplay",
    "ComponentUseDisplay",
    "ParetoFrontDisplay",
    "TaskSimilarityDisplay",
]
