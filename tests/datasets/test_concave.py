"""The concave problem: its front, its set, and solvers that run on it."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from skmtl.datasets import make_concave_front
from skmtl.metrics import hypervolume


@pytest.mark.parametrize("shape", ["sine", "straight"])
def test_the_set_has_the_losses_of_the_front(shape):
    problem = make_concave_front(shape, n_variables=5, n_points=11)
    losses = problem.losses(torch.from_numpy(problem.pareto_set)).numpy()
    np.testing.assert_allclose(losses, problem.pareto_front, atol=1e-12)


@pytest.mark.parametrize("shape", ["sine", "straight"])
def test_nothing_is_better_than_the_front(shape):
    problem = make_concave_front(shape, n_variables=3, n_points=401)
    rng = np.random.default_rng(0)
    for _ in range(5):
        # the least second loss under a bound on the first, as a penalty
        bound = rng.uniform(0.1, 0.9)

        def value(x, bound=bound):
            a, b = problem.losses(torch.from_numpy(x)).tolist()
            return b + 100 * max(0.0, a - bound)

        starts = [rng.uniform(-1, 1, 3) for _ in range(5)]
        actual = min(minimize(value, x, method="Nelder-Mead").fun for x in starts)
        front = problem.pareto_front
        best = front[front[:, 0] <= bound, 1].min()
        assert actual > best - 0.02


def test_the_front_is_concave():
    front = make_concave_front(n_points=101).pareto_front
    # every weighted sum is smallest near an end
    for weight in np.linspace(0, 1, 11):
        position = (front @ [weight, 1 - weight]).argmin()
        assert min(position, 100 - position) < 15
    ends = hypervolume(front[[0, -1]] + [[1e-9, 0], [0, 1e-9]], [1, 1])
    assert ends < 0.12 * hypervolume(front, [1, 1])


def test_bad_input():
    with pytest.raises(ValueError, match="shape must be"):
        make_concave_front("round")
    with pytest.raises(ValueError, match="at least 2"):
        make_concave_front(n_variables=1)
