"""Gradient vaccine: values, and what the method promises."""

import numpy as np
import pytest
import torch

from skmtl import weighting
from tests._weighting import (
    assert_close,
    gradients,
    gramian_of,
    losses_for,
    run,
    seeded,
    weigh,
)


def slow_gradvac(g, goals, orders, rate):
    n = len(g)
    total = 0
    for i in range(n):
        h = g[i].clone()
        for j in orders[i]:
            if i == j:
                continue
            cosine = float(h @ g[j] / (h.norm() * g[j].norm()))
            goal = goals[i, j]
            if cosine < goal:
                sine, goal_sine = (1 - cosine**2) ** 0.5, (1 - goal**2) ** 0.5
                h = (
                    h
                    + h.norm()
                    * (goal * sine - cosine * goal_sine)
                    / (g[j].norm() * goal_sine)
                    * g[j]
                )
                assert_close(h @ g[j] / (h.norm() * g[j].norm()), goal, atol=1e-8)
            goals[i, j] = (1 - rate) * goal + rate * cosine
        total = total + h
    return total


def test_gradvac_is_the_algorithm_of_the_paper():
    method = weighting.GradVac(rate=0.3)
    state, goals = method.init_state(1, 4), np.zeros((4, 4))
    generators, twin = seeded(1, 5), seeded(1, 5)[0]
    for step in range(6):
        g = gradients(1, 4, 5, step)
        w = method.weights(torch.ones(1, 4), gramian_of(g), state, generators).double()
        orders = torch.rand(4, 4, generator=twin).argsort(dim=1).tolist()
        assert_close(w[0] @ g[0], slow_gradvac(g[0], goals, orders, 0.3), rtol=1e-5, atol=1e-6)
    assert_close(state["goals"][0], goals, rtol=1e-6)


def test_gradvac_of_two_tasks_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    theirs = aggregation.GradVacWeighting(beta=0.3)
    method = weighting.GradVac(rate=0.3)
    batches = [(losses_for(1, 2), gramian_of(gradients(1, 2, 3, s))) for s in range(8)]
    actual, _ = run(method, batches, [0])
    expected = [theirs(gramian[0]) for _, gramian in batches]
    assert_close(actual[:, 0], torch.stack(expected), rtol=1e-6)


def test_gradvac_without_a_past_is_pcgrad():
    g = gradients(3, 5)
    vaccine, surgery = weighting.GradVac(), weighting.PCGrad()
    actual = weigh(vaccine, g, generators=seeded(3))
    assert_close(actual, weigh(surgery, g, generators=seeded(3)), rtol=1e-8)
