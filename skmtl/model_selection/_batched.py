"""`BatchedGridSearchCV` and `BatchedRandomizedSearchCV`: their parameters and documentation."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.model_selection._search import BatchedSearch
from skmtl.model_selection._search_docs import document

_MAX_MEMBERS = {"max_members": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})]}


@document
class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Search over a grid of parameters, all candidates and folds training side by side.

    As :class:`sklearn.model_selection.GridSearchCV`, with the same scores, but candidates and folds
    are members of one training run, which is faster for small networks.

    Parameters
    ----------
    estimator : estimator
        One of this package, or a Pipeline that ends in one; the steps before it are fitted once for
        every fold.
    param_grid : dict or list of dict
        Values of parameters. `learning_rate_init`, `alpha`, `weight_averaging`, `embedding_alpha`,
        `interaction_alpha` and `random_state` may differ within a run; candidates that differ in
        others train in separate ones.
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead.
    sklearn.model_selection.GridSearchCV : One fit after the other, for every estimator.

    Notes
    -----
    The scores are those of fits one by one, up to rounding: a member of a run does not notice the
    others. ``random_state=None`` draws other numbers for every fit, here as there.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import BatchedGridSearchCV
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> search = BatchedGridSearchCV(model, {"learning_rate_init": [1e-3, 1e-2]}, cv=3)
    >>> search.fit(cubic.data, cubic.target).best_params_
    {'learning_rate_init': 0.01}
    """

    _parameter_constraints = {**GridSearchCV._parameter_constraints, **_MAX_MEMBERS}

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        max_members="auto",
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_members = max_members

    def _candidates(self):
        return ParameterGrid(self.param_grid)


@document
class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Search over drawn parameters, all candidates and folds training side by side.

    As :class:`sklearn.model_selection.RandomizedSearchCV`, with the same candidates and scores.

    Parameters
    ----------
    estimator : estimator
        One of this package, or a Pipeline that ends in one; the steps before it are fitted once for
        every fold.
    param_distributions : dict or list of dict
        Lists of values, or distributions with a method ``rvs``. `learning_rate_init`, `alpha`,
        `weight_averaging`, `embedding_alpha`, `interaction_alpha` and `random_state` may differ
        within a run; candidates that differ in others train in separate ones.
    n_iter : int, default=10
        Candidates to draw.
    {parameters}
    random_state : int, RandomState instance or None, default=None
        Decides what is drawn.

    Attributes
    ----------
    {attributes}

    See Also
    --------
    BatchedGridSearchCV : Tries all values; its notes hold here too.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.model_selection import BatchedRandomizedSearchCV
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=20, random_state=0
    ... )
    >>> search = BatchedRandomizedSearchCV(
    ...     model, {"alpha": loguniform(1e-5, 1e-1)}, n_iter=4, cv=3, random_state=0
    ... )
    >>> len(search.fit(cubic.data, cubic.target).cv_results_["params"])
    4
    """

    _parameter_constraints = {**RandomizedSearchCV._parameter_constraints, **_MAX_MEMBERS}

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        max_members="auto",
        random_state=None,
    ):
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
        )
        self.max_members = max_members

    def _candidates(self):
        distributions, generator = self.param_distributions, self.random_state
        return ParameterSampler(distributions, self.n_iter, random_state=generator)
