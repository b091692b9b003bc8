"""Cross-stitch and sluice networks against loops written from the papers' formulas."""

import numpy as np
import torch

from tests._networks import assert_is_formula, network, randomised


def slow_stitched(n_subspaces, sluice, n_tasks=4, read=range(4)):
    def slow(values, task, row, member):
        reads, layers = [row] * n_tasks, []
        for k in range(2):
            weight, bias = values[f"layers.{k}.weight"], values[f"layers.{k}.bias"]
            hidden = [np.tanh(reads[t] @ weight[t] + bias[t, 0]) for t in range(n_tasks)]
            parts = [np.split(h, n_subspaces) for h in hidden]
            stitch = values[f"stitches.{k}.weight"]
            reads = [
                np.concatenate(
                    [
                        sum(
                            stitch[t, s, r, u] * parts[r][u]
                            for r in read
                            for u in range(n_subspaces)
                        )
                        for s in range(n_subspaces)
                    ]
                )
                for t in range(n_tasks)
            ]
            layers.append(reads)
        last = reads[task]
        if sluice:
            last = sum(values["layer_weights"][task, k] * layers[k][task] for k in range(2))
        return last @ values["heads.layers.0.weight"][task] + values["heads.layers.0.bias"][task, 0]

    return slow


def test_cross_stitch_is_the_formula_of_the_paper():
    assert_is_formula(randomised(network("cross-stitch")), slow_stitched(1, False))


def test_sluice_is_the_formula_of_the_paper():
    assert_is_formula(randomised(network("sluice")), slow_stitched(2, True))


def test_tasks_that_are_not_trained_are_not_read():
    module = network("cross-stitch")
    module.mark_trained(torch.tensor([[True, False, True, True]]).expand(2, -1))
    start = module.stitches[0].weight[0, :, 0, :, 0]
    torch.testing.assert_close(start[0], torch.tensor([0.8, 0.0, 0.1, 0.1]))
    assert_is_formula(randomised(module), slow_stitched(1, False, read=[0, 2, 3]))


def test_stitches_start_convex():
    for name in ("cross-stitch", "sluice"):
        for stitch in network(name).stitches:
            weight = stitch.weight.detach().flatten(3).flatten(1, 2)
            torch.testing.assert_close(weight.sum(2), torch.ones(weight.shape[:2]))
            torch.testing.assert_close(
                weight.diagonal(dim1=1, dim2=2), torch.full(weight.shape[:2], 0.8)
            )
            assert (weight >= 0).all()
    alone = network("cross-stitch", n_tasks=1).stitches[0].weight
    assert (alone == 1).all()


def test_a_task_that_keeps_all_to_itself_is_an_independent_one():
    module = randomised(network("cross-stitch"))
    for stitch in module.stitches:
        eye = torch.eye(4, dtype=torch.float64).view(4, 1, 4, 1)
        stitch.weight.data = eye.expand(2, -1, -1, -1, -1).clone()
    x = torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    zero = torch.zeros(2, 1, dtype=torch.int64)
    module(x, zero + 2, zero).sum().backward()
    for layer in module.layers:
        assert layer.weight.grad[:, 2].any()
        assert not layer.weight.grad[:, [0, 1, 3]].any()


def test_penalty_is_the_squared_norm_of_products_of_subspaces():
    module = randomised(network("sluice", n_subspaces=4, hidden_layer_sizes=(8, 8)))
    module.mark_trained(torch.tensor([[True, True, True, True], [True, False, True, False]]))
    for m, tasks in enumerate([range(4), (0, 2)]):
        expected = 0.0
        for layer in module.layers:
            for task in tasks:
                parts = np.split(layer.weight[m, task].detach().numpy(), 4, axis=1)
                for i in range(4):
                    for j in range(i):
                        expected += np.linalg.norm(parts[i].T @ parts[j], "fro") ** 2
        np.testing.assert_allclose(module.penalty()[m].item(), 0.5 * expected, rtol=1e-12)


def test_the_penalty_makes_subspaces_orthogonal():
    module = randomised(network("sluice", seeds=[0], hidden_layer_sizes=(4, 4)))
    before = module.penalty().item()
    optimiser = torch.optim.SGD(module.parameters(), lr=0.02)
    norms = [layer.weight.norm().item() for layer in module.layers]
    for _ in range(200):
        optimiser.zero_grad()
        module.penalty().sum().backward()
        optimiser.step()
    assert module.penalty().item() < 0.05 * before
    # not by shrinking the weights to nothing
    for layer, norm in zip(module.layers, norms, strict=True):
        assert layer.weight.norm().item() > 0.5 * norm


def test_what_mixes_is_not_decayed():
    decayed = network("sluice").decayed_parameters()
    assert "layers.0.weight" in decayed
    assert not any("stitch" in name or "layer_weights" in name for name in decayed)
