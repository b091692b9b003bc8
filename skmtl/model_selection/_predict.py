"""Cross-validated predictions by any method of an estimator."""

from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import cross_val_predict as predict_across
from sklearn.utils import get_tags

from skmtl.metrics._estimators import method_of


def cross_val_predict(estimator, X, y, *, method="predict", method_params=None, **settings):
    """Predict every row by a model that was fitted to other rows, with any method of it.

    As scikit-learn's function, which only knows the methods of its own estimators.

    Parameters
    ----------
    estimator : estimator
        Of this package, also as the last step of a pipeline.
    X : DataFrame or array of shape (n, n_columns)
        All rows.
    y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
        Their labels.
    method : str, default="predict"
        What predicts, such as "predict_interval", "predict_quantiles" or "predict_set"; it has to
        return an array.
    method_params : dict, optional
        Further arguments of the method, such as ``{"coverage": 0.8}``.
    **settings : dict
        Other parameters of :func:`sklearn.model_selection.cross_val_predict`: `cv`, `groups`,
        `n_jobs`, `params`, `verbose`, `pre_dispatch`.

    Returns
    -------
    ndarray
        What the method returns, in the order of X.

    Raises
    ------
    AttributeError
        If the estimator does not have the method.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import TaskKFold, cross_val_predict
    >>> cubic = make_cubic(n_tasks=10, n_rows=12, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id="task", intervals="known", max_iter=5, random_state=0
    ... )
    >>> cross_val_predict(
    ...     model, cubic.data, cubic.target, cv=TaskKFold("task", 2), method="predict_interval"
    ... ).shape
    (120, 2)
    """
    asking = _Asking(estimator, method, method_params)
    return predict_across(asking, X, y, **settings)


class _Asking(BaseEstimator):
    """Predicts by any method of an estimator."""

    def __init__(self, estimator, method, method_params):
        self.estimator, self.method, self.method_params = estimator, method, method_params

    def fit(self, X, y, **params):
        self.estimator_ = clone(self.estimator).fit(X, y, **params)
        return self

    def predict(self, X):
        method = method_of(self.estimator_, self.method)
        if method is None:
            name = type(self.estimator).__name__
            raise AttributeError(f"{name} has no method {self.method!r} to predict with.")
        return method(X, **(self.method_params or {}))

    def __sklearn_tags__(self):
        return get_tags(self.estimator)
