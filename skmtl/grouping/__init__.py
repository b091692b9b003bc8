"""Which tasks to train together: gains of groups, their selection, and `TaskGrouper`."""

from skmtl.grouping._estimate import estimate_gains
from skmtl.grouping._grouper import TaskGrouper as TaskGrouper
from skmtl.grouping._mtgnet import MTGNet
from skmtl.grouping._selection import assign_tasks, select_groups

__all__ = ["MTGNet", "assign_tasks", "estimate_gains", "select_groups"]
