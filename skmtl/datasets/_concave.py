"""An optimisation problem with a concave front and a known Pareto set."""

import numpy as np
import torch
from sklearn.utils import Bunch

from skmtl.datasets._bunch import describe

_SHAPES = ("straight", "sine")


def make_concave_front(shape="sine", n_variables=20, n_points=1000):
    r"""Make a problem of two losses with a concave front, which weighted sums miss.

    Minimising a weighted sum only finds the ends of the front. The problem has no rows and is meant
    for testing solvers. With ``shape="straight"`` it is the synthetic
    example of Pareto MTL [2]_,

    .. math:: f_{1,2}(x) = 1 - \exp\Bigl(-\sum_j (x_j \mp 1/\sqrt{n})^2\Bigr),

    whose Pareto set is a line; with ``shape="sine"``

    .. math::
        f_{1,2}(x) = 1 - \exp\Bigl(-(x_1 \mp 1)^2
        - \sum_{j \ge 2} (x_j - \sin \pi x_1)^2\Bigr),

    whose Pareto set is a sine curve. Both have the same front,
    :math:`1 - \exp(-(t \mp 1)^2)` for :math:`-1 \le t \le 1`.

    Parameters
    ----------
    shape : {"sine", "straight"}, default="sine"
        Shape of the Pareto set.
    n_variables : int, default=20
        Dimension n of x, at least 2.
    n_points : int, default=1000
        Number of points of the front and of the set.

    Returns
    -------
    Bunch
        Has these attributes.

        losses : callable
            Maps x of shape (..., n_variables), a Tensor, to the two losses, (..., 2).
        pareto_set : ndarray of shape (n_points, n_variables)
            Pareto-optimal solutions, evenly spaced in t.
        pareto_front : ndarray of shape (n_points, 2)
            Their losses.
        reference_point : ndarray of shape (2,)
            (1, 1), an upper bound of the losses.
        DESCR : str
            A description of the problem.

    Notes
    -----
    The paper on controllable Pareto MTL [1]_ shows a problem with a sine-like set and a concave
    front, but its formula is not published. ``shape="sine"`` is a stand-in with these properties,
    not that problem.

    References
    ----------
    .. [1] Lin, Yang, Zhang and Kwong, "Controllable Pareto multi-task learning", 2020, section 6.
    .. [2] Lin, Zhen, Li, Zhang and Kwong, "Pareto multi-task learning", NeurIPS 2019.

    Examples
    --------
    >>> import torch
    >>> from skmtl.datasets import make_concave_front
    >>> problem = make_concave_front()
    >>> problem.losses(torch.zeros(20)).round(decimals=3)
    tensor([0.6320, 0.6320])
    """
    if shape not in _SHAPES:
        raise ValueError(f"shape must be one of {_SHAPES}, got {shape!r}.")
    if n_variables < 2:
        raise ValueError(f"n_variables must be at least 2, got {n_variables!r}.")
    t = np.linspace(-1, 1, n_points)
    if shape == "sine":
        solutions = np.repeat(np.sin(np.pi * t)[:, None], n_variables, axis=1)
        solutions[:, 0] = t
    else:
        solutions = np.repeat(t[:, None], n_variables, axis=1) / np.sqrt(n_variables)
    return Bunch(
        losses=_sine if shape == "sine" else _straight,
        pareto_set=solutions,
        pareto_front=1 - np.exp(-np.column_stack([(t - 1) ** 2, (t + 1) ** 2])),
        reference_point=np.ones(2),
        DESCR=describe(make_concave_front),
    )


def _sine(x):
    first, others = x[..., :1], x[..., 1:]
    off = (others - torch.sin(torch.pi * first)).square().sum(-1)
    ends = torch.cat([first - 1, first + 1], dim=-1).square()
    return 1 - torch.exp(-ends - off.unsqueeze(-1))


def _straight(x):
    end = x.shape[-1] ** -0.5
    ends = torch.stack([x - end, x + end], dim=-2)
    return 1 - torch.exp(-ends.square().sum(-1))
