"""Run the training loop over the members of several fit plans, and distribute the result."""

import copy
import math
from dataclasses import replace

import numpy as np

from skmtl._estimators.blend import bases_alongside, held_out_predictions
from skmtl._estimators.choices import alternatives, choose, rival_numbers
from skmtl._estimators.importances import measure_importances
from skmtl._estimators.plan import (
    build_module,
    member_settings,
    per_member,
    stacked_criterion,
    stacked_rows,
)
from skmtl._estimators.pooling import finish_embeddings
from skmtl._estimators.warm_start import resume
from skmtl.exceptions import DivergenceError
from skmtl.training import (
    AffinityRecorder,
    MemberNet,
    OptimizerSettings,
    ProgressBar,
    StoppingSettings,
    check_callbacks,
)
from skmtl.training._device import in_own_state, own_state, resolve_device
from skmtl.training._schedule import Doubling, Replay, Schedule
from skmtl.training._time_limit import TimeLimit
from skmtl.weighting import get_weighting
from skmtl.weighting._affinity import get_affinity
from skmtl.weighting._base import CLASSES, REGRESSION


@in_own_state
def train(
    plans,
    module=None,
    *,
    steps=None,
    max_steps=None,
    with_callbacks=True,
    record_affinity=True,
    drop_diverged=False,
    finish=True,
):
    """Train the members of all plans, and once more on all rows for plans with `refit`.

    The plans have the same `FitPlan.key`. Where a plan has alternatives, all of them train, and
    those that validate best are kept: their settings are what the plan has `chosen` then. The
    `module` has the members of all alternatives in order; by default a new one is built. `steps`
    say how a step is made (by default, that of the estimators), and `max_steps` bounds the steps of
    the first plan, besides `max_iter` epochs. Callbacks and `record_affinity` are the estimator's,
    unless they are switched off. With `drop_diverged` training continues without a member that
    diverges, instead of raising an error. Embeddings are finished (see `finish_embeddings`) unless
    `finish` is False. Returns records of the validated run; module and state of
    the last run.
    """
    estimator = plans[0].estimator
    groups = [alternatives(plan) for plan in plans]
    stacked = [plan for group in groups for plan in group]
    module = build_module(stacked) if module is None else module
    bar = ProgressBar(runs=1 if plans[0].refit is None else 2)
    options = {"with_callbacks": with_callbacks, "max_steps": max_steps, "bar": bar}
    limit = TimeLimit(estimator.time_limit)
    start = None if plans[0].refit is None else copy.deepcopy(module)
    result = _run(
        stacked,
        module,
        estimator._steps(stacked) if steps is None else steps,
        affinity=get_affinity(estimator.record_affinity if record_affinity else None),
        rivals=rival_numbers(groups),
        deadlines=limit.deadlines(plans[0].refit is not None),
        drop_diverged=drop_diverged or len(stacked) > len(plans),
        **options,
    )
    # of all members, those that are not chosen included
    history = list(result.history)
    members = choose(plans, groups, _best_losses(result))
    if len(members) < result.n_members:
        result = replace(result.part(members, result.n_tasks), diverged=_renamed(result, members))
        if result.diverged and not drop_diverged:
            raise next(iter(result.diverged.values()))
        start, steps = start and start.part(members), None
    n_epochs = int(result.records["epoch"].max())
    if finish:
        finish_embeddings(plans, result)
    result = replace(result, held_out=_held_out(plans, result))
    if start is None or not limit.allows(int(result.best_epoch.max()) / n_epochs):
        bar.close()
        return result
    again = [replace(plan, splits=[(plan.refit, None)], refit=None) for plan in plans]
    # a member that has diverged at once has no best epoch
    best_epochs = result.best_epoch.clamp(min=1)
    schedule = _schedule(plans, max_steps)
    whole = _run(
        again,
        start,
        estimator._steps(again) if steps is None else steps,
        schedule=schedule.replay(best_epochs),
        last_epochs=schedule.lengths(best_epochs).tolist(),
        validated=history,
        deadlines=limit.end(),
        drop_diverged=drop_diverged,
        **options,
    )
    if finish:
        finish_embeddings(again, whole)
    return replace(
        result,
        module=whole.module,
        weighting_state=whole.weighting_state,
        diverged={**whole.diverged, **result.diverged},
    )


