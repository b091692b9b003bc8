"""Tasks that were never seen: members that hold out whole tasks, and predict such tasks."""

from dataclasses import replace
from math import ceil

from skmtl._estimators.choices import first_choice, n_kept
from skmtl.nn import member_generators

# tasks from which on some are held out for new ones
_FEWEST_TASKS = 8
# members that hold out different tasks, at least: one split of few tasks is a poor judge of the
# epoch and of the shares of base learners, see benchmarks/recipe/LOG.md
_FEWEST_SPLITS = 3


def n_seeds(estimator):
    """Return how many seeds the members of a fit use, with those that hold out tasks."""
    n_members = n_kept(estimator)
    return n_members * (1 + ceil(_FEWEST_SPLITS / n_members))


def new_task_seeds(estimator):
    """Return one seed for each member that holds out tasks, after those of the other members."""
    return estimator._member_seeds(n_seeds(estimator))[n_kept(estimator) :]


def plan_new_tasks(plan, rows, X_val=None):
    """Return a plan of members that hold out tasks, or None if that is not wanted or possible.

    A member that validates on tasks it did not train on stops when it is best for such tasks, which
    is often much earlier than for known ones.
    """
    estimator, wanted = plan.estimator, plan.estimator.hold_out_tasks
    if plan.tables.level_sizes:
        # each id that is new may come with known ones of other levels; see `check_levels`
        return None
    if not wanted or (wanted == "auto" and estimator.preset == "fast"):
        return None
    n_tasks = 0 if rows.shared_rows or estimator.task_id is None else plan.tables.n_tasks
    predictable = plan.tables.n_metadata > 0 or estimator.unseen_tasks == "average"
    possible = predictable and n_tasks >= _FEWEST_TASKS and bool(estimator.early_stopping)
    if wanted is True and not possible:
        raise ValueError(
            f"hold_out_tasks=True needs at least {_FEWEST_TASKS} tasks in long form, validation "
            "(early_stopping), and metadata or unseen_tasks='average', without which new tasks are "
            f"not predicted; there are {n_tasks} tasks. Use hold_out_tasks='auto' or False."
        )
    obstacles = {
        "X_val (let it have the tasks that are to be predicted best)": X_val is not None,
        "warm_start=True": estimator.warm_start,
        "a validation_fraction that holds out no rows": plan.valid is None,
    }
    for obstacle in (name for name, present in obstacles.items() if present):
        if wanted is True:
            raise ValueError(
                f"hold_out_tasks=True cannot be used with {obstacle}; pass hold_out_tasks=False."
            )
        return None
    if not possible:
        return None
    seeds = new_task_seeds(estimator)
    splits = [
        rows.split_tasks(estimator.validation_fraction, generator)
        for generator in member_generators(seeds, "validation")
    ]
    # held-out tasks are too few to choose settings, see benchmarks/recipe/LOG.md
    usual = first_choice(plan)
    return replace(plan, splits=splits, seeds=seeds, holds_out_tasks=True, chosen=usual)
