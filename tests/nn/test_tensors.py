"""Factorised networks against sums written from the papers' formulas."""

import numpy as np
import pytest
import torch

from tests._networks import assert_is_formula, network, randomised


def factors(values, n):
    return {
        name: values.get(f"layers.{n}.{name}")
        for name in ("core", "inputs", "outputs", "tasks", "bias")
    }


def slow_weights(f, kind, task):
    """W[:, :, task] by the sums of the form."""
    G, U, V, z = f["core"], f["inputs"], f["outputs"], f["tasks"][task]
    d_in = G.shape[1] if U is None else U.shape[0]
    d_out = G.shape[2] if V is None else V.shape[1]
    W = np.zeros((d_in, d_out))
    for i in range(d_in):
        for o in range(d_out):
            for b in range(len(z)):
                if kind == "last axis":
                    W[i, o] += G[b, i, o] * z[b]
                elif kind == "tensor train":
                    W[i, o] += sum(U[i, a] * G[b, a, o] * z[b] for a in range(U.shape[1]))
                else:
                    W[i, o] += sum(
                        G[b, a, c] * U[i, a] * V[c, o] * z[b]
                        for a in range(U.shape[1])
                        for c in range(V.shape[0])
                    )
    return W


@pytest.mark.parametrize("kind", ["tucker", "tensor train", "last axis"])
def test_forward_is_the_formula_of_the_paper(kind):
    def slow(values, task, row, member):
        for n in range(3):
            f = factors(values, n)
            row = row @ slow_weights(f, kind, task) + f["bias"][task, 0]
            row = np.tanh(row) if n < 2 else row
        return row

    assert_is_formula(randomised(network(kind)), slow)


@pytest.mark.parametrize("kind", ["tucker", "tensor train", "last axis"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_tensor_has_the_rank(kind, rank):
    module = randomised(network(kind, n_tasks=7, seeds=[0], hidden_layer_sizes=(6, 5), rank=rank))
    W = module.layers[1].weights()[0].detach()
    unfolded = {
        "inputs": W.permute(1, 0, 2).flatten(1),
        "outputs": W.permute(2, 0, 1).flatten(1),
        "tasks": W.flatten(1),
    }
    ranks = {name: int(torch.linalg.matrix_rank(M)) for name, M in unfolded.items()}
    assert ranks["tasks"] == rank
    # which axes are of low rank is what tells the forms apart
    assert (ranks["inputs"] <= rank) == (kind != "last axis")
    if rank > 1:
        assert (ranks["outputs"] <= rank) == (kind == "tucker")


@pytest.mark.parametrize("kind", ["tucker", "tensor train", "last axis"])
def test_weights_start_with_the_variance_of_a_linear_layer(kind):
    module = network(kind, n_features=12, seeds=range(300), hidden_layer_sizes=(10, 10), rank=4)
    for layer, d_in in zip(module.layers, (12, 10, 10), strict=True):
        W = layer.weights()
        assert W.square().mean().item() == pytest.approx(1 / (3 * d_in), rel=0.25)


def test_a_layer_of_one_output_still_tells_tasks_apart():
    module = network("tucker", n_outputs=1, rank=3)
    assert module.layers[-1].tasks.shape[2] == 3
