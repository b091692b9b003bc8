"""What training has recorded, as tables by task.

Tables are made on access where that is cheaper: epochs times tasks are many numbers.
"""

from __future__ import annotations

from functools import wraps

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.reports import affinity_table, choices_table, history_table, weights_table
from skmtl._persistence import saveable
from skmtl.training import TrainingResult
from skmtl.weighting import TaskWeighting


@saveable
class TrainingRecord:
    """History of losses, weights of tasks, affinity, and the choices of IT-MTL."""

    def __init__(self, result: TrainingResult, tasks: pd.Index, weighting: TaskWeighting):
        records, weights = result.records, result.task_weights
        self.tasks = tasks
        self.history = history_table(records, result.observed)
        self._weighting = repr(weighting)
        self._weighting_state = result.weighting_state
        self._task_weights = self._affinity = self._choices = None
        if isinstance(tasks, dict):
            # of combinations of ids nothing is kept
            self.tasks = None
        if weights is not None:
            self._task_weights = weights_table(records, weights, tasks)
        if result.affinity is not None:
            self._affinity = affinity_table(result.affinity, tasks)
        if result.choices is not None:
            names = [candidate.label(tasks) for candidate in result.candidates]
            self._choices = choices_table(result.choices, names)

    def state_for(self, weighting: TaskWeighting, n_tasks: int) -> dict | None:
        """Return the state of task weighting for a fit that continues this one, if it can."""
        same = self._weighting == repr(weighting)
        if self.tasks is not None and len(self.tasks) != n_tasks:
            same = False
        return self._weighting_state if same else None

    @property
    def task_weights(self) -> pd.DataFrame:
        """Mean weight of every task in each epoch of each member."""
        if self.tasks is None:
            raise AttributeError(
                "task_weights_ are by task, but this model has several levels of ids."
            )
        if self._task_weights is None:
            return weights_table(self.history, 1.0, self.tasks)
        return self._task_weights.copy()

    @property
    def affinity_history(self) -> pd.DataFrame:
        """Affinity in every epoch of every member, one row for each task that steps."""
        if self._affinity is None:
            raise AttributeError("affinity is recorded with record_affinity=True only.")
        return self._affinity.copy()

    @property
    def affinity(self) -> pd.DataFrame:
        """Affinity over the whole training: mean over epochs, then over members."""
        history = self.affinity_history
        by_member = history.groupby(level=["member", "task"], sort=False).mean()
        return by_member.groupby(level="task", sort=False).mean().loc[history.columns]

    @property
    def candidate_transferences(self) -> pd.DataFrame:
        """Total transference of IT-MTL's candidates, one row per member, epoch and step."""
        if self._choices is None:
            raise AttributeError("candidates are recorded with task_weighting=ITMTL(...) only.")
        return self._choices[0].copy()

    @property
    def candidate_choices(self) -> pd.DataFrame:
        """IT-MTL's choice in each step of each member, and its total transference."""
        table = self.candidate_transferences
        choice = self._choices[1]
        value = table.to_numpy()[np.arange(len(table)), choice.codes]
        return pd.DataFrame({"candidate": choice, "transference": value}, index=table.index)


def recorded(table: property) -> property:
    """Return a property of a fitted estimator for a table of its `TrainingRecord`."""

    @wraps(table.fget)
    def get(estimator):
        check_is_fitted(estimator, "module_")
        return table.fget(estimator._record)

    return property(get)
