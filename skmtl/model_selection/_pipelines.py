"""Models of a batched search: an estimator, or a Pipeline that ends in one."""

from pickle import PicklingError

import joblib
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from skmtl._estimators.base import BaseMultiTaskEstimator


def last_step(model):
    """Return the estimator that trains networks: the model or the last step of a Pipeline."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def check_model(model):
    """Raise an error if a model cannot be searched in batches."""
    if not isinstance(last_step(model), BaseMultiTaskEstimator):
        raise TypeError(
            "a batched search trains estimators of skmtl, or a Pipeline that ends in one; got "
            f"{type(last_step(model)).__name__}. Use scikit-learn's GridSearchCV or "
            "RandomizedSearchCV for others."
        )


def digest(hashed):
    """Return `hashed()`, or a unique object if hashing fails, as for a lambda."""
    try:
        return hashed()
    except (AttributeError, PicklingError, TypeError):
        return object()


def transform(fit, X, y, params, transformed):
    """Fit the steps before the last one, once for each split and each of their settings.

    The fitted steps are stored in the Pipeline of `fit`, results in the dict `transformed`. Return
    the input of the last step and the parameters of its fit.
    """
    steps, (name, estimator) = fit.model.steps[:-1], fit.model.steps[-1]
    key = fit.split, digest(lambda: joblib.hash(steps))
    if key not in transformed:
        last = _LastStep(estimator)
        fit.model.steps[-1] = name, last
        fit.model.fit(X, y, **params)
        # keeps the table alive, so that no other table gets its id
        transformed[key] = fit.model.steps[:-1], last.table_, last.params_
    steps, X, params = transformed[key]
    fit.model.steps = [*steps, (name, estimator)]
    return X, params


class _LastStep(BaseEstimator):
    """Placeholder of the last step of a Pipeline that stores the input it gets."""

    def __init__(self, estimator):
        self.estimator = estimator

    def get_metadata_routing(self):
        """Return the routing of the last step."""
        return self.estimator.get_metadata_routing()

    def fit(self, X, y, **params):
        """Store the table and the parameters of fit."""
        self.table_, self.params_ = X, params
        return self
