"""The trained groups of a `TaskGrouper`, and their comparison with single tasks and all tasks."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skmtl.grouping._gain_tables import parse_groups
from skmtl.grouping._gains import GainResult
from skmtl.grouping._group_models import GroupModels, group_models
from skmtl.grouping._scores import gains_of


def train_groups(trainer, groups, assignment, gains, compare=True):
    """Train selected groups on all rows, and by default the models that a report compares with."""
    data = trainer.data
    selected, n_tasks = parse_groups(groups, data.tasks), len(data.tasks)
    alone, together = np.eye(n_tasks, dtype=bool), np.ones((1, n_tasks), dtype=bool)
    parts = [selected, alone, together] if compare else [selected]
    distinct, rows = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    models = trainer.models(distinct)
    models = [models[row] for row in rows.reshape(-1)]
    serving = [groups.index(group) for group in assignment]
    trained = TrainedGroups(group_models(models[: len(groups)], serving, data), assignment, gains)
    if compare:
        trained.references = {
            "alone": group_models(models[len(groups) : -1], range(n_tasks), data),
            "together": group_models(models[-1:], [0] * n_tasks, data),
        }
    return trained


@dataclass
class TrainedGroups:
    """Models of selected groups, with the gains that they were selected by.

    Attributes
    ----------
    models : GroupModels
    assignment : Series
        The group that serves each task.
    gains : GainResult
    references : dict of str to GroupModels
        Models "alone" and "together" to compare with; empty if they were not trained.
    """

    models: GroupModels
    assignment: pd.Series
    gains: GainResult
    references: dict[str, GroupModels] = field(default_factory=dict)

    def report(self, data, scoring=None):
        """Return scores, gain, estimated gain and group of each task of test data, a DataFrame."""
        if not self.references:
            raise ValueError("report compares with models that compare=False has not trained.")
        unseen = data.tasks.difference(self.models.tasks, sort=False).tolist()
        if unseen:
            raise ValueError(f"these tasks were not seen in fit: {unseen[:20]}.")
        models = {**self.references, "chosen": self.models}
        scores = {name: serving.task_scores(data, scoring) for name, serving in models.items()}
        table = pd.DataFrame(scores, index=pd.Index(data.tasks, name="task"))
        table["gain"] = gains_of(table["chosen"].to_numpy(), table["alone"].to_numpy())
        groups, estimated = self.assignment[data.tasks].to_list(), self.gains.gains
        rows = [estimated.index.get_loc(group) for group in groups]
        pairs = zip(data.tasks, rows, strict=True)
        table["estimated"] = [estimated[task].iloc[row] for task, row in pairs]
        table["group"] = groups
        return table
