"""Learning from a few rows: embeddings of tasks are trained, everything else is frozen."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skmtl._data.rows import PredictionRows, TrainingRows
from skmtl._estimators.base_learner import BaseRows, base_inputs
from skmtl._estimators.embedding_rows import embedding_rows, embedding_rows_of, loss_of
from skmtl._estimators.fit_sums import sums_of_new_tasks
from skmtl._estimators.interval_fits import rows_by_task
from skmtl._estimators.plan import FitPlan
from skmtl._estimators.run import train
from skmtl._sklearn_compat import _safe_indexing
from skmtl.training import PlainSteps
from skmtl.training._device import in_own_state
from skmtl.training._embeddings import curvatures
from skmtl.training._updates import updated_embeddings

# of Adam, at most: a handful of numbers per task is learned by then
_MAX_STEPS = 2000
_SMALLEST_NOISE = 1e-6


@in_own_state
def adapt(estimator, X, y, sample_weight=None):
    """Learn from rows of known and of new tasks; the estimator changes, see its method `adapt`."""
    check_is_fitted(estimator, "module_")
    module = estimator.module_
    if estimator.task_id is None or not any(table.shape[2] for table in module.tables()):
        raise ValueError(
            "adapt learns embeddings of tasks: it needs task_id and an embedding_dim above 0."
        )
    if not module.has_several_tasks():
        raise ValueError(
            "adapt learns how new tasks differ from how those of fit do, but fit saw one task "
            "only; call fit with the rows of several tasks."
        )
    X, *labels = estimator._check_rows(X, y, sample_weight, estimator._targets.transform)
    if estimator._tables.level_sizes:
        estimator._tables, estimator.module_ = _updated_levels(estimator, X, *labels)
        return estimator
    new = estimator._tables.of_new_tasks(X)
    groups = [np.flatnonzero(~new), np.flatnonzero(new)]
    known, unknown = (
        (_safe_indexing(X, rows), *(values[rows] for values in labels)) if len(rows) else None
        for rows in groups
    )
    # both are learned before anything changes
    updated = None if known is None else _updated(estimator, *known)
    learned = None if unknown is None else _learned(estimator, *unknown)
    if updated is not None:
        numbers, vectors, curvature = updated
        module.set_embeddings(numbers, vectors, curvature)
        # sums by task are of the rows and the embeddings of fit
        estimator._sums = None
    if learned is not None:
        estimator._tables, estimator._targets, added, sizes = learned
        module.add_tasks(added)
        if estimator._intervals is not None:
            estimator._intervals = estimator._intervals.add_tasks(sizes)
    return estimator


def _learned(estimator, X, *labels):
    """Return tables and targets with the tasks in X, all new, and a module and sizes of those."""
    new, features, tasks = estimator._tables.for_new_tasks(X, estimator)
    rows = TrainingRows(features, tasks, *labels).canonical()
    targets = estimator._targets.for_new_tasks(rows, len(new.tasks))
    module = estimator.module_
    seeds = estimator._member_seeds(module.n_members)
    extended = module.for_new_tasks(len(new.tasks), _noise(estimator))
    plan = FitPlan(estimator, new, targets, [(rows, None)], seeds)
    plan.chosen = estimator._chosen
    result = train(
        [plan],
        extended,
        steps=PlainSteps(),
        max_steps=_MAX_STEPS,
        with_callbacks=False,
        record_affinity=False,
        finish=False,
    )
    keep_curvature(result.module, plan, [rows] * module.n_members)
    if estimator._sums is not None:
        sums = sums_of_new_tasks(estimator._sums, new, targets, rows, result.module)
        estimator._sums = sums
    tables, targets = estimator._tables.joined(new), estimator._targets.joined(targets)
    return tables, targets, result.module, rows_by_task(rows, len(new.tasks))


def _updated(estimator, X, *labels):
    """Return what `updated_embeddings` makes of rows of known tasks."""
    module, targets = estimator.module_, estimator._targets
    if module.curvatures() is None:
        raise ValueError(
            "this model was fitted by an earlier version, which did not keep how firmly tasks are "
            "known: call fit again to update known tasks with adapt. New tasks can be learned."
        )
    features, numbers, tasks, metadata = estimator._tables.known_rows(X, estimator)
    rows = TrainingRows(features, numbers, *labels).canonical()
    of_tasks = replace(rows, tasks=tasks[rows.tasks])
    targets.check_rows(of_tasks, estimator._tables.tasks, "y")
    query = PredictionRows(estimator._tables.scale(rows.features), rows.tasks, tasks, metadata)
    return _update(estimator, module, rows, query)


def _updated_levels(estimator, X, *labels):
    """Return tables and a module of several levels that know the ids of X, and learned from it."""
    tables, features, numbers, ids, metadata, n_new = estimator._tables.for_update(X, estimator)
    rows = TrainingRows(features, numbers, *labels).canonical()
    query = PredictionRows(tables.scale(rows.features), rows.tasks, ids, metadata)
    module = estimator.module_.with_new_ids(n_new)
    module.set_embeddings(*_update(estimator, module, rows, query))
    return tables, module


def _update(estimator, module, rows, query):
    """Return what `updated_embeddings` makes of rows, of which the query has what is predicted."""
    targets = estimator._targets
    offset, share = _base_outputs(estimator, query)
    of_rows = embedding_rows(targets, query, rows, module)
    of_rows.offset, of_rows.share = offset, share
    # above zero, so that what no row tells is determined
    pulls = module.pulls(_noise(estimator).clamp(min=_SMALLEST_NOISE))
    return updated_embeddings(module, of_rows, loss_of(targets, module), pulls)


def _base_outputs(estimator, query):
    """Return what the base adds to the outputs of the networks, or None, and their share."""
    blend, part = estimator._blend, estimator._targets.parts[0]
    if blend is None or blend.bases[0] is None:
        return None, 1.0
    weight = float(blend.weights[0])
    if weight == 1:
        raise ValueError(
            "the base learner alone predicts (base_weights_ is 1), and adapt changes networks "
            "only: call fit with base=None to learn from new rows of known tasks."
        )
    features = base_inputs(query.features, query.metadata, query.networks)
    (predicted,) = blend.predict(BaseRows(features, query.tasks[query.networks]))
    offset = torch.as_tensor(weight * part.outputs_for(predicted))
    return offset.to(estimator.module_.origin.device), 1 - weight


def can_adapt(plan, module):
    """Return whether embeddings of tasks alone can be learned after the fit of a plan."""
    if not plan.architecture.adapts or plan.targets.wide or plan.estimator.task_id is None:
        return False
    return any(table.shape[2] for table in module.tables())


@in_own_state
def remember_fit(module, plan):
    """Keep in a trained module how firmly its embeddings are known from the rows of its fit."""
    if can_adapt(plan, module):
        splits = plan.member_splits
        rows = [train if plan.refit is None else plan.refit for train, _ in splits]
        keep_curvature(module, plan, rows)


def keep_curvature(module, plan, rows):
    """Keep in a module how firmly embeddings are known from rows, one set for each member."""
    if all(own is rows[0] for own in rows):
        pairs = [(module, rows[0])]
    else:
        pairs = [(module.part([m]), own) for m, own in enumerate(rows)]
    by_member = []
    for part, own in pairs:
        of_rows = embedding_rows_of(part, plan, own)
        by_member.append(curvatures(part, of_rows, loss_of(plan.targets, part)))
    module.keep_curvatures([torch.cat(parts) for parts in zip(*by_member, strict=True)])


def _noise(estimator):
    """Return the strength of the pull on a new embedding, per member, from the remaining loss."""
    losses = estimator.history_.groupby("member")
    left = losses["valid_loss"].min().fillna(losses["train_loss"].last())
    left = torch.as_tensor(left.to_numpy(copy=True), dtype=torch.get_default_dtype())
    return estimator._targets.parts[0].noise(left)
