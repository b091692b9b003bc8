"""Names that a method of task weighting can be passed by."""

from __future__ import annotations

from collections.abc import Callable

# what each name stands for, filled by the files of the methods
METHODS: dict[str, Callable] = {}


def register(name: str, **parameters):
    """Make a class available under a name.

    Parameters
    ----------
    name : str
        What a user passes to ``task_weighting``.
    **parameters
        Arguments of the constructor that the name stands for.

    Returns
    -------
    callable
        Decorator of a class, which it returns unchanged.
    """

    def decorate(cls):
        METHODS[name] = lambda: cls(**parameters)
        return cls

    return decorate
