"""Shares of tasks, draws of rows, batches of wide form, and the laws of the member axis for them.

The shares are counted in the batches themselves.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmtl.nn import TaskHypernetwork, member_generators
from skmtl.training import BinaryLoss, ClassLoss, JointLoss, NumberLoss, TaskRows
from skmtl.training._batches import MemberBatches
from skmtl.training._sampling import draw_rows, task_draws, task_shares
from tests._members import build, parameters_of, task_rows, train

SAMPLINGS = ["tasks", "sqrt"]
counts_of_tasks = st.lists(st.integers(0, 25), min_size=1, max_size=6).filter(any)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def long_rows(counts, weights=None):
    """A table with so many rows of each task, in no order; the feature is the row's number."""
    tasks = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(tasks)
    return TaskRows(
        features=torch.arange(n, dtype=torch.float64).unsqueeze(1),
        tasks=torch.from_numpy(tasks),
        targets=torch.zeros(n, 1, dtype=torch.float64),
        weights=torch.ones(n, dtype=torch.float64) if weights is None else weights,
        n_tasks=len(counts),
    )


def wide_rows(n_rows=40, n_tasks=4, missing=0.4, seed=0, n_features=2):
    """A table in wide form; the first feature is the row's number, and every row has a label."""
    generator = np.random.default_rng(seed)
    labelled = generator.random((n_rows, n_tasks)) >= missing
    labelled[np.arange(n_rows), generator.integers(0, n_tasks, n_rows)] = True
    labelled[:n_tasks] |= np.eye(n_tasks, dtype=bool)
    features = generator.normal(size=(n_rows, n_features))
    features[:, 0] = np.arange(n_rows)
    slopes = generator.normal(size=(n_features, n_tasks))
    values = np.sin(features / [[n_rows] + [1] * (n_features - 1)] @ slopes)
    return TaskRows(
        features=torch.from_numpy(features),
        tasks=None,
        targets=torch.from_numpy(np.where(labelled, values, 0)),
        weights=torch.from_numpy(labelled * generator.uniform(0.5, 2, labelled.shape)),
        n_tasks=n_tasks,
    )


def batches_of(table, sampling, rows=None, batch_size=7, seeds=(3,)):
    """Return batches drawn by `sampling`; of all rows by default."""
    rows = [torch.arange(len(table))] * len(seeds) if rows is None else rows
    generators = member_generators(seeds, "rows")
    plain = MemberBatches(table, rows, batch_size, generators)
    shares = task_shares(sampling, plain.task_totals())
    return MemberBatches(table, rows, batch_size, member_generators(seeds, "rows"), shares)


def labels_in(batch, member=0):
    """Row number, task and weight of every label of a batch."""
    x, tasks, slots = batch.inputs[:3]
    of_block = tasks[member][slots[member]].unsqueeze(1).expand(batch.weights[member].shape)
    filled = batch.weights[member] > 0
    return (
        x[member, ..., 0][filled].long().numpy(),
        of_block[filled].numpy(),
        batch.weights[member][filled].numpy(),
    )


def epoch_of(batches, member=0):
    """Row number, task and weight of every label of an epoch."""
    return tuple(
        np.concatenate(values)
        for values in zip(*(labels_in(batch, member) for batch in batches), strict=True)
    )


# shares


def test_shares_by_hand():
    totals = torch.tensor([[9.0, 0.0, 1.0, 36.0]])
    assert task_shares("rows", totals) is None
    assert_allclose(task_shares("tasks", totals), [[1 / 3, 0, 1 / 3, 1 / 3]])
    assert_allclose(task_shares("sqrt", totals), [[0.3, 0, 0.1, 0.6]])


def test_draws_by_hand():
    counts = torch.tensor([[96, 0, 3, 1]])
    shares = task_shares("tasks", counts.double())
    assert task_draws(shares, counts).tolist() == [[33, 0, 33, 33]]
    # 100 / (9.798 + 1.732 + 1)
    shares = task_shares("sqrt", counts.double())
    assert task_draws(shares, counts).tolist() == [[78, 0, 14, 8]]


@settings(max_examples=20, deadline=None)
@given(counts_of_tasks, st.sampled_from(SAMPLINGS))
def test_every_task_is_in_an_epoch_that_is_about_as_long_as_the_table(counts, sampling):
    counts = torch.tensor([counts])
    draws = task_draws(task_shares(sampling, counts.double()), counts)
    assert ((draws > 0) == (counts > 0)).all()
    assert abs(int(draws.sum() - counts.sum())) <= (counts > 0).sum()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=5).filter(any), st.data())
