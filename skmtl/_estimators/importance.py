"""Importance of metadata: how much worse a score is when a column is shuffled between tasks."""

import copy
from numbers import Integral

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.reports import importance_table


def metadata_importance(estimator, X, y, *, scoring, n_repeats, sample_weight, random_state):
    """Return the importance of each column of metadata, see the method of the same name."""
    check_is_fitted(estimator, "module_")
    if not estimator._tables.metadata_names:
        raise ValueError(
            "there is no metadata to shuffle: this model was fitted with metadata=None."
        )
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be an int of at least 1, got {n_repeats!r}.")
    generator = check_random_state(random_state)
    scorer = check_scoring(estimator, scoring=scoring)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    shuffled = copy.copy(estimator)
    before = scorer(estimator, X, y, **weights)
    decreases = []
    for column in range(len(estimator._tables.metadata_names)):
        scores = []
        for _ in range(n_repeats):
            changed, shuffled.metadata = estimator._tables.permuted(X, estimator, column, generator)
            scores.append(before - scorer(shuffled, changed, y, **weights))
        decreases.append((np.mean(scores), np.std(scores)))
    by_level = bool(estimator._tables.level_sizes)
    return importance_table(decreases, estimator._tables.metadata_names, by_level)
