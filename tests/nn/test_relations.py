"""Multilinear relationship networks: the prior against Kronecker products written out."""

import numpy as np
import pytest
import torch

from skmtl.nn._relations import flip_flop
from tests._networks import assert_is_formula, layers_of, mlp, network, randomised


def vec(W):
    """A tensor (tasks, inputs, outputs) in the order of kron(inputs, outputs, tasks)."""
    return W.transpose(1, 2, 0).reshape(-1)


def set_covariances(module, rng):
    """Random covariances, as if they had been estimated; returns them."""
    actual = []
    for n, layer in enumerate(module.heads.layers):
        T, d_in, d_out = layer.weight.shape[1:]
        by_layer = []
        for axis, size in enumerate((d_in, d_out, T)):
            root = rng.normal(size=(module.n_members, size, size))
            S = root @ root.transpose(0, 2, 1) + 0.5 * np.eye(size)
            setattr(module, f"covariance_{n}_{axis}", torch.as_tensor(S))
            setattr(module, f"precision_{n}_{axis}", torch.as_tensor(np.linalg.inv(S)))
            by_layer.append(S)
        actual.append(by_layer)
    return actual


def test_forward_is_that_of_a_shared_bottom():
    def slow(values, task, row, member):
        hidden = mlp(row, layers_of(values, "trunk"), linear_output=False)
        return mlp(hidden, layers_of(values, "heads", task))

    assert_is_formula(randomised(network("relation")), slow)


def test_penalty_is_the_quadratic_form_of_the_kronecker_product():
    module = randomised(network("relation", relation_alpha=[0.5, 2.0]))
    covariances = set_covariances(module, np.random.default_rng(0))
    for m, alpha in enumerate([0.5, 2.0]):
        expected = 0.0
        for layer, (S1, S2, S3) in zip(module.heads.layers, covariances, strict=True):
            w = vec(layer.weight[m].detach().numpy())
            big = np.kron(np.kron(S1[m], S2[m]), S3[m])
            expected += alpha / 2 * w @ np.linalg.inv(big) @ w
        assert module.penalty()[m].item() == pytest.approx(expected, rel=1e-9)


def test_covariances_are_those_of_the_flip_flop_algorithm():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(1, 5, 4, 3))
    start = [np.eye(4) * 2.0, np.eye(3) * 0.5, np.eye(5)]
    got = flip_flop(
        torch.as_tensor(W), [torch.as_tensor(S)[None] for S in start], torch.tensor([5])
    )
    S1, S2, S3 = start
    tensor = W[0].transpose(1, 2, 0)  # inputs, outputs, tasks

    def estimate(axis, first, second):
        M = np.moveaxis(tensor, axis, 0).reshape(tensor.shape[axis], -1)
        inverse = np.linalg.inv(np.kron(first, second))
        return M @ inverse @ M.T / M.shape[1] + 1e-3 * np.eye(len(M))

    S1 = estimate(0, S2, S3)
    S2 = estimate(1, S1, S3)
    S3 = estimate(2, S1, S2)
    for mine, theirs in zip(got, (S1, S2, S3), strict=True):
        np.testing.assert_allclose(mine[0].numpy(), theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("d_in", "d_out", "axes"), [(12, 11, (0, 1, 2)), (200, 10, (2,))], ids=["all", "tasks"]
)
def test_flip_flop_finds_planted_relations(d_in, d_out, axes):
    rng = np.random.default_rng(0)
    relation = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    W = np.einsum("ts,sio->tio", np.linalg.cholesky(relation), rng.normal(size=(3, d_in, d_out)))
    S = [torch.eye(size, dtype=torch.float64)[None] for size in (d_in, d_out, 3)]
    S = flip_flop(torch.as_tensor(W)[None], S, torch.tensor([3]), axes)
    tasks = S[2][0].numpy()
    scale = np.sqrt(np.diag(tasks))
    np.testing.assert_allclose(tasks / np.outer(scale, scale), relation, atol=0.2)


def test_relations_of_tasks_only():
    module = randomised(network("relation", relations="tasks"))
    for _ in range(3):
        module.after_step(None)
    for layer in range(2):
        for axis, estimated in ((0, False), (1, False), (2, True)):
            covariance = getattr(module, f"covariance_{layer}_{axis}")
            eye = torch.eye(covariance.shape[1], dtype=covariance.dtype).expand_as(covariance)
            assert torch.equal(covariance, eye) != estimated


def test_covariances_are_estimated_every_so_many_steps_of_a_member():
    module = randomised(network("relation"))
    first = module.covariance_0_2.clone()
    for step, active in enumerate([None, None, torch.tensor([False, True]), None], start=1):
        module.after_step(active)
        changed = (module.covariance_0_2 != first).flatten(1).any(1).tolist()
        assert changed == [step >= 4, step >= 3]
    precision, covariance = module.precision_0_2, module.covariance_0_2
    torch.testing.assert_close(
        precision @ covariance, torch.eye(4, dtype=torch.float64).expand(2, -1, -1)
    )


def test_tasks_that_are_not_trained_have_no_relations():
    module = randomised(network("relation"))
    module.mark_trained(torch.tensor([[True, True, False, True]]).expand(2, -1))
    for _ in range(3):
        module.after_step(None)
    assert not module.covariance_0_2[:, 2, [0, 1, 3]].any()
    module.penalty().sum().backward()
    assert not module.heads.layers[0].weight.grad[:, 2].any()
