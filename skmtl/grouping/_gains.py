"""How `TaskGrouper` comes to its gains: a gain estimator, and a trainer that measures groups."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skmtl.grouping._gain_tables import check_gains, default_candidates, gain_table, parse_groups
from skmtl.grouping._scores import gains_of
from skmtl.grouping.gains import GainContext, Measurements, get_gain_estimator

# candidates up to which "auto" may train all of them
_MAX_EXHAUSTIVE = 4095


@dataclass
class GainResult:
    """Gains of the candidates of a `TaskGrouper`.

    Attributes
    ----------
    gains : DataFrame of shape (n, n_tasks)
    measured : Series of length n
        Whether each row was measured.
    method : str
        Name of the gain estimator.
    n_procedures : int
        Groups that were trained.
    model : object or None
        Predicts the gains of other groups.
    affinity : DataFrame or None
    """

    gains: pd.DataFrame
    measured: pd.Series
    method: str
    n_procedures: int
    model: Any = None
    affinity: pd.DataFrame | None = None

    def predict(self, groups, metadata=None):
        """Predict the gains of groups of labels, also of new tasks that have metadata."""
        if self.model is None:
            raise ValueError(
                f"the gain estimator {self.method!r} has no model that predicts gains; fit with "
                "gains='mtgnet'."
            )
        tasks, values = self.gains.columns, None
        if metadata is not None:
            tasks = tasks.append(metadata.index.difference(tasks, sort=False))
            values = metadata.loc[tasks].to_numpy(dtype=np.float64)
        array = parse_groups(groups, tasks)
        return gain_table(array, self.model.predict(array, metadata=values), tasks)


class Gains:
    """Estimate the gains of groups that a trainer can measure.

    Parameters
    ----------
    method : "auto", str, GainEstimator, callable or DataFrame
        A DataFrame is a table of known gains.
    candidates : list of tuple, optional
        Groups of task labels; all groups or a sample of them by default.
    max_groups : int, optional
        Number of groups that will be selected at most.
    metadata : DataFrame, optional
        One row per task.
    time_budget : float
        Seconds in which "auto" may train all candidates.
    """

    def __init__(
        self, method, *, candidates=None, max_groups=None, metadata=None, time_budget=60.0
    ):
        self.method, self.candidates, self.max_groups = method, candidates, max_groups
        self.metadata, self.time_budget = metadata, time_budget

    def candidate_groups(self, tasks, generator):
        """Return the candidates as an array; None for a table, which has its own."""
        if isinstance(self.method, pd.DataFrame):
            return None
        if self.candidates is None:
            return default_candidates(len(tasks), generator)
        candidates = parse_groups(list(self.candidates), tasks)
        missing = tasks[~candidates.any(axis=0)].tolist()
        if missing:
            raise ValueError(f"these tasks are in none of the candidates: {missing[:20]}.")
        return np.unique(candidates, axis=0)

    def estimate(self, trainer, candidates, generator):
        """Estimate the gains of `candidate_groups` that a trainer measures; return a GainResult."""
        tasks, method = trainer.data.tasks, self.method
        if isinstance(method, pd.DataFrame):
            return known_gains(method, tasks)
        if isinstance(method, str) and method == "auto":
            method = self._choose(trainer, candidates)
        estimator = get_gain_estimator(method)
        affinity = trainer.affinity() if estimator.needs_affinity else None
        first = estimator.first_groups(candidates)
        if len(first):
            trainer.scores(first)
        alone = np.eye(len(tasks), dtype=bool)

        def procedure(groups):
            base = np.diag(trainer.scores(alone))
            return gains_of(trainer.scores(groups), base)

        measurements = Measurements(procedure, len(tasks))
        context = GainContext(
            generator,
            affinity=None if affinity is None else affinity.loc[tasks, tasks].to_numpy(),
            metadata=self._metadata_values(tasks),
            max_groups=self.max_groups,
        )
        estimate = estimator.estimate(measurements, candidates, context=context)
        table = gain_table(estimate.candidates, estimate.gains, tasks)
        return GainResult(
            table,
            pd.Series(measurements.known(estimate.candidates), index=table.index, name="measured"),
            method if isinstance(method, str) else type(method).__name__,
            trainer.n_groups + int(estimator.needs_affinity),
            model=estimate.model,
            affinity=affinity,
        )

    def _choose(self, trainer, candidates):
        """Choose to train all candidates if that fits into the time budget, else MTG-Net.

        The time is extrapolated from each task alone and all tasks together.
        """
        n_tasks = candidates.shape[1]
        if len(candidates) > _MAX_EXHAUSTIVE:
            return "mtgnet"
        started = time.perf_counter()
        before = trainer.n_trained
        trainer.scores(np.eye(n_tasks, dtype=bool))
        alone = time.perf_counter()
        trainer.scores(np.ones((1, n_tasks), dtype=bool))
        together = time.perf_counter()
        if trainer.n_trained == before:
            # everything was in the cache: an interrupted fit goes on as it began
            return "exhaustive"
        each = max((alone - started) / n_tasks, (together - alone) / 2)
        cost = each * get_gain_estimator("exhaustive").n_procedures(candidates)
        return "exhaustive" if cost <= self.time_budget else "mtgnet"

    def _metadata_values(self, tasks):
        if self.metadata is None:
            return None
        missing = tasks.difference(self.metadata.index).tolist()
        if missing:
            raise ValueError(f"metadata has no row for these tasks: {missing[:20]}.")
        return self.metadata.loc[tasks].to_numpy(dtype=np.float64)


def known_gains(table, tasks):
    """Return the result for a table of known gains, its columns in the order of the tasks."""
    values, columns = check_gains(table)
    if set(columns) != set(tasks):
        raise ValueError(
            f"the table of gains has the columns {columns[:20].tolist()}, but the tasks are "
            f"{tasks[:20].tolist()}."
        )
    values = values[:, columns.get_indexer(tasks)]
    gains = gain_table(~np.isnan(values), values, tasks)
    return GainResult(gains, pd.Series(False, index=gains.index, name="measured"), "given", 0)
