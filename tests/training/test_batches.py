"""Batches and blocks: every row once, one task a block, shapes that do not depend on the draw.

Property tests.
"""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl.nn import member_generators
from skmtl.training import TaskRows
from skmtl.training._batches import MemberBatches, block_shape, pack_blocks

tables = st.lists(st.integers(0, 6), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(tables, st.integers(1, 25), st.randoms(use_true_random=False))
def test_packing_keeps_every_row_in_a_block_of_its_task(tasks, batch, random):
    tasks = torch.tensor(tasks)
    batch = min(batch, len(tasks))
    shape = block_shape(batch, torch.bincount(tasks))
    numbers = torch.tensor(random.sample(range(len(tasks)), batch))
    # padding may be anywhere
    numbers[
        torch.tensor(random.sample(range(batch), random.randrange(batch)), dtype=torch.int64)
    ] = -1
    packed = pack_blocks(numbers.unsqueeze(0), tasks, shape)
    rows, listed, slots = (t[0] for t in packed)
    assert rows.shape == shape[:2]
    assert listed.shape == (shape[2],)
    assert sorted(rows[rows >= 0].tolist()) == sorted(numbers[numbers >= 0].tolist())
    for block, slot in zip(rows, slots, strict=True):
        block = block[block >= 0]
        assert (tasks[block] == listed[slot]).all()


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(1, 25), st.integers(1, 4), st.randoms(use_true_random=False))
def test_an_epoch_deals_every_row_of_every_member_once(tasks, batch_size, n_members, random):
    n = len(tasks)
    table = TaskRows(
        features=torch.arange(n, dtype=torch.float64).unsqueeze(1),
        tasks=torch.tensor(tasks),
        targets=torch.zeros(n, 1),
        weights=torch.ones(n),
        n_tasks=7,
    )
    rows = [torch.tensor(random.sample(range(n), random.randint(1, n))) for _ in range(n_members)]
    batches = MemberBatches(table, rows, batch_size, member_generators(range(n_members), "rows"))
    epochs = []
    for _ in range(2):
        seen = [[] for _ in rows]
        shapes, lengths = set(), [[] for _ in rows]
        for batch in batches:
            x, listed = batch.inputs[:2]
            shapes.add((x.shape, listed.shape))
            filled = batch.weights > 0
            for m in range(n_members):
                numbers = x[m][filled[m]].squeeze(1).long()
                seen[m] += numbers.tolist()
                if len(numbers):
                    lengths[m].append(len(numbers))
                    assert int(batch.counts[m]) == len(numbers)
                assert batch.active is None or bool(batch.active[m]) == bool(len(numbers))
        assert len(shapes) == 1
        for m in range(n_members):
            assert sorted(seen[m]) == sorted(rows[m].tolist())
            assert max(lengths[m]) <= batch_size
            assert len(lengths[m]) == -(-len(rows[m]) // batch_size)
        epochs.append(seen)
    if n > 20 and min(map(len, rows)) > 10:
        assert epochs[0] != epochs[1]


def test_uneven_tasks_are_not_padded_to_the_largest():
    counts = torch.tensor([100_000] + [1_000] * 20)
    n_blocks, length, n_slots = block_shape(256, counts)
    assert n_blocks * length < 2 * 256
    assert n_slots == 21


def test_rows_of_a_member_do_not_depend_on_other_members():
    table = TaskRows(
        features=torch.arange(40.0).unsqueeze(1),
        tasks=torch.arange(40) % 4,
        targets=torch.zeros(40, 1),
        weights=torch.ones(40),
        n_tasks=4,
    )
    rows = torch.arange(40)

    def order(seeds, member):
        batches = MemberBatches(table, [rows] * len(seeds), 10, member_generators(seeds, "rows"))
        return torch.cat([batch.inputs[0][member] for batch in batches])

    assert torch.equal(order([5, 6, 7], 1), order([6], 0))
    assert not torch.equal(order([5, 6, 7], 1), order([7], 0))
