"""What the loop minimises, against losses written by hand; and members that diverge.

In double precision, on rows that nobody has merged.
"""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from skmtl.exceptions import DivergenceError
from skmtl.training import TaskRows
from skmtl.training._clock import MemberClock, StoppingSettings
from tests._members import (
    build,
    fitted,
    member_net,
    parameters_of,
    slow_forward,
    task_rows,
)

# steps that change nothing, so that all losses are those of the initial weights
STANDS_STILL = {"learning_rate": 1e-100}
FULL_BATCH = {"batch_size": 10**6, "max_epochs": 40, "learning_rate": 1e-2, "averaging": 0.9}


def run(table, module, seeds, rows=None, valid_rows=None, n_labels=None, **settings):
    """Train all members on the same rows; returns the net."""
    rows = torch.arange(len(table)) if rows is None else rows
    valid_rows = None if valid_rows is None else [valid_rows] * len(seeds)
    settings = {"batch_size": 16, "max_epochs": 1, "patience": 10**6, **settings}
    net = member_net(module, seeds, **settings)
    return fitted(net, table, [rows] * len(seeds), valid_rows, n_labels)


def spread(module):
    """The module with embeddings that differ between tasks, so that there is something to pull."""
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(module.embeddings.shape, generator=generator)
    module.embeddings.data += 0.5 * noise.to(module.embeddings.dtype)
    return module


def with_weights(table, weights):
    """The table with other weights, of mean 1 as the estimators give them to the loop."""
    return TaskRows(**{**vars(table), "weights": weights / weights.mean()})


def repeated(table, counts):
    """Every row as often as `counts` says."""
    rows = torch.repeat_interleave(torch.arange(len(table)), counts)
    parts = {name: getattr(table, name)[rows] for name in ("features", "tasks", "targets")}
    return TaskRows(**{**vars(table), **parts, "weights": torch.ones(len(rows)).double()})


def squared_errors(module, table, member):
    """Squared error of every row, mean over its outputs, by the sums of the paper."""
    errors = []
    for x, task, y in zip(table.features, table.tasks, table.targets, strict=True):
        metadata = None if table.metadata is None else table.metadata[0, task].numpy()
        output = slow_forward(module, member, int(task), x.numpy(), metadata)
        errors.append(np.mean((output - y.numpy()) ** 2))
    return np.array(errors)


class Gradients(Callback):
    """Keeps the gradients of every batch, and how many rows it had."""

    def initialize(self):
        self.gradients_, self.counts_ = [], []
        return self

    def on_grad_computed(self, net, named_parameters=None, batch=None, **kwargs):
        self.gradients_.append({name: p.grad.clone() for name, p in named_parameters})
        self.counts_.append(batch.counts.clone())


# weights


def test_a_weight_of_two_is_the_row_twice():
    table, seeds, alphas = task_rows(n_metadata=2), [3, 4], [0.3, 3.0]
    counts = torch.randint(1, 4, (60,), generator=torch.Generator().manual_seed(1))
    weighted, several = with_weights(table, counts.double()), repeated(table, counts)
    n_labels = [len(several)] * 2

    def trained(rows, n_labels=None):
        module = build(table, seeds, embedding_alpha=alphas)
        return run(rows, module, seeds, n_labels=n_labels, weight_decay=0.01, **FULL_BATCH)

    expected, actual, other = trained(several), trained(weighted, n_labels), trained(weighted)
    for m in range(2):
        wanted = parameters_of(expected.module_, m)
        torch.testing.assert_close(parameters_of(actual.module_, m), wanted, rtol=1e-9, atol=1e-12)
        # the penalty is divided by the labels of the table, not by the rows that are left
        unlike = parameters_of(other.module_, m)
        assert (unlike - wanted).abs().max() > 1e-4
    wanted = expected.clock_.records()
    for name, values in actual.clock_.records().items():
        assert_allclose(values, wanted[name], rtol=1e-9)


