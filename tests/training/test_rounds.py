"""Batches of one task each, and clipped gradients: what some architectures ask of the loop."""

import dataclasses

import pytest
import torch

from skmtl.training._batches import MemberBatches
from skmtl.training._optimizer import MemberAdam
from skmtl.training._sampling import deal_rounds
from tests._members import task_rows
from tests.training.test_optimizer import Stack, gradients


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rounds_visit_every_task_that_has_rows_left():
    rows = [torch.arange(10), torch.arange(10, 13), torch.arange(0), torch.arange(13, 20)]
    batches, tasks = deal_rounds(rows, [3, 1, 0, 2], generator())
    assert sorted(torch.cat(batches).tolist()) == list(range(20))
    assert set(tasks[:3]) == {0, 1, 3}
    assert set(tasks[3:5]) == {0, 3}
    assert tasks[5:] == [0]
    for batch, task in zip(batches, tasks, strict=True):
        assert set(batch.tolist()) <= set(rows[task].tolist())
    sizes = [len(b) for b, t in zip(batches, tasks, strict=True) if t == 0]
    assert sizes == [4, 4, 2]


def test_order_of_the_rounds_is_shuffled():
    rows = [torch.arange(4 * t, 4 * t + 4) for t in range(6)]
    orders = {tuple(deal_rounds(rows, [1] * 6, generator(s))[1]) for s in range(20)}
    assert len(orders) > 15


@pytest.mark.parametrize("sampling", [False, True])
def test_long_form(sampling):
    table = task_rows(n_tasks=4, n_rows=50)
    rows = [torch.arange(50), torch.arange(25)]
    shares = torch.full((2, 4), 0.25, dtype=torch.float64) if sampling else None
    batches = MemberBatches(table, rows, 8, [generator(), generator(1)], shares, one_task=True)
    for _ in range(3):
        counted = torch.zeros(2)
        epoch = list(batches)
        assert len(epoch) == len(batches) == max(batches.n_batches_per_member)
        for number, batch in enumerate(epoch):
            x, tasks = batch.inputs[:2]
            assert x.shape[1] == tasks.shape[1] == 1
            assert x.shape[2] <= 8
            for m in range(2):
                filled = batch.weights[m, 0] > 0
                counted[m] += filled.sum()
                ended = number >= batches.n_batches_per_member[m]
                assert filled.any() != ended
                # all rows are of the task that the batch names
                for row in x[m, 0][filled]:
                    actual = (table.features == row).all(1).nonzero().item()
                    assert table.tasks[actual] == tasks[m, 0]
        if not sampling:
            assert counted.tolist() == [50, 25]


def test_wide_form():
    long = task_rows(n_rows=12)
    weights = torch.ones(12, 3, dtype=torch.float64)
    weights[:5, 1] = 0
    table = dataclasses.replace(
        long,
        tasks=None,
        targets=torch.arange(36.0).view(12, 3).double(),
        weights=weights,
        n_tasks=3,
    )
    batches = MemberBatches(table, [torch.arange(12)], 5, [generator()], one_task=True)
    seen = []
    for batch in batches:
        present = (batch.weights[0] > 0).any(1)
        assert present.sum() == 1
        assert batch.counts[0] == (batch.weights[0] > 0).sum()
        seen += batch.targets[0][batch.weights[0] > 0].flatten().tolist()
    assert sorted(seen) == sorted(table.targets[weights > 0].tolist())


def test_members_that_stay_have_the_same_batches():
    table = task_rows(n_tasks=4, n_rows=50)
    rows = [torch.arange(50), torch.arange(25), torch.arange(10, 40)]

    def build():
        generators = [generator(s) for s in range(3)]
        return MemberBatches(table, rows, 8, generators, one_task=True)

    everyone, selected = build(), build()
    list(everyone), list(selected)
    selected.select([1])
    for _ in range(3):
        for full, part in zip(everyone, selected, strict=False):
            kept = part.weights[0] > 0
            assert torch.equal(full.inputs[1][1], part.inputs[1][0])
            assert torch.equal(full.inputs[0][1, :, : kept.shape[1]][kept], part.inputs[0][0][kept])


def test_clipped_gradients_are_those_of_torch():
    ours, theirs = Stack(4), Stack(4)
    norms = [0.1, 1.0, 100.0, torch.inf]
    optimizer = MemberAdam(ours, lr=0.01, clip_norm=norms)
    references = []
    for m in range(4):
        single = [torch.nn.Parameter(p.detach()[m].clone()) for p in theirs.parameters()]
        references.append((single, torch.optim.Adam(single, lr=0.01)))
    for step in range(20):
        gradients(step, ours)
        for m, (single, reference) in enumerate(references):
            for parameter, p in zip(single, ours.parameters(), strict=True):
                parameter.grad = p.grad[m].clone()
            torch.nn.utils.clip_grad_norm_(single, norms[m])
            reference.step()
        optimizer.step()
    for m, (single, _) in enumerate(references):
        for parameter, p in zip(single, ours.parameters(), strict=True):
            torch.testing.assert_close(p[m], parameter.data, rtol=1e-9, atol=1e-9)
    optimizer.select(torch.tensor([1, 3]))
    gradients(0, ours, slice(2))
    optimizer.step()
