"""Estimation of gains: `estimate_gains` for any procedure, and for what a `TaskGrouper` trains."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state

from skmtl._persistence import remembered
from skmtl.grouping._check import FoldScores, lower_bounds
from skmtl.grouping._gain_tables import (
    check_every_task,
    check_gains,
    default_candidates,
    gain_table,
    parse_groups,
)
from skmtl.grouping.gains import (
    GainContext,
    GainEstimator,
    Measurements,
    MTGNet,
    get_gain_estimator,
)

# candidates up to which "auto" may train all of them
_MAX_EXHAUSTIVE = 4095


def estimate_gains(
    procedure,
    n_tasks,
    method="mtgnet",
    *,
    candidates=None,
    affinity=None,
    metadata=None,
    random_state=None,
    return_measured=False,
):
    """Estimate the gain of every task in every candidate group from few measured groups.

    The table can be passed to `select_groups`.

    Parameters
    ----------
    procedure : callable
        Measures true gains: maps groups, a boolean array of shape (n, n_tasks), to an array of this
        shape, NaN for tasks outside a group. It is called once for each group, and never for a
        task alone, whose gain is 0. It may look gains up in a table.
    n_tasks : int
        Number of tasks, at least 2.
    method : str, GainEstimator or callable, default="mtgnet"
        "mtgnet" (`MTGNet`), "exhaustive" (`Exhaustive`), "hoa" (`HighOrder`), "tag" (`Affinity`),
        "linearised" (`Linearised`, of its own procedures) or "random" (`Random`); an object; or a
        function of the measurements and the candidates that returns their gains.
    candidates : array-like of shape (n, n_tasks) of bool, optional
        Groups that may be selected. By default all groups of up to 11 tasks; of more tasks each
        alone, all pairs, all together, and groups drawn at random, 3,000 in total or twice the
        pairs.
    affinity : array-like of shape (n_tasks, n_tasks), optional
        Affinities for `Affinity`: row is the task that steps, column the one that is affected.
    metadata : array-like of shape (n_tasks, n_metadata), optional
        Features of the tasks, for `MTGNet`.
    random_state : int, RandomState instance or None, default=None
        Decides what is drawn.
    return_measured : bool, default=False
        Whether to return which rows were measured, too.

    Returns
    -------
    gains : DataFrame of shape (n, n_tasks)
        One row for each candidate, in their order; the index holds tuples of tasks, numbered from
        0. NaN where a task is not in the group. `Affinity` leaves out groups of one task.
    measured : Series of length n
        If `return_measured` is True: whether the gains of a row are measured.

    See Also
    --------
    select_groups : Chooses groups from the table.
    GainEstimator : Base class of the methods, for one of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import estimate_gains, select_groups
    >>> family = np.array([0, 0, 1, 1])
    >>> def procedure(groups):
    ...     partners = groups[:, None] & ~np.eye(4, dtype=bool)
    ...     same = (partners & (family == family[:, None])).sum(2)
    ...     return np.where(groups, 0.2 * same - 0.1 * (partners.sum(2) - same), np.nan)
    >>> gains = estimate_gains(procedure, 4, "hoa")
    >>> select_groups(gains, 2)
    [(0, 1), (2, 3)]
    """
    if not callable(procedure):
        raise TypeError("procedure must be callable: it maps a boolean array of groups to gains.")
    if not isinstance(n_tasks, Integral) or n_tasks < 2:
        raise ValueError(f"n_tasks must be an int above 1, got {n_tasks!r}: one task has no group.")
    n_tasks, estimator = int(n_tasks), get_gain_estimator(method)
    estimator.check_procedure(procedure)
    generator = check_random_state(random_state)
    if candidates is None:
        candidates = default_candidates(n_tasks, generator)
    else:
        candidates = _check_candidates(candidates, n_tasks)
    context = GainContext(generator, affinity=affinity, metadata=metadata)
    tasks = pd.RangeIndex(n_tasks, name="task")
    table, measurements, _ = _estimate(estimator, procedure, candidates, tasks, context)
    measured = _known(measurements, table)
    return (table, measured) if return_measured else table


def _check_candidates(candidates, n_tasks):
    candidates = np.asarray(candidates)
    if candidates.dtype != np.bool_ or candidates.ndim != 2 or candidates.shape[1] != n_tasks:
        raise ValueError(
            f"candidates must be a boolean array with {n_tasks} columns, one row a group; got "
            f"{candidates.dtype} of shape {candidates.shape}."
        )
    if not candidates.any(axis=1).all():
        raise ValueError("candidates has a row without any task.")
    check_every_task(candidates, pd.RangeIndex(n_tasks), "candidates")
    if len(np.unique(candidates, axis=0)) < len(candidates):
        raise ValueError("candidates has the same group twice.")
    return candidates


def _estimate(estimator, procedure, candidates, tasks, context):
    """Return the gain table, the measurements, and a model or None."""
    measurements = Measurements(procedure, len(tasks))
    estimate = estimator.estimate(measurements, candidates, context=context)
    table = gain_table(estimate.candidates, estimate.gains, tasks)
    return table, measurements, estimate.model


def _known(measurements, table):
    """Return whether each row of a gain table was measured."""
    known = measurements.known(table.notna().to_numpy())
    return pd.Series(known, index=table.index, name="measured")


@dataclass
class TrainedGains:
    """Gains of the candidates of a `TaskGrouper`, which documents them as its attributes.

    `without` maps the number of a fold to the bounds that the other folds give, or is None.
    """

    gains: pd.DataFrame
    bounds: pd.DataFrame
    measured: pd.Series
    method: str
    model: Any = None
    affinity: pd.DataFrame | None = None
    n_procedures: int = 0
    without: Callable | None = None


def candidate_groups(candidates, tasks, generator):
    """Return groups of labels as a boolean array; all groups or a sample of them by default."""
    if candidates is None:
        return default_candidates(len(tasks), generator)
    candidates = parse_groups(list(candidates), tasks)
    check_every_task(candidates, tasks, "candidates")
    return np.unique(candidates, axis=0)


def estimate_with_trainer(
    method, trainer, candidates, generator, *, max_groups=None, metadata=None, time_budget=60.0
):
    """Estimate the gains of candidates by groups that a trainer trains."""
    tasks = trainer.data.tasks
    if isinstance(method, str) and method == "auto":
        method = _choose(trainer, candidates, time_budget)
    estimator = get_gain_estimator(method)
    source = estimator.scored_by(trainer)
    affinity = trainer.affinity() if estimator.needs_affinity else None
    first = estimator.first_groups(candidates)
    if len(first):
        trainer.scores(first)

    known = {
        "affinity": None if affinity is None else affinity.loc[tasks, tasks].to_numpy(),
        "metadata": _metadata_values(metadata, tasks),
        "max_groups": max_groups,
    }
    folds = FoldScores(source)
    context = GainContext(generator, **known)
    table, measurements, model = _estimate(estimator, folds.gains, candidates, tasks, context)
    name = method if isinstance(method, str) else type(method).__name__
    measured = _known(measurements, table)
    if source is not trainer:
        # nothing but a task alone is known without training the group
        measured &= table.notna().sum(axis=1) == 1
    result = TrainedGains(table, table, measured, name, model, affinity)
    once = int(estimator.needs_affinity or source is not trainer)
    result.n_procedures = trainer.n_groups + once
    groups, n_folds = measurements.table()[0], len(trainer.splits)
    if n_folds > 1 and len(groups):
        again = _Again(estimator, model, groups, candidates, tasks, known)
        result.bounds = again.bounds(table, folds)

        def without(fold):
            others = FoldScores(source, [k for k in range(n_folds) if k != fold])
            return again.bounds(again.gains(others.gains), others)

        result.without = without
    return result


@dataclass
class _Again:
    """Repeat an estimation with the gains of the same groups on some of the folds."""

    estimator: GainEstimator
    model: Any
    groups: np.ndarray
    candidates: np.ndarray
    tasks: pd.Index
    known: dict

    def gains(self, procedure):
        """Return the gains of the candidates that a procedure leads to."""
        if not isinstance(self.model, MTGNet):
            context = GainContext(np.random.RandomState(0), **self.known)
            arguments = (procedure, self.candidates, self.tasks, context)
            return _estimate(self.estimator, *arguments)[0]
        # it would measure other groups
        measurements = Measurements(procedure, len(self.tasks))
        net = clone(self.model).fit(self.groups, measurements(self.groups), self.known["metadata"])
        predicted = net.predict(self.candidates)
        return gain_table(
            self.candidates, measurements.merged(self.candidates, predicted), self.tasks
        )

    def bounds(self, table, folds):
        """Return the lower bounds of a table of gains on some of the folds."""
        if isinstance(self.model, MTGNet):
            # to learn from a single fold takes long, and learns little: measured groups only
            rows = [g.tobytes() for g in table.notna().to_numpy()]
            places = [rows.index(g.tobytes()) for g in self.groups if g.tobytes() in rows]
            kept = np.array([g for g in self.groups if g.tobytes() in rows])
            by_fold = np.full((len(folds.folds), *table.shape), np.nan)
            by_fold[:, places] = np.where(kept, folds.gains_by_fold(kept), np.nan)
            return lower_bounds(table, by_fold)
        by_fold = [
            self.gains(lambda groups, k=k: folds.gains_by_fold(groups)[k])
            for k in range(len(folds.folds))
        ]
        return lower_bounds(table, np.array([one.to_numpy() for one in by_fold]))


def _choose(trainer, candidates, time_budget):
    """Choose to train all candidates if that fits into the time budget, else MTG-Net.

    The time is extrapolated from each task alone and all tasks together. A fit that goes on after
    a crash keeps its choice.
    """
    n_tasks = candidates.shape[1]
    if len(candidates) > _MAX_EXHAUSTIVE:
        return "mtgnet"
    started, before = time.perf_counter(), trainer.n_trained
    trainer.scores(np.eye(n_tasks, dtype=bool))
    alone = time.perf_counter()
    trainer.scores(np.ones((1, n_tasks), dtype=bool))
    together = time.perf_counter()

    def choose():
        if trainer.n_trained == before:
            # everything was in the cache
            return "exhaustive"
        each = max((alone - started) / n_tasks, (together - alone) / 2)
        cost = each * get_gain_estimator("exhaustive").n_procedures(candidates)
        return "exhaustive" if cost <= time_budget else "mtgnet"

    if trainer.cache is None:
        return choose()
    identity = trainer.cache.identity, candidates, time_budget
    return remembered("method", identity, choose, worth=0)


def _metadata_values(metadata, tasks):
    if metadata is None:
        return None
    missing = tasks.difference(metadata.index).tolist()
    if missing:
        raise ValueError(f"metadata has no row for these tasks: {missing[:20]}.")
    return metadata.loc[tasks].to_numpy(dtype=np.float64)


def known_gains(table, tasks):
    """Return a table of known gains with its columns in the order of the tasks."""
    values, columns = check_gains(table)
    if set(columns) != set(tasks):
        raise ValueError(
            f"the table of gains has the columns {columns[:20].tolist()}, but the tasks are "
            f"{tasks[:20].tolist()}."
        )
    values = values[:, columns.get_indexer(tasks)]
    gains = gain_table(~np.isnan(values), values, tasks)
    measured = pd.Series(False, index=gains.index, name="measured")
    return TrainedGains(gains, gains, measured, "given")
