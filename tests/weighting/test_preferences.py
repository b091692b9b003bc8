"""Solvers of preferences: the paper's lemma, explicit gradients, direct linear programs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from skmtl.weighting._mgda import shortest
from skmtl.weighting._preferences import (
    SOLVERS,
    ChebyshevSolver,
    EPOSolver,
    LinearSolver,
    ParetoSolver,
    epo_weights,
    pareto_weights,
    reciprocal,
    unit,
)


def problem(seed, n_tasks=3, n_parameters=7, n_references=5, n_preferences=4):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(n_preferences, n_tasks, n_parameters))
    losses = rng.uniform(0.1, 2, (n_preferences, n_tasks))
    rays = rng.dirichlet(np.ones(n_tasks), n_preferences)
    references = rng.dirichlet(np.ones(n_tasks), (n_preferences, n_references))
    return gradients, losses, rays, references


def gramian_of(gradients):
    return gradients @ np.swapaxes(gradients, -1, -2)


def active_gradients(gradients, losses, ray, references):
    """Gradients of the losses and of the active constraints, written out."""
    constraints = unit(references) - unit(ray)
    active = [u for u in constraints if u @ losses >= 0]
    return np.array([*gradients, *(u @ gradients for u in active)])


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 9), st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_every_active_product_decreases_by_the_squared_length_of_the_step(seed, t, n, k):
    # Lemma 1: with d = -sum alpha grad L, <grad L_i, d> and <grad G_j, d> are at most -|d|^2
    gradients, losses, rays, references = problem(seed, t, n, k)
    weights = pareto_weights(losses, gramian_of(gradients), rays, references)
    for p in range(len(losses)):
        step = -weights[p] @ gradients[p]
        products = active_gradients(gradients[p], losses[p], rays[p], references[p]) @ step
        scale = np.abs(gradients[p]).max() ** 2
        assert (products <= -(step @ step) + 1e-9 * scale).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_gramian_says_as_much_as_explicit_gradients(seed):
    gradients, losses, rays, references = problem(seed, n_preferences=1)
    parts = active_gradients(gradients[0], losses[0], rays[0], references[0])
    k = len(parts)
    direct = minimize(
        lambda x: np.sum((x @ parts) ** 2),
        np.full(k, 1 / k),
        jac=lambda x: 2 * parts @ (x @ parts),
        bounds=[(0, 1)] * k,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = pareto_weights(losses, gramian_of(gradients), rays, references)
    np.testing.assert_allclose(weights[0] @ gradients[0], direct.x @ parts, atol=1e-5)


def test_without_an_active_constraint_it_is_mgda():
    gradients, losses, _, references = problem(1)
    # losses are parallel to the preference: no other vector is nearer
    gramian = gramian_of(gradients)
    weights = pareto_weights(losses, gramian, losses, references)
    np.testing.assert_allclose(weights, [shortest(one) for one in gramian], atol=1e-9)


def test_a_preference_that_is_pareto_critical_gives_no_step():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(2, 6))
    gradients = np.array([[directions[0], directions[1], -0.3 * directions[0] - directions[1]]])
    losses = np.array([[0.5, 0.2, 0.3]])
    weights = pareto_weights(
        losses, gramian_of(gradients), losses, rng.dirichlet(np.ones(3), (1, 4))
    )
    assert np.linalg.norm(weights[0] @ gradients[0]) < 1e-7


def test_steps_of_restoration_look_at_active_constraints_alone():
    gradients, losses, rays, references = problem(5, n_preferences=30)
    gramian = gramian_of(gradients)
    weights = pareto_weights(losses, gramian, rays, references, np.ones(30, dtype=bool))
    plain = pareto_weights(losses, gramian, rays, references)
    seen = 0
    for p in range(30):
        active = active_gradients(gradients[p], losses[p], rays[p], references[p])[3:]
        step = -weights[p] @ gradients[p]
        if len(active):
            # all constraints decrease; a loss may increase
            assert (active @ step <= -(step @ step) + 1e-9).all()
            seen += (gradients[p] @ step > 1e-9).any()
        else:
            np.testing.assert_allclose(weights[p], plain[p])
    assert seen > 5


def test_no_loss_is_raised_beyond_that_of_a_constant():
    gradients, losses, rays, _ = problem(6, n_preferences=1)
    gramian = gramian_of(gradients)

    def ask(share, size):
        solver = ParetoSolver(restoration=share)
        generator = np.random.default_rng(0)
        return solver.weights(losses / losses.max() * size, gramian, rays, None, generator)

    # the draw of the share comes last
    np.testing.assert_array_equal(ask(1.0, 1.1), ask(0.0, 1.1))
    assert not np.allclose(ask(1.0, 0.9), ask(0.0, 0.9))


def test_weights_may_be_negative_and_sum_to_less_than_one():
    actual = []
    for seed in range(50):
        gradients, losses, rays, references = problem(seed)
        actual.append(pareto_weights(losses, gramian_of(gradients), rays, references))
    assert (np.concatenate(actual) < -1e-3).any()


@pytest.mark.parametrize("seed", range(20))
def test_epo_is_its_linear_program(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(2, 6))
    gradients = rng.normal(size=(m, int(rng.integers(m, 9))))
    losses = rng.uniform(0.1, 2, m)
    ray = rng.dirichlet(np.ones(m))
    if seed % 4 == 0:
        losses = 0.3 / ray  # balanced: the other program
    gramian = gradients @ gradients.T
    shares = ray * losses / (ray @ losses)
    mu = np.sum(shares * np.log(m * shares))
    a = ray * (np.log(m * shares) - mu)
    anchor = gradients @ (gradients.T @ a)
    # the program as the paper states it, row by row, over alpha
    rows, bounds = [], []
    if mu > 1e-4:
        objective = anchor
        for j in range(m):
            bound = 0.0
            if (anchor > 0).any():
                bound = None if anchor[j] > 0 else anchor[j]
                if j == np.argmax(ray * losses):
                    bound = 0.0
            if bound is not None:
                rows.append(-gramian[j])
                bounds.append(-bound)
    else:
        objective = gramian.sum(0)
        rows, bounds = [*(-gramian), -anchor], [*np.zeros(m), max(0.0, -anchor.max())]
    direct = linprog(-objective, rows, bounds, np.ones((1, m)), [1.0])
    weights = epo_weights(losses, gramian, ray)
    if direct.success:
        assert weights.sum() == pytest.approx(m)
        assert weights / m @ objective == pytest.approx(direct.x @ objective, abs=1e-8)
        scale = np.abs(gramian).max()
        assert (np.array(rows) @ weights / m <= np.array(bounds) + 1e-7 * scale).all()
    else:
        np.testing.assert_allclose(weights, m * ray)


def test_chebyshev_looks_at_the_largest_alone():
    weights = ChebyshevSolver().weights(
        np.array([[1.0, 2.0], [3.0, 1.0]]), None, np.array([[0.5, 0.5], [0.25, 0.75]])
    )
    np.testing.assert_allclose(weights, [[0, 0.5], [0.125, 0.375]])


def test_linear_is_the_preference():
    rays = np.array([[0.2, 0.8]])
    np.testing.assert_array_equal(LinearSolver().weights(np.ones((1, 2)), None, rays), rays)


@pytest.mark.parametrize("solver", list(SOLVERS.values()))
def test_missing_tasks_have_no_weight(solver):
    gradients, losses, rays, _ = problem(3)
    present = np.array([True, False, True])
    rng = np.random.default_rng(0)
    weights = solver().weights(losses, gramian_of(gradients), rays, present, rng)
    assert (weights[:, 1] == 0).all()
    assert (weights[:, [0, 2]] != 0).any()
    nothing = solver().weights(losses, gramian_of(gradients), rays, np.zeros(3, bool), rng)
    assert not nothing.any()


@pytest.mark.parametrize("solver", [ParetoSolver(), EPOSolver(), LinearSolver()])
def test_numbers_that_are_not_finite_are_left_to_the_loop(solver):
    gradients, losses, rays, _ = problem(4)
    losses[1, 0] = np.nan
    gramian = gramian_of(gradients)
    gramian[2, 0, 0] = np.inf
    weights = solver.weights(losses, gramian, rays, None, np.random.default_rng(0))
    assert np.isfinite(weights).all()


def test_gradients_of_zero_give_finite_weights():
    weights = pareto_weights(
        np.ones((1, 2)), np.zeros((1, 2, 2)), np.ones((1, 2)), np.ones((1, 3, 2))
    )
    np.testing.assert_allclose(weights, 0.5)
    np.testing.assert_allclose(
        epo_weights(np.ones(2), np.zeros((2, 2)), np.array([0.3, 0.7])), [0.6, 1.4]
    )


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=6).filter(lambda r: max(r) > 1e-3))
def test_the_two_conventions_are_each_other_s_reciprocal(r):
    r = np.array(r)
    p = reciprocal(r)
    assert p.sum() == pytest.approx(1)
    # equal products where no weight is below a hundredth of the largest
    np.testing.assert_allclose(
        p * np.maximum(r, 0.01 * r.max()), np.full(len(r), p.min() * r.max())
    )
    limited = np.maximum(r, 0.01 * r.max())
    np.testing.assert_allclose(reciprocal(p), limited / limited.sum(), rtol=1e-9)


def test_more_weight_is_a_smaller_share_of_the_loss_whatever_the_solver():
    r = np.array([[0.7, 0.2, 0.1]])
    for name, solver in SOLVERS.items():
        ray = solver().rays(r)[0]
        order = np.argsort(ray) if name == "pareto" else np.argsort(-ray)
        assert order.tolist() == [0, 1, 2]
        np.testing.assert_allclose(solver().preferences(ray[None]), r, rtol=1e-9)
