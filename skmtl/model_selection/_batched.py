"""Parameters and documentation of `BatchedGridSearchCV` and `BatchedRandomizedSearchCV`."""

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
    """Grid search that trains all candidates and folds in batches.

    It gives the same scores as :class:`sklearn.model_selection.GridSearchCV`, but trains candidates
    and folds as members of one run, which is faster for small networks.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, or a Pipeline that ends in one; earlier steps are fitted once
        for each fold.
    param_grid : dict or list of dict
        Values to try. `learning_rate_init`, `alpha`, `weight_averaging`, `embedding_alpha`,
        `interaction_alpha` and `random_state` may differ within a run; candidates that differ in
        other parameters train in separate runs.
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    BatchedRandomizedSearchCV : Draw candidates from distributions.
    sklearn.model_selection.GridSearchCV : Fit candidates of any estimator one by one.

    Notes
    -----
    Scores equal those of separate fits up to rounding, since members of a run do not influence each
    other. As in scikit-learn, ``random_state=None`` gives each fit a different seed.

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
    """Randomized search that trains all candidates and folds in batches.

    It gives the same candidates and scores as :class:`sklearn.model_selection.RandomizedSearchCV`.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, or a Pipeline that ends in one; earlier steps are fitted once
        for each fold.
    param_distributions : dict or list of dict
        Lists of values, or distributions with a method ``rvs``. `learning_rate_init`, `alpha`,
        `weight_averaging`, `embedding_alpha`, `interaction_alpha` and `random_state` may differ
        within a run; candidates that differ in other parameters train in separate runs.
    n_iter : int, default=10
        Number of candidates to draw.
    {parameters}
    random_state : int, RandomState instance or None, default=None
        Determines which candidates are drawn.

    Attributes
    ----------
    {attributes}

    See Also
    --------
    BatchedGridSearchCV : Try all values; its notes also apply here.

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
