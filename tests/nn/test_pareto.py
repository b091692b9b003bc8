"""The Pareto hypernetwork: its formula, its size, its start, networks in a loop and at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skmtl.nn import (
    ModuleInputs,
    ParetoNetwork,
    SharedBottomNetwork,
    WrittenModule,
    WrittenSharedBottom,
)

SEEDS = [3, 14]


def shared_bottom(n_tasks=3, n_features=4, n_outputs=1, sizes=(5,), seeds=SEEDS, **changes):
    written = WrittenSharedBottom(
        n_tasks,
        n_features,
        n_outputs,
        seeds=seeds,
        hidden_layer_sizes=sizes,
        activation="tanh",
    )
    return ParetoNetwork(written, n_tasks, seeds=seeds, **changes)


def count(module):
    return sum(p[0].numel() for p in module.parameters())


def rays_of(n_members, n_preferences, n_tasks, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.dirichlet(np.ones(n_tasks), (n_members, n_preferences)))


def wide_inputs(n_members, n_tasks, n_features, n_rows=6, seed=0):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(n_members, 1, n_rows, n_features)))
    tasks = torch.arange(n_tasks).expand(n_members, -1)
    return ModuleInputs(x.expand(-1, n_tasks, -1, -1), tasks, tasks, shared_rows=True)


@pytest.mark.parametrize(
    ("n_tasks", "n_features", "sizes"),
    [
        (2, 8, (32, 32, 32)),
        (3, 16, (64,) * 2),
        (20, 20, (64, 64)),
        (2, 100, (128,)),
        (2, 784, (50,)),
    ],
)
def test_it_is_at_most_a_tenth_larger_than_the_network_that_it_writes(n_tasks, n_features, sizes):
    module = shared_bottom(n_tasks, n_features, sizes=sizes, seeds=[0], compression=True)
    one = SharedBottomNetwork(
        n_tasks,
        n_features,
        1,
        seeds=[0],
        hidden_layer_sizes=sizes,
        head_layer_sizes=(),
        activation="relu",
    )
    assert module.network.size == count(one)
    assert count(module) <= 1.1 * count(one)


@given(
    n_tasks=st.integers(2, 20),
    n_features=st.integers(1, 300),
    width=st.integers(30, 200),
    depth=st.integers(2, 4),
)
@settings(deadline=None, max_examples=30)
def test_the_size_holds_for_any_network_that_is_not_tiny(n_tasks, n_features, width, depth):
    sizes = (width,) * depth
    module = shared_bottom(n_tasks, n_features, sizes=sizes, seeds=[0], compression=True)
    if module.network.size > 2500 + 150 * n_tasks:
        assert count(module) <= 1.1 * module.network.size


@pytest.mark.parametrize(("width", "times"), [(None, 33), (100, 101)])
def test_without_chunks_it_is_as_many_times_as_large_as_it_is_wide(width, times):
    module = shared_bottom(
        2, 8, sizes=(128, 128), compression=False, hypernet_width=width, seeds=[0]
    )
    assert times < count(module) / module.network.size < times + 2


def test_chunks_are_for_large_networks():
    small, large = (shared_bottom(2, 8, sizes=(width,) * 2, seeds=[0]) for width in (130, 150))
    assert small.network.size < 20_000 < large.network.size
    assert small.chunk_embeddings.shape[1] == 1
    assert large.chunk_embeddings.shape[1] > 10
    assert count(large) <= 1.1 * large.network.size


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
def test_chunks_are_what_the_formula_says(compression, layers):
    module = shared_bottom(compression=compression, hypernet_layers=layers, hypernet_width=6)
    module.double()
    rays = rays_of(2, 4, 3)
    got = module.write(rays).detach().numpy()
    values = {name: p.detach().numpy() for name, p in module.named_parameters()}
    for m in range(2):
        v = {name: value[m] for name, value in values.items()}
        for p in range(4):
            hidden = np.tanh((3 * rays[m, p].numpy() - 1) @ v["input_weight"] + v["input_bias"][0])
            if layers == 2:
                hidden = np.tanh(hidden @ v["hidden_weights.0"] + v["hidden_biases.0"][0])
            chunks = []
            for z in v["chunk_embeddings"]:
                a = z + (hidden * (z @ v["chunk_weight"])) @ v["output_weight"]
                chunks.append((a + v["output_bias"][0]) @ v["projection"])
            expected = np.concatenate(chunks)[: module.network.size]
            np.testing.assert_allclose(got[m, p], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("compression", "least", "largest", "furthest"),
    [(True, 0.95, 1.2, 0.6), (False, 0.9, 1.6, 1.2)],
)
def test_all_networks_begin_near_a_well_initialised_one(compression, least, largest, furthest):
    module = shared_bottom(2, 10, sizes=(64, 64), compression=compression)
    plain = SharedBottomNetwork(
        2, 10, 1, seeds=SEEDS, hidden_layer_sizes=(64, 64), head_layer_sizes=(), activation="tanh"
    )
    start = torch.cat([p.detach().flatten(1) for p in plain.parameters()], dim=1)
    written = module.write(rays_of(2, 50, 2).float()).detach()
    size = written.square().mean(2).sqrt() / start.square().mean(1, keepdim=True).sqrt()
    assert least < size.min() < size.max() < largest
    apart = (written - start.unsqueeze(1)).square().mean(2).sqrt()
    apart = apart / start.square().mean(1, keepdim=True).sqrt()
    assert 0.02 < apart.min() < apart.max() < furthest
    # layer by layer, so that signals neither vanish nor explode
    sizes = [p[0].numel() for p in plain.parameters()]
    for part, p in zip(written.split(sizes, dim=2), plain.parameters(), strict=True):
        ratio = part.std(2) / p.detach().flatten(1).std(1, keepdim=True)
        if p[0].numel() > 20:
            assert 0.7 < ratio.min() < ratio.max() < 1.8


def test_a_plain_module_with_these_parameters_is_the_same_network():
    module = shared_bottom().double().eval()
    rays = rays_of(1, 4, 3)[0]
    inputs = wide_inputs(2, 3, 4)
    together = module(*inputs, rays=rays.expand(2, -1, -1)).detach()
    assert together.shape == (2, 4, 3, 6, 1)
    plain = module.at(rays)
    assert isinstance(plain, SharedBottomNetwork)
    inputs = (v.repeat_interleave(4, 0) for v in inputs[:3])
    torch.testing.assert_close(plain(*inputs, shared_rows=True).unflatten(0, (2, 4)), together)


def test_long_form_blocks():
    module = shared_bottom().double().eval()
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(2, 5, 2, 4)))
    tasks = torch.tensor([[2, 0], [1, 2]])
    slots = torch.tensor([[0, 0, 1, 1, 0], [1, 0, 0, 1, 1]])
    rays = rays_of(2, 3, 3)
    together = module(x, tasks, slots, rays=rays).detach()
    everyone = torch.arange(3).expand(2, -1)
    for k in range(5):
        rows = x[:, k : k + 1].expand(-1, 3, -1, -1)
        all_tasks = module(rows, everyone, everyone, None, True, rays=rays).detach()
        for m in range(2):
            task = tasks[m, slots[m, k]]
            torch.testing.assert_close(together[m, :, k], all_tasks[m, :, task])


class OneByOne(nn.Module):
    """The built-in network with one hidden layer, as somebody would write it."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.hidden = nn.Linear(n_features, 5)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.heads = nn.Linear(5, n_outputs)
        self.register_buffer("shift", torch.tensor([0.5]))

    def forward(self, x):
        return self.scale * self.heads(torch.tanh(self.hidden(x))) + self.shift


