"""The only imports of names that scikit-learn keeps private; a test reads all other files.

When scikit-learn moves or renames one of them, this is the file to change.
"""

from sklearn.metrics._scorer import _MultimetricScorer
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

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_MultimetricScorer",
    "_check_method_params",
    "_check_sample_weight",
    "_insert_error_scores",
    "_num_samples",
    "_safe_indexing",
    "_safe_split",
    "_score",
    "_set_random_states",
    "_warn_or_raise_about_fit_failures",
    "validate_parameter_constraints",
]


def _set_random_states(estimator, random_state):
    """Set every `random_state` of an estimator and of those in it, as ensembles do."""
    # here, since it loads all forests, for which nothing else has a use
    from sklearn.ensemble._base import _set_random_states

    _set_random_states(estimator, random_state)
