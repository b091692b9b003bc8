"""The Gumbel-Matrix network against its formulas: gradients by hand, and a twin made of loops.

Everything in double precision.
"""

import copy

import numpy as np
import pytest
import torch

from skmtl.nn import GumbelNetwork
from skmtl.nn._noise import draw_noise
from skmtl.training._optimizer import MemberAdam
from tests._members import task_rows, train

COMPONENTS = [[(4, 3), (3,), (4, 3)], [(3,), "identity"], [(2,)]]


def network(
    n_tasks=4,
    n_features=2,
    n_outputs=1,
    seeds=(0, 1),
    components=None,
    n_metadata=0,
    initial=0.5,
    fixed=None,
    **changes,
):
    """A network in double precision, all of whose settings can be changed."""
    components = components or COMPONENTS
    shape = len(seeds), n_tasks, sum(len(layer) for layer in components)
    members = len(seeds)
    settings = {
        "temperature": ["planned"] * members,
        "budget": [1.0] * members,
        "budget_penalty": [1.0] * members,
        "multiplier": [1.0] * members,
        **changes,
    }
    initial = torch.as_tensor(initial, dtype=torch.float64).expand(shape).clone()
    if fixed is not None:
        fixed = torch.as_tensor(fixed, dtype=torch.float64).expand(shape).clone()
    return GumbelNetwork(
        n_tasks,
        n_features,
        n_metadata,
        n_outputs,
        seeds=list(seeds),
        components=components,
        initial=initial,
        fixed=fixed,
        **settings,
    ).double()


def randomised(module):
    """No two tasks alike, and probabilities of all sizes."""
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = parameter.data + 0.7 * noise
    return module


def blocks(n_members=2, n_tasks=4, n_features=2, n_blocks=5, length=3):
    """Random blocks of three of the tasks."""
    rng = np.random.default_rng(0)
    tasks = np.stack([rng.permutation(n_tasks)[:3] for _ in range(n_members)])
    slots = rng.integers(0, 3, (n_members, n_blocks))
    x = rng.normal(size=(n_members, n_blocks, length, n_features))
    return tuple(torch.as_tensor(v) for v in (x, tasks, slots))


