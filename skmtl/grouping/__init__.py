"""Which tasks to train together: gains of groups, their selection, and `TaskGrouper`."""

from skmtl.grouping._selection import assign_tasks, select_groups

__all__ = ["assign_tasks", "select_groups"]
