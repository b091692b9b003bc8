"""Methods that look at gradients, against TorchJD, brute force, closed forms and slow twins."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl import weighting
from tests._weighting import (
    assert_close,
    by_torchjd,
    gradients,
    gramian_of,
    losses_for,
    projections,
    run,
    seeded,
)

seeds = st.integers(0, 10**6)
quick = settings(max_examples=15, deadline=None)


def weigh(method, g, **options):
    return method.weights(torch.ones(g.shape[:2], dtype=g.dtype), gramian_of(g), **options)


def opposite_halves(cosine, ratio=1.0):
    """Two gradients with this cosine, the second `ratio` times as long."""
    sine = (1 - cosine**2) ** 0.5
    return torch.tensor([[[1.0, 0.0], [ratio * cosine, ratio * sine]]], dtype=torch.float64)


# MGDA


@quick
@given(seeds, st.integers(2, 4))
def test_mgda_is_the_best_of_the_simplex(seed, n_tasks):
    gramian = gramian_of(gradients(1, n_tasks, 5, seed))
    w = weigh(weighting.MGDA(), gradients(1, n_tasks, 5, seed))[0] / n_tasks
    grid = np.array(
        [p for p in itertools.product(np.linspace(0, 1, 21), repeat=n_tasks - 1) if sum(p) <= 1]
    )
    grid = torch.from_numpy(np.column_stack([grid, 1 - grid.sum(1)]))
    others = torch.einsum("ni,ij,nj->n", grid, gramian[0], grid)
    assert (w @ gramian[0] @ w) <= others.min() + 1e-12
    assert (w >= 0).all()
    assert_close(w.sum(), 1.0)


@quick
@given(seeds, st.integers(2, 8))
def test_mgda_helps_every_task(seed, n_tasks):
    g = gradients(1, n_tasks, 5, seed)
    w = weigh(weighting.MGDA(), g)
    # and all that have a weight equally
    gained = projections(w, g)[0] / n_tasks
    square = (w @ gramian_of(g)[0] @ w.mT).item() / n_tasks**2
    assert (gained >= square - 1e-9).all()
    assert_close(gained[w[0] > 1e-6], np.full(int((w[0] > 1e-6).sum()), square), atol=1e-8)


@pytest.mark.parametrize(("cosine", "ratio"), [(-0.5, 1.0), (0.0, 2.0), (0.9, 3.0), (-0.9, 0.2)])
def test_mgda_of_two_tasks_in_closed_form(cosine, ratio):
    g = opposite_halves(cosine, ratio)
    a, b = g[0]
    gamma = float(((b - a) @ b / (b - a).square().sum()).clamp(0, 1))
    assert_close(weigh(weighting.MGDA(), g)[0], [2 * gamma, 2 - 2 * gamma], atol=1e-7)


def test_mgda_agrees_with_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    found = weigh(weighting.MGDA(), g)
    theirs = by_torchjd(aggregation.MGDAWeighting(epsilon=1e-9, max_iters=1000), g)
    # whose steps converge slowly
    assert_close(found, theirs, atol=0.1)
    # exact, so never longer

    def lengths(w):
        return torch.einsum("mi,mij,mj->m", w, gramian_of(g), w)

    assert (lengths(found) <= lengths(theirs) + 1e-9).all()


def test_normalised_mgda_is_that_of_scaled_gradients():
    g, losses = gradients(2), losses_for(2)
    lengths = g.norm(dim=2)
    for name, size in {"l2": lengths, "loss": losses, "loss+": losses * lengths}.items():
        found = weighting.MGDA(name).weights(losses, gramian_of(g))
        expected = weigh(weighting.MGDA(), g / size.unsqueeze(2))
        assert_close(found, expected, atol=1e-8)


def test_mgda_pinned():
    g = torch.tensor([[[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]]])
    assert_close(weigh(weighting.MGDA(), g), [[1.2, 0.8]], rtol=1e-6)


# PCGrad and GradVac


def slow_pcgrad(g, orders):
    """The paper's algorithm, on the gradients themselves."""
    total = 0
    for i, order in enumerate(orders):
        h = g[i].clone()
        for j in order:
            if j != i and h @ g[j] < 0:
                h -= (h @ g[j]) / (g[j] @ g[j]) * g[j]
        total = total + h
    return total


@quick
@given(seeds, st.integers(1, 7))
def test_pcgrad_is_the_algorithm_of_the_paper(seed, n_tasks):
    g = gradients(2, n_tasks, 5, seed)
    w = weigh(weighting.PCGrad(), g, generators=seeded(2, seed))
    for m, generator in enumerate(seeded(2, seed)):
        orders = torch.rand(n_tasks, n_tasks, generator=generator).argsort(dim=1).tolist()
        assert_close(w[m] @ g[m], slow_pcgrad(g[m], orders), rtol=1e-8, atol=1e-10)


