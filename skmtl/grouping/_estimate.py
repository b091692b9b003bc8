"""`estimate_gains`: a gain table, by any gain estimator, from a procedure that measures gains."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skmtl.grouping._gain_tables import default_candidates, gain_table
from skmtl.grouping.gains import GainContext, Measurements, get_gain_estimator


def estimate_gains(
    procedure,
    n_tasks,
    method="mtgnet",
    *,
    candidates=None,
    affinity=None,
    metadata=None,
    random_state=None,
    return_measured=False,
):
    """Estimate the gain of every task in every candidate group from few measured groups.

    The table can be passed to `select_groups`.

    Parameters
    ----------
    procedure : callable
        Measures true gains: maps groups, a boolean array of shape (n, n_tasks), to an array of this
        shape, NaN for tasks outside a group. It is called once for each group, and never for a
        task alone, whose gain is 0. It may look gains up in a table.
    n_tasks : int
        Number of tasks, at least 2.
    method : str, GainEstimator or callable, default="mtgnet"
        "mtgnet" (`MTGNet`), "exhaustive" (`Exhaustive`), "hoa" (`HighOrder`), "tag" (`Affinity`) or
        "random" (`Random`); such an object with its own parameters, or one of your own; or a
        function of the measurements and the candidates that returns a gain for each task in each.
    candidates : array-like of shape (n, n_tasks) of bool, optional
        Groups that may be selected. By default all groups of up to 11 tasks; of more tasks each
        alone, all pairs, all together, and groups drawn at random, 3,000 in total or twice the
        pairs.
    affinity : array-like of shape (n_tasks, n_tasks), optional
        Affinities for `Affinity`: row is the task that steps, column the one that is affected.
    metadata : array-like of shape (n_tasks, n_metadata), optional
        Features of the tasks, for `MTGNet`.
    random_state : int, RandomState instance or None, default=None
        Decides what is drawn.
    return_measured : bool, default=False
        Whether to return which rows were measured, too.

    Returns
    -------
    gains : DataFrame of shape (n, n_tasks)
        One row for each candidate, in their order; tasks are numbered from 0, and the index holds
        tuples of them. NaN where a task is not in the group. A method may leave out groups of
        which it says nothing, as `Affinity` does with groups of one task.
    measured : Series of length n
        If `return_measured` is True: whether the gains of a row are measured.

    Raises
    ------
    ValueError
        If a parameter cannot be used, or the procedure returns anything but gains.

    See Also
    --------
    select_groups : Chooses groups from the table.
    GainEstimator : Base class of the methods, for one of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import estimate_gains, select_groups
    >>> family = np.array([0, 0, 1, 1])
    >>> def procedure(groups):
    ...     partners = groups[:, None] & ~np.eye(4, dtype=bool)
    ...     alike = (partners & (family == family[:, None])).sum(2)
    ...     return np.where(groups, 0.2 * alike - 0.1 * (partners.sum(2) - alike), np.nan)
    >>> gains = estimate_gains(procedure, 4, "hoa")
    >>> select_groups(gains, 2)
    [(0, 1), (2, 3)]
    """
    if not callable(procedure):
        raise TypeError("procedure must be callable: it maps a boolean array of groups to gains.")
    if not isinstance(n_tasks, Integral) or n_tasks < 2:
        raise ValueError(f"n_tasks must be an int above 1, got {n_tasks!r}: one task has no group.")
    n_tasks, estimator = int(n_tasks), get_gain_estimator(method)
    generator = check_random_state(random_state)
    if candidates is None:
        candidates = default_candidates(n_tasks, generator)
    else:
        candidates = _check_candidates(candidates, n_tasks)
    measurements = Measurements(procedure, n_tasks)
    context = GainContext(generator, affinity=affinity, metadata=metadata)
    estimate = estimator.estimate(measurements, candidates, context=context)
    table = gain_table(estimate.candidates, estimate.gains, pd.RangeIndex(n_tasks, name="task"))
    if not return_measured:
        return table
    known = measurements.known(estimate.candidates)
    return table, pd.Series(known, index=table.index, name="measured")


def _check_candidates(candidates, n_tasks):
    """Return the caller's candidates as a checked array."""
    candidates = np.asarray(candidates)
    if candidates.dtype != np.bool_ or candidates.ndim != 2 or candidates.shape[1] != n_tasks:
        raise ValueError(
            f"candidates must be a boolean array with {n_tasks} columns, one row a group; got "
            f"{candidates.dtype} of shape {candidates.shape}."
        )
    if not candidates.any(axis=1).all():
        raise ValueError("candidates has a row without any task.")
    if not candidates.any(axis=0).all():
        missing = np.flatnonzero(~candidates.any(axis=0)).tolist()
        raise ValueError(f"these tasks are in none of the candidates: {missing}.")
    if len(np.unique(candidates, axis=0)) < len(candidates):
        raise ValueError("candidates has the same group twice.")
    return candidates