@in_own_state
def train_epochs(plans, like, best_epochs):
    """Train the members of plans for as many epochs as members of a plan `like` them were best.

    The plans have no validation rows, and `best_epochs` (M,) are of their members. A member that
    diverges is dropped.
    """
    schedule = last_epochs = None
    if like.valid is not None:
        schedule = _schedule([like])
        last_epochs = schedule.lengths(best_epochs).tolist()
        schedule = schedule.replay(best_epochs)
    return _run(
        plans,
        build_module(plans),
        plans[0].estimator._steps(plans),
        schedule=schedule,
        last_epochs=last_epochs,
        with_callbacks=False,
        drop_diverged=True,
    )


def _best_losses(result):
    """Return the smallest validation loss of each member, infinite for those that diverged."""
    losses = np.full(result.n_members, np.inf)
    np.fmin.at(losses, result.records["member"], result.records["valid_loss"])
    losses[list(result.diverged)] = np.inf
    return losses


def _renamed(result, members):
    """Return the errors of members that are kept, by their new numbers."""
    errors = {}
    for number, member in enumerate(members):
        if member in result.diverged:
            message = str(result.diverged[member])
            before = f"member {member} of {result.n_members}"
            message = message.replace(before, f"member {number} of {len(members)}")
            errors[number] = type(result.diverged[member])(message, (number,))
    return errors


def train_plan(plan):
    """Train the members of one plan, and those of its plan for new tasks; return their results.

    With ``warm_start`` the fit continues that of the estimator.
    """
    estimator, new = plan.estimator, plan.new_tasks
    # callbacks watch the members that the caller knows of
    plans = [plan] if estimator.callbacks else plan.parts
    module = steps = None
    if estimator.warm_start and hasattr(estimator, "module_"):
        plan.chosen = estimator._chosen
        module = build_module(plans)
        resume(module, estimator.module_)
        # tasks that `adapt` has learned since are not in it: then all start afresh
        method = get_weighting(estimator.task_weighting)
        steps = estimator._steps(plans, estimator._record.state_for(method, plan.tables.n_tasks))
    elif estimator.callbacks and len(alternatives(plan)) > 1:
        trial = replace(plan, refit=None)
        train([trial], with_callbacks=False)
        plan.chosen, plan.seeds, plan.splits = trial.chosen, trial.seeds, trial.splits
    # by now the plan has the splits that its members train on
    with bases_alongside(plan):
        try:
            result = train(plans, module, steps=steps)
        except DivergenceError as error:
            n_trained = sum(len(part.seeds) for part in plans)
            raise error_as_alone(error, n_trained, 0, len(plan.seeds)) from None
        if new is not None and len(plans) == 1:
            return result, train([new], with_callbacks=False)
    return parts_of([plan], result)[0]


def error_as_alone(error, n_trained, first, n_members):
    """Return the error that a fit of `n_members` raises alone, with its own member numbers.

    Its members begin at number `first` of the `n_trained`; those for new tasks follow, as many or a
    multiple, and are named by the number of the member that they belong to.
    """
    own = tuple(dict.fromkeys((member - first) % n_members for member in error.members))
    together = f"member {error.members[0]} of {n_trained}"
    return type(error)(str(error).replace(together, f"member {own[0]} of {n_members}"), own)


def _held_out(plans, result):
    """Return what members of plans with a base learner predict for their validation rows.

    The importances of columns, which the same rows show, are kept in the plans.
    """
    predicted, first = [], 0
    for plan in plans:
        members = range(first, first + len(plan.seeds))
        measured = plan.for_reports and plan.estimator._has_importances and plan.valid is not None
        # columns are shuffled within tasks, which combinations of ids are not
        measured = measured and not plan.tables.level_sizes
        blended = bool(plan.bases) and plan.valid is not None
        if measured or blended:
            module = result.part(members, *plan.sizes).module
        if measured:
            plan.importances = measure_importances(plan, module)
        if blended:
            with own_state():
                predicted.extend(held_out_predictions(plan, module))
        else:
            predicted.extend([None] * len(members))
        first = members.stop
    return predicted