def test_pcgrad_of_two_tasks_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    # where there is but one order
    g = gradients(20, 2, 3)
    theirs = torch.stack([aggregation.PCGradWeighting()(gramian_of(one)) for one in g])
    assert_close(weigh(weighting.PCGrad(), g), theirs)


def test_pcgrad_is_on_average_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(1, 5, 4, seed=3)
    torch.manual_seed(0)
    method = aggregation.PCGradWeighting()
    theirs = torch.stack([method(gramian_of(g[0])) for _ in range(400)]).mean(0)
    ours = weigh(weighting.PCGrad(), g.expand(400, -1, -1), generators=seeded(400)).mean(0)
    assert_close(ours, theirs, rtol=0.05)


@quick
@given(seeds)
def test_pcgrad_of_two_tasks_helps_both(seed):
    g = gradients(1, 2, 3, seed)
    assert (projections(weigh(weighting.PCGrad(), g), g) >= -1e-10).all()


def test_pcgrad_leaves_gradients_alone_that_do_not_conflict():
    g = gradients(3).abs()
    assert (weigh(weighting.PCGrad(), g) == 1).all()


def test_orders_are_those_of_the_member():
    g = gradients(1, 6, 4).expand(2, -1, -1)
    first = weigh(weighting.PCGrad(), g, generators=seeded(2))
    assert torch.equal(first, weigh(weighting.PCGrad(), g, generators=seeded(2)))
    assert not torch.equal(first[0], first[1])


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
    found, _ = run(method, batches, [0])
    expected = [theirs(gramian[0]) for _, gramian in batches]
    assert_close(found[:, 0], torch.stack(expected), rtol=1e-6)


def test_gradvac_without_a_past_is_pcgrad():
    g = gradients(3, 5)
    vaccine, surgery = weighting.GradVac(), weighting.PCGrad()
    found = weigh(vaccine, g, generators=seeded(3))
    assert_close(found, weigh(surgery, g, generators=seeded(3)), rtol=1e-8)


# CAGrad


@quick
@given(seeds, st.floats(0.05, 0.95), st.integers(2, 6))
def test_cagrad_is_the_best_step_in_the_ball(seed, c, n_tasks):
    g = gradients(1, n_tasks, 5, seed)
    step = (weigh(weighting.CAGrad(c), g)[0] @ g[0]) / n_tasks
    mean = g[0].mean(0)
    assert (step - mean).norm() <= c * mean.norm() * (1 + 1e-6)
    worst = (g[0] @ step).min()
    generator = torch.Generator().manual_seed(seed)
    moves = torch.randn(2000, 5, generator=generator, dtype=torch.float64)
    moves = c * mean.norm() * moves / moves.norm(dim=1, keepdim=True)
    others = ((mean + moves) @ g[0].T).amin(1)
    # the best of many random steps on the border is no better
    assert worst >= others.max() - 1e-6 * g.norm()
    # and what duality promises is reached: the gap between both problems is zero
    x = weigh(weighting.CAGrad(c), g)[0] - 1
    x = x / x.sum()
    dual = (x @ g[0]) @ mean + c * mean.norm() * (x @ g[0]).norm()
    assert_close(worst, dual, rtol=2e-4, atol=1e-6)


def test_cagrad_of_two_tasks_in_closed_form():
    # equal lengths: both tasks are alike, and the step is along the mean
    for cosine in (-0.5, 0.0, 0.7):
        found = weigh(weighting.CAGrad(0.4), opposite_halves(cosine))
        assert_close(found, [[1.4, 1.4]], rtol=1e-5)


def test_cagrad_without_room_is_the_sum():
    assert (weigh(weighting.CAGrad(0.0), gradients()) == 1).all()


def test_cagrad_where_no_direction_helps_all_is_the_sum():
    g = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]])
    assert_close(weigh(weighting.CAGrad(), g), [[1.0, 1.0, 1.0]])


# IMTL-G, Nash-MTL, FairGrad


@quick
@given(seeds, st.integers(1, 5))
def test_imtl_g_has_equal_projections(seed, n_tasks):
    g = gradients(1, n_tasks, 6, seed)
    w = weigh(weighting.IMTLG(), g)
    unit = projections(w, g)[0] / g[0].norm(dim=1)
    assert_close(unit, unit.mean().expand(n_tasks), rtol=1e-6)
    assert_close(w.mean(), 1.0)


def test_imtl_g_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    assert_close(weigh(weighting.IMTLG(), g), by_torchjd(aggregation.IMTLGWeighting(), g))


