"""Parameters that constructors share, without being typed in each of them; and where fits keep
their checkpoints.
"""

import inspect
from functools import wraps

from skmtl._persistence import checkpointing
from skmtl._sklearn_compat import HasMethods

# of all estimators and of searches: defaults, and what is allowed
SHARED_PARAMETERS = {"checkpoint_dir": None}
SHARED_CONSTRAINTS = {"checkpoint_dir": [str, HasMethods(["__fspath__"]), None]}


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
