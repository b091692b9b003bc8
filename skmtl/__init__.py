"""skmtl: multi-task learning for tables, as scikit-learn estimators.

Public names are listed in ``__all__``; everything whose module starts with "_" is private. A name
is imported when it is first used: ``import skmtl`` alone does not wait for torch or scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skmtl._version import __version__ as __version__

if TYPE_CHECKING:
    from skmtl._estimators.gumbel import GumbelMatrixClassifier, GumbelMatrixRegressor
    from skmtl._estimators.hypernet import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor
    from skmtl._estimators.multi_task import MultiTaskClassifier, MultiTaskRegressor
    from skmtl._estimators.pareto import ParetoHypernet
    from skmtl._persistence import load
    from skmtl.grouping import TaskGrouper
    from skmtl.model_selection._compare import compare

__all__ = [
    "GumbelMatrixClassifier",
    "GumbelMatrixRegressor",
    "MultiTaskClassifier",
    "MultiTaskHypernetClassifier",
    "MultiTaskHypernetRegressor",
    "MultiTaskRegressor",
    "ParetoHypernet",
    "TaskGrouper",
    "compare",
    "load",
]

_MODULES = {
    "GumbelMatrixClassifier": "_estimators.gumbel",
    "GumbelMatrixRegressor": "_estimators.gumbel",
    "MultiTaskClassifier": "_estimators.multi_task",
    "MultiTaskHypernetClassifier": "_estimators.hypernet",
    "MultiTaskHypernetRegressor": "_estimators.hypernet",
    "MultiTaskRegressor": "_estimators.multi_task",
    "ParetoHypernet": "_estimators.pareto",
    "TaskGrouper": "grouping",
    "compare": "model_selection._compare",
    "load": "_persistence",
}
_PACKAGES = (
    "architectures",
    "callbacks",
    "datasets",
    "display",
    "exceptions",
    "grouping",
    "metrics",
    "model_selection",
    "nn",
    "training",
    "weighting",
)


def __getattr__(name):
    if name in _PACKAGES:
        return import_module(f"skmtl.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'skmtl' has no attribute {name!r}")
    # all at once: `load` has to know every class that a file may hold
    for public, module in _MODULES.items():
        globals()[public] = getattr(import_module(f"skmtl.{module}"), public)
    return globals()[name]


def __dir__():
    return sorted({*globals(), *__all__, *_PACKAGES})
