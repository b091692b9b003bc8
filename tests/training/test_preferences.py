"""Steps for preferences: gradients apart, validation by fixed preferences, the member axis."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from skmtl.nn import ParetoNetwork, WrittenSharedBottom
from skmtl.nn._pareto_gradients import PreferenceGradients
from skmtl.training import ClassLoss, NumberLoss, PreferenceSteps, TaskRows
from skmtl.training._batches import MemberBatches
from skmtl.training._losses import constant_losses
from skmtl.training._preference_steps import usual_concentration, validation_preferences
from skmtl.weighting._preferences import SOLVERS
from tests._members import fitted, member_net

SEEDS = [3, 14, 15]


def wide_rows(n_tasks=3, n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1.5, (n_rows, n_tasks)) * (rng.random((n_rows, n_tasks)) < 0.9)
    return TaskRows(
        features=torch.from_numpy(rng.normal(size=(n_rows, 4))),
        tasks=None,
        targets=torch.from_numpy(rng.normal(size=(n_rows, n_tasks))),
        weights=torch.from_numpy(weights),
        n_tasks=n_tasks,
    )


def long_rows(n_tasks=3, n_rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return TaskRows(
        features=torch.from_numpy(rng.normal(size=(n_rows, 4))),
        tasks=torch.from_numpy(rng.integers(0, n_tasks, n_rows)),
        targets=torch.from_numpy(rng.normal(size=(n_rows, 1))),
        weights=torch.from_numpy(rng.uniform(0.5, 1.5, n_rows)),
        n_tasks=n_tasks,
    )


def build(seeds, n_tasks=3, sizes=(8,), **settings):
    written = WrittenSharedBottom(
        n_tasks, 4, 1, seeds=seeds, hidden_layer_sizes=sizes, activation="tanh"
    )
    settings = {"compression": True, **settings}
    return ParetoNetwork(written, n_tasks, seeds=seeds, **settings).double()


def steps_of(module, table, seeds, **settings):
    rows = [torch.arange(len(table))] * len(seeds)
    loop = SimpleNamespace(module_=module, criterion_=NumberLoss(), seeds=seeds)
    return PreferenceSteps(**settings).bind(loop, table, rows)


def first_batch(table, n_members):
    rows = [torch.arange(len(table))] * n_members
    return next(iter(MemberBatches(table, rows, 25)))


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("table", [wide_rows(), long_rows()], ids=["wide", "long"])
def test_losses_and_gramians_of_every_preference_and_task(table, compression, n_layers, batched):
    seeds = SEEDS[:2]
    module = build(seeds, compression=compression, hypernet_layers=n_layers)
    steps = steps_of(module, table, seeds, n_preferences=4)
    batch = first_batch(table, 2)
    rays = torch.as_tensor(steps.draw())
    gradients = PreferenceGradients(module, rays)
    torch.testing.assert_close(gradients.written, module.write(rays).detach())
    module.network.batched = batched
    losses, totals, slopes, y_pred = steps.differentiate(module, gradients.written, batch)
    gradients.differentiate(slopes)
    gramian = gradients.gramian()
    assert gramian.shape == (2, 4, 3, 3)
    # the slow way: one backward pass for each
    outputs = module(*batch.inputs, rays=rays)
    torch.testing.assert_close(y_pred, outputs)
    tasks, slots = batch.inputs.tasks, batch.inputs.slots
    for m in range(2):
        for p in range(4):
            rows = []
            for t in range(3):
                of_task = tasks[m, slots[m]] == t
                y, w = batch.targets[m][of_task], batch.weights[m][of_task]
                error = (outputs[m, p][of_task] - y).squeeze(-1).square()
                loss = (error * w).sum() / w.sum() / steps.scales[m, t]
                torch.testing.assert_close(losses[m, p, t], loss)
                torch.testing.assert_close(totals[m, t], w.sum())
                actual = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
                rows.append(torch.cat([g[m].flatten() for g in actual]))
            rows = torch.stack(rows)
            torch.testing.assert_close(gramian[m, p], rows @ rows.mT)
            # those of one preference alone, and then of its losses with some weights
            weights = torch.zeros(2, 4, 3)
            weights[m, p] = torch.tensor([0.5, -2.0, 1.0])
            actual = gradients.combine(weights.double())
            actual = [actual[name][m].flatten() for name, _ in module.named_parameters()]
            torch.testing.assert_close(torch.cat(actual), weights[m, p].double() @ rows)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_step_follows_the_weighted_losses(solver):
    table, seeds = wide_rows(), SEEDS[:2]
    module = build(seeds)
    rows = [torch.arange(len(table))] * 2
    net = member_net(
        module,
        seeds,
        steps=PreferenceSteps(solver=solver, n_preferences=3),
        batch_size=len(table),
        max_epochs=1,
        learning_rate=0.0,
    )
    seen = {}
    net.step_optimizer = lambda batch: seen.update(
        {name: p.grad.clone() for name, p in module.named_parameters()}
    )
    net.fit_members(table, rows)
    steps = steps_of(module, table, seeds, solver=solver, n_preferences=3)
    batch = next(iter(MemberBatches(table, rows, len(table))))
    drawn = steps.draw()
    rays = torch.as_tensor(drawn)
    leaf = module.write(rays)
    losses, totals = steps.task_losses(module.evaluate(leaf, *batch.inputs), batch)
    gramian = None
    if steps.solver.needs_gramian:
        gradients = PreferenceGradients(module, rays)
        gradients.differentiate(steps.differentiate(module, gradients.written, batch)[2])
        gramian = gradients.gramian().numpy()
    weights = steps._weights(losses.detach(), gramian, drawn, totals > 0)
    (losses * weights).sum(2).mean(1).sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(seen[name], p.grad, rtol=1e-7, atol=1e-9)


def test_with_many_tasks_too_some_preferences_are_for_one_of_them():
    assert [usual_concentration(n) for n in (2, 3, 4, 8, 20)] == [0.5, 0.5, 0.5, 0.25, 0.1]
    table = wide_rows(n_tasks=20)
    module = build([0], n_tasks=20)
    drawn = steps_of(module, table, [0], n_preferences=500).draw()
    assert 0.4 < drawn.max(axis=2).mean() < 0.6
    evenly = steps_of(module, table, [0], n_preferences=500, concentration=0.5).draw()
    assert evenly.max(axis=2).mean() < 0.3


def test_constants_have_the_losses_that_losses_are_divided_by():
    table = wide_rows()
    rows = [torch.arange(30), torch.arange(10, 40)]
    actual = constant_losses(NumberLoss(), table, rows)
    for m in range(2):
        for t in range(3):
            y, w = table.targets[rows[m], t].numpy(), table.weights[rows[m], t].numpy()
            mean = np.average(y, weights=w)
            assert actual[m, t].item() == pytest.approx(np.average((y - mean) ** 2, weights=w))
    table.targets = torch.randint(0, 3, table.targets.shape).double()
    table.targets[:, 2] = 1.0
    actual = constant_losses(ClassLoss(torch.ones(3, 3, dtype=torch.bool)), table, rows)
    w = table.weights[rows[0], 0]
    share = torch.bincount(table.targets[rows[0], 0].long(), weights=w) / w.sum()
    assert actual[0, 0].item() == pytest.approx(-(share * share.log()).sum().item())
    # one class only: nothing to divide by
    assert actual[0, 2] == 1


def test_validation_is_the_mean_loss_weighted_by_fixed_preferences():
    table, seeds = wide_rows(n_tasks=2), SEEDS[:2]
    rows = [torch.arange(25)] * 2, [torch.arange(25, 40)] * 2
    module = build(seeds, n_tasks=2)
    net = member_net(module, seeds, steps=PreferenceSteps(), batch_size=10, max_epochs=2)
    fitted(net, table, *rows)
    preferences = validation_preferences(2, 1.0)
    valid = torch.arange(25, 40)
    solver = SOLVERS["pareto"]()
    rays = torch.from_numpy(solver.rays(preferences)).expand(2, -1, -1)
    x = table.features[valid].expand(2, 2, -1, -1)
    tasks = torch.arange(2).expand(2, -1)
    outputs = net.module_.eval()(x, tasks, tasks, shared_rows=True, rays=rays).detach()
    w = table.weights[valid].T
    y = table.targets[valid].T
    losses = ((outputs[..., 0] - y).square() * w).sum(3) / w.sum(1)
    losses = losses / net.result_.loss_scales.unsqueeze(1)
    expected = (losses * torch.from_numpy(preferences)).sum(2).mean(1)
    best = [
        net.result_.records["valid_loss"][net.result_.records["member"] == m].min()
        for m in range(2)
    ]
    np.testing.assert_allclose(best, expected, rtol=1e-6)


def test_fixed_preferences_are_dealt():
    table = wide_rows(n_tasks=2)
    fixed = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    settings = {"solver": "linear", "preferences": fixed}
    steps = steps_of(build([0], n_tasks=2), table, [0], n_preferences=2, **settings)
    seen = np.concatenate([steps.draw()[0] for _ in range(30)])
    assert {tuple(p) for p in seen.round(9)} == {tuple(p) for p in fixed}
    assert steps.draw().shape == (1, 2, 2)
