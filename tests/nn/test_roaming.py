"""Maximum roaming: the plan of the masks, and what they do."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from skmtl.nn import MemberModule
from skmtl.nn._roaming import roaming_plan
from tests._members import task_rows, train
from tests._networks import assert_is_formula, layers_of, mlp, network, randomised


@pytest.mark.parametrize(("n_tasks", "n_units", "n_active"), [(1, 5, 2), (4, 10, 3), (7, 6, 6)])
def test_plan_of_the_paper(n_tasks, n_units, n_active):
    begin, cease = roaming_plan(n_tasks, n_units, n_active, torch.Generator().manual_seed(0))
    n_updates = n_units - n_active
    used = torch.stack([(begin <= u) & (u < cease) for u in range(n_updates + 3)])
    # as many units at all times
    assert (used.sum(2) == n_active).all()
    for before, after in pairwise(used[: n_updates + 1]):
        # one is taken up, one is given up
        assert ((after & ~before).sum(1) == 1).all()
        assert ((before & ~after).sum(1) == 1).all()
    visited = used.cumsum(0) > 0
    for u in range(n_updates):
        taken = used[u + 1] & ~used[u]
        assert not (taken & visited[u]).any()  # which the task never had before
    assert visited[n_updates].all()  # then every task has had every unit
    assert (used[n_updates:] == used[n_updates]).all()  # and masks rest
    if n_tasks * n_active >= n_units:
        assert used[0].any(0).all()  # every unit has a task at the start


def test_units_are_drawn_uniformly():
    taken, given = np.zeros(6), np.zeros(6)
    for seed in range(3000):
        begin, cease = roaming_plan(1, 6, 3, torch.Generator().manual_seed(seed))
        taken += (begin[0] == 1).numpy()
        given += (cease[0] == 1).numpy()
    np.testing.assert_allclose(taken / 500, 1, atol=0.2)
    np.testing.assert_allclose(given / 500, 1, atol=0.2)


def test_forward_is_a_shared_bottom_with_masks():
    module = randomised(network("roaming"))
    for _ in range(5):
        module.after_step(None)
    masks = [mask.numpy() for mask in module.masks()]
    assert [mask.sum(2).tolist() for mask in masks] == [[[2] * 4] * 2] * 2

    def slow(values, task, row, member):
        for (weight, bias), mask in zip(layers_of(values, "trunk"), masks, strict=True):
            row = np.tanh(row @ weight + bias) * mask[member, task]
        return mlp(row, layers_of(values, "heads", task))

    assert_is_formula(module, slow)


def test_units_that_a_task_does_not_use_get_no_gradient_from_it():
    module = randomised(network("roaming", seeds=[0], hidden_layer_sizes=(6,), n_tasks=2))
    used = module.masks()[0][0, 1]
    x = torch.randn(1, 1, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    one = torch.ones(1, 1, dtype=torch.int64)
    module(x, one, 0 * one).sum().backward()
    gradient = module.trunk.layers[0].weight.grad[0]
    assert gradient[:, used].any(0).all()
    assert not gradient[:, ~used].any()


def test_masks_move_with_the_steps_of_each_member():
    module = network("roaming", hidden_layer_sizes=(8,))
    first = module.masks()[0].clone()
    module.after_step(None)
    assert torch.equal(module.masks()[0], first)
    module.after_step(torch.tensor([True, False]))
    moved = (module.masks()[0] != first).sum(2)
    assert moved.tolist() == [[2] * 4, [0] * 4]


def test_training_counts_the_steps_and_keeps_those_of_the_best_weights():
    table = task_rows(n_tasks=4, n_features=3, n_outputs=2, n_rows=40)
    rows = torch.arange(40)

    def run(n_epochs, valid):
        module = network("roaming", hidden_layer_sizes=(16,)).double()
        settings = {"batch_size": 8, "max_epochs": n_epochs, "averaging": 0.0}
        valid = [rows[32:]] * 2 if valid else None
        return train(table, [0, 1], [rows[:32]] * 2, valid, module=module, **settings)

    assert run(5, False).module_.steps.flatten().tolist() == [20, 20]
    net = run(12, True)
    for m in range(2):
        losses = net.result_.records["valid_loss"][net.result_.records["member"] == m]
        best = int(np.argmin(losses)) + 1
        assert net.module_.steps[m].item() == 4 * best


def test_the_plan_goes_with_the_member():
    module = network("roaming", seeds=[0, 1, 2])
    part = module.part([2])
    assert isinstance(part, MemberModule)
    for mine, theirs in zip(part.masks(), module.masks(), strict=True):
        assert torch.equal(mine[0], theirs[2])
    assert "steps" not in module.decayed_parameters()
