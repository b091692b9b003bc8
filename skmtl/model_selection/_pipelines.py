"""What a batched search trains: an estimator, or a Pipeline that ends in one."""

from pickle import PicklingError

import joblib
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from skmtl._estimators.base import BaseMultiTaskEstimator


def last_step(model):
    """The estimator that trains networks: the model itself, or the last step of a Pipeline."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def check_model(model):
    """Refuse what cannot be searched in batches."""
    if not isinstance(last_step(model), BaseMultiTaskEstimator):
        raise TypeError(
            "a batched search trains estimators of skmtl, or a Pipeline that ends in one; got "
            f"{type(last_step(model)).__name__}. Use scikit-learn's GridSearchCV or "
            "RandomizedSearchCV for others."
        )


def digest(hashed):
    """What `hashed` returns; something unique if what it hashes cannot be, such as a lambda."""
    try:
        return hashed()
    except (AttributeError, PicklingError, TypeError):
        return object()


def transform(fit, X, y, params, transformed):
    """Fit the steps before the last one, once for every split and setting of theirs.

    Parameters
    ----------
    fit : Fit
        Its Pipeline gets the fitted steps.
    X, y : table and labels
        Training rows.
    params : dict
        Those of the fit of the Pipeline.
    transformed : dict
        What was done before; grows.

    Returns
    -------
    X : table
        As the last step gets it.
    params : dict
        Those of its fit.
    """
    steps, (name, estimator) = fit.model.steps[:-1], fit.model.steps[-1]
    key = fit.split, digest(lambda: joblib.hash(steps))
    if key not in transformed:
        last = _LastStep(estimator)
        fit.model.steps[-1] = name, last
        fit.model.fit(X, y, **params)
        # kept as long as the table, so that no other one gets its id
        transformed[key] = fit.model.steps[:-1], last.table_, last.params_
    steps, X, params = transformed[key]
    fit.model.steps = [*steps, (name, estimator)]
    return X, params


class _LastStep(BaseEstimator):
    """Stands for the last step of a Pipeline while the others are fitted, and keeps what it gets.

    Parameters
    ----------
    estimator : estimator
        The last step.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def get_metadata_routing(self):
        """What the last step asks for."""
        return self.estimator.get_metadata_routing()

    def fit(self, X, y, **params):
        """Keep the table and the parameters of fit."""
        self.table_, self.params_ = X, params
        return self
