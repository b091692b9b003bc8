"""Training: run the loop over the members of several jobs, and give each estimator its part."""

import copy
import math
from dataclasses import replace

import numpy as np

from skmtl._estimators.plan import (
    build_module,
    member_settings,
    per_member,
    stacked_criterion,
    stacked_rows,
)
from skmtl.training import (
    AffinityRecorder,
    MemberNet,
    OptimizerSettings,
    ProgressBar,
    StoppingSettings,
    check_callbacks,
)
from skmtl.training._device import one_thread, resolve_device
from skmtl.weighting import get_weighting
from skmtl.weighting._affinity import get_affinity
from skmtl.weighting._base import CLASSES, REGRESSION


def train(
    jobs,
    module,
    *,
    steps=None,
    max_steps=None,
    with_callbacks=True,
    record_affinity=True,
    drop_diverged=False,
):
    """Run the loop over the members of all jobs, twice for jobs that say what to refit on.

    Parameters
    ----------
    jobs : list of Job
        Of the same `Job.key`.
    module : MemberModule
        With the members of all jobs, in their order.
    steps : Steps, optional
        How a step is made; by default that of the estimators.
    max_steps : int, optional
        Bound on the steps of the first job, besides `max_iter` epochs.
    with_callbacks : bool
        Whether the caller's callbacks see it.
    record_affinity : bool
        Whether affinity is recorded if the estimator says so.
    drop_diverged : bool
        Whether to continue without a member that diverges, instead of raising an error.

    Returns
    -------
    TrainingResult
        Records are those of the run that was validated, module and state those of the last run.
    """
    steps = jobs[0].estimator._steps(jobs) if steps is None else steps
    options = {"with_callbacks": with_callbacks, "drop_diverged": drop_diverged}
    start = None if jobs[0].refit is None else copy.deepcopy(module)
    affinity = jobs[0].estimator.record_affinity if record_affinity else None
    result = _run(
        jobs, module, steps, max_steps=max_steps, affinity=get_affinity(affinity), **options
    )
    if start is None:
        return result
    again = [replace(job, splits=[(job.refit, None)], refit=None) for job in jobs]
    # a member that has diverged at once has no best epoch
    last_epochs = result.best_epoch.clamp(min=1).tolist()
    whole = _run(
        again, start, steps, last_epochs=last_epochs, validated=list(result.history), **options
    )
    return replace(
        result,
        module=whole.module,
        weighting_state=whole.weighting_state,
        diverged={**whole.diverged, **result.diverged},
    )


def train_together(jobs, company=()):
    """Train jobs side by side, and let each estimator keep its part.

    Parameters
    ----------
    jobs : list of Job
        Of the same `Job.key`.
    company : list of Job
        More of them, which train along and are forgotten.
    """
    everyone = [*jobs, *company]
    result = train(everyone, build_module(everyone), with_callbacks=False)
    first = 0
    for job in jobs:
        members = range(first, first + len(job.seeds))
        job.estimator._finish(job, result.part(members, len(job.tables.tasks)))
        first = members.stop


def _run(
    jobs,
    module,
    steps,
    *,
    max_steps=None,
    affinity=None,
    last_epochs=None,
    validated=None,
    with_callbacks,
    drop_diverged,
):
    """Run the loop once; `last_epochs` are those of each member, `validated` an earlier history."""
    first, estimator = jobs[0], jobs[0].estimator
    device = resolve_device(estimator.device)
    seeds = np.concatenate([job.seeds for job in jobs])
    own = estimator.callbacks if with_callbacks else None
    callbacks = check_callbacks(own, len(seeds), refit=last_epochs is not None)
    if estimator.verbose:
        callbacks.append(ProgressBar(type(estimator).__name__))
    max_epochs = estimator.max_iter
    if max_steps is not None:
        n_batches = math.ceil(len(first.train) / first.batch_rows())
        max_epochs = min(max_epochs, math.ceil(max_steps / n_batches))
    table, train_rows, valid_rows = stacked_rows(jobs)
    loop_settings = first.architecture.loop_settings(member_settings(jobs))
    optimizer_settings = OptimizerSettings(
        learning_rate=per_member(jobs, "learning_rate_init"),
        weight_decay=per_member(jobs, "alpha"),
        averaging=per_member(jobs, "weight_averaging"),
        clip_norm=loop_settings.pop("clip_norm", None),
    )
    net = MemberNet(
        module.to(device),
        seeds=seeds,
        criterion=stacked_criterion(jobs),
        steps=steps,
        observer=None if affinity is None else AffinityRecorder(affinity),
        optimizer_settings=optimizer_settings,
        stopping=StoppingSettings(estimator.n_iter_no_change, estimator.tol, last_epochs),
        task_sampling=estimator.task_sampling,
        batch_size=[job.batch_rows(rows) for job in jobs for rows, _ in job.member_splits],
        max_epochs=max_epochs,
        validated=validated,
        device=str(device),
        callbacks=callbacks,
        drop_diverged=drop_diverged,
        **loop_settings,
    )
    with one_thread():
        return net.fit_members(
            table.to(device),
            train_rows,
            None if first.valid is None else valid_rows,
            n_labels=[rows.n_labels for job in jobs for rows, _ in job.member_splits],
        )


def bound_weighting(jobs):
    """Return the method of task weighting of some jobs, which knows the tasks of every member."""
    first = jobs[0]
    tasks = [job.tables.tasks for job in jobs for _ in job.seeds]
    types = [REGRESSION if part.kind == "regression" else CLASSES for part in first.targets.parts]
    if not first.targets.wide:
        types *= max(len(labels) for labels in tasks)
    return get_weighting(first.estimator.task_weighting).bind(tasks, types)


def resume(module, trained):
    """Copy the weights of a previous fit into an untrained module of the same shapes."""
    state = dict(trained.named_parameters())
    shapes = {name: p.shape for name, p in module.named_parameters()}
    changed = [
        name
        for name in {*shapes, *state}
        if shapes.get(name) != getattr(state.get(name), "shape", None)
    ]
    if changed:
        raise ValueError(
            "warm_start=True continues the previous fit, but parameters that decide the shape "
            f"of {changed[0]!r} have changed since; set warm_start=False to start afresh."
        )
    for name, parameter in module.named_parameters():
        parameter.data = state[name].detach().to(parameter, copy=True)
    for name in module.resumed_buffers:
        buffer = getattr(module, name)
        setattr(module, name, getattr(trained, name).to(buffer, copy=True))