@in_own_state
def train_together(plans, padding_plans=()):
    """Train plans with one key in parallel, and `padding_plans` whose members are discarded."""
    parts = [part for plan in plans for part in plan.parts]
    result = train([*parts, *padding_plans], with_callbacks=False)
    for plan, parts in zip(plans, parts_of(plans, result), strict=True):
        plan.estimator._finish(plan, *parts)


def parts_of(plans, result):
    """Return the results of each plan, and of its plan for new tasks if there is one, as tuples."""
    if len(plans) == 1 and len(plans[0].parts) == 1:
        return [(result,)]
    parts, first = [], 0
    for plan in plans:
        own = []
        for part in plan.parts:
            members = range(first, first + len(part.seeds))
            own.append(result.part(members, *part.sizes))
            first = members.stop
        parts.append(tuple(own))
    return parts


def _run(
    plans,
    module,
    steps,
    *,
    max_steps=None,
    affinity=None,
    schedule=None,
    last_epochs=None,
    validated=None,
    rivals=(None, None),
    deadlines=(),
    bar=None,
    with_callbacks,
    drop_diverged,
):
    """Run the loop once, perhaps up to given epochs of each member."""
    first, estimator = plans[0], plans[0].estimator
    device = resolve_device(estimator.device)
    seeds = np.concatenate([plan.seeds for plan in plans])
    callbacks = estimator.callbacks if with_callbacks else None
    callbacks = check_callbacks(callbacks, len(seeds), refit=last_epochs is not None)
    if estimator.verbose:
        callbacks.append(ProgressBar() if bar is None else bar)
    max_epochs = _max_epochs(first, max_steps)
    table, train_rows, valid_rows = stacked_rows(plans)
    loop_settings = first.architecture.loop_settings(member_settings(plans))
    optimizer_settings = OptimizerSettings(
        learning_rate=per_member(plans, "learning_rate_init"),
        weight_decay=per_member(plans, "alpha"),
        averaging=per_member(plans, "weight_averaging"),
        clip_norm=loop_settings.pop("clip_norm", None),
    )
    net = MemberNet(
        module.to(device),
        seeds=seeds,
        criterion=stacked_criterion(plans),
        steps=steps,
        observer=None if affinity is None else AffinityRecorder(affinity),
        optimizer_settings=optimizer_settings,
        stopping=StoppingSettings(estimator.n_iter_no_change, estimator.tol, last_epochs, *rivals),
        schedule=_schedule(plans, max_steps) if schedule is None else schedule,
        task_sampling=estimator.task_sampling,
        batch_size=[plan.batch_rows(rows) for plan in plans for rows, _ in plan.member_splits],
        max_epochs=max_epochs,
        validated=validated,
        device=str(device),
        callbacks=callbacks,
        drop_diverged=drop_diverged,
        deadlines=deadlines,
        **loop_settings,
    )
    with own_state():
        return net.fit_members(
            table.to(device),
            train_rows,
            None if first.valid is None else valid_rows,
            n_labels=[rows.n_labels for plan in plans for rows, _ in plan.member_splits],
        )


def _max_epochs(plan, max_steps=None):
    """Return the largest number of epochs, or as many as `max_steps` need."""
    if max_steps is None:
        return plan.estimator.max_iter
    n_batches = math.ceil(len(plan.train) / plan.batch_rows())
    return min(plan.estimator.max_iter, math.ceil(max_steps / n_batches))


def _schedule(plans, max_steps=None):
    """Return the schedule of the learning rate."""
    first = plans[0]
    n_epochs = _max_epochs(first, max_steps)
    if getattr(first.estimator, "learning_rate", "constant") == "constant":
        return Schedule()
    if first.valid is None:
        return Replay.of_length(n_epochs, sum(len(plan.seeds) for plan in plans))
    return Doubling(n_epochs)


def bound_weighting(plans):
    """Return the method of task weighting, bound to the tasks of every member."""
    first = plans[0]
    if first.tables.level_sizes:
        # combinations of ids have no weights
        return get_weighting(first.estimator.task_weighting)
    tasks = [plan.tables.tasks for plan in plans for _ in plan.seeds]
    types = [REGRESSION if part.kind == "regression" else CLASSES for part in first.targets.parts]
    if not first.targets.wide:
        types *= max(len(labels) for labels in tasks)
    return get_weighting(first.estimator.task_weighting).bind(tasks, types)
