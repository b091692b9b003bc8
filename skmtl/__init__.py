"""skmtl: multi-task learning for tables, as scikit-learn estimators.

Public names are listed in ``__all__``; everything whose module starts with "_" is private.
"""

from skmtl._estimators.gumbel import GumbelMatrixClassifier, GumbelMatrixRegressor
from skmtl._estimators.hypernet import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor
from skmtl._estimators.multi_task import MultiTaskClassifier, MultiTaskRegressor
from skmtl._estimators.pareto import ParetoHypernet
from skmtl._persistence import load
from skmtl._version import __version__ as __version__
from skmtl.grouping import TaskGrouper

__all__ = [
    "GumbelMatrixClassifier",
    "GumbelMatrixRegressor",
    "MultiTaskClassifier",
    "MultiTaskHypernetClassifier",
    "MultiTaskHypernetRegressor",
    "MultiTaskRegressor",
    "ParetoHypernet",
    "TaskGrouper",
    "load",
]
