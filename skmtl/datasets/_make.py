"""Synthetic regression problems in which metadata determine each task completely.

Both follow data sets of the paper on multi-task hypernetworks.
"""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, check_scalar

from skmtl.datasets._bunch import build_bunch, documented

N_JOINTS = 3


@documented
def make_cubic(n_tasks=20, n_rows=10, noise=0.1, random_state=None):
    r"""Generate cubic polynomials in one variable, one polynomial per task.

    Row :math:`i` of task :math:`t` follows

    .. math::
        y_{ti} = a_t x_{ti}^3 + b_t x_{ti}^2 + c_t x_{ti} + d_t + \varepsilon_{ti},
        \qquad \varepsilon_{ti} \sim \mathcal{N}(0, \sigma^2),

    where :math:`a_t, b_t, c_t, d_t` and :math:`x_{ti}` are uniform on :math:`[-1, 1]` and
    :math:`\sigma` is `noise`. The four coefficients are the metadata of the task and
    determine it.

    Parameters
    ----------
    n_tasks : int, default=20
        Number of polynomials.
    n_rows : int, default=10
        Number of rows of each task.
    {noise}
    {random_state}

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_tasks * n_rows, 6)
            The feature `x`, the task-id column `task` (0, 1, ...) and the metadata `a`, `b`,
            `c`, `d`. Rows are sorted by task.
        target : Series of shape (n_tasks * n_rows,)
            The values of `y`.
        {names}

    See Also
    --------
    fetch_cubic : The 100 polynomials published with the paper.

    Notes
    -----
    The paper gives the formula without noise; its published data have noise with a standard
    deviation of 0.1. No model can therefore reach a mean squared error below 0.01 on them.

    References
    ----------
    .. [1] O. Graffeuille, Y. S. Koh, J. Wicker and M. Lehmann, "Remote Sensing for Water
       Quality: A Multi-Task, Metadata-Driven Hypernetwork Approach", IJCAI 2024.

    Examples
    --------
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=3, n_rows=5, random_state=0)
    >>> cubic.data.shape
    (15, 6)
    >>> cubic.task_id, cubic.metadata
    ('task', ['a', 'b', 'c', 'd'])
    """
    _check_sizes(n_tasks, n_rows, noise)
    random_state = check_random_state(random_state)
    names = ["a", "b", "c", "d"]
    coefficients = random_state.uniform(-1, 1, size=(n_tasks, len(names)))
    x = random_state.uniform(-1, 1, size=n_tasks * n_rows)
    task = np.repeat(np.arange(n_tasks), n_rows)
    a, b, c, d = coefficients[task].T
    y = a * x**3 + b * x**2 + c * x + d
    # Drawn last, so that noise does not change the other draws.
    y += noise * random_state.standard_normal(len(y))

    table = pd.DataFrame({"x": x, "task": task})
    table[names] = coefficients[task]
    return build_bunch(table, pd.Series(y, name="y"), task_id="task", source=make_cubic)


@documented
def make_robot_arm(n_tasks=20, n_rows=20, noise=0.0, random_state=None):
    r"""Generate inverse kinematics of planar robot arms, one arm with three joints per task.

    Arm :math:`t` has segments of lengths :math:`l_{t1}, l_{t2}, l_{t3}`, uniform on
    :math:`(0, 1]`. Bending its joints by :math:`\theta_1, \theta_2 \sim U[-\pi, 0]` and
    :math:`\theta_3 \sim U[-\pi/2, \pi/2]` moves its end to

    .. math::
        x = \sum_{i=1}^{3} l_{ti} \cos\Bigl(\sum_{j \le i} \theta_j\Bigr), \qquad
        y = \sum_{i=1}^{3} l_{ti} \sin\Bigl(\sum_{j \le i} \theta_j\Bigr).

    The features are the position of the end, the targets are the three angles. Different angles can
    lead to the same position, so no model can be perfect. The metadata are the three lengths.

    Parameters
    ----------
    n_tasks : int, default=20
        Number of arms.
    n_rows : int, default=20
        Number of rows of each task.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise in the three targets, in radians. Other
        random draws do not depend on it.
    {random_state}

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_tasks * n_rows, 6)
            The features `x` and `y`, the task-id column `task` (0, 1, ...) and the metadata
            `length_1`, `length_2`, `length_3`. Rows are sorted by task.
        target : DataFrame of shape (n_tasks * n_rows, 3)
            The angles `angle_1`, `angle_2`, `angle_3` in radians.
        {names}

    See Also
    --------
    fetch_robot_arm : The 50 arms published with the paper.

    References
    ----------
    .. [1] O. Graffeuille, Y. S. Koh, J. Wicker and M. Lehmann, "Remote Sensing for Water
       Quality: A Multi-Task, Metadata-Driven Hypernetwork Approach", IJCAI 2024.
    .. [2] A.-V. Duka, "Neural network based inverse kinematics solution for trajectory tracking
       of a robotic arm", Procedia Technology 12, 2014.

    Examples
    --------
    >>> from skmtl.datasets import make_robot_arm
    >>> arms = make_robot_arm(n_tasks=3, n_rows=5, random_state=0)
    >>> arms.data.shape, arms.target.shape
    ((15, 6), (15, 3))
    >>> arms.metadata
    ['length_1', 'length_2', 'length_3']
    """
    _check_sizes(n_tasks, n_rows, noise)
    random_state = check_random_state(random_state)
    n = n_tasks * n_rows
    # One minus a draw from [0, 1) is a draw from (0, 1]: no segment has length zero.
    lengths = 1 - random_state.uniform(size=(n_tasks, N_JOINTS))
    lowest = np.array([-np.pi, -np.pi, -np.pi / 2])
    highest = np.array([0, 0, np.pi / 2])
    angles = random_state.uniform(lowest, highest, size=(n, N_JOINTS))
    task = np.repeat(np.arange(n_tasks), n_rows)
    directions = np.cumsum(angles, axis=1)
    x = (lengths[task] * np.cos(directions)).sum(axis=1)
    y = (lengths[task] * np.sin(directions)).sum(axis=1)
    # Drawn last, so that noise does not change the other draws.
    angles = angles + noise * random_state.standard_normal(angles.shape)

    joints = range(1, N_JOINTS + 1)
    names = [f"length_{joint}" for joint in joints]
    table = pd.DataFrame({"x": x, "y": y, "task": task})
    table[names] = lengths[task]
    target = pd.DataFrame(angles, columns=[f"angle_{joint}" for joint in joints])
    return build_bunch(table, target, task_id="task", source=make_robot_arm)


def _check_sizes(n_tasks, n_rows, noise):
    check_scalar(n_tasks, "n_tasks", Integral, min_val=1)
    check_scalar(n_rows, "n_rows", Integral, min_val=1)
    check_scalar(noise, "noise", Real, min_val=0)
