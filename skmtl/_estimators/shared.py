"""Parameters that constructors share, without being typed in each of them; and where fits keep
their checkpoints.
"""

import inspect
from functools import wraps
from numbers import Integral, Real

from skmtl._persistence import checkpointing
from skmtl._sklearn_compat import HasMethods, Interval, StrOptions
from skmtl.weighting import Affinity, TaskWeighting

# of all estimators and of searches: defaults, and what is allowed
SHARED_PARAMETERS = {"checkpoint_dir": None}
SHARED_CONSTRAINTS = {"checkpoint_dir": [str, HasMethods(["__fspath__"]), None]}

# of estimators, unless they say that they lack one
ESTIMATOR_PARAMETERS = {
    **SHARED_PARAMETERS,
    "task_levels": "joint",
    "missing_id": "error",
    "intervals": False,
    "interval_time": None,
}

# of all estimators
CONSTRAINTS = {
    **SHARED_CONSTRAINTS,
    "task_levels": [StrOptions({"joint", "crossed", "nested"})],
    "missing_id": [StrOptions({"error", "average"})],
    "intervals": ["boolean", StrOptions({"known", "new"})],
    "interval_time": [str, Integral, None],
    "task_id": [str, Integral, "array-like", None],
    "metadata": [str, Integral, "array-like", HasMethods(["to_pandas"]), dict, None],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like"],
    "task_types": [StrOptions({"infer"}), dict],
    "task_sampling": [StrOptions({"rows", "tasks", "sqrt"})],
    # a Weighting of TorchJD is a callable; `get_weighting` looks closer
    "task_weighting": [str, tuple, list, TaskWeighting, callable],
    "record_affinity": ["boolean", Interval(Integral, 1, None, closed="left"), Affinity],
    "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "hold_out_tasks": ["boolean", StrOptions({"auto"})],
    "learning_rate": [StrOptions({"constant", "annealed"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "weight_averaging": [Interval(Real, 0, 1, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean", StrOptions({"refit"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "unseen_tasks": [StrOptions({"error", "average"}), dict],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "device": [str],
    "callbacks": [list, tuple, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def with_parameters(constructor, last=("random_state", "verbose"), **defaults):
    """Return a constructor with further keyword parameters, stored as scikit-learn wants it.

    They come after its own, except for keywords that are named `last`.
    """
    signature = inspect.signature(constructor)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in defaults.items()
        if name not in signature.parameters
    ]

    @wraps(constructor)
    def __init__(self, *args, **kwargs):
        values = {p.name: kwargs.pop(p.name, p.default) for p in added}
        constructor(self, *args, **kwargs)
        vars(self).update(values)

    parameters = [*signature.parameters.values(), *added]
    # sorting is stable
    parameters.sort(key=lambda p: (p.kind, p.kind is p.KEYWORD_ONLY and p.name in last))
    # scikit-learn reads the names of parameters from it
    __init__.__signature__ = signature.replace(parameters=parameters)
    return __init__


def check_resumable(estimator):
    """Refuse an estimator whose fit cannot go on after an interruption."""
    name = type(estimator).__name__
    if estimator.callbacks:
        raise ValueError(
            "checkpoint_dir cannot be used with callbacks, whose state only they know; use one of "
            "the two."
        )
    if estimator.random_state is None:
        raise ValueError(
            f"checkpoint_dir needs a random_state: with None, another call of {name}.fit has other "
            "random numbers, and finds no checkpoint."
        )


def fit_checkpoints(estimator):
    """Return a context in which the fit of an estimator keeps checkpoints, if it has a folder."""
    if estimator.checkpoint_dir is not None:
        estimator._validate_params()
        check_resumable(estimator)
    return checkpointing(estimator.checkpoint_dir)