def test_networks_in_a_loop():
    written = WrittenModule(OneByOne, 3, 4, 2, seeds=SEEDS)
    assert written.size == 4 * 5 + 5 + 1 + 5 * 6 + 6
    module = ParetoNetwork(written, 3, seeds=SEEDS, hypernet_width=4).double().eval()
    rays = rays_of(2, 2, 3)
    inputs = wide_inputs(2, 3, 4)
    outputs = module(*inputs, rays=rays)
    numbers = module.write(rays).detach()
    for m in range(2):
        for p in range(2):
            network = OneByOne(4, 6).double()
            nn.utils.vector_to_parameters(numbers[m, p], network.parameters())
            expected = network(inputs.features[m, 0]).unflatten(1, (3, 2)).transpose(0, 1)
            torch.testing.assert_close(outputs[m, p], expected)
    plain = module.at(rays[0])
    assert plain.n_members == 4


@pytest.mark.parametrize("compression", [True, False])
def test_members_start_alike_alone_and_in_a_stack(compression):
    together = shared_bottom(compression=compression, seeds=[3, 14, 15])
    alone = shared_bottom(compression=compression, seeds=[14])
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a[1], b[0])
    part = together.part([1])
    for a, b in zip(part.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b)


def test_embeddings_are_not_decayed():
    decayed = set(shared_bottom().decayed_parameters())
    assert "projection" in decayed
    assert not decayed & {"chunk_embeddings", "input_bias", "output_bias"}
