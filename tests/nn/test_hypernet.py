"""The hypernetwork module against the paper's formulas, written with loops.

Property tests: shapes, options and values are drawn by hypothesis.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl.nn import TaskHypernetwork
from tests._members import slow_forward

options = st.fixed_dictionaries(
    {
        "embedding_dim": st.integers(0, 3),
        "hidden_layer_sizes": st.sampled_from([(), (4,), (3, 5)]),
        "hypernet_layers": st.integers(0, 2),
        "hypernet_width": st.integers(1, 4),
        "activation": st.sampled_from(["relu", "tanh", ["tanh", "relu", "silu"]]),
        "compression": st.booleans(),
        "target_bias": st.sampled_from(["folded", "plain"]),
        "init": st.sampled_from(["kaiming", "hyperfan"]),
        "linear_skip": st.booleans(),
        "embeddings_apart": st.booleans(),
    }
)


def randomised(module):
    """The module in double precision with no parameter left at zero or shared between tasks."""
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = (parameter.data + 0.3 * noise).double()
    return module.double()


@settings(max_examples=40, deadline=None)
@given(options, st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(1, 3))
def test_forward_is_the_formula_of_the_paper(option, n_features, n_outputs, n_metadata, n_members):
    n_tasks, n_blocks, length = 4, 5, 2
    if not isinstance(option["activation"], str):
        option = option | {"activation": option["activation"][:n_members]}
    module = randomised(
        TaskHypernetwork(
            n_tasks, n_features, n_metadata, n_outputs, seeds=range(n_members), **option
        )
    )
    rng = np.random.default_rng(0)
    tasks = np.stack([rng.permutation(n_tasks)[:3] for _ in range(n_members)])
    slots = rng.integers(0, 3, (n_members, n_blocks))
    x = rng.normal(size=(n_members, n_blocks, length, n_features))
    metadata = rng.normal(size=(n_members, n_tasks, n_metadata))
    of_slots = np.take_along_axis(metadata, tasks[:, :, None], axis=1)
    got = module(*(torch.as_tensor(v) for v in (x, tasks, slots, of_slots))).detach().numpy()
    for m in range(n_members):
        for k in range(n_blocks):
            task = tasks[m, slots[m, k]]
            for b in range(length):
                expected = slow_forward(module, m, task, x[m, k, b], metadata[m, task])
                np.testing.assert_allclose(got[m, k, b], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("target_bias", ["folded", "plain"])
@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("linear_skip", [True, False])
def test_number_of_parameters(target_bias, compression, layers, linear_skip):
    T, d, d_m, o, d_e, d_h = 7, 3, 4, 2, 5, 6
    module = TaskHypernetwork(
        T,
        d,
        d_m,
        o,
        seeds=[0, 1],
        embedding_dim=d_e,
        hidden_layer_sizes=(8, 9),
        hypernet_layers=layers,
        hypernet_width=d_h,
        target_bias=target_bias,
        compression=compression,
        linear_skip=linear_skip,
    )
    extractor = (d_e + d_m + 1) * d_h + (layers - 1) * d_h * (d_h + 1) if layers else 0
    width = d_h if layers else d_e + d_m
    generator = 0
    for d_in, d_out in [(d, 8), (8, 9), (9, o)]:
        rows = d_in + (target_bias == "folded")
        generator += rows * d_out  # D
        generator += (
            rows * d_out + width * rows + width * d_out if compression else width * rows * d_out
        )
        generator += (width + 1) * d_out if target_bias == "plain" else 0
    skip = (d_e + d_m + 1) * (d + 1) * o if linear_skip else 0
    expected = extractor + generator + skip + T * d_e
    assert sum(p[0].numel() for p in module.parameters()) == expected
    assert all(len(p) == 2 for p in module.parameters())


def test_all_tasks_of_a_member_start_from_one_draw_of_variance_one():
    module = TaskHypernetwork(50, 2, seeds=range(400), embedding_dim=10)
    assert (module.embeddings == module.embeddings[:, :1]).all()
    draws = module.embeddings[:, 0].detach()
    assert draws.abs().max() <= math.sqrt(3)
    assert draws.var().item() == pytest.approx(1, abs=0.05)
    assert draws.mean().item() == pytest.approx(0, abs=0.05)


def test_tasks_start_apart_on_request():
    few, many = (
        TaskHypernetwork(n_tasks, 2, seeds=range(200), embeddings_apart=True) for n_tasks in (4, 9)
    )
    draws = many.embeddings.detach()
    assert draws.var().item() == pytest.approx(1, abs=0.05)
    assert draws.abs().max() <= math.sqrt(3)
    # independent draws differ by the square root of two, per number
    assert (draws[:, 0] - draws[:, 1]).square().mean().item() == pytest.approx(2, abs=0.2)
    assert not many.origin.any()
    # as a search over folds with fewer tasks relies on
    many.keep_tasks(4)
    for (name, a), b in zip(few.named_parameters(), many.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("apart", [False, True])
def test_linear_skip_adds_nothing_at_the_start(apart):
    x = torch.randn(1, 6, 3, 2, generator=torch.Generator().manual_seed(0))
    tasks, slots = torch.arange(4).unsqueeze(0), torch.tensor([[0, 1, 2, 3, 0, 1]])
    with_skip, without = (
        TaskHypernetwork(4, 2, seeds=[3], linear_skip=skip, embeddings_apart=apart)
        for skip in (True, False)
    )
    without.embeddings.data = with_skip.embeddings.data
    torch.testing.assert_close(with_skip(x, tasks, slots), without(x, tasks, slots), rtol=0, atol=0)


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("target_bias", ["folded", "plain"])
def test_hyperfan_keeps_the_scale_of_what_flows_through(compression, target_bias):
    # inputs of unit variance should give outputs of unit variance, on average over initial draws;
    # a little more comes out, as the layers of a member share the length of one embedding
    n_members = 1500
    x = torch.randn(n_members, 1, 4, 8, generator=torch.Generator().manual_seed(0))
    zero = torch.zeros(n_members, 1, dtype=torch.int64)
    square = {}
    for init in ("hyperfan", "kaiming"):
        module = TaskHypernetwork(
            1,
            8,
            seeds=range(n_members),
            embedding_dim=16,
            hidden_layer_sizes=(16, 16),
            hypernet_layers=0,
            target_bias=target_bias,
            compression=compression,
            init=init,
            linear_skip=False,
        )
        square[init] = module(x, zero, zero).square().mean().item()
    assert 0.9 < square["hyperfan"] < 1.6
    assert square["kaiming"] < 0.7


def test_task_never_seen_has_the_mean_embedding_of_the_tasks_trained_on():
    module = randomised(TaskHypernetwork(4, 2, seeds=[0, 1])).eval()
    trained = torch.tensor([[True, True, False, True], [False, True, True, False]])
    module.mark_trained(trained)
    unseen = module.representations(torch.full((2, 1), -1))
    for m in range(2):
        expected = module.embeddings[m][trained[m]].mean(0)
        torch.testing.assert_close(unseen[m, 0], expected, rtol=1e-12, atol=1e-12)


def test_penalty_is_the_squared_distance_to_the_mean():
    module = randomised(TaskHypernetwork(5, 2, seeds=[0, 1], embedding_alpha=[0.5, 2.0]))
    embeddings = module.embeddings.detach().numpy()
    for m, alpha in enumerate([0.5, 2.0]):
        distance = ((embeddings[m] - embeddings[m].mean(axis=0)) ** 2).sum()
        assert module.penalty()[m].item() == pytest.approx(alpha * distance)
    assert TaskHypernetwork(5, 2, seeds=[0]).penalty() is None


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_interactions_of_the_linear_path_are_pulled_to_zero(n_outputs):
    settings = {"embedding_dim": 3, "interaction_alpha": [0.0, 2.0]}
    module = randomised(TaskHypernetwork(5, 4, 2, n_outputs, seeds=[0, 1], **settings))
    # how the difference of two features' effects changes with a metadata column, by predictions
    for p in module.layers.parameters():
        p.data.zero_()
    rows, values = torch.eye(4).double(), torch.eye(2).double()
    x = torch.cat([torch.zeros(1, 4).double(), rows]).expand(2, 3, -1, -1)
    metadata = torch.cat([torch.zeros(1, 2).double(), values]).expand(2, -1, -1)
    slots = torch.arange(3).expand(2, -1)
    with torch.no_grad():
        y = module(x, torch.zeros(2, 3, dtype=torch.int64), slots, metadata)
    slopes = y[:, :, 1:] - y[:, :, :1]
    change = slopes[:, 1:] - slopes[:, :1]
    torch.testing.assert_close(module.interactions().detach(), change)
    expected = torch.tensor([0.0, 2.0]) * change.square().sum((1, 2, 3))
    torch.testing.assert_close(module.penalty().detach(), expected)
    # no penalty without metadata
    assert TaskHypernetwork(5, 2, seeds=[0], interaction_alpha=1.0).penalty() is None


def test_members_share_no_gradient():
    module = TaskHypernetwork(3, 2, seeds=[0, 1, 2], hypernet_layers=1)
    x = torch.randn(3, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    tasks = slots = torch.arange(3).repeat(3, 1)
    module(x, tasks, slots)[1].square().sum().backward()
    for parameter in module.parameters():
        assert not parameter.grad[[0, 2]].any()


def test_initial_weights_depend_on_the_seed_of_the_member_only():
    together = TaskHypernetwork(3, 2, seeds=[5, 6, 7])
    alone = TaskHypernetwork(3, 2, seeds=[6])
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a[1], b[0])
    first = torch.cat([p[0].flatten() for p in together.parameters()])
    second = torch.cat([p[1].flatten() for p in together.parameters()])
    assert not torch.equal(first, second)


def test_training_new_tasks_freezes_everything_else():
    module = randomised(TaskHypernetwork(4, 2, seeds=[0]))
    new = module.for_new_tasks(2, torch.tensor([0.5]))
    assert [name for name, p in new.named_parameters() if p.requires_grad] == ["embeddings"]
    torch.testing.assert_close(new.embeddings[0, 0], module.embeddings[0].mean(0))
    # the pull is noise over variance in each dimension
    variance = module.embeddings[0].var(0, correction=0)
    torch.testing.assert_close(new.embedding_alpha[0, 0], 0.5 / variance)
    before = module.mean_embedding().clone()
    module.add_tasks(new)
    assert module.embeddings.shape[1] == 6
    assert torch.equal(module.mean_embedding(), before)


@settings(max_examples=30, deadline=None)
@given(options, st.integers(1, 3), st.integers(0, 2), st.integers(1, 3))
def test_rows_have_the_networks_of_their_embeddings(option, n_features, n_metadata, n_members):
    option = option | {"embedding_dim": 2}
    if not isinstance(option["activation"], str):
        option = option | {"activation": option["activation"][:n_members]}
    module = randomised(
        TaskHypernetwork(5, n_features, n_metadata, seeds=range(n_members), **option)
    ).eval()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_members, 5, n_features, generator=generator, dtype=torch.float64)
    metadata = torch.randn(n_members, 5, n_metadata, generator=generator, dtype=torch.float64)
    metadata = metadata if n_metadata else None
    everything = torch.arange(5).expand(n_members, -1)
    embeddings = module.embeddings.detach().clone()
    got, slopes = module.evaluate(x, embeddings, metadata)

    def forward():
        return module(x.unsqueeze(2), everything, everything, metadata)[:, :, 0, 0].detach()

    assert torch.allclose(got, forward())
    for k in range(2):
        step = torch.zeros_like(embeddings)
        step[..., k] = 1e-6
        module.embeddings.data = embeddings + step
        above = forward()
        module.embeddings.data = embeddings - step
        assert torch.allclose((above - forward()) / 2e-6, slopes[..., k], rtol=1e-4, atol=1e-5)
