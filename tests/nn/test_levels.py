"""The hypernetwork of several levels: its representations, its pulls and what it moves."""

import copy

import pytest
import torch
from torch.testing import assert_close

from skmtl.nn import LevelHypernetwork, TaskHypernetwork

SEEDS = (0, 1)
SIZES, PARENTS = (3, 6), [torch.tensor([0, 0, 1, 1, 2, 2])]


def build(nested=False, dims=(2, 3), n_metadata=1, alphas=(0.5, 2.0), **settings):
    dims = (3, 3) if nested else dims
    module = LevelHypernetwork(
        SIZES,
        2,
        n_metadata,
        seeds=SEEDS,
        embedding_dims=dims,
        embedding_alphas=alphas,
        apart=(False, False),
        nested=nested,
        hidden_layer_sizes=(4,),
        hypernet_layers=0,
        activation="tanh",
        **settings,
    ).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += 0.3 * noise
    return module.eval()


def inputs(n_metadata=1):
    generator = torch.Generator().manual_seed(1)
    ids = torch.tensor([[0, 1], [2, 5], [-1, 3], [1, -1], [-1, -1]])
    x = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    metadata = torch.randn(5, n_metadata, generator=generator, dtype=torch.float64)
    return ids, x, metadata


def outputs(module, ids, x, metadata):
    n = len(ids)
    return module(
        x[None, :, None].expand(2, -1, -1, -1),
        ids.expand(2, -1, -1),
        torch.arange(n).expand(2, -1),
        metadata.expand(2, -1, -1),
    )[:, :, 0]


@pytest.mark.parametrize("nested", [False, True])
def test_it_is_the_hypernetwork_of_its_representations(nested):
    module, (ids, x, metadata) = build(nested), inputs()
    # the same network, with an embedding for each row
    plain = (
        TaskHypernetwork(
            5,
            2,
            1,
            seeds=SEEDS,
            embedding_dim=module.origin.shape[2],
            hidden_layer_sizes=(4,),
            hypernet_layers=0,
            activation="tanh",
        )
        .double()
        .eval()
    )
    state = {name: p for name, p in module.state_dict().items() if name in plain.state_dict()}
    plain.load_state_dict(state, strict=False)
    vectors = []
    for outer, inner in ids.tolist():
        tables = module.tables()
        a = tables[0][:, outer] if outer >= 0 else tables[0].mean(1)
        if nested:
            b = tables[1][:, inner] if inner >= 0 else torch.zeros_like(a)
            vectors.append(a + b)
        else:
            b = tables[1][:, inner] if inner >= 0 else tables[1].mean(1)
            vectors.append(torch.cat([a, b], dim=1))
    plain.embeddings.data = torch.stack(vectors, dim=1).detach()
    slots = torch.arange(5).expand(2, -1)
    expected = plain(
        x[None, :, None].expand(2, -1, -1, -1), slots, slots, metadata.expand(2, -1, -1)
    )
    assert_close(outputs(module, ids, x, metadata), expected[:, :, 0])
    # blocks of several rows write networks
    blocks = torch.stack([x, x + 1, x - 1, 2 * x], dim=1).expand(2, -1, -1, -1)
    arguments = blocks, ids.expand(2, -1, -1), slots, metadata.expand(2, -1, -1)
    assert_close(module(*arguments)[:, :, 0], expected[:, :, 0])


@pytest.mark.parametrize("nested", [False, True])
def test_the_penalty_of_each_level(nested):
    module = build(nested, interaction_alpha=0.0)
    module.mark_trained([torch.ones(2, 3) > 0, torch.arange(6).expand(2, -1) < 5])
    outer, inner = (table.detach() for table in module.tables())
    goal = torch.zeros_like(inner[:, :1]) if nested else inner[:, :5].mean(1, keepdim=True)
    expected = 0.5 * (outer - outer.mean(1, keepdim=True)).square().sum((1, 2))
    expected = expected + 2 * (inner[:, :5] - goal).square().sum((1, 2))
    assert_close(module.penalty().detach(), expected)
    assert not [name for name in module.decayed_parameters() if "levels" in name]
    assert not [name for name in module.shared_parameters() if "levels" in name]


def test_settling_changes_no_sum_and_minimises_the_pulls():
    module, (ids, x, metadata) = build(nested=True, interaction_alpha=0.0), inputs()
    ids = torch.stack([PARENTS[0], torch.arange(6)], dim=1)[:5]
    before, penalty = outputs(module, ids, x, metadata), module.penalty()
    module.settle(PARENTS)
    assert_close(outputs(module, ids, x, metadata), before)
    assert (module.penalty() < penalty).all()
    # no other shift is better
    outer, inner = module.tables()
    shift = torch.zeros(2, 3, 3, dtype=torch.float64, requires_grad=True)
    moved = outer.detach() + shift
    left = inner.detach() - shift[:, PARENTS[0]]
    value = 0.5 * (moved - moved.mean(1, keepdim=True)).square().sum() + 2 * left.square().sum()
    (slope,) = torch.autograd.grad(value, shift)
    assert slope.abs().max() < 1e-6


def test_new_ids_start_at_the_mean():
    module = build()
    module.keep_curvatures([torch.zeros(2, 3, 2, 2), torch.zeros(2, 6, 3, 3)])
    grown = module.with_new_ids([1, 2])
    assert [table.shape[1] for table in grown.tables()] == [4, 8]
    for old, new, mean in zip(module.tables(), grown.tables(), module.means(), strict=True):
        assert_close(new[:, : old.shape[1]], old)
        assert_close(new[:, old.shape[1] :], mean.expand(-1, new.shape[1] - old.shape[1], -1))
    # they do not count in it
    for old, new in zip(module.means(), grown.means(), strict=True):
        assert_close(new, old)


def test_parts_and_fewer_ids():
    module = build()
    part = copy.deepcopy(module).part([1])
    assert_close(part.tables()[1][0], module.tables()[1][1])
    part.keep_tasks((2, 4))
    assert [table.shape for table in part.tables()] == [(1, 2, 2), (1, 4, 3)]
    part.keep_tasks(7)
    assert [table.shape[1] for table in part.tables()] == [2, 4]


def test_embeddings_start_together_or_apart():
    settings = {"seeds": SEEDS, "embedding_dims": (2, 2), "embedding_alphas": (0.1, 0.1)}
    module = LevelHypernetwork(SIZES, 2, apart=(False, True), **settings)
    first, second = module.tables()
    assert (first == first[:, :1]).all()
    assert len(second[0].unique(dim=0)) == 6
    assert_close(module.origin[..., :2], first[:, :1].detach())
    assert not module.origin[..., 2:].any()
    nested = LevelHypernetwork(SIZES, 2, apart=(True, True), nested=True, **settings)
    assert not nested.tables()[1].any()
