"""Selection of groups from a gain table, and assignment of tasks to the selected groups."""

from numbers import Integral, Real

import numpy as np
import pandas as pd

from skmtl.grouping._gain_tables import check_every_task, check_gains, label_group, parse_groups
from skmtl.grouping.selection._beam import beam_search
from skmtl.grouping.selection._exact import choose_exactly


def select_groups(gains, max_groups, *, method="exact", costs=None, max_cost=None, n_beams=5):
    r"""Choose the groups of tasks to train together.

    The choice has the largest mean gain, and the fewest groups among equal choices. Groups may
    overlap: a task may help others in one group and be served by another.

    Parameters
    ----------
    gains : DataFrame of shape (n_groups, n_tasks)
        Gain of each task in each group, in any unit; NaN where the task is not in the group.
    max_groups : int
        Largest number of groups, from 1 to the number of tasks.
    method : {"exact", "beam"}, default="exact"
        Mixed-integer linear programming with a proof of optimality, or the beam search of [1]_.
    costs : array-like of shape (n_groups,), optional
        Non-negative cost of each group.
    max_cost : float, optional
        Bound on the total cost of the chosen groups; needs `costs`.
    n_beams : int, default=5
        Number of beams of ``method="beam"``.

    Returns
    -------
    list of tuple
        The labels of the tasks of each chosen group, in the order of the rows.

    Raises
    ------
    ValueError
        If no choice serves every task.

    See Also
    --------
    assign_tasks : Assign tasks to the chosen groups.
    estimate_gains : Estimate such a table from few measured groups.

    Notes
    -----
    With :math:`x_g` for "group g is chosen" and :math:`y_{gt}` for "task t is served by group g"
    the exact method solves

    .. math::
        \max \sum_{g, t} G_{gt} y_{gt} \quad \text{s.t.} \quad \sum_g y_{gt} = 1, \quad
        y_{gt} \le x_g, \quad \sum_g x_g \le B, \quad x_g \in \{0, 1\}, \quad y_{gt} \ge 0

    with HiGHS and a gap of 0. First, a Lagrangian bound eliminates groups, and tasks in them, that
    no choice better than a known one can use; only the others are passed to the solver.
    The problem is that of [1]_, which solves small tables by branch and bound, and of [2]_.

    References
    ----------
    .. [1] Song et al. (2022), section 3.1, see `MTGNet`.
    .. [2] Standley et al. (2020), see `HighOrder`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.grouping import select_groups
    >>> gains = pd.DataFrame(
    ...     {"a": [0, None, None, 0.2, None, 0.1], "b": [None, 0, None, 0.1, -0.1, 0.3]}
    ... ).assign(c=[None, None, 0, None, -0.2, -0.3])
    >>> select_groups(gains, 2)
    [('c',), ('a', 'b', 'c')]

    The task c helps the others but is served by a group of its own.
    """
    values, tasks = check_gains(gains)
    n_tasks = len(tasks)
    if not isinstance(max_groups, Integral) or not 1 <= max_groups <= n_tasks:
        raise ValueError(
            f"max_groups must be an int from 1 to the number of tasks, {n_tasks}; got "
            f"{max_groups!r}."
        )
    if method not in ("exact", "beam"):
        raise ValueError(f"method must be 'exact' or 'beam', got {method!r}.")
    if not isinstance(n_beams, Integral) or n_beams < 1:
        raise ValueError(f"n_beams must be an int above 0, got {n_beams!r}.")
    costs = _check_costs(costs, max_cost, len(values))
    limits = int(max_groups), costs, max_cost
    if method == "exact":
        chosen = choose_exactly(values, *limits)
    else:
        chosen = beam_search(values, *limits, n_beams=int(n_beams))
    if chosen is None:
        hint = " The beams may have missed one: use method='exact'." if method == "beam" else ""
        within = f"{max_groups} group(s)" + ("" if costs is None else f" of cost {max_cost:g}")
        raise ValueError(
            f"no choice of {within} in this table serves every task; raise the limit, or add "
            f"larger groups to the table.{hint}"
        )
    return [label_group(~np.isnan(values[row]), tasks) for row in sorted(chosen)]


def _check_costs(costs, max_cost, n_groups):
    if (costs is None) != (max_cost is None):
        raise ValueError("costs and max_cost must be given together.")
    if costs is None:
        return None
    costs = np.asarray(costs, dtype=np.float64)
    if costs.shape != (n_groups,) or not np.isfinite(costs).all() or (costs < 0).any():
        raise ValueError(
            f"costs must be {n_groups} finite numbers, one for each row of gains, none negative."
        )
    if not isinstance(max_cost, Real) or not max_cost > 0:
        raise ValueError(f"max_cost must be a number above 0, got {max_cost!r}.")
    return costs


def assign_tasks(gains, groups):
    """Assign each task to the chosen group in which it gains most.

    In other groups, the task only helps the others. If a group has several rows, the best one
    counts.

    Parameters
    ----------
    gains : DataFrame of shape (n_groups, n_tasks)
        As for `select_groups`.
    groups : list of tuple
        The result of `select_groups`.

    Returns
    -------
    Series
        The group of each task; the first one among equally good groups.

    See Also
    --------
    select_groups : Choose the groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl.grouping import assign_tasks
    >>> gains = pd.DataFrame({"a": [0, None, 0.2], "b": [None, 0, -0.1]})
    >>> assign_tasks(gains, [("a", "b"), ("b",)]).to_dict()
    {'a': ('a', 'b'), 'b': ('b',)}
    """
    values, tasks = check_gains(gains)
    members = ~np.isnan(values)
    chosen = parse_groups(groups, tasks)
    best = np.full(chosen.shape, -np.inf)
    for k, group in enumerate(chosen):
        rows = np.flatnonzero((members == group).all(axis=1))
        if not len(rows):
            raise ValueError(f"gains has no row for the group {label_group(group, tasks)!r}.")
        best[k, group] = values[rows][:, group].max(axis=0)
    check_every_task(chosen, tasks, "groups")
    labels = [label_group(chosen[k], tasks) for k in best.argmax(axis=0)]
    return pd.Series(labels, index=tasks, name="group")
