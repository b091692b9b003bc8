"""Selection of groups from a table of gains: exact, or by beam search."""

from skmtl.grouping.selection._selection import assign_tasks, select_groups

__all__ = ["assign_tasks", "select_groups"]