def test_a_weight_of_zero_is_no_row():
    table = task_rows(n_rows=90)
    kept = torch.arange(90) % 3 > 0
    kept[:5] = True
    weights = torch.where(kept, table.weights, 0)
    labelled = TaskRows(
        **{
            **vars(table),
            **{name: getattr(table, name)[kept] for name in ("features", "tasks", "targets")},
            "weights": table.weights[kept],
        }
    )
    zeros = TaskRows(**{**vars(table), "weights": weights * len(table) / kept.sum()})
    nets = [run(rows, build(table, [3]), [3], **FULL_BATCH) for rows in (zeros, labelled)]
    torch.testing.assert_close(
        parameters_of(nets[0].module_, 0), parameters_of(nets[1].module_, 0), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("batch_size", [10**6, 7])
@pytest.mark.parametrize(("n_metadata", "n_outputs"), [(0, 1), (2, 2)])
def test_losses_are_weighted_sums_over_the_rows(batch_size, n_metadata, n_outputs):
    table = task_rows(n_metadata=n_metadata, n_outputs=n_outputs)
    seeds = [3, 4]
    # a penalty is no part of the losses that are recorded
    module = spread(build(table, seeds, embedding_alpha=5.0))
    initial = copy.deepcopy(module)
    rows, valid_rows = torch.arange(40), torch.arange(40, 60)
    net = run(
        table, module, seeds, rows, valid_rows, batch_size=batch_size, max_epochs=2, **STANDS_STILL
    )
    records, weights = net.clock_.records(), table.weights.numpy()
    for m in range(2):
        errors = squared_errors(initial, table, m)
        mine = records["member"] == m
        for name, part in [("train_loss", slice(40)), ("valid_loss", slice(40, 60))]:
            expected = np.sum(weights[part] * errors[part]) / np.sum(weights[part])
            assert_allclose(records[name][mine], [expected] * 2, rtol=1e-12)


# the gradient


def loss_by_hand(module, table, member, alpha, n_labels):
    """Loss of one member: weighted squared errors over the rows, penalty over the labels."""
    n_members = module.n_members
    every_task = torch.arange(table.n_tasks).expand(n_members, -1)
    metadata = None if table.metadata is None else table.metadata.expand(n_members, -1, -1)
    outputs = module(
        table.features.unsqueeze(1).expand(n_members, -1, -1, -1),
        every_task,
        table.tasks.expand(n_members, -1),
        metadata,
    )[member, :, 0]
    errors = (outputs - table.targets).square().mean(1)
    embeddings = module.embeddings[member]
    distance = (embeddings - embeddings.mean(0)).square().sum()
    return (table.weights * errors).sum() / len(table) + alpha * distance / n_labels


@pytest.mark.parametrize("batch_size", [10**6, 15])
def test_steps_follow_the_gradient_of_the_loss_that_is_documented(batch_size):
    table, seeds = task_rows(n_metadata=1), [3, 4]
    alphas, n_labels = [0.5, 20.0], [60, 900]
    module = spread(build(table, seeds, embedding_alpha=alphas))
    by_hand = copy.deepcopy(module)
    net = run(
        table,
        module,
        seeds,
        n_labels=n_labels,
        batch_size=batch_size,
        callbacks=[Gradients()],
        **STANDS_STILL,
    )
    spy = dict(net.callbacks_)["Gradients"]
    assert len(spy.gradients_) == (1 if batch_size > 60 else 4)
    sum(loss_by_hand(by_hand, table, m, alphas[m], n_labels[m]) for m in range(2)).backward()
    for name, parameter in by_hand.named_parameters():
        # over an epoch batches add up to the table, each with the share of its rows
        mean = sum(
            gradients[name] * count.view(-1, *[1] * (parameter.ndim - 1)) / 60
            for gradients, count in zip(spy.gradients_, spy.counts_, strict=True)
        )
        torch.testing.assert_close(mean, parameter.grad, rtol=1e-10, atol=1e-14)
    # and there was something to compare
    pulled = by_hand.embeddings.grad.abs().amax((1, 2))
    by_hand.zero_grad()
    sum(loss_by_hand(by_hand, table, m, 0.0, 1) for m in range(2)).backward()
    assert (by_hand.embeddings.grad.abs().amax((1, 2)) - pulled).abs().min() > 1e-4


def test_by_default_penalties_are_divided_by_the_rows_of_each_member():
    table = task_rows()
    rows = [torch.arange(60), torch.arange(20)]
    net = fitted(member_net(build(table, [3, 4]), [3, 4], max_epochs=1), table, rows)
    assert net.n_labels_.tolist() == [60, 20]


def test_decay_shrinks_all_but_biases_and_embeddings():
    table, rate, decay = task_rows(n_metadata=1), 1e-3, 3.0
    for changes in ({"hypernet_layers": 1}, {"target_bias": "plain", "compression": False}):
        initial = spread(build(table, [3], **changes))
        settings = {"batch_size": 10**6, "learning_rate": rate}
        free, decayed = (
            dict(
                run(
                    table, copy.deepcopy(initial), [3], weight_decay=value, **settings
                ).module_.named_parameters()
            )
            for value in (0.0, decay)
        )
        shrunk = set()
        for name, parameter in initial.named_parameters():
            # the gradient, and so the step, is the same
            fall = (free[name] - decayed[name]).detach()
            if fall.any():
                shrunk.add(name)
                expected = rate * decay * parameter.detach()
                torch.testing.assert_close(fall, expected, rtol=1e-9, atol=1e-14)
        names = {name for name, _ in initial.named_parameters()}
        kept = {name for name in names if name == "embeddings" or "bias" in name}
        assert {"embeddings", "skip.bias"} < kept
        assert shrunk == names - kept


# members that diverge


RATES = [1e-2, 1e30, 3e-3, 2e-2, 5e-3]
SEEDS = [3, 14, 15, 92, 65]


def train_all(table, chosen, *, validate=True, **settings):
    """The members with these numbers among those above."""
    rows = torch.arange(60)
    return run(
        table,
        build(table, [SEEDS[m] for m in chosen], hidden_layer_sizes=(8, 8)),
        [SEEDS[m] for m in chosen],
        rows[:45] if validate else rows,
        rows[45:] if validate else None,
        learning_rate=[RATES[m] for m in chosen],
        **{"max_epochs": 8, "averaging": 0.9, **settings},
    )


def assert_same_members(net, other, pairs):
    """Check that members of two nets have bitwise identical weights and histories."""
    records, others = net.clock_.records(), other.clock_.records()
    for m, n in pairs:
        assert torch.equal(parameters_of(net.module_, m), parameters_of(other.module_, n))
        mine, theirs = records["member"] == m, others["member"] == n
        assert mine.sum() == theirs.sum() > 0
        for name in ("epoch", "train_loss", "valid_loss"):
            np.testing.assert_array_equal(records[name][mine], others[name][theirs])


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_member_that_diverges_is_dropped_and_the_others_are_as_without_it(validate, dtype):
    table = task_rows(dtype=dtype)
    net = train_all(table, range(5), validate=validate, drop_diverged=True)
    assert list(net.result_.diverged) == [1]
    error = net.result_.diverged[1]
    assert isinstance(error, DivergenceError)
    assert error.members == (1,)
    assert "member 1 of 5" in str(error)
    assert "1e+30" in str(error)
    others = [0, 2, 3, 4]
    without = train_all(table, others, validate=validate, drop_diverged=True)
    assert without.result_.diverged == {}
    assert_same_members(net, without, zip(others, range(4), strict=True))
    n_iter = net.clock_.n_iter.tolist()
    assert n_iter[1] < 8
    assert [n_iter[m] for m in others] == [8] * 4
    # only if it is asked for
    with pytest.raises(DivergenceError, match="member 1 of 5"):
        train_all(table, range(5), validate=validate)


class Poison(Callback):
    """Makes one member diverge in one epoch."""

    def __init__(self, member, epoch):
        self.member, self.epoch = member, epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            row = net.clock_.members.tolist().index(self.member)
            with torch.no_grad():
                net.optimizer_.buffer[row] = torch.nan


def test_members_keep_their_numbers_when_others_have_left():
    table = task_rows(n_tasks=4, n_rows=70)
    # three that hardly move stop at once, and leave
    rates = [1e-12, 1e-12, 2e-3, 1e-12, 1e-3]
    rows = torch.arange(70)  # which validate too, so that the others go on

    def trained(chosen, *callbacks):
        return run(
            table,
            build(table, [SEEDS[m] for m in chosen], hidden_layer_sizes=(8, 8)),
            [SEEDS[m] for m in chosen],
            rows,
            rows,
            learning_rate=[rates[m] for m in chosen],
            max_epochs=12,
            patience=3,
            tol=1e-9,
            callbacks=callbacks,
            drop_diverged=True,
        )

    net = trained(range(5), Poison(member=4, epoch=7))
    assert list(net.result_.diverged) == [4]
    assert "member 4 of 5" in str(net.result_.diverged[4])
    assert "epoch 7" in str(net.result_.diverged[4])
    assert net.clock_.n_iter.tolist()[:2] == [4, 4]
    assert net.clock_.n_iter.tolist()[4] == 7
    without = trained(range(4))
    assert without.clock_.n_iter.tolist()[2] > 7
    assert_same_members(net, without, [(m, m) for m in range(4)])
    # its best weights were found before
    before = trained([4])
    records = net.clock_.records()
    of_member = records["member"] == 4
    np.testing.assert_array_equal(
        records["valid_loss"][of_member][:6], before.clock_.records()["valid_loss"][:6]
    )
    assert torch.isfinite(parameters_of(net.module_, 4)).all()


def test_a_member_that_was_dropped_does_not_come_back():
    clock = MemberClock(torch.zeros(2, 3), StoppingSettings(patience=5, tol=0.0))
    clock.tick(torch.ones(2, 3), torch.ones(2), torch.tensor([torch.inf, 2.0]))
    clock.stop(torch.tensor([True, False]))
    # an infinite loss may be finite again
    clock.tick(torch.full((2, 3), 2.0), torch.ones(2), torch.tensor([1.0, 1.0]))
    assert clock.active.tolist() == [False, True]
    assert clock.n_iter.tolist() == [1, 2]
    assert clock.best.tolist() == [[0.0] * 3, [2.0] * 3]


def test_all_members_may_diverge():
    table = task_rows()
    net = run(
        table, build(table, [3, 4]), [3, 4], learning_rate=1e30, max_epochs=9, drop_diverged=True
    )
    assert sorted(net.result_.diverged) == [0, 1]
    assert int(net.clock_.n_iter.max()) < 9
