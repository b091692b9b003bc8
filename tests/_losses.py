"""Models and labels that tests of the parameter `loss` share."""

import numpy as np
import pandas as pd

from tests._tables import quick_model

LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "pinball"]


def fast_model(**changes):
    """Return a model that is trained without the penalty of interactions."""
    return quick_model(**{"interaction_alpha": 0.0, **changes})


def counts_of(X, scale=1.0, random_state=0):
    """Counts whose log rate follows from metadata of the school and the status of a pupil."""
    rate = scale * np.exp(0.3 * (X["size"] - 4) + 0.5 * (2 * X["sector"] - 1) * X["status"])
    return pd.Series(np.random.default_rng(random_state).poisson(rate).astype(float)), rate
