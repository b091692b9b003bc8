"""Mixtures of experts against loops written from the papers' formulas."""

import numpy as np
import pytest
import torch

from skmtl.nn import ExtractionNetwork
from tests._networks import assert_is_formula, layers_of, mlp, network, randomised, softmax


def test_mixture_is_the_formula_of_the_paper():
    def slow(values, task, row, member):
        gate = softmax(row @ values["gates.weight"][task])
        mixed = sum(
            gate[i] * mlp(row, layers_of(values, "experts", i), linear_output=False)
            for i in range(3)
        )
        return mlp(mixed, layers_of(values, "heads", task))

    assert_is_formula(randomised(network("mixture")), slow)


def test_one_expert_is_a_shared_bottom():
    mixture, bottom = network("mixture", n_experts=1), network("shared bottom")
    for mine, theirs in zip(mixture.experts.layers, bottom.trunk.layers, strict=True):
        mine.weight.data[:, 0], mine.bias.data[:, 0] = theirs.weight.data, theirs.bias.data
    mixture.heads = bottom.heads
    x = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    tasks = torch.arange(4).expand(2, -1)
    torch.testing.assert_close(mixture(x, tasks, tasks), bottom(x, tasks, tasks))


def slow_extraction(n_levels, n_of_task, n_shared, n_tasks=4, trained=range(4)):
    def experts(values, level, name, x, *where):
        stack = layers_of(values, f"levels.{level}.{name}", *where)
        return mlp(x, stack, linear_output=False)

    def slow(values, task, row, member):
        # what each task and the shared path read
        reads, shared = [row] * n_tasks, row
        for level in range(n_levels):
            of_task = [
                [experts(values, level, "task_experts", reads[t], t, e) for e in range(n_of_task)]
                for t in range(n_tasks)
            ]
            common = [experts(values, level, "shared_experts", shared, e) for e in range(n_shared)]
            gates = [
                softmax(reads[t] @ values[f"levels.{level}.task_gates.weight"][t])
                for t in range(n_tasks)
            ]
            new = [
                sum(g * e for g, e in zip(gates[t], of_task[t] + common, strict=True))
                for t in range(n_tasks)
            ]
            if level < n_levels - 1:
                logits = [
                    shared @ values[f"levels.{level}.gate_of_tasks.weight"][t] for t in trained
                ]
                logits.append(shared @ values[f"levels.{level}.gate_of_shared.weight"])
                every = [e for t in trained for e in of_task[t]] + common
                gate = softmax(np.concatenate(logits))
                shared = sum(g * e for g, e in zip(gate, every, strict=True))
            reads = new
        return mlp(reads[task], layers_of(values, "heads", task))

    return slow


def test_one_level_is_customised_gate_control():
    assert_is_formula(randomised(network("one level")), slow_extraction(1, 2, 1))


def test_three_levels_are_the_formula_of_the_paper():
    assert_is_formula(randomised(network("three levels")), slow_extraction(3, 1, 2))


def test_the_shared_path_does_not_heed_tasks_that_are_not_trained():
    module = randomised(network("three levels"))
    trained = torch.tensor([[True, True, False, True]]).expand(2, -1)
    module.mark_trained(trained)
    assert_is_formula(module, slow_extraction(3, 1, 2, trained=[0, 1, 3]))


@pytest.mark.parametrize("n_levels", [1, 2])
def test_experts_of_other_tasks_learn_through_the_shared_path_only(n_levels):
    settings = {"hidden_layer_sizes": (4,), "head_layer_sizes": (), "activation": "tanh"}
    module = ExtractionNetwork(
        3, 2, 1, seeds=[0], n_levels=n_levels, n_task_experts=1, n_shared_experts=1, **settings
    )
    x = torch.randn(1, 1, 5, 2, generator=torch.Generator().manual_seed(0))
    one = torch.ones(1, 1, dtype=torch.int64)
    module(x, one, 0 * one).sum().backward()
    for number, level in enumerate(module.levels):
        gradient = level.task_experts.layers[0].weight.grad[0]
        assert gradient[1].any()
        assert gradient[[0, 2]].any() == (number < n_levels - 1)
