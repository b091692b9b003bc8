"""Documentation that both searches share."""

from skmtl._docstrings import fill
from skmtl.model_selection._memory import MEMBERS_PER_CORE, MEMBERS_PER_GPU

PARAMETERS = f"""
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
    Splits, as in scikit-learn; None means 5 folds.
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
"""

ATTRIBUTES = """
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
"""


def document(cls):
    """Fill ``{parameters}`` and ``{attributes}`` in the docstring of a search."""
    return fill(cls, parameters=PARAMETERS, attributes=ATTRIBUTES)
