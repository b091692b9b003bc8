"""Related and unrelated tasks, for the study of what a model shares between them.

Both data sets follow the paper on learned parameter allocation.
"""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state, check_scalar

from skmtl.datasets._bunch import build_bunch, documented


@documented
def make_related_tasks(
    n_tasks=2,
    relatedness=0.5,
    n_features=128,
    n_sines=6,
    *,
    n_groups=1,
    n_rows=1000,
    scale=1.0,
    noise=0.1,
    random_state=None,
):
    r"""Generate groups of regression tasks with a given relatedness within each group.

    The `n_features` features are standard normal. The target of task :math:`t` depends on one
    direction only:

    .. math::
        y = w_t^\top x + \sum_{i=1}^{m} \sin\bigl(i\, w_t^\top x + (i - 1)^2\bigr) + \varepsilon,
        \qquad \varepsilon \sim \mathcal{N}(0, \sigma^2),

    where :math:`m` is `n_sines` and :math:`\sigma` is `noise`. The first task of a group has the
    direction :math:`w = c u` with a unit vector :math:`u` and the `scale` :math:`c`, the others
    :math:`w = c (\rho u + \sqrt{1 - \rho^2} v)` with the `relatedness` :math:`\rho` and a vector
    :math:`v` for each task. All vectors are orthogonal, so tasks of different groups are unrelated.

    Parameters
    ----------
    n_tasks : int, default=2
        Number of tasks, divided as evenly as possible among groups.
    relatedness : float, default=0.5
        From 0 (unrelated) to 1 (identical up to noise).
    n_features : int, default=128
        Number of features.
    n_sines : int, default=6
        Number of sine terms; tasks are linear with 0.
    n_groups : int, default=1
        Number of groups of related tasks.
    n_rows : int, default=1000
        Number of rows of each task.
    scale : float, default=1.0
        Norm of the directions.
    {noise}
    {random_state}

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_tasks * n_rows, n_features + 1)
            The features `x0`, `x1`, ... and the task-id column `task` (0, 1, ...). Rows are sorted
            by task.
        target : Series of shape (n_tasks * n_rows,)
            The values of `y`.
        {names}
        task_groups : ndarray of shape (n_tasks,)
            The group of each task.

    See Also
    --------
    make_rotated_digits : Related and unrelated tasks of real images.

    Notes
    -----
    The paper uses two tasks, which are one group here; for its experiment with two pairs, pass
    ``n_tasks=4, n_groups=2, relatedness=1.0``. The directions of two tasks of a group have the
    cosine :math:`\rho` if one of them is the first, and :math:`\rho^2` otherwise. In the paper,
    0.01 is the variance of the noise, in its code the standard deviation; the default follows the
    paper.

    References
    ----------
    .. [1] K. Maziarz, E. Kokiopoulou, A. Gesmundo, L. Sbaiz, G. Bartok and J. Berent, "Flexible
       multi-task networks by learning parameter allocation", 2020, appendix A.
    .. [2] J. Ma et al., "Modeling task relationships in multi-task learning with multi-gate
       mixture-of-experts", KDD 2018.

    Examples
    --------
    >>> from skmtl.datasets import make_related_tasks
    >>> pairs = make_related_tasks(4, relatedness=1.0, n_groups=2, n_rows=50, random_state=0)
    >>> pairs.data.shape
    (200, 129)
    >>> pairs.task_groups.tolist()
    [0, 0, 1, 1]
    """
    counts = {"n_tasks": n_tasks, "n_features": n_features, "n_groups": n_groups, "n_rows": n_rows}
    for name, value in counts.items():
        check_scalar(value, name, Integral, min_val=1)
    check_scalar(n_sines, "n_sines", Integral, min_val=0)
    check_scalar(relatedness, "relatedness", Real, min_val=0, max_val=1)
    check_scalar(scale, "scale", Real, min_val=0)
    check_scalar(noise, "noise", Real, min_val=0)
    groups = np.arange(n_tasks) * min(n_groups, n_tasks) // n_tasks
    first = np.r_[True, groups[1:] != groups[:-1]]
    n_directions = len(set(groups)) if relatedness == 1 else n_tasks
    if n_directions > n_features:
        raise ValueError(
            f"{n_directions} orthogonal directions do not fit into n_features={n_features}; raise "
            "n_features, or have fewer tasks or groups."
        )
    random_state = check_random_state(random_state)
    # fix the signs of the QR decomposition, so that directions are uniform on the sphere
    draw = random_state.standard_normal((n_features, n_directions))
    basis, triangle = np.linalg.qr(draw)
    basis = (basis * np.sign(np.diag(triangle))).T
    if relatedness == 1:
        directions = basis[groups]
    else:
        other = np.where(first, 0, np.sqrt(1 - relatedness**2))[:, None]
        leading = basis[np.flatnonzero(first)[groups]]
        directions = np.where(first, 1, relatedness)[:, None] * leading + other * basis
    X = random_state.standard_normal((n_tasks * n_rows, n_features))
    task = np.repeat(np.arange(n_tasks), n_rows)
    z = scale * (X * directions[task]).sum(axis=1)
    y = z + sum(np.sin(i * z + (i - 1) ** 2) for i in range(1, n_sines + 1))
    # Drawn last, so that noise does not change the other draws.
    y = y + noise * random_state.standard_normal(len(y))
    table = pd.DataFrame(X, columns=[f"x{k}" for k in range(n_features)]).assign(task=task)
    bunch = build_bunch(table, pd.Series(y, name="y"), task_id="task", source=make_related_tasks)
    bunch.task_groups = groups
    return bunch


