"""Affinity: steps by hand, training undisturbed, members, planted families, first order."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from skmtl.nn import SharedBottomNetwork
from skmtl.nn._gradients import TaskGradients
from skmtl.training import NumberLoss, TaskRows
from skmtl.training._affinity import AffinityRecorder
from skmtl.training._batches import MemberBatches
from skmtl.training._lookahead import Lookahead
from tests._members import build, fitted, member_net, parameters_of, task_rows, train
from tests._networks import NETWORKS, network, randomised
from tests.training.test_weighting import TABLES, every_form, module_for, wide_rows


def run(table, seeds, *, module=None, rows=None, **settings):
    rows = [torch.arange(len(table))] * len(seeds) if rows is None else rows
    module = module_for(table, seeds) if module is None else module
    options = settings.pop("record_affinity", {})
    return train(
        table,
        seeds,
        rows,
        module=module,
        **{"record_affinity": options, "max_epochs": 3, **settings},
    )


@every_form
@pytest.mark.parametrize("method", [None, "pcgrad"])
def test_training_is_bitwise_identical_without_it(form, method):
    table = TABLES[form](dtype=torch.float32)
    settings = {"task_weighting": method, "averaging": 0.9, "max_epochs": 2}
    plain = run(table, [3, 4], record_affinity=None, **settings)
    for options in (
        {},
        {"approximate": 1},
        {"approximate": 2},
        {"every": 2, "heads_first": False},
    ):
        watched = run(table, [3, 4], record_affinity=options, **settings)
        for m in range(2):
            assert torch.equal(parameters_of(plain.module_, m), parameters_of(watched.module_, m))
        assert watched.result_.affinity.shape == (2, 2, table.n_tasks, table.n_tasks)
        assert np.isfinite(watched.result_.affinity[0]).any()
    assert plain.result_.affinity is None


ARCHITECTURES = {
    "trunk, long": lambda: (task_rows(n_rows=120), {}),
    "trunk, wide": lambda: (wide_rows(), {}),
    # the penalty pulls at embeddings, and is no part of a task's loss
    "hypernetwork": lambda: (task_rows(n_rows=120), {"embedding_alpha": 5.0}),
}


@pytest.mark.parametrize("options", [{}, {"approximate": 1}, {"approximate": 2}, {"every": 2}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_pass_of_the_step_shows_what_another_pass_shows(architecture, options, monkeypatch):
    table, changes = ARCHITECTURES[architecture]()
    actual, watched = [], []
    look = AffinityRecorder.observe

    def observe(self, loop, batch, by_label=None):
        watched.append(by_label is not None)
        look(self, loop, batch, by_label)

    monkeypatch.setattr(AffinityRecorder, "observe", observe)
    for _ in range(2):
        module = build(table, [3, 4], **changes) if changes else module_for(table, [3, 4])
        net = run(table, [3, 4], module=module, record_affinity=options, batch_size=120)
        actual.append(net.result_.affinity)
        monkeypatch.setattr(TaskGradients, "watch", lambda self, inputs: False)
    half = len(watched) // 2
    assert watched == [True] * half + [False] * half
    np.testing.assert_allclose(*actual, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("heads_first", [True, False])
def test_a_look_ahead_by_hand(heads_first):
    # the first step of Adam moves by the rate along the sign of the gradient
    table, rate = wide_rows(missing=0.0), 1e-3
    module = module_for(table, [3])
    net = run(
        table,
        [3],
        module=copy.deepcopy(module),
        batch_size=40,
        max_epochs=1,
        learning_rate=rate,
        record_affinity={"heads_first": heads_first},
    )
    tasks = torch.arange(4).unsqueeze(0)
    x = table.features.expand(1, 4, -1, -1)

    def losses(network_):
        return (
            (network_(x, tasks, tasks, shared_rows=True)[0, :, :, 0] - table.targets.T)
            .square()
            .mean(1)
        )

    def stepped(which, names):
        moved = copy.deepcopy(module).train()
        moved.zero_grad()
        losses(moved)[which].sum().backward()
        other = copy.deepcopy(module)
        gradients = dict(moved.named_parameters())
        with torch.no_grad():
            for name, parameter in other.named_parameters():
                if name in names:
                    g = gradients[name].grad
                    parameter -= rate * g / (g.abs() + 1e-8)
        return other

    shared = set(module.shared_parameters())
    of_heads = {name for name, _ in module.named_parameters()} - shared
    heads = stepped(slice(None), of_heads) if heads_first else module
    before = losses(module)
    for i in range(4):
        after = stepped([i], shared)
        with torch.no_grad():
            for (name, p), (_, q) in zip(
                after.named_parameters(), heads.named_parameters(), strict=True
            ):
                if name in of_heads:
                    p.copy_(q)
            expected = 1 - losses(after) / before
        np.testing.assert_allclose(net.result_.affinity[0, 0, i], expected.numpy(), rtol=1e-6)


SOLVERS = {
    "sgd": ({"solver": "sgd"}, torch.optim.SGD, {}),
    "momentum": ({"solver": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    "adam": ({"solver": "adam"}, torch.optim.Adam, {}),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("heads_first", [True, False])
def test_every_step_is_that_of_torchs_optimizer(solver, heads_first):
    table, rate = wide_rows(missing=0.2), 0.02
    ours, theirs, arguments = SOLVERS[solver]
    module = module_for(table, [3])
    net = run(
        table,
        [3],
        module=copy.deepcopy(module),
        batch_size=40,
        max_epochs=4,
        learning_rate=rate,
        record_affinity={"heads_first": heads_first},
        **ours,
    )
    shared = set(module.shared_parameters())
    tasks = torch.arange(4).unsqueeze(0)
    x = table.features.expand(1, 4, -1, -1)

    def losses(network_):
        errors = (
            network_(x, tasks, tasks, shared_rows=True)[0, :, :, 0] - table.targets.T
        ).square()
        return (errors * table.weights.T).sum(1)

    totals = table.weights.sum(0)
    optimizer = theirs(module.parameters(), lr=rate, **arguments)
    for epoch in range(4):
        before = (losses(module) / totals).detach()
        for i in range(4):
            moved, other = copy.deepcopy((module, optimizer))
            mean = losses(moved) / totals
            for name, p in moved.named_parameters():
                which = mean[i] if name in shared else mean.sum()
                (p.grad,) = torch.autograd.grad(which, p, retain_graph=True)
            other.step()
            if not heads_first:
                with torch.no_grad():
                    for (name, p), q in zip(
                        moved.named_parameters(), module.parameters(), strict=True
                    ):
                        if name not in shared:
                            p.copy_(q)
            expected = (1 - losses(moved) / totals / before).detach()
            np.testing.assert_allclose(
                net.result_.affinity[epoch, 0, i], expected, rtol=1e-6, atol=1e-9
            )
        optimizer.zero_grad()
        (losses(module).sum() / totals.sum()).backward()
        optimizer.step()


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_second_order_is_exact_where_the_loss_is_quadratic(solver):
    table = wide_rows(missing=0.2)
    # linear in the weights of its only shared layer
    settings = {"hidden_layer_sizes": (4,), "head_layer_sizes": (), "activation": "identity"}
    exact, first, second = (
        run(
            table,
            [3, 4],
            module=network("shared bottom", 4, 3, 1, [3, 4], **settings).double(),
            learning_rate=0.05,
            solver=solver,
            record_affinity={"approximate": a, "heads_first": False},
        ).result_.affinity
        for a in (None, 1, 2)
    )
    np.testing.assert_allclose(second, exact, rtol=1e-9, atol=1e-12)
    assert np.abs(first - exact).max() > 1e-4


def curvature_of(module, table, criterion=None, length=2e-4):
    """Second derivatives along two random moves, ours and by differences of losses."""
    net = member_net(module, [3, 4], criterion=criterion, max_epochs=1, learning_rate=1e-9)
    rows = [torch.arange(len(table))] * 2
    net.fit_members(table, rows)
    # as if it were still in training
    net.module_.train()
    net.initialize_optimizer()
    batch = next(iter(MemberBatches(table, rows, len(table))))
    net.module_(*batch.inputs)
    optimizer = net.optimizer_
    generator = torch.Generator().manual_seed(0)
    moves = torch.randn(2, *optimizer.buffer.shape, generator=generator).double()
    names = [n for n, _ in module.named_parameters() if "steps" not in n]
    moves = moves * optimizer.columns(names)
    lookahead = Lookahead(net, "record_affinity")
    here = optimizer.buffer
    near = torch.stack([here + k * length * moves for k in (-1, 0, 1)])
    before, now, after = (lookahead.losses(buffers, batch) for buffers in near)
    with torch.no_grad():
        slots = batch.inputs[2]
        sums = net.evaluate(batch)[1].sum(2)
        expected = torch.zeros_like(now[0]).scatter_add(1, slots, sums)
    torch.testing.assert_close(now[0], expected)
    return lookahead.curvatures(moves, batch), (before - 2 * now + after) / length**2


@pytest.mark.parametrize("name", NETWORKS)
def test_second_derivatives_of_every_architecture(name):
    table = wide_rows(missing=0.2)
    actual, expected = curvature_of(randomised(network(name, 4, 3, 1, [3, 4])), table)
    assert (expected != 0).any()
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "settings", [{}, {"target_bias": "plain"}, {"compression": False}], ids=str
)
def test_second_derivatives_of_hypernetworks(settings):
    table = task_rows()
    module = build(table, [3, 4], activation="tanh", hypernet_layers=0, **settings)
    actual, expected = curvature_of(module, table, NumberLoss("squared_error"))
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class OnceDifferentiable(SharedBottomNetwork):
    def outputs(self, x, tasks):
        return Once.apply(super().outputs(x, tasks))


def test_second_order_where_there_is_none_is_an_error():
    table = wide_rows()
    module = OnceDifferentiable(
        4,
        3,
        1,
        seeds=[3],
        hidden_layer_sizes=(4,),
        head_layer_sizes=(),
        activation="tanh",
    ).double()
    run(table, [3], module=copy.deepcopy(module), record_affinity={"approximate": 1})
    with pytest.raises(ValueError, match="second derivatives, which OnceDifferentiable does not"):
        run(table, [3], module=module, record_affinity={"approximate": 2})


def test_the_first_order_error_decreases_with_the_rate():
    table = wide_rows(missing=0.0)
    errors = []
    for rate in (1e-3, 1e-4):
        exact, first = (
            run(
                table,
                [3],
                batch_size=40,
                max_epochs=1,
                learning_rate=rate,
                record_affinity={"approximate": a, "heads_first": False, "per_learning_rate": True},
            ).result_.affinity
            for a in (None, 1)
        )
        errors.append(np.abs(exact - first).max())
    # per rate, what is left is linear in it
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.3)


def test_first_order_and_exact_agree_in_rank():
    table = wide_rows(missing=0.2, n_tasks=6, n_rows=100)
    exact, first = (
        run(
            table, [3], max_epochs=5, record_affinity={"approximate": a, "heads_first": False}
        ).result_.affinity.mean(0)[0]
        for a in (None, 1)
    )
    off = ~np.eye(6, dtype=bool)
    assert spearmanr(exact[off], first[off]).statistic > 0.8


@every_form
def test_members_are_the_same_alone_and_in_a_stack(form):
    table = TABLES[form]()
    together = run(table, [3, 14, 15])
    for m, seed in [(0, 3), (2, 15)]:
        alone = run(table, [seed])
        np.testing.assert_allclose(
            alone.result_.affinity[:, 0], together.result_.affinity[:, m], rtol=1e-6, atol=1e-9
        )


def test_families_have_more_affinity_within_than_between():
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        features = torch.randn(200, 6, generator=generator).double()
        directions = torch.linalg.qr(torch.randn(6, 2, generator=generator).double())[0]
        signal = torch.tanh(2 * features @ directions)
        # tasks 0 to 2 and 3 to 5 see one direction each
        targets = signal.repeat_interleave(3, dim=1)
        targets = targets + 0.1 * torch.randn(200, 6, generator=generator).double()
        table = TaskRows(features, None, targets, torch.ones_like(targets), 6)
        module = network("shared bottom", 6, 6, 1, [seed], hidden_layer_sizes=(16, 16)).double()
        net = run(table, [seed], module=module, max_epochs=10, batch_size=32)
        mean = net.result_.affinity.mean((0, 1))
        family = np.repeat([0, 1], 3)
        same = family[:, None] == family
        np.fill_diagonal(same, False)
        assert mean[same].mean() > mean[family[:, None] != family].mean()


def test_tasks_that_never_meet_have_no_affinity():
    table = task_rows(n_tasks=6)
    rows = (table.tasks != 2).nonzero()[:, 0]
    actual = run(table, [3], rows=[rows]).result_.affinity
    assert np.isnan(actual[:, :, 2]).all()
    assert np.isnan(actual[:, :, :, 2]).all()
    others = np.delete(np.delete(actual, 2, axis=2), 2, axis=3)
    assert np.isfinite(np.nanmean(others, axis=0)).all()


def test_what_cannot_be_recorded_is_an_error():
    table = wide_rows()
    module = network("independent tasks", 4, 3, 1, [3]).double()
    with pytest.raises(ValueError, match="here tasks share none"):
        run(table, [3], module=module)
    with pytest.raises(ValueError, match="approximate must be None, 1 or 2, got 3"):
        run(table, [3], record_affinity={"approximate": 3})
    with pytest.raises(ValueError, match="every must be an int of at least 1, got 0"):
        run(table, [3], record_affinity={"every": 0})
    with pytest.raises(ValueError, match="loss='poisson' can be negative"):
        run(table, [3], criterion=NumberLoss("poisson"))


def test_stopped_members_have_no_affinity():
    table = task_rows()
    rows = [torch.arange(40)] * 2
    net = member_net(
        build(table, [3, 4]),
        [3, 4],
        learning_rate=[1e-12, 1e-2],
        max_epochs=6,
        patience=2,
        tol=1e-9,
        record_affinity={},
    )
    fitted(net, table, rows, rows)
    assert net.clock_.n_iter.tolist()[0] < 6
    assert np.isnan(net.result_.affinity[-1, 0]).all()
    assert np.isfinite(net.result_.affinity[0, 0]).any()
