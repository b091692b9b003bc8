"""Several levels of ids: the tables of an estimator, and what cannot be combined with levels."""

from numbers import Real

import numpy as np

from skmtl._data.level_tables import LevelTables, by_level
from skmtl._data.messages import label_text
from skmtl._data.tables import TaskTables
from skmtl.weighting import get_weighting

# parameters that are about tasks: values that say nothing, and what others do
_OF_TASKS = {
    "task_sampling": (("rows",), "draws tasks"),
    "record_affinity": ((False,), "records steps of tasks"),
    "hold_out_tasks": (("auto", False), "holds out tasks"),
}
# parameters of hypernetworks that may be a dict by level
_BY_LEVEL = ("unseen_tasks", "embedding_dim", "embedding_alpha", "embedding_init")


def make_tables(estimator):
    """Return tables, not yet fitted, for the ids of an estimator."""
    settings = estimator.task_id, estimator.metadata, estimator.categorical_features
    if estimator.task_levels == "joint":
        _refuse_dicts(estimator)
        return TaskTables(*settings)
    _check_levels(estimator)
    return LevelTables(*settings, estimator.task_levels == "nested", estimator.missing_id)


def _value(estimator, name):
    """Return a parameter of the estimator or of its architecture, or None."""
    owner = estimator if hasattr(estimator, name) else estimator._architecture()
    return getattr(owner, name, None)


def _refuse_dicts(estimator):
    """Refuse parameters by level where there is one level."""
    metadata, names = estimator.metadata, np.atleast_1d(np.array(estimator.task_id, dtype=object))
    if isinstance(metadata, dict) and metadata and all(key in list(names) for key in metadata):
        raise ValueError(
            "metadata is a dict by level, but task_levels='joint' makes one task of all columns of "
            "task_id; use task_levels='crossed' or 'nested', or one list or table."
        )
    for name in _BY_LEVEL:
        if isinstance(_value(estimator, name), dict):
            raise ValueError(
                f"{name} is a dict by level, but task_levels='joint' makes one task of all columns "
                "of task_id; use task_levels='crossed' or 'nested', or one value."
            )


def _check_levels(estimator):
    """Raise an error for parameters that make no sense with several levels."""
    levels, task_id = estimator.task_levels, estimator.task_id
    if np.ndim(task_id) != 1 or len(task_id) < 2:
        raise ValueError(
            f"task_levels={levels!r} is for several columns of ids, such as task_id=['student', "
            f"'lecturer']; got task_id={task_id!r}. Use task_levels='joint' for one."
        )
    architecture = estimator._architecture()
    if not architecture.several_levels:
        raise ValueError(
            f"{type(architecture).__name__} has no levels, so that task_levels={levels!r} cannot "
            "be used: take MultiTaskHypernetRegressor or MultiTaskHypernetClassifier, or "
            "task_levels='joint', with which every combination of ids is a task."
        )
    for name, (allowed, what) in _OF_TASKS.items():
        value = getattr(estimator, name)
        if value not in allowed:
            raise ValueError(
                f"{name}={value!r} {what}, but with task_levels={levels!r} rows belong to ids of "
                f"several levels; leave it at {allowed[0]!r}."
            )
    if not _is_equal(estimator.task_weighting):
        raise ValueError(
            f"task_weighting={estimator.task_weighting!r} weighs tasks, but with "
            f"task_levels={levels!r} rows belong to ids of several levels; leave it at 'equal', "
            "and use sample_weight to weigh rows."
        )
    given = {name: _value(estimator, name) for name in _BY_LEVEL}
    for name, value in given.items():
        # another architecture need not have all of them
        if value is not None:
            _check_by_level(name, value, list(task_id), levels)


def _check_by_level(name, value, names, levels):
    """Check a parameter that may be a dict by level."""
    values = by_level(value, names, name)
    if name == "unseen_tasks":
        wrong = [how for how in values if how not in ("error", "average", None)]
        if wrong:
            raise ValueError(f"{name} must be 'error' or 'average' by level, got {wrong[0]!r}.")
        return
    if None in values:
        lacking = label_text(names[values.index(None)])
        raise ValueError(f"{name} has no value for the level {lacking}.")
    if name == "embedding_dim" and levels == "nested" and len(set(values)) > 1:
        raise ValueError(
            "nested levels share an embedding_dim, because an inner embedding is its outer one "
            f"and a deviation; got {value!r}. Use one number."
        )
    by_name = name == "embedding_alpha" and isinstance(value, dict)
    if by_name and not all(isinstance(alpha, Real) for alpha in values):
        raise ValueError(
            f"embedding_alpha is 'estimated' for all levels or a number for each, got {value!r}."
        )


def _is_equal(weighting):
    return getattr(get_weighting(weighting), "unweighted", False)