@documented
def make_rotated_digits(angles=(0, 0, 90, 90), n_rows=None, random_state=None):
    """Generate tasks from rotated copies of scikit-learn's digits.

    Each task classifies the ten digits in images of 8 x 8 pixels, and all tasks have the same
    images. Copies with the same angle are the same task; copies with different angles share the
    classes but not the pixels.

    Parameters
    ----------
    angles : sequence of int, default=(0, 0, 90, 90)
        Angle of each task, in degrees clockwise: multiples of 90.
    n_rows : int or None, default=None
        Number of images, drawn at random; all 1,797 by default.
    random_state : int, RandomState instance or None, default=None
        Determines which images are drawn, and their order within each task.

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_tasks * n_rows, 65)
            The pixels `p00`, `p01`, ..., `p77` (row, then column; 0 to 16) and the task-id column
            `task` (0, 1, ...). Rows are sorted by task.
        target : Series of shape (n_tasks * n_rows,)
            The digits.
        {names}
        image : ndarray of shape (n_tasks * n_rows,)
            Number of the image of each row, the same in all tasks; pass it as ``groups`` to
            splitters to keep copies of an image together.
        angles : ndarray of shape (n_tasks,)
            The angle of each task.

    See Also
    --------
    make_related_tasks : Tasks with a given relatedness.

    Notes
    -----
    The paper does the same with MNIST. Split by `image`, so that images of test rows do not occur
    in the training rows of another task.

    References
    ----------
    .. [1] K. Maziarz, E. Kokiopoulou, A. Gesmundo, L. Sbaiz, G. Bartok and J. Berent, "Flexible
       multi-task networks by learning parameter allocation", 2020, section V.A.

    Examples
    --------
    >>> from skmtl.datasets import make_rotated_digits
    >>> digits = make_rotated_digits(n_rows=100, random_state=0)
    >>> digits.data.shape
    (400, 65)
    """
    angles = np.asarray(angles)
    if angles.ndim != 1 or not len(angles) or (angles % 90 != 0).any():
        raise ValueError(f"angles must be multiples of 90, one for each task; got {angles!r}.")
    images, digits = load_digits(return_X_y=True)
    if n_rows is not None:
        check_scalar(n_rows, "n_rows", Integral, min_val=1, max_val=len(images))
    random_state = check_random_state(random_state)
    kept = random_state.permutation(len(images))[:n_rows]
    parts, numbers = [], []
    for angle in angles:
        order = random_state.permutation(kept)
        squares = images[order].reshape(-1, 8, 8)
        turned = np.rot90(squares, -(int(angle) // 90), axes=(1, 2))
        parts.append(turned.reshape(len(order), -1))
        numbers.append(order)
    image = np.concatenate(numbers)
    table = pd.DataFrame(
        np.concatenate(parts), columns=[f"p{i}{j}" for i in range(8) for j in range(8)]
    ).assign(task=np.repeat(np.arange(len(angles)), len(kept)))
    target = pd.Series(digits[image], name="digit")
    bunch = build_bunch(table, target, task_id="task", source=make_rotated_digits)
    bunch.image, bunch.angles = image, angles
    return bunch
