"""One network for all tasks, one for each, and a shared trunk, against loops."""

import numpy as np
import torch

from tests._networks import (
    assert_is_formula,
    layers_of,
    mlp,
    network,
    random_blocks,
    randomised,
)


def test_one_network_is_a_network_of_features_and_indicators():
    def slow(values, task, row, member):
        first = np.concatenate([values["layers.0.weight"], values["codes.weight"][:, 0]])
        indicators = np.eye(4)[task]
        x = np.tanh(np.concatenate([row, indicators]) @ first + values["layers.0.bias"][0])
        x = np.tanh(x @ values["layers.1.weight"] + values["layers.1.bias"][0])
        return x @ values["layers.2.weight"] + values["layers.2.bias"][0]

    assert_is_formula(randomised(network("single task, one-hot")), slow)


def test_a_naive_network_does_not_know_the_task():
    def slow(values, task, row, member):
        pairs = [(values[f"layers.{n}.weight"], values[f"layers.{n}.bias"][0]) for n in range(3)]
        return mlp(row, pairs)

    module = randomised(network("single task, naive"))
    assert_is_formula(module, slow)
    assert module.shared_parameters() == [name for name, _ in module.named_parameters()]


def test_independent_tasks():
    module = randomised(network("independent tasks"))
    assert_is_formula(
        module, lambda values, task, row, _: mlp(row, layers_of(values, "heads", task))
    )
    assert module.shared_parameters() == []


def test_shared_bottom():
    def slow(values, task, row, member):
        hidden = mlp(row, layers_of(values, "trunk"), linear_output=False)
        return mlp(hidden, layers_of(values, "heads", task))

    module = network("shared bottom")
    assert_is_formula(randomised(module), slow)
    assert all(name.startswith("trunk") for name in module.shared_parameters())


def test_heads_of_tasks_that_are_not_in_a_batch_get_no_gradient():
    module = randomised(network("shared bottom", seeds=[0]))
    x, _, _ = random_blocks(module, 3, n_blocks=2)
    module(x, torch.tensor([[1, 3]]), torch.tensor([[0, 1]])).sum().backward()
    for layer in module.heads.layers:
        for parameter in (layer.weight, layer.bias):
            assert parameter.grad[0, [1, 3]].any()
            assert not parameter.grad[0, [0, 2]].any()


def test_one_indicator_starts_as_one_more_feature():
    module = network("single task, one-hot", n_tasks=2000, seeds=[0], hidden_layer_sizes=(50,))
    bound = module.codes.weight.abs().max().item()
    assert 0.95 * 0.5 < bound <= 0.5  # 1 / sqrt(3 features + 1 indicator)
