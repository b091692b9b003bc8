"""Lower bounds of gains over folds, and a check of the whole choice on rows without a part in it.

Everything here is about gains that groups have on each of the folds of ``cv``.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmtl._data.messages import labels_text
from skmtl.exceptions import HarmfulGroupsWarning
from skmtl.grouping._gain_tables import gains_of, parse_groups
from skmtl.grouping.selection import assign_tasks, select_groups

# gains of models that are the same in a group and alone
_ROUNDING = 1e-9


class FoldScores:
    """Scores of groups on some of the folds: what measures gains on them."""

    def __init__(self, trainer, folds=None):
        self.trainer, self.n_tasks = trainer, len(trainer.data.tasks)
        self.folds = list(range(len(trainer.splits))) if folds is None else folds

    def gains(self, groups):
        """Return gains of groups: relative reductions of the mean loss over the folds."""
        if len(self.folds) < len(self.trainer.splits):
            return self.gains_by_fold(groups).mean(axis=0)
        alone = np.diag(self.trainer.scores(np.eye(self.n_tasks, dtype=bool)))
        return gains_of(self.trainer.scores(groups), alone)

    def gains_by_fold(self, groups):
        """Return gains on each fold, whose mean over the folds is `gains`."""
        groups_and_alone = np.concatenate([groups, np.eye(self.n_tasks, dtype=bool)])
        scores = self.trainer.scores_by_split(groups_and_alone)[self.folds]
        alone = np.diagonal(scores[:, len(groups) :], axis1=1, axis2=2)
        unit = np.abs(alone.mean(axis=0))
        return (scores[:, : len(groups)] - alone[:, None]) / np.where(unit == 0, 1.0, unit)


def lower_bounds(gains, by_fold):
    """Return a table of gains minus their standard errors over folds, 0 for a task alone.

    `by_fold` (n_folds, n, T) are the same estimates by fold. There are few folds, so the variances
    are pooled over the groups of a size with a task: their noise is alike, that of its rows.
    """
    if len(by_fold) < 2:
        return gains
    variances, sizes = by_fold.var(axis=0, ddof=1), gains.notna().sum(axis=1).to_numpy()
    several, errors = sizes > 1, np.zeros(gains.shape)
    for size in np.unique(sizes[several]):
        pooled = _mean(variances[sizes == size])
        pooled = np.where(np.isnan(pooled), _mean(variances[several]), pooled)
        errors[sizes == size] = np.sqrt(pooled / len(by_fold))
    # nothing is known of a task none of whose groups was measured
    return gains - np.nan_to_num(errors)


def _mean(values):
    """Return the mean over rows of what is not NaN."""
    counts = (~np.isnan(values)).sum(axis=0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)


@dataclass
class Choice:
    """Selected groups, and the group that serves each task."""

    groups: list
    assignment: pd.Series

    def serving(self, tasks):
        """Return the group of each task as a boolean array."""
        return parse_groups(self.assignment[tasks].to_list(), tasks)


def choose(bounds, max_groups, **limits):
    """Select groups by a table of lower bounds, without those that would serve no task."""
    groups = select_groups(bounds, max_groups, **limits)
    assignment = assign_tasks(bounds, groups)
    # a group that serves no task need not be trained
    return Choice([group for group in groups if group in set(assignment)], assignment)


def choose_and_check(result, trainer, max_groups, *, method, costs, max_cost):
    """Return a choice, and a table of its gains on rows without a part in it, by fold, or None.

    For every fold a choice is made by the gains on the other folds, with up to `max_groups` groups,
    half as many, and so on; the limit that does best on the rows of the folds is used.
    """
    limits = {"costs": costs, "max_cost": max_cost}

    def at_most(bounds, n_groups):
        try:
            return choose(bounds, n_groups, method=method, **limits)
        except ValueError:
            if n_groups == max_groups:
                raise
            # so few groups do not serve every task
            return None

    sizes = [int(max_groups) >> k for k in range(int(max_groups).bit_length())]
    if result.without is None:
        choice = at_most(result.bounds, max_groups)
        return checked(choice, None, result.bounds, max_groups=max_groups, **limits), None
    tables = [result.without(fold) for fold in range(len(trainer.splits))]
    found, values = [], []
    for size in sizes:
        choices = [at_most(table, size) for table in (result.bounds, *tables)]
        if None not in choices:
            found.append(choices[0])
            values.append(gains_of_choices(trainer, choices[1:], result.bounds.columns))
    values = np.array(values)
    best, by_fold = _best(values), values[0].copy()
    for fold in range(len(by_fold)):
        # the limit has been chosen without the fold, too
        by_fold[fold] = values[_best(np.delete(values, fold, axis=1)), fold]
    index = pd.RangeIndex(len(by_fold), name="fold")
    gains = pd.DataFrame(by_fold, columns=result.bounds.columns, index=index)
    return checked(found[best], gains, result.bounds, max_groups=max_groups, **limits), gains


def _best(values):
    """Return which of several gains (n, n_folds, T) has the largest lower bound of its mean."""
    means = [mean_and_error(gains) for gains in values]
    return int(np.argmax([mean - error for mean, error in means]))


def gains_of_choices(trainer, choices, tasks):
    """Return gains (n_folds, T) of choices, one for each fold, on the rows of their fold."""
    n_tasks = len(tasks)
    groups = [choice.serving(tasks) for choice in choices]
    pairs = [(group, fold) for fold, serving in enumerate(groups) for group in serving]
    scores = trainer.scores_on(pairs).reshape(len(choices), n_tasks, n_tasks)
    alone = trainer.scores_by_split(np.eye(n_tasks, dtype=bool))
    scores, alone = (np.diagonal(part, axis1=1, axis2=2) for part in (scores, alone))
    unit = np.abs(alone.mean(axis=0))
    return (scores - alone) / np.where(unit == 0, 1.0, unit)


def checked(choice, gains, bounds, *, max_groups, costs, max_cost):
    """Return the choice, or every task alone if it is no better; a warning says so.

    `gains` are those of choices made without a fold, on its rows, or None.
    """
    tasks, alone = bounds.columns, [(task,) for task in bounds.columns.tolist()]
    allowed = len(alone) <= max_groups and set(alone) <= set(bounds.index)
    if allowed and costs is not None:
        by_group = dict(zip(bounds.index, costs, strict=True))
        allowed = sum(by_group[group] for group in alone) <= max_cost
    if set(choice.groups) == set(alone):
        return choice
    if gains is not None:
        mean, error = mean_and_error(gains.to_numpy())
        if mean - error < -_ROUNDING and allowed:
            _warn(
                "every task is trained alone: groups are no better. Chosen without the rows of a "
                f"fold, they gain {mean:.1%} there, with a standard error of {error:.1%}"
            )
            return Choice(alone, pd.Series(alone, index=tasks, name="group"))
    if not allowed:
        forced = {}
        for group in choice.groups:
            served = [other == group for other in choice.assignment[tasks]]
            if gains is None:
                bound = bounds.to_numpy()[bounds.index.get_loc(group), served].mean()
            else:
                mean, error = mean_and_error(gains.to_numpy()[:, served])
                bound = mean - error
            if bound < -_ROUNDING and len(group) > 1:
                forced[group] = bound
        if forced:
            names = "; ".join(f"{labels_text(g)}: {bound:.1%}" for g, bound in forced.items())
            _warn(
                f"max_groups={max_groups} or the candidates force tasks into groups in which they "
                f"may be worse than alone, by the lower bounds of their mean gain: {names}"
            )
    return choice


def bounds_of_tasks(assignment, gains, bounds):
    """Return a lower bound of the gain of each task in the group that serves it, 0 if alone.

    By gains on rows without a part in the choice; without those, as the choice was made.
    """
    tasks, sizes = bounds.columns, assignment.map(len)
    if gains is None:
        places = [bounds.index.get_loc(group) for group in assignment[tasks]]
        values = bounds.to_numpy()[places, np.arange(len(tasks))]
    else:
        gains = gains.to_numpy()
        values = gains.mean(axis=0) - np.sqrt(gains.var(axis=0, ddof=1).mean() / len(gains))
        values = np.where(sizes[tasks] > 1, values, 0.0)
    return pd.Series(values, index=tasks)


def mean_and_error(gains):
    """Return the mean of gains (n_folds, T), and its standard error over folds and tasks.

    The means of a few folds say little about their own variance, so that the tasks of a fold count
    as observations of their own.
    """
    error = gains.std(ddof=1) / np.sqrt(gains.size) if gains.size > 1 else 0.0
    return gains.mean(), error


def _warn(message):
    warnings.warn(f"{message}.", HarmfulGroupsWarning, stacklevel=5)
