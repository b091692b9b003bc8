"""Tables, estimators and splits of all parts of the study."""

import numpy as np

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.model_selection import TaskKFold

N_FOLDS = 4


def cubic():
    """Return the 20 polynomials of 10 rows."""
    return make_cubic(n_tasks=20, n_rows=10, random_state=0)


def model_of(bunch, device="cpu", **settings):
    """Return the default estimator, on a device that does not depend on the machine."""
    return MultiTaskHypernetRegressor(
        task_id=bunch.task_id, metadata=bunch.metadata, random_state=0, device=device, **settings
    )


def grid(n_candidates):
    """Return candidates that differ in learning rate and weight decay."""
    n_rates = int(np.sqrt(n_candidates))
    while n_candidates % n_rates:
        n_rates -= 1
    return {
        "learning_rate_init": np.geomspace(5e-4, 5e-3, n_rates).tolist(),
        "alpha": np.geomspace(1e-5, 1e-1, n_candidates // n_rates).tolist(),
    }


def folds(bunch):
    """Return the same splits for every search."""
    return TaskKFold(bunch.task_id, N_FOLDS, shuffle=True, random_state=0)


def scores(search):
    """Return scores on all splits, one row per candidate."""
    results = search.cv_results_
    return np.column_stack([results[f"split{k}_test_score"] for k in range(search.n_splits_)])
