"""`estimate_gains`: a gain table, by any of the methods, from a procedure that measures gains."""

import inspect
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skmtl.grouping._active import mtgnet_gains
from skmtl.grouping._exhaustive import exhaustive
from skmtl.grouping._gain_tables import all_groups, gain_table
from skmtl.grouping._hoa import high_order_approximation
from skmtl.grouping._mtgnet import MTGNet
from skmtl.grouping._procedure import Measurements
from skmtl.grouping._random import at_random
from skmtl.grouping._tag import task_affinity

METHODS = ("exhaustive", "hoa", "tag", "mtgnet", "random")
# tasks up to which all groups are candidates, and how many are drawn beyond
_MOST_TASKS = 11
_N_CANDIDATES = 3000


def estimate_gains(
    procedure,
    n_tasks,
    method="mtgnet",
    *,
    rounds=None,
    candidates=None,
    affinity=None,
    metadata=None,
    random_state=None,
    return_measured=False,
):
    """Estimate the gain of every task in every candidate group from few measured groups.

    The table can be given to `select_groups`.

    Parameters
    ----------
    procedure : callable
        Measures true gains: maps groups, a boolean array of shape (n, n_tasks), to an array of this
        shape, NaN for tasks outside a group. It is not asked for groups of one task, whose gain
        is 0, and never twice for a group. A table of known gains may stand behind it.
    n_tasks : int
        Number of tasks, at least 2.
    method : {"mtgnet", "exhaustive", "hoa", "tag", "random"}, MTGNet or callable, default="mtgnet"
        MTG-Net with active learning, its settings those of the object; all candidates measured; all
        pairs measured and averaged; the affinities of one run averaged; random numbers, to compare
        with; or a function of the procedure and the candidates that returns gains for each.
    rounds : int, optional
        Rounds of MTG-Net, in each of which one group is measured for every task. By default
        (n_tasks - 1) / 2: as many as there are pairs.
    candidates : array-like of shape (n, n_tasks) of bool, optional
        Groups that may be selected. By default all groups of up to 11 tasks; of more tasks each
        alone, all pairs, all together, and groups drawn at random, 3,000 in total or twice the
        pairs.
    affinity : array-like of shape (n_tasks, n_tasks), optional
        For ``method="tag"``: row is the task that steps, column the one that is affected.
    metadata : array-like of shape (n_tasks, n_metadata), optional
        Facts about the tasks, for MTG-Net.
    random_state : int, RandomState instance or None, default=None
        Decides what is drawn.
    return_measured : bool, default=False
        Whether to return which rows were measured, too.

    Returns
    -------
    gains : DataFrame of shape (n, n_tasks)
        One row for each candidate, in their order; tasks are numbered from 0, and the index holds
        tuples of them. NaN where a task is not in the group. With ``method="tag"`` groups
        of one task are left out, since they have no affinity.
    measured : Series of length n
        Whether the gains of a row are true, if `return_measured` is True.

    Raises
    ------
    ValueError
        If a parameter cannot be used, or the procedure returns something else than gains.

    See Also
    --------
    select_groups : Chooses groups from the table.
    MTGNet : The settings of MTG-Net.

    Notes
    -----
    Algorithm 1 of the paper [1]_: starting from the group of all tasks, in each round and for each
    task one more group with that task is measured, chosen by what MTG-Net predicts; MTG-Net is
    trained again after each, and once a round when more than n_tasks + 1 groups are known.
    High-order approximation is from [2]_, task affinity grouping from [3]_.

    References
    ----------
    .. [1] X. Song, S. Zheng, W. Cao, J. Yu and J. Bian, "Efficient and effective multi-task
       grouping via meta learning on task combinations", NeurIPS 2022, Algorithm 1.
    .. [2] T. Standley, A. Zamir, D. Chen, L. Guibas, J. Malik and S. Savarese, "Which tasks should
       be learned together in multi-task learning?", ICML 2020.
    .. [3] C. Fifty, E. Amid, Z. Zhao, T. Yu, R. Anil and C. Finn, "Efficiently identifying task
       groupings for multi-task learning", NeurIPS 2021.

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
    if rounds is not None and (not isinstance(rounds, Integral) or rounds < 0):
        raise ValueError(f"rounds must be None or an int of at least 0, got {rounds!r}.")
    generator = check_random_state(random_state)
    candidates = check_candidates(candidates, int(n_tasks), generator)
    measurements = Measurements(procedure, int(n_tasks))
    candidates, gains, _ = run_method(
        method,
        measurements,
        candidates,
        generator,
        rounds=rounds,
        affinity=affinity,
        metadata=metadata,
    )
    table = gain_table(candidates, gains, pd.RangeIndex(int(n_tasks), name="task"))
    if not return_measured:
        return table
    return table, pd.Series(measurements.known(candidates), index=table.index, name="measured")


def run_method(
    method,
    measurements,
    candidates,
    generator,
    *,
    rounds=None,
    affinity=None,
    metadata=None,
    limits=None,
):
    """Estimate gains by a method that is named or given.

    Returns
    -------
    candidates : ndarray of shape (n, n_tasks) of bool
    gains : ndarray of shape (n, n_tasks)
    net : MTGNet or None
    """
    net = None
    if isinstance(method, MTGNet) or (isinstance(method, str) and method == "mtgnet"):
        settings = method if isinstance(method, MTGNet) else None
        gains, net = mtgnet_gains(
            measurements,
            candidates,
            generator,
            rounds=rounds,
            net=settings,
            metadata=metadata,
            limits=limits,
        )
    elif callable(method) and not inspect.isclass(method):
        gains = np.asarray(method(measurements, candidates), dtype=np.float64)
        if gains.shape != candidates.shape:
            raise ValueError(
                f"the function returned gains of the shape {gains.shape}, for candidates of the "
                f"shape {candidates.shape}."
            )
    elif method == "exhaustive":
        gains = exhaustive(measurements, candidates)
    elif method == "hoa":
        gains = high_order_approximation(measurements, candidates)
    elif method == "tag":
        if affinity is None:
            raise ValueError("method='tag' needs affinity=, such as affinity_ of an estimator.")
        candidates = candidates[candidates.sum(axis=1) > 1]
        gains = task_affinity(affinity, candidates)
    elif method == "random":
        gains = at_random(candidates, generator)
    else:
        raise ValueError(
            f"method must be one of {METHODS}, an MTGNet or a function; got {method!r}."
        )
    return candidates, gains, net


def check_candidates(candidates, n_tasks, generator):
    """The caller's candidates as an array, or the default ones."""
    if candidates is None:
        return default_candidates(n_tasks, generator)
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


def default_candidates(n_tasks, generator):
    """All groups, or of many tasks some of every size.

    Returns
    -------
    ndarray of shape (n, n_tasks) of bool
    """
    if n_tasks <= _MOST_TASKS:
        return all_groups(n_tasks)
    fixed = all_groups(n_tasks, [1, 2, n_tasks])
    n_candidates = max(_N_CANDIDATES, 2 * len(fixed))
    seen, rows = {group.tobytes() for group in fixed}, [fixed]
    n_missing = n_candidates - len(fixed)
    while n_missing > 0:
        # any size is as likely as another, so that small groups are not lost among large ones
        share = generator.randint(3, n_tasks, size=n_missing)
        order = generator.random_sample((n_missing, n_tasks)).argsort(axis=1)
        for group in order < share[:, None]:
            if group.tobytes() not in seen:
                seen.add(group.tobytes())
                rows.append(group[None])
                n_missing -= 1
    return np.concatenate(rows)
