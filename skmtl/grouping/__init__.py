"""Which tasks to train together: gains of groups, their selection, and `TaskGrouper`."""

from skmtl.grouping._estimate import estimate_gains
from skmtl.grouping._grouper import TaskGrouper
from skmtl.grouping.gains import (
    Affinity,
    Exhaustive,
    GainContext,
    GainEstimate,
    GainEstimator,
    HighOrder,
    Linearised,
    Measurements,
    MTGNet,
    Random,
)
from skmtl.grouping.selection import assign_tasks, select_groups

__all__ = [
    "Affinity",
    "Exhaustive",
    "GainContext",
    "GainEstimate",
    "GainEstimator",
    "HighOrder",
    "Linearised",
    "MTGNet",
    "Measurements",
    "Random",
    "TaskGrouper",
    "assign_tasks",
    "estimate_gains",
    "select_groups",
]
