"""The only imports of names that scikit-learn keeps private; a test reads all other files.

When scikit-learn moves or renames one of them, this is the file to change.
"""

from itertools import pairwise

import numpy as np
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _check_sample_weight, _num_samples

# rows that stay in the cache while all trees pass over them
_ROWS_OF_TREES = 2**12

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_BaseScorer",
    "_MultimetricScorer",
    "_PassthroughScorer",
    "_check_method_params",
    "_check_sample_weight",
    "_insert_error_scores",
    "_num_samples",
    "_safe_indexing",
    "_safe_split",
    "_score",
    "_set_random_states",
    "_warn_or_raise_about_fit_failures",
    "boosted_nodes",
    "predict_trees",
    "validate_parameter_constraints",
]


def _set_random_states(estimator, random_state):
    """Set every `random_state` of an estimator and of those in it, as ensembles do."""
    # here, since it loads all forests, for which nothing else has a use
    from sklearn.ensemble._base import _set_random_states

    _set_random_states(estimator, random_state)


def boosted_nodes(model, n_iterations=None):
    """Return the nodes of the trees of fitted boosting, and its baseline of shape (1, K)."""
    nodes = [tree.nodes for iteration in model._predictors[:n_iterations] for tree in iteration]
    return nodes, np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1, -1)


def predict_trees(nodes, starts, baseline, X):
    """Sum the leaves of trees for rows X (n, d), of each output: shape (n, K).

    `nodes` are arrays by field, of trees that begin at `starts`, as of `boosted_nodes`.
    """
    # imported when they are needed: the package of boosting takes long
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    joined = np.zeros(len(nodes["value"]), dtype=PREDICTOR_RECORD_DTYPE)
    for name, values in nodes.items():
        joined[name] = values
    X = np.ascontiguousarray(X, dtype=np.float64)
    # columns are numbers: no categories are known
    none = np.zeros((0, 8), dtype=np.uint32)
    positions = np.zeros(X.shape[1], dtype=np.uint32)
    sums = np.repeat(baseline, len(X), axis=0)
    trees = [TreePredictor(joined[a:b], none, none) for a, b in pairwise(starts)]
    for first in range(0, len(X), _ROWS_OF_TREES):
        rows = slice(first, first + _ROWS_OF_TREES)
        for number, tree in enumerate(trees):
            sums[rows, number % sums.shape[1]] += tree.predict(X[rows], none, positions, 1)
    return sums