@quick
@given(seeds, st.integers(1, 6), st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_fairgrad_solves_its_system(seed, n_tasks, alpha):
    g = gradients(1, n_tasks, 6, seed)
    w = weigh(weighting.FairGrad(alpha), g)
    # up to the scale: (G w)^-alpha is a multiple of w
    slope = (gramian_of(g)[0] @ w[0]) ** -alpha
    assert_close(slope / slope.mean(), w[0], rtol=1e-3)
    assert (w > 0).all()


def test_fairgrad_is_that_of_torchjd():
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 3, 8)
    for alpha in (0.5, 1.0, 2.0):
        theirs = by_torchjd(aggregation.FairGradWeighting(alpha=alpha), g)
        assert_close(weigh(weighting.FairGrad(alpha), g), theirs, rtol=1e-3)


def test_nash_is_proportional_fairness():
    g = gradients(4, 5)
    assert_close(weigh(weighting.NashMTL(), g), weigh(weighting.FairGrad(1.0), g))


@quick
@given(seeds, st.floats(-6, 6))
def test_nash_does_not_look_at_the_length_of_a_gradient(seed, exponent):
    g = gradients(1, 3, 6, seed)
    scales = torch.tensor([1.0, 10**exponent, 1.0]).double()[:, None]
    step = weigh(weighting.NashMTL(), g)[0] @ g[0]
    other = weigh(weighting.NashMTL(), scales * g)[0] @ (scales * g)[0]
    assert_close(other / other.norm(), step / step.norm(), rtol=1e-4, atol=1e-5)


@quick
@given(seeds, st.integers(2, 5))
def test_nash_helps_every_task(seed, n_tasks):
    g = gradients(1, n_tasks, 6, seed)
    assert (projections(weigh(weighting.NashMTL(), g), g) > 0).all()


def test_nash_of_two_tasks_in_closed_form():
    for cosine, ratio in ((0.3, 1.0), (-0.8, 5.0), (0.0, 0.1)):
        found = weigh(weighting.NashMTL(), opposite_halves(cosine, ratio))[0]
        assert_close(found[0] / found[1], ratio, rtol=1e-4)


# Aligned-MTL


@quick
@given(seeds, st.integers(1, 5), st.sampled_from(["min", "rmse"]))
def test_aligned_gradients_are_orthogonal_and_equally_long(seed, n_tasks, scale):
    g = gradients(1, n_tasks, 6, seed)[0]
    step = weigh(weighting.AlignedMTL(scale), g[None])[0] @ g
    u, s, v = torch.linalg.svd(g, full_matrices=False)
    size = s.min() if scale == "min" else s.square().mean().sqrt()
    assert_close(step, size * (u @ v).sum(0), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl_is_that_of_torchjd(scale):
    aggregation = pytest.importorskip("torchjd.aggregation")
    g = gradients(6, 4, 8)
    method = aggregation.AlignedMTLWeighting(scale_mode=scale)
    theirs = torch.stack([method(gramian_of(one)) for one in g])
    assert_close(weigh(weighting.AlignedMTL(scale), g), 4 * theirs)


def test_rounding_is_no_direction():
    # rank 2, in single precision: a third eigenvalue is noise, and must not become the scale
    g = gradients(1, 2, 50).float()
    g = torch.cat([g, g.sum(1, keepdim=True)], dim=1)
    single = weigh(weighting.AlignedMTL(), g)
    double = weigh(weighting.AlignedMTL(), g.double())
    assert_close(single, double, rtol=1e-2, atol=1e-3)
    assert single.abs().max() > 0.1


# GradNorm


def test_gradnorm_follows_the_gradient_of_its_loss():
    method = weighting.GradNorm(alpha=0.7, learning_rate=0.05)
    state, first = method.init_state(1, 4), losses_for(seed=0)
    w = torch.ones(4, dtype=torch.float64)
    optimizer = torch.optim.Adam([w.requires_grad_()], lr=0.05)
    for step in range(20):
        g, losses = gradients(seed=step), losses_for(seed=step)
        found = method.weights(losses, gramian_of(g), state)[0]
        assert_close(found, w.detach(), rtol=1e-6)
        lengths = g[0].norm(dim=1)
        ratio = losses[0] / first[0]
        target = (w * lengths).mean().detach() * (ratio / ratio.mean()) ** 0.7
        # in units of the mean length, as is documented
        loss = (w * lengths - target).abs().sum() / (w * lengths).mean().detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.data *= 4 / w.data.sum()


def test_gradnorm_makes_gradients_equally_long():
    method, g = weighting.GradNorm(alpha=0.0, learning_rate=0.01), gradients()
    state = method.init_state(1, 4)
    for _ in range(2000):
        w = method.weights(losses_for(), gramian_of(g), state)
    lengths = w[0] * g[0].norm(dim=1)
    assert_close(lengths, lengths.mean().expand(4), rtol=0.1)
