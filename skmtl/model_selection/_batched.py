"""Parameters and documentation of `BatchedGridSearchCV` and `BatchedRandomizedSearchCV`."""

from numbers import Integral

from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skmtl._docstrings import shared
from skmtl._estimators.shared import SHARED_CONSTRAINTS, SHARED_PARAMETERS, with_parameters
from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.model_selection._memory import MEMBERS_PER_CORE, MEMBERS_PER_GPU
from skmtl.model_selection._search import BatchedSearch

_CONSTRAINTS = {
    "max_members": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
    **SHARED_CONSTRAINTS,
}

_document = shared(
    estimator="""
estimator : estimator
    An estimator of this package, or a Pipeline that ends in one; earlier steps are fitted once
    for each fold.
""",
    within_a_run="""
`learning_rate_init`, `alpha`, `weight_averaging`, `embedding_alpha`, `interaction_alpha` and
`random_state` may differ within a run; candidates that differ in other parameters train in
separate runs.
""",
    parameters=f"""
scoring : str, callable, list, tuple or dict, default=None
    One or several scorers, as in scikit-learn; None means the ``score`` of the estimator.
n_jobs : int or None, default=None
    Above 1 (or with such a ``joblib.parallel_config``), blocks of members run in this many
    processes, or on the machines of a Dask or Ray cluster. Otherwise they run in
    ``torch.get_num_threads()`` threads of this process, or in one on a GPU.
refit : bool, str or callable, default=True
    Whether to fit the best candidate on all rows; with several scorers, the name of the scorer
    that determines it.
cv : int, splitter, iterable or None, default=None
    Splits, as in scikit-learn; None means 5 folds. A number of folds that would hold out whole
    tasks means :class:`TaskKFold` if tasks cannot be predicted without rows (no `metadata`,
    ``unseen_tasks="error"``).
verbose : int, default=0
    1 shows a progress bar, if the output is a terminal.
pre_dispatch : int or str, default="2*n_jobs"
    Number of blocks that are dispatched in advance, with `n_jobs` above 1.
error_score : "raise" or number, default=nan
    Score of a fit that fails, for example because it diverges; other fits are not affected.
return_train_score : bool, default=False
    Whether `cv_results_` also has scores on training rows.
max_members : int or "auto", default="auto"
    Maximum number of members that train together. "auto" is {MEMBERS_PER_CORE} for each thread
    or process on a CPU and {MEMBERS_PER_GPU:,} on a GPU, or fewer if half of the free memory does
    not hold them.
n_retries : int, default=2
    How often blocks start again whose process was killed, for want of memory, say; a
    ``RetryWarning`` tells. Results are the same. A Dask cluster retries by itself first.
checkpoint_dir : path-like, default=None
    Folder in which ``fit`` keeps blocks that are finished, and the state of others about every 30
    seconds: after a crash the same call, on the same data, goes on from there and ends bitwise
    identical. Files are deleted when ``fit`` ends. Everything that is drawn needs a random state;
    see :doc:`/saving`. By default that of the estimator.
""",
    attributes="""
Attributes
----------
cv_results_ : dict of ndarray
    Parameters, scores and times of all candidates, with scikit-learn's keys. The time of a
    run is divided equally among its fits.
best_estimator_ : estimator
    Fitted on all rows, if `refit` is not False.
best_params_ : dict
    Parameters of the best candidate.
best_score_ : float
    Its mean score on the test rows of the folds.
best_index_ : int
    Its index in `cv_results_`.
scorer_ : callable or dict
    The scorers used.
n_splits_ : int
    Number of splits.
refit_time_ : float
    Seconds for the fit on all rows.
multimetric_ : bool
    Whether there are several scorers.
""",
    setting="""
>>> from skmtl import MultiTaskHypernetRegressor
>>> from skmtl.datasets import make_cubic
>>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
>>> model = MultiTaskHypernetRegressor(
...     task_id=cubic.task_id, metadata=cubic.metadata, max_iter=5, random_state=0
... )
""",
)


def _extended(cls):
    """Give a search the constructor of the search of scikit-learn, and further parameters."""
    search = cls.__bases__[-1]
    added = {"max_members": "auto", "n_retries": 2, **SHARED_PARAMETERS}
    cls.__init__ = with_parameters(search.__init__, ("random_state",), **added)
    cls._parameter_constraints = {**search._parameter_constraints, **_CONSTRAINTS}
    return cls


@_extended
@_document
class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Grid search that trains all candidates and folds in batches.

    It gives the same scores as :class:`sklearn.model_selection.GridSearchCV`, but trains candidates
    and folds as members of one run, which is faster for small networks.

    Parameters
    ----------
    {estimator}
    param_grid : dict or list of dict
        Values to try.
        {within_a_run}
    {parameters}

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
    >>> from skmtl.model_selection import BatchedGridSearchCV
    {setting}
    >>> search = BatchedGridSearchCV(model, {"learning_rate_init": [1e-3, 1e-2]}, cv=3)
    >>> search.fit(cubic.data, cubic.target).best_params_
    {'learning_rate_init': 0.01}
    """

    def _candidates(self):
        return ParameterGrid(self.param_grid)


@_extended
@_document
class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Randomized search that trains all candidates and folds in batches.

    It gives the same candidates and scores as :class:`sklearn.model_selection.RandomizedSearchCV`.

    Parameters
    ----------
    {estimator}
    param_distributions : dict or list of dict
        Lists of values, or distributions with a method ``rvs``.
        {within_a_run}
    n_iter : int, default=10
        Number of candidates to draw.
    {parameters}
    random_state : int, RandomState instance or None, default=None
        Determines which candidates are drawn.

    {attributes}

    See Also
    --------
    BatchedGridSearchCV : Try all values; its notes also apply here.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skmtl.model_selection import BatchedRandomizedSearchCV
    {setting}
    >>> search = BatchedRandomizedSearchCV(
    ...     model, {"alpha": loguniform(1e-5, 1e-1)}, n_iter=4, cv=3, random_state=0
    ... )
    >>> len(search.fit(cubic.data, cubic.target).cv_results_["params"])
    4
    """

    def _candidates(self):
        distributions, generator = self.param_distributions, self.random_state
        return ParameterSampler(distributions, self.n_iter, random_state=generator)