def whole_task_blocks(module, n_features=2, length=3):
    """One block for each task, as in wide form, but of different rows."""
    n_members, n_tasks = module.allocation.trained.shape
    x = torch.randn(
        n_members,
        n_tasks,
        length,
        n_features,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    tasks = torch.arange(n_tasks).expand(n_members, -1)
    return x, tasks, tasks


def slow_component(module, layer, column, member, x):
    """Output of one component for one row, with ReLU after every layer but a linear output."""
    modular = module.layers[layer]
    for group, columns in zip(modular.groups, modular.columns, strict=True):
        if column not in columns:
            continue
        if not hasattr(group, "weights"):
            return x
        position = columns.index(column)
        for n, (W, b) in enumerate(zip(group.weights, group.biases, strict=True)):
            W, b = W.detach().numpy()[member], b.detach().numpy()[member]
            x = x @ (W[:, position] if n == 0 else W[position]) + b[position]
            if n < len(group.weights) - 1 or not group.linear_output:
                x = np.maximum(x, 0)
        return x
    raise AssertionError


def slow_forward(module, member, task, x, on):
    """Output for one row of one task, given which components of all layers are on."""
    first = 0
    for layer, size in enumerate(module.sizes):
        z = on[first : first + size]
        outputs = [slow_component(module, layer, c, member, x) for c in range(size)]
        total = np.zeros(module.layers[layer].width)
        for c in range(size):
            if z[c]:
                total = total + outputs[c]
        x = total / max(1, z.sum())
        first += size
    if module.heads == "none":
        return x
    if module.heads == "shared":
        weight, bias = module.head.weight, module.head.bias
        return x @ weight.detach().numpy()[member] + bias.detach().numpy()[member][0]
    heads, biases = (
        p.detach().numpy()[member, task] for p in (module.task_heads, module.task_biases)
    )
    return x @ heads + biases[0]


def slow_noise(module, member, step):
    return draw_noise(
        [int(module.allocation.seeds[member])],
        [step // 16],
        [int(module.allocation.task_counts[member])],
        len(module.routed),
    )[0, step % 16].numpy()


@pytest.mark.parametrize("heads", ["own", "shared", "none"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("by_pattern", [True, False])
def test_forward_is_the_formula(heads, training, by_pattern, monkeypatch):
    if by_pattern:
        monkeypatch.setattr("skmtl.nn._gumbel._WORTH_GROUPING", 0)
    module = randomised(network(heads=heads, n_outputs=2)).train(training)
    x, tasks, slots = blocks()
    odds = (module.allocation.logits[..., 0] - module.allocation.logits[..., 1]).detach().numpy()
    noise = np.stack([slow_noise(module, m, 0) for m in range(2)]) if training else 0
    routed = odds + noise > 0
    # the component that is alone in its layer is always on
    on = np.concatenate([routed, np.ones((2, 4, 1), bool)], axis=2)
    got = module(x, tasks, slots).detach().numpy()
    for m in range(2):
        for k in range(x.shape[1]):
            task = int(tasks[m, slots[m, k]])
            for b in range(x.shape[2]):
                expected = slow_forward(module, m, task, x[m, k, b].numpy(), on[m, task])
                np.testing.assert_allclose(got[m, k, b], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("grouping", [0, 2**60])
def test_wide_form_is_the_same_as_long_form(grouping, monkeypatch):
    monkeypatch.setattr("skmtl.nn._gumbel._WORTH_GROUPING", grouping)
    module = randomised(network()).eval()
    x, tasks, slots = whole_task_blocks(module)
    rows = x[:, :1].expand(-1, 4, -1, -1)
    expected = module(rows.contiguous(), tasks, slots)
    got = module(rows, tasks, slots, shared_rows=True)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_all_off_gives_the_bias_of_the_head_whatever_the_row():
    module = randomised(network(components=[[(3,), (3,)]], fixed=0.0))
    for mode in (True, False):
        got = module.train(mode)(*whole_task_blocks(module))
        expected = module.task_biases.unsqueeze(3)[..., 0].expand_as(got)
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_component_that_is_off_gets_exactly_no_gradient():
    module = randomised(network(components=[[(4, 3), (4, 3), (4, 3), "identity"]], n_features=3))
    x, tasks, slots = whole_task_blocks(module, n_features=3)
    # one task only, so that a component that it does not use is off altogether
    module(x[:, :1], tasks[:, :1], slots[:, :1]).square().sum().backward()
    odds = (module.allocation.logits[..., 0] - module.allocation.logits[..., 1]).detach().numpy()
    group = next(g for g in module.layers[0].groups if hasattr(g, "weights"))
    seen = set()
    for m in range(2):
        on = odds[m, 0] + slow_noise(module, m, 0)[0] > 0
        for c in range(3):
            gradients = [group.weights[0].grad[m, :, c], group.biases[0].grad[m, c]]
            gradients += [group.weights[1].grad[m, c], group.biases[1].grad[m, c]]
            assert any(bool(g.any()) for g in gradients) == on[c]
            seen.add(bool(on[c]))
    assert seen == {True, False}


def test_gradient_of_the_logits_by_hand():
    # sum(out * v) over a block, d out / d z_c = (f_c - [S > 1 or off alone] out) / max(1, S),
    # d z / d logit_on = y (1 - y) / tau, and the opposite for logit_off
    module = randomised(network(components=[[(3,), (3,), (3,)]], heads="none", n_outputs=3))
    module.allocation.planned[:] = False
    module.allocation.start[:] = module.allocation.floor[:] = torch.tensor([0.7, 2.0])
    x, tasks, slots = whole_task_blocks(module)
    out = module(x, tasks, slots)
    v = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (out * v).sum().backward()
    got = module.allocation.logits.grad.numpy()
    odds = (module.allocation.logits[..., 0] - module.allocation.logits[..., 1]).detach().numpy()
    for m, tau in enumerate([0.7, 2.0]):
        noise = slow_noise(module, m, 0)
        for t in range(4):
            soft = 1 / (1 + np.exp(-(odds[m, t] + noise[t]) / tau))
            on = odds[m, t] + noise[t] > 0
            total = on.sum()
            f = np.stack(
                [
                    [slow_component(module, 0, c, m, row.numpy()) for row in x[m, t]]
                    for c in range(3)
                ]
            )
            mean = f[on].sum(0) / max(1, total)
            for c in range(3):
                slope = (f[c] - (mean if total >= 1 else 0)) / max(1, total)
                by_hand = (slope * v[m, t].numpy()).sum() * soft[c] * (1 - soft[c]) / tau
                np.testing.assert_allclose(got[m, t, c], [by_hand, -by_hand], atol=1e-10)


def test_mean_of_sampled_allocations_is_the_probability():
    probabilities = torch.rand(1, 3, 8, generator=torch.Generator().manual_seed(3)).double()
    probabilities = probabilities.clamp(0.02, 0.98)
    module = network(3, components=[[(3,)] * 8], seeds=[7], initial=probabilities)
    tasks = torch.arange(3).unsqueeze(0)
    n = 1000

    def assert_mean(total):
        spread = (probabilities * (1 - probabilities) / n).sqrt()
        assert ((total / n - probabilities).abs() < 4.5 * spread).all()

    with torch.no_grad():
        total = torch.zeros(1, 3, 8, dtype=torch.float64)
        for _ in range(n):
            total += module.allocation(tasks, tasks)
            module.allocation.after_step(None, tasks)
        assert_mean(total)
        # outside training, on request
        module.eval()
        total.zero_()
        for seed in range(n):
            module.allocation.sample_seeds = [seed]
            total += module.allocation(tasks, tasks)
        assert_mean(total)


def test_budget_term_is_the_formula():
    module = randomised(network(budget=[0.3, 0.6], budget_penalty=[2.0, 0.5]))
    x, tasks, slots = blocks()
    slots[0] = torch.tensor([0, 0, 1, 1, 0])  # the third block of the first member is empty
    module(x, tasks, slots)
    got = module.step_penalty()
    on = torch.sigmoid(module.allocation.logits[..., 0] - module.allocation.logits[..., 1])
    for m, (budget, strength) in enumerate([(0.3, 2.0), (0.6, 0.5)]):
        distinct = tasks[m, : int(slots[m].max()) + 1]
        shares = [on[m, t].mean().item() for t in distinct]
        expected = strength * np.mean([max(0, share - budget) for share in shares])
        assert got[m].item() == pytest.approx(expected, rel=1e-6)
    assert got.sum().item() > 0
    assert network().step_penalty() is None


@pytest.mark.parametrize("one", [True, False])
def test_temperature_of_the_paper_counts_task_updates(one):
    module = network(temperature=["paper", 1.5])
    x, tasks, slots = whole_task_blocks(module)
    if one:
        x, tasks, slots = x[:, :1], tasks[:, :1], slots[:, :1]
    for step in range(200):
        t = step * (1 if one else 4)
        expected = [max(0.5, 50 / np.sqrt(t + 1)), 1.5]
        np.testing.assert_allclose(module.allocation.temperature().numpy(), expected)
        module.allocation.after_step(None, slots)
    module.allocation.after_step(torch.tensor([False, True]), slots)
    assert module.allocation.updates.tolist() == [200 * len(tasks[0]), 201 * len(tasks[0])]


def test_planned_temperature_reaches_its_floor_halfway():
    module = network()
    module.prepare(torch.tensor([100, 3000]))
    for steps, expected in [(0, 50.0), (49, None), (50, 0.5), (100, 0.5)]:
        module.allocation.steps[:] = torch.tensor([steps, 30 * steps])
        got = module.allocation.temperature()
        assert got[0] == got[1]
        assert got[0] > 0.5 if expected is None else abs(got[0] - expected) < 1e-3


def test_task_never_seen_has_the_mean_logits_and_the_mean_head():
    module = randomised(network(components=[[(3,)] * 4])).eval()
    trained = torch.tensor([[True, True, False, True], [False, True, True, False]])
    module.mark_trained(trained)
    x = whole_task_blocks(module)[0][:, :1]
    zero = torch.zeros(2, 1, dtype=torch.int64)
    got = module(x, zero - 1, zero)
    for m in range(2):
        logits = module.allocation.logits[m][trained[m]].mean(0)
        on = (logits[:, 0] >= logits[:, 1]).numpy()
        single = copy.deepcopy(module)
        single.task_heads.data[m, 0] = module.task_heads[m][trained[m]].mean(0)
        single.task_biases.data[m, 0] = module.task_biases[m][trained[m]].mean(0)
        expected = [slow_forward(single, m, 0, row.numpy(), on) for row in x[m, 0]]
        np.testing.assert_allclose(got[m, 0].detach().numpy(), expected, atol=1e-10)


def test_metadata_start_at_the_initial_probability_and_then_move_it():
    module = network(n_metadata=3, heads="shared", initial=0.8)
    metadata = torch.randn(2, 4, 3, dtype=torch.float64)
    module.prepare(torch.tensor([10, 10]), metadata)
    on = module.allocation.probabilities()
    torch.testing.assert_close(on, torch.full_like(on, 0.8))
    randomised(module)
    changed = module.allocation.probabilities()
    again = module.allocation.probabilities(torch.arange(4).expand(2, -1), metadata)
    assert torch.equal(changed, again)
    # two tasks with the same offset differ by their metadata only
    module.allocation.logits.data[:, 1] = module.allocation.logits.data[:, 0]
    module.allocation.metadata[:, 1] = module.allocation.metadata[:, 0]
    on = module.allocation.probabilities()
    torch.testing.assert_close(on[:, 1], on[:, 0])
    assert not torch.equal(on[:, 1], on[:, 2])


def test_traces_of_members_that_leave_are_those_of_members_alone():
    table = task_rows(n_tasks=5, n_rows=90)
    settings = {"max_epochs": 8, "patience": 10**6}
    last_epochs = [8, 3, 8]

    def run(members):
        return train(
            table,
            members,
            [torch.arange(90)] * len(members),
            [torch.arange(70, 90)] * len(members),
            module=network(5, seeds=members),
            last_epochs=[last_epochs[m] for m in members],
            **settings,
        ).module_.allocation.trace

    together = run([0, 1, 2])
    for m in (1, 2):
        trace = [values[list(members).index(m)] for _, members, values in together if m in members]
        alone = [values[0] for _, members, values in run([m]) if len(members)]
        assert len(trace) == len(alone) > 0
        np.testing.assert_allclose(np.stack(trace), np.stack(alone), atol=1e-6)


def test_fixed_members_and_members_that_learn():
    table = task_rows(n_tasks=3, n_rows=60)
    fixed = torch.full((2, 3, 6), torch.nan)
    fixed[1] = torch.tensor([1.0, 0, 1, 0, 1, 1])
    module = network(3, fixed=fixed)
    before = module.allocation.logits.detach().clone()
    net = train(table, [0, 1], [torch.arange(60)] * 2, module=module, learning_rate=1e-2)
    moved = net.module_.allocation.logits != before
    assert moved[0].any()
    assert not moved[1].any()
    on = net.module_.full(net.module_.allocation.probabilities())
    assert on[1].tolist() == fixed[1].tolist()


def test_learning_rate_factors():
    module = network(multiplier=[2.0, None])
    module.mark_trained(torch.tensor([[True] * 4, [True, True, False, True]]))
    factors = module.learning_rate_factors()
    assert list(factors) == ["allocation.logits"]
    assert factors["allocation.logits"].tolist() == [2.0, 3.0]
    optimizer = MemberAdam(module, lr=0.01)
    before = [p.detach().clone() for p in module.parameters()]
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for (name, p), old in zip(module.named_parameters(), before, strict=True):
        step = (old - p)[:, 0].detach().flatten(1).mean(1) if p.numel() else None
        expected = [0.02, 0.03] if name == "allocation.logits" else [0.01, 0.01]
        np.testing.assert_allclose(step, expected, rtol=1e-5)


def test_tasks_beyond_those_kept_leave_no_trace():
    few, many = network(3), network(5)
    many.keep_tasks(3)
    for (name, a), b in zip(few.named_parameters(), many.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_members_share_no_gradient():
    module = randomised(network(seeds=[0, 1, 2]))
    module(*whole_task_blocks(module))[1].square().sum().backward()
    for parameter in module.parameters():
        if parameter.grad is not None:
            assert not parameter.grad[[0, 2]].any()
