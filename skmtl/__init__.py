"""skmtl: multi-task learning for tables, as scikit-learn estimators.

Public names are listed in ``__all__``; everything whose module starts with "_" is private.
"""

from skmtl.grouping import TaskGrouper
from skmtl.gumbel import GumbelMatrixClassifier, GumbelMatrixRegressor
from skmtl.hypernet import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor

__all__ = [
    "GumbelMatrixClassifier",
    "GumbelMatrixRegressor",
    "MultiTaskHypernetClassifier",
    "MultiTaskHypernetRegressor",
    "TaskGrouper",
]
__version__ = "0.1.0.dev0"
