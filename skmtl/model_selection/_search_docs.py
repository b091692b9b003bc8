"""Documentation that both searches share."""

from skmtl._docstrings import fill
from skmtl.model_selection._memory import MEMBERS_PER_CORE, MEMBERS_PER_GPU

PARAMETERS = f"""
scoring : str, callable, list, tuple or dict, default=None
    Scorers as in scikit-learn, one or several; None is the estimator's own score.
n_jobs : int or None, default=None
    Above 1, or in a ``joblib.parallel_config`` that says so, blocks of members run in as many
    processes, or on the machines of a Dask or Ray cluster. Otherwise in threads of this process, as
    many as ``torch.get_num_threads()``; in one on a GPU.
refit : bool, str or callable, default=True
    Whether to fit the best candidate on all rows; with several scorers, by which of them.
cv : int, splitter, iterable or None, default=None
    Splits, as in scikit-learn; None is 5 folds.
verbose : int, default=0
    1 shows a progress bar of the fits finished, if the output is a terminal.
pre_dispatch : int or str, default="2*n_jobs"
    Blocks that are sent ahead with `n_jobs` above 1.
error_score : "raise" or number, default=nan
    Score of a fit that fails, such as one that diverges; the other fits do not notice it.
return_train_score : bool, default=False
    Whether `cv_results_` has scores on training rows too.
max_members : int or "auto", default="auto"
    Members that train together at most. "auto" is {MEMBERS_PER_CORE} for each thread or process on
    a CPU and {MEMBERS_PER_GPU:,} on a GPU, or fewer if half of the free memory does not hold them.
"""

ATTRIBUTES = """
cv_results_ : dict of ndarray
    Parameters, scores and times of all candidates, with scikit-learn's keys. The time of a fit is
    its share of the time of its run.
best_estimator_ : estimator
    Fitted on all rows, if `refit` is not False.
best_params_ : dict
    Parameters of the best candidate.
best_score_ : float
    Its mean score on the test rows of the folds.
best_index_ : int
    Its place in `cv_results_`.
scorer_ : callable or dict
    What scored.
n_splits_ : int
    Number of splits.
refit_time_ : float
    Seconds that the fit on all rows took.
multimetric_ : bool
    Whether there are several scorers.
"""


def document(cls):
    """Fill ``{parameters}`` and ``{attributes}`` in the docstring of a search."""
    return fill(cls, parameters=PARAMETERS, attributes=ATTRIBUTES)
