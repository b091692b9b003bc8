"""Several levels of ids: the tables of an estimator, and what cannot be combined with levels."""

from numbers import Real

import numpy as np

from skmtl._data.level_tables import LevelTables, by_level
from skmtl._data.messages import label_text
from skmtl._data.tables import TaskTables
from skmtl.weighting import get_weighting

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
    reasons = {
        "task_sampling": ("rows", "draws tasks"),
        "record_affinity": (False, "records steps of tasks"),
        "hold_out_tasks": ((False, "auto"), "holds out tasks"),
    }
    for name, (allowed, what) in reasons.items():
        value = getattr(estimator, name)
        allowed = allowed if isinstance(allowed, tuple) else (allowed,)
        if not any(value is one or value == one for one in allowed):
            raise ValueError(
                f"{name}={value!r} {what}, but with task_levels={levels!r} rows belong to ids of "
                f"several levels; leave it at {allowed[-1]!r}."
            )
    if not _is_equal(estimator.task_weighting):
        raise ValueError(
            f"task_weighting={estimator.task_weighting!r} weighs tasks, but with "
            f"task_levels={levels!r} rows belong to ids of several levels; leave it at 'equal', "
            "and use sample_weight to weigh rows."
        )
    names = list(task_id)
    for name in _BY_LEVEL:
        values = by_level(_value(estimator, name), names, name)
        allowed = {"unseen_tasks": ("error", "average")}.get(name)
        wrong = [v for v in values if allowed and v is not None and v not in allowed]
        if wrong:
            raise ValueError(f"{name} must be 'error' or 'average' by level, got {wrong[0]!r}.")
        if name == "embedding_dim" and levels == "nested" and len(set(values)) > 1:
            raise ValueError(
                "nested levels share an embedding_dim, because an inner embedding is its outer one "
                f"and a deviation; got {estimator.get_params()[name]!r}. Use one number."
            )
        by_name = name == "embedding_alpha" and isinstance(_value(estimator, name), dict)
        if by_name and not all(isinstance(value, Real) or value is None for value in values):
            raise ValueError(
                "embedding_alpha is 'estimated' for all levels or a number for each, got "
                f"{_value(estimator, name)!r}."
            )
        missing = [n for n, v in zip(names, values, strict=True) if v is None]
        if missing and name != "unseen_tasks":
            raise ValueError(f"{name} has no value for the level {label_text(missing[0])}.")


def _is_equal(weighting):
    return getattr(get_weighting(weighting), "unweighted", False)