def test_rows_of_a_task_are_drawn_equally_often_up_to_one(counts, data):
    draws = [data.draw(st.integers(1, 30)) if count else 0 for count in counts]
    tasks = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    rows = 100 + torch.arange(len(tasks))
    seed = data.draw(st.integers(0, 2**31))

    def drawn():
        generator = torch.Generator().manual_seed(seed)
        return draw_rows(rows, tasks, torch.tensor(draws), generator)

    actual = drawn()
    assert torch.equal(actual, drawn())
    times = np.bincount(actual.numpy() - 100, minlength=len(tasks))
    for task, (count, draw) in enumerate(zip(counts, draws, strict=True)):
        counts = times[tasks.numpy() == task]
        assert counts.sum() == draw
        if count:
            # without replacement up to the remainder
            assert set(counts) <= {draw // count, draw // count + 1}
            assert (counts == draw // count + 1).sum() == draw % count


def test_the_remainder_is_drawn_from_all_rows_alike():
    tasks = torch.zeros(5, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    times = np.zeros(5)
    for _ in range(300):
        drawn = draw_rows(torch.arange(5), tasks, torch.tensor([7]), generator)
        times += np.bincount(drawn, minlength=5)
    assert_allclose(times / 300, 7 / 5, atol=0.15)


@settings(max_examples=12, deadline=None)
@given(counts_of_tasks, st.sampled_from(SAMPLINGS), st.integers(5, 30), st.data())
def test_shares_in_an_epoch_are_exact(counts, sampling, batch_size, data):
    # rows of a task weigh the same, so that it does not matter which ones the remainder is
    of_task = np.array([data.draw(st.floats(0.1, 10)) for _ in counts])
    table = long_rows(counts)
    table.weights = torch.from_numpy(of_task)[table.tasks]
    totals = np.array(counts) * of_task
    expected = (totals > 0).astype(float) if sampling == "tasks" else np.sqrt(totals)
    batches = batches_of(table, sampling, batch_size=batch_size)
    for _ in range(2):
        rows, tasks, weights = epoch_of(batches)
        assert_array_equal(table.tasks[rows], tasks)
        assert set(tasks) == set(np.flatnonzero(counts))
        actual = np.bincount(tasks, weights, minlength=len(counts))
        assert_allclose(actual / actual.sum(), expected / expected.sum(), rtol=1e-9)
        # the loss of an epoch is on the scale that it has without shares
        assert weights.mean() == pytest.approx(totals.sum() / sum(counts), rel=1e-9)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_rows_that_weigh_differently_count_by_their_weights(sampling):
    counts = np.array([30, 7, 2])
    weights = np.random.default_rng(0).uniform(0.2, 5, counts.sum())
    table = long_rows(counts, torch.from_numpy(weights))
    rows, tasks, drawn = epoch_of(batches_of(table, sampling))
    # rows of a task are drawn alike, so that a row counts by its weight and by a factor of its task
    factors = np.array([np.unique((drawn / weights[rows])[tasks == t].round(9)) for t in range(3)])
    totals = np.bincount(table.tasks, weights)
    expected = np.bincount(tasks) / counts * totals * factors[:, 0]
    shares = np.sqrt(totals) if sampling == "sqrt" else np.ones(3)
    assert_allclose(expected / expected.sum(), shares / shares.sum(), rtol=1e-7)


@settings(max_examples=10, deadline=None)
@given(counts_of_tasks, st.sampled_from(SAMPLINGS), st.integers(1, 30))
def test_batches_are_no_longer_than_they_may_be(counts, sampling, batch_size):
    batches = batches_of(long_rows(counts), sampling, batch_size=batch_size)
    lengths = [len(labels_in(batch)[0]) for batch in batches]
    assert max(lengths) <= batch_size
    assert len(lengths) == len(batches) == -(-sum(lengths) // batch_size)
    assert abs(sum(lengths) - sum(counts)) <= len(counts)


@pytest.mark.parametrize("sampling", ["rows", *SAMPLINGS])
@pytest.mark.parametrize("form", ["long", "wide"])
def test_the_same_generator_gives_the_same_epochs(form, sampling):
    table = long_rows([30, 5, 1]) if form == "long" else wide_rows()
    first, second = (batches_of(table, sampling) for _ in range(2))
    other = batches_of(table, sampling, seeds=[4])
    epochs = []
    for _ in range(3):
        epochs.append(epoch_of(first)[0])
        assert_array_equal(epochs[-1], epoch_of(second)[0])
        assert not np.array_equal(epochs[-1], epoch_of(other)[0])
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_validation_rows_come_once_and_with_exact_shares(sampling):
    weights = torch.from_numpy(np.random.default_rng(0).uniform(0.2, 5, 60))
    table = long_rows([40, 15, 5], weights)
    rows = [torch.randperm(60, generator=torch.Generator().manual_seed(0))[:30]]
    every = torch.arange(60)
    totals = MemberBatches(table, [every], 10).task_totals()
    shares = task_shares(sampling, totals)
    batches = MemberBatches(table, rows, 8, shares=shares)
    for _ in range(2):
        actual, tasks, drawn = epoch_of(batches)
        assert sorted(actual) == sorted(rows[0].tolist())
        drawn_of = np.bincount(tasks, drawn, minlength=3)
        assert_allclose(
            drawn_of / drawn_of.sum(), shares[0] / shares[0, drawn_of > 0].sum(), rtol=1e-9
        )


def test_a_task_without_validation_rows_leaves_its_share_to_the_others():
    table = long_rows([40, 15, 5])
    totals = MemberBatches(table, [torch.arange(60)], 10).task_totals()
    rows = [(table.tasks != 1).nonzero().squeeze(1)]
    batches = MemberBatches(table, rows, 16, shares=task_shares("tasks", totals))
    _, tasks, weights = epoch_of(batches)
    assert_allclose(np.bincount(tasks, weights) / weights.sum(), [0.5, 0, 0.5])


def test_a_hundred_thousand_rows_of_one_task_and_a_thousand_of_another():
    table = long_rows([100_000, 1_000])
    for sampling, share in [("tasks", 1 / 2), ("sqrt", 1 / 11)]:
        batches = batches_of(table, sampling, batch_size=4_096)
        rows, tasks, weights = epoch_of(batches)
        assert abs(len(rows) - 101_000) <= 1
        assert_allclose(weights[tasks == 1].sum() / weights.sum(), share, rtol=1e-6)
        assert len(np.unique(rows[tasks == 1])) == 1_000
        large = rows[tasks == 0]
        assert len(np.unique(large)) == len(large)


# wide form


@settings(max_examples=20, deadline=None)
@given(
    n_rows=st.integers(4, 50),
    n_tasks=st.integers(1, 4),
    missing=st.floats(0, 0.95),
    batch_size=st.integers(1, 25),
    n_members=st.integers(1, 3),
    sampling=st.sampled_from(["rows", *SAMPLINGS]),
    seed=st.integers(0, 1_000),
)
def test_an_epoch_of_wide_form_has_every_label_once(
    n_rows, n_tasks, missing, batch_size, n_members, sampling, seed
):
    table = wide_rows(n_rows, n_tasks, missing, seed)
    generator = np.random.default_rng(seed)
    members = range(n_members)
    rows = [
        torch.from_numpy(generator.permutation(n_rows)[: generator.integers(1, n_rows + 1)])
        for _ in members
    ]
    batches = batches_of(table, sampling, rows, batch_size, seeds=members)
    for _ in range(2):
        actual = [[] for _ in members]
        for batch in batches:
            for m in members:
                numbers, tasks, weights = labels_in(batch, m)
                assert len(np.unique(numbers)) <= batch_size
                assert int(batch.counts[m]) == max(1, len(numbers))
                assert batch.active is None or bool(batch.active[m]) == bool(len(numbers))
                # block t is task t, whose labels are in the order of the features
                x, labels = batch.inputs[0][m], batch.targets[m, ..., 0]
                filled = batch.weights[m] > 0
                assert_array_equal(labels[filled], table.targets[numbers, tasks])
                assert_array_equal(x[filled], table.features[numbers])
                actual[m] += zip(numbers, tasks, weights, strict=True)
        for m in members:
            labelled = table.weights[rows[m]] > 0
            expected = {
                (int(row), t)
                for row, of_row in zip(rows[m], labelled, strict=True)
                for t in of_row.nonzero().flatten().tolist()
            }
            assert len(actual[m]) == len(expected)
            assert {(row, task) for row, task, _ in actual[m]} == expected
            if sampling == "rows":
                assert all(w == table.weights[row, task] for row, task, w in actual[m])


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("shuffled", [True, False])
def test_shares_in_wide_form_are_exact(sampling, shuffled):
    table = wide_rows(missing=0.6)
    rows = [torch.arange(len(table))]
    totals = table.weights.sum(0).numpy()
    shares = task_shares(sampling, torch.from_numpy(totals)[None])
    generators = member_generators([0], "rows") if shuffled else None
    _, tasks, weights = epoch_of(MemberBatches(table, rows, 9, generators, shares))
    actual = np.bincount(tasks, weights)
    expected = np.sqrt(totals) if sampling == "sqrt" else np.ones(4)
    assert_allclose(actual / actual.sum(), expected / expected.sum(), rtol=1e-9)
    assert actual.sum() == pytest.approx(totals.sum())


# laws


def kinds_loss():
    """Numbers, two classes and three classes, for the four tasks of a table of `mixed_rows`."""
    several = torch.ones(4, 3, dtype=torch.bool)
    return JointLoss([NumberLoss("huber"), BinaryLoss(), ClassLoss(several)], [[0, 3], [1], [2]])


def mixed_rows(n_rows=60, dtype=torch.float64, mixed=True):
    """A table in wide form with labels of each kind, or with numbers only."""
    generator = torch.Generator().manual_seed(1)
    features, slopes = (torch.randn(n, 2, generator=generator).double() for n in (n_rows, 4))
    weights = wide_rows(n_rows).weights
    targets = torch.sin(features @ slopes.T)
    if mixed:
        targets[:, 1] = (targets[:, 1] > 0).double()
        targets[:, 2] = (targets[:, 2] > -0.3).double() + (targets[:, 2] > 0.3)
    targets = torch.where(weights > 0, targets, 0)
    return TaskRows(features.to(dtype), None, targets.to(dtype), weights.to(dtype), 4)


FORMS = [
    ("long", "tasks"),
    ("classes", "rows"),
    ("columns", "rows"),
    ("wide", "sqrt"),
]


def table_of(form, dtype=torch.float64):
    if form == "wide":
        return mixed_rows(dtype=dtype)
    if form == "columns":
        return mixed_rows(dtype=dtype, mixed=False)
    table = task_rows(n_tasks=6, dtype=dtype)
    if form == "classes":
        table.targets = (table.targets > 0).to(dtype)
    return table


def run(table, seeds, rows, valid=None, *, form, rates=1e-2, **changes):
    """Train the members on a table of `table_of`."""
    settings = {"learning_rate": rates, "max_epochs": 12, "averaging": 0.9, **changes}
    widths = {"hidden_layer_sizes": (8,), "embedding_dim": 3}
    if form in ("long", "classes"):
        module = build(table, seeds, **widths)
        criterion = BinaryLoss() if form == "classes" else None
        return train(table, seeds, rows, valid, module=module, criterion=criterion, **settings)
    n_outputs, criterion = (3, kinds_loss()) if form == "wide" else (1, None)
    module = TaskHypernetwork(4, 2, 0, n_outputs, seeds=seeds, embedding_alpha=0.3, **widths)
    module = module.to(table.features.dtype)
    return train(table, seeds, rows, valid, module=module, criterion=criterion, **settings)


SEEDS = [3, 14, 15, 92]


def assert_same_members(together, alone):
    """Compare members of one run with runs of one member each, by their numbers."""
    for m, net in alone.items():
        actual, expected = parameters_of(together.module_, m), parameters_of(net.module_, 0)
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("form", "sampling"), FORMS)
def test_independence(form, sampling):
    table = table_of(form)
    settings = {"form": form, "task_sampling": sampling, "max_epochs": 8}
    every = torch.arange(len(table))
    together = run(table, SEEDS, [every] * 4, **settings)
    assert together.optimizer_.steps.min() >= 32
    assert_same_members(together, {m: run(table, [SEEDS[m]], [every], **settings) for m in (0, 3)})


@pytest.mark.parametrize(("form", "sampling"), FORMS)
def test_bitwise_independence_in_single_precision(form, sampling):
    table = table_of(form, torch.float32)
    settings = {"form": form, "task_sampling": sampling}
    every = torch.arange(len(table))
    together = run(table, SEEDS, [every] * 4, **settings)
    alone = run(table, SEEDS[3:], [every], **settings)
    assert torch.equal(parameters_of(together.module_, 3), parameters_of(alone.module_, 0))


@pytest.mark.parametrize(("form", "sampling"), FORMS)
def test_own_rows_and_tasks(form, sampling):
    table = table_of(form)
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randperm(60, generator=generator)[:count] for count in (60, 17, 41)]
    kept = table.weights[:, 2] == 0 if table.tasks is None else table.tasks < 3
    rows.append(kept.nonzero().squeeze(1))
    settings = {"form": form, "task_sampling": sampling}
    together = run(table, SEEDS, rows, **settings)
    runs = [run(table, [seed], [r], **settings) for seed, r in zip(SEEDS, rows, strict=True)]
    assert_same_members(together, dict(enumerate(runs)))
    assert together.optimizer_.steps.flatten().tolist() == [
        alone.optimizer_.steps.item() for alone in runs
    ]
    expected = [True] * 2 + [False] + [True] if table.tasks is None else [True] * 3 + [False] * 3
    assert together.module_.trained[3].tolist() == expected


@pytest.mark.parametrize(("form", "sampling"), FORMS)
def test_own_clock(form, sampling):
    table = table_of(form)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    rates = [2e-4, 1e-2, 1e-1, 3e-2]
    settings = {
        "form": form,
        "task_sampling": sampling,
        "max_epochs": 30,
        "patience": 4,
        "tol": 1e-3,
    }
    together = run(table, SEEDS, [order[:45]] * 4, [order[45:]] * 4, rates=rates, **settings)
    n_iter = together.clock_.n_iter.tolist()
    # members have left the tensors before others were done
    assert len(set(n_iter)) > 2, n_iter
    # the last to stop, and the first
    alone = {
        m: run(table, [SEEDS[m]], [order[:45]], [order[45:]], rates=rates[m], **settings)
        for m in (n_iter.index(max(n_iter)), n_iter.index(min(n_iter)))
    }
    assert all(net.clock_.n_iter.item() == n_iter[m] for m, net in alone.items())
    assert_same_members(together, alone)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_members_with_different_rows_draw_by_different_shares(sampling):
    table = long_rows([40, 10, 3])
    kept = (table.tasks < 2).nonzero().squeeze(1)
    batches = batches_of(table, sampling, [torch.arange(53), kept], seeds=[0, 1])
    for _ in range(2):
        epoch = list(batches)
        for m, counts in enumerate([[40, 10, 3], [40, 10, 0]]):
            _, tasks, weights = epoch_of(epoch, m)
            shares = np.sqrt(counts) if sampling == "sqrt" else np.greater(counts, 0)
            actual = np.bincount(tasks, weights, minlength=3)
            assert_allclose(actual / actual.sum(), shares / shares.sum(), rtol=1e-9)


# padding


@pytest.mark.parametrize("first", ["far out", "last"])
def test_values_of_padding_do_not_matter(first):
    # the rate that the first task would give to the row far out, of the other task, is beyond all
    # numbers; padding borrows the features of the first row
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(221, 1, generator=generator) * 2 - 1
    tasks = (torch.arange(221) >= 200).long()
    y = torch.poisson(torch.exp(torch.where(tasks == 0, 5 * x[:, 0] - 2.5, 1.0)), generator)
    x[-1] = 30.0
    order = torch.arange(221).roll(1 if first == "far out" else 0)
    table = TaskRows(x[order], tasks[order], y[order].unsqueeze(1), torch.ones(221), 2)
    module = TaskHypernetwork(2, 1, seeds=[0], embedding_dim=3, hidden_layer_sizes=())
    settings = {"module": module, "criterion": NumberLoss("poisson"), "learning_rate": 0.1}
    net = train(table, [0], [torch.arange(221)], batch_size=30, max_epochs=60, **settings)
    losses = net.clock_.records()["train_loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


# what it is for


def test_a_small_task_and_a_large_one_that_contradicts_it():
    # the tasks share all weights but small embeddings; the target is x for one, -x for the other
    generator = torch.Generator().manual_seed(0)
    tasks = (torch.arange(420) >= 400).long()
    x = torch.randn(420, 1, generator=generator).double()
    table = TaskRows(x, tasks, torch.where(tasks[:, None] == 0, x, -x), torch.ones(420).double(), 2)
    errors = {}
    for sampling in ("rows", *SAMPLINGS):
        module = TaskHypernetwork(2, 1, seeds=[0], embedding_dim=2, hidden_layer_sizes=(8,))
        net = train(
            table,
            [0],
            [torch.arange(420)],
            module=module.double(),
            task_sampling=sampling,
            batch_size=64,
            max_epochs=15,
            learning_rate=1e-2,
        )
        with torch.no_grad():
            out = net.module_(
                x[None, None, 400:], torch.ones(1, 1).long(), torch.zeros(1, 1).long()
            )
        errors[sampling] = (out[0, 0] + x[400:]).square().mean().item()
    assert errors["tasks"] < errors["sqrt"] < errors["rows"]
    assert errors["tasks"] < 0.3 * errors["rows"]
