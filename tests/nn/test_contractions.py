"""Every way to evaluate a layer against the formula written out, in double precision.

Shapes are drawn by hypothesis; gradients are checked against autograd's and finite differences.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl.nn import TaskHypernetwork, _workspace
from skmtl.nn._contractions import FactorLayer, FullMap, NarrowLayer, OuterLayer
from skmtl.nn._generators import CompressedGenerator, FullGenerator
from skmtl.nn._members import FEW_ROWS

sizes = st.fixed_dictionaries({name: st.integers(1, 5) for name in ("members", "n", "k", "i", "o")})
LAYERS = [OuterLayer, NarrowLayer, FactorLayer]


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def arguments(members, n, k, i, o, folded):
    """Representations, inputs, constant part and factors of a layer."""
    h, x, D = draw(members, n, k), draw(members, n, i), draw(members, i + folded, o)
    return h, x, D, draw(members, k, i + folded), draw(members, i + folded, o), draw(members, k, o)


def written_out(h, x, D, A, B, C):
    """The layer by the formula of the paper."""
    if x.shape[2] < D.shape[1]:
        x = torch.cat([x, torch.ones_like(x[..., :1])], dim=2)
    weights = torch.einsum("mnk,mki,mio,mko->mnio", h, A, B, C) + D.unsqueeze(1)
    return torch.einsum("mni,mnio->mno", x, weights)


def assert_same_with_gradients(got, expected, leaves):
    """Compare values, and gradients with respect to the leaves along a random slope."""
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    slope = draw(*expected.shape, seed=7).detach()
    pairs = zip(*(torch.autograd.grad(y, leaves, slope) for y in (got, expected)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("in_cache", [1, 2**19])
@pytest.mark.parametrize("layer", LAYERS)
@given(size=sizes, folded=st.booleans())
@settings(deadline=None, max_examples=20)
def test_layers_and_their_gradients_are_those_of_the_formula(layer, in_cache, size, folded):
    given_ = arguments(**size, folded=folded)
    expected = written_out(*given_)
    with pytest.MonkeyPatch.context() as patch:
        # one member at a time, or all at once
        patch.setattr(_workspace, "_NUMBERS_IN_CACHE", in_cache)
        assert_same_with_gradients(layer.apply(*given_), expected, given_)


@pytest.mark.parametrize("layer", [OuterLayer, NarrowLayer])
@given(size=sizes, folded=st.booleans())
@settings(deadline=None, max_examples=20)
def test_layers_take_a_map_that_is_not_a_product(layer, size, folded):
    h, x, D, *factors = arguments(**size, folded=folded)
    full = torch.einsum("mki,mio,mko->mkio", *factors).detach().requires_grad_()
    expected = written_out(h, x, D, *factors)
    rows = torch.cat([x, torch.ones_like(x[..., :1])], dim=2) if folded else x
    by_map = torch.einsum("mnk,mkio,mni->mno", h, full, rows) + rows @ D
    torch.testing.assert_close(by_map, expected, rtol=1e-12, atol=1e-12)
    assert_same_with_gradients(layer.apply(h, x, D, full), by_map, (h, x, D, full))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("folded", [True, False])
def test_gradients_of_layers_are_finite_differences(layer, folded):
    given_ = arguments(2, 3, 2, 3, 2, folded)
    assert torch.autograd.gradcheck(layer.apply, given_)
    # the first layer of a network: nobody asks for the gradient of its inputs
    h, x, *rest = given_
    assert torch.autograd.gradcheck(layer.apply, (h, x.detach(), *rest))


@given(size=sizes)
@settings(deadline=None, max_examples=20)
def test_full_map(size):
    *_, A, B, C = arguments(**size, folded=False)
    expected = torch.einsum("mki,mio,mko->mkio", A, B, C)
    assert_same_with_gradients(FullMap.apply(A, B, C), expected, (A, B, C))


@pytest.mark.parametrize("generator", [CompressedGenerator, FullGenerator])
@pytest.mark.parametrize("folded", [True, False])
# narrow at either end, more rows than the map has, fewer
@pytest.mark.parametrize(("n", "i", "o"), [(5, 1, 9), (5, 9, 1), (30, 9, 9), (5, 9, 9)])
def test_generators_evaluate_what_they_write(generator, folded, n, i, o):
    seeds = [torch.Generator().manual_seed(seed) for seed in range(3)]
    layer = generator(4, i, o, folded, seeds, "kaiming", True).double()
    h, x = draw(3, n, 4), draw(3, n, i)
    weights = layer(h).unflatten(2, (i + folded, o))
    expected = torch.einsum("mni,mnio->mno", x, weights[:, :, :i])
    if folded:
        expected = expected + weights[:, :, i]
    torch.testing.assert_close(layer.evaluate(h, x), expected, rtol=1e-12, atol=1e-12)


def test_what_was_computed_does_not_change_with_the_next_call():
    first, second = arguments(2, 3, 4, 5, 6, True), arguments(3, 4, 4, 5, 6, True)
    for layer in LAYERS:
        got = layer.apply(*first)
        kept = got.detach().clone()
        layer.apply(*second).sum().backward()
        assert torch.equal(got, kept)
        for one, other in zip(
            torch.autograd.grad(got.sum(), first),
            torch.autograd.grad(layer.apply(*first).sum(), first),
            strict=True,
        ):
            assert torch.equal(one, other)


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("target_bias", ["folded", "plain"])
@pytest.mark.parametrize("hypernet_layers", [0, 1])
def test_rows_one_by_one_and_in_blocks_of_their_tasks_agree(
    compression, target_bias, hypernet_layers
):
    n_tasks, n_features, length = 3, 2, 4 * FEW_ROWS
    module = TaskHypernetwork(
        n_tasks,
        n_features,
        seeds=[0, 1],
        embedding_dim=3,
        hidden_layer_sizes=(7, 6),
        hypernet_layers=hypernet_layers,
        hypernet_width=4,
        compression=compression,
        target_bias=target_bias,
    ).double()
    tasks = torch.arange(n_tasks).expand(2, -1)
    x = draw(2, n_tasks, length, n_features).detach()
    in_blocks = module(x, tasks, tasks)
    in_rows = torch.cat([module(part, tasks, tasks) for part in x.split(FEW_ROWS, dim=2)], dim=2)
    torch.testing.assert_close(in_rows, in_blocks, rtol=1e-12, atol=1e-12)
    names, parameters = zip(*module.named_parameters(), strict=True)
    one, other = (torch.autograd.grad(y.square().sum(), parameters) for y in (in_blocks, in_rows))
    for name, a, b in zip(names, one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=name)
