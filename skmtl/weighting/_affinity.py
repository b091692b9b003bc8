"""Affinity: settings of its measurement, and a score for grouping tasks."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmtl._persistence import VersionedState, saveable


@saveable
class Affinity(VersionedState, BaseEstimator):
    """Settings of the measurement of affinity, for `record_affinity` of an estimator.

    ``record_affinity=True`` is ``Affinity()``, and an int k is ``Affinity(every=k)``.

    Parameters
    ----------
    every : int, default=1
        Measure at one step in this many.
    heads_first : bool, default=True
        Whether the parameters that belong to one task are updated before the measurement, as in
        algorithm 1 of [1]_, or stay the same, as in the code published with [2]_.
    approximate : {None, 1, 2}, default=None
        None evaluates the losses after each step; 1 and 2 approximate them by their Taylor
        expansion of that order.
    per_learning_rate : bool, default=False
        Whether to divide by the learning rate, as the published code does.

    See Also
    --------
    ITMTL : Chooses steps by the same measurement.
    normalized_affinity : Affinities as a score for grouping tasks.

    Notes
    -----
    Task i makes the step :math:`d_i` that the optimiser would make along the gradient of its mean
    loss, momentum and decay included, on the shared parameters only. Then, equation 1 of [1]_,
    ``Z_ij = 1 - L_j(after) / L_j(before)``. To first order, section 3.2,
    ``Z_ij = -<grad L_j, d_i> / L_j``; to second order, appendix A,
    ``Z_ij = -(<grad L_j, d_i> + d_i' H_j d_i / 2) / L_j``, with the Hessian H_j of L_j. Both ignore
    the step of the heads, and are inaccurate where a step is long compared to the curvature.

    References
    ----------
    .. [1] Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       section 3 and appendix A.
    .. [2] Fifty et al., "Efficiently identifying task groupings for multi-task learning", NeurIPS
       2021.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.weighting import Affinity
    >>> cubic = make_cubic(n_tasks=3, n_rows=20, random_state=0)
    >>> settings = Affinity(every=5, approximate=1)
    >>> model = MultiTaskRegressor(task_id="task", record_affinity=settings, max_iter=10)
    >>> model.fit(cubic.data[["task", *cubic.feature_names]], cubic.target).affinity_.shape
    (3, 3)
    """

    def __init__(self, every=1, heads_first=True, approximate=None, per_learning_rate=False):
        self.every = every
        self.heads_first = heads_first
        self.approximate = approximate
        self.per_learning_rate = per_learning_rate

    def _check_parameters(self):
        if not isinstance(self.every, Integral) or self.every < 1:
            raise ValueError(f"every must be an int of at least 1, got {self.every!r}.")
        check_order(self.approximate)


def check_order(approximate):
    """Raise an error unless losses can be approximated to that order."""
    if approximate not in (None, 1, 2) or isinstance(approximate, bool):
        raise ValueError(f"approximate must be None, 1 or 2, got {approximate!r}.")


def get_affinity(record_affinity):
    """Return the checked `Affinity` that a bool, int or `Affinity` stands for, or None."""
    if isinstance(record_affinity, Affinity):
        record_affinity._check_parameters()
        return record_affinity
    return Affinity(every=int(record_affinity)) if record_affinity else None


def normalized_affinity(affinity):
    """Return the score by which tasks are grouped, computed from affinities.

    The network selection of [1]_ minimises this score: how much less a step of another task helps
    a task than its own step. 0 is as good as its own step, 1 is useless, more than 1 is harmful.

    Parameters
    ----------
    affinity : DataFrame or array-like of shape (T, T)
        Effect of the step of the row's task on the column's task: ``affinity_`` of an estimator.

    Returns
    -------
    DataFrame or ndarray of shape (T, T)
        In the same order. NaN in the column of a task whose own step does not help it, which
        leaves nothing to compare with.

    See Also
    --------
    Affinity : How they are measured.

    Notes
    -----
    Appendix B of [1]_: ``t(b, a) = 1 - Z_ba / Z_aa``. The score of a group is the sum over its
    tasks of the mean score of the others onto each. The code published later maximises means of
    the ``Z_ba`` themselves, so that tasks with large affinities have more influence.

    References
    ----------
    .. [1] Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
       appendix B.

    Examples
    --------
    >>> from skmtl.weighting import normalized_affinity
    >>> normalized_affinity([[0.4, 0.1], [0.2, 0.2]])
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    values = np.asarray(affinity, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ValueError(
            f"affinity must be a square table, tasks by tasks; got one of shape {values.shape}."
        )
    diagonal = np.diag(values)
    score = 1 - values / np.where(diagonal > 0, diagonal, np.nan)
    if isinstance(affinity, pd.DataFrame):
        return pd.DataFrame(score, index=affinity.index, columns=affinity.columns)
    return score
