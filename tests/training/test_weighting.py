"""Weighted steps of the loop: against steps by hand, and the four laws of the member axis."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skmtl import weighting
from skmtl.training import PlainSteps, TaskRows, steps_for
from tests._members import build, fitted, member_net, parameters_of, task_rows, train
from tests._networks import network

METHODS = ["uncertainty", "dwa", "random", "famo", "pcgrad", "gradvac", "gradnorm", "nash-mtl"]
METHODS += [("uncertainty", "pcgrad"), weighting.FixedWeights([1, 2])]


def wide_rows(n_tasks=4, n_rows=40, missing=0.3, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    features = draw(n_rows, 3)
    targets = torch.tanh(features @ draw(3, n_tasks)) + 0.1 * draw(n_rows, n_tasks)
    weights = (torch.rand(n_rows, n_tasks, generator=generator) > missing).double()
    weights[:n_tasks] = 1.0
    return TaskRows(
        features.to(dtype), None, (targets * weights).to(dtype), weights.to(dtype), n_tasks
    )


def trunk(n_tasks, seeds, dtype=torch.float64, n_features=3):
    return network("shared bottom", n_tasks, n_features, 1, seeds).to(dtype)


def module_for(table, seeds):
    if table.tasks is not None:
        return build(table, seeds)
    return trunk(table.n_tasks, seeds, table.features.dtype)


def run(table, seeds, method, rows=None, valid_rows=None, **settings):
    """Train the members with these seeds, by default all on the same rows."""
    rows = [torch.arange(len(table))] * len(seeds) if rows is None else rows
    module = settings.pop("module", None) or module_for(table, seeds)
    return train(
        table,
        seeds,
        rows,
        valid_rows,
        module,
        **{"task_weighting": method, "max_epochs": 5, **settings},
    )


TABLES = {"long": task_rows, "wide": wide_rows}
every_form = pytest.mark.parametrize("form", TABLES)


class Gradients(Callback):
    """Keeps the gradients of every batch."""

    def initialize(self):
        self.gradients_, self.batches_ = [], []
        return self

    def on_grad_computed(self, net, named_parameters=None, batch=None, **kwargs):
        self.gradients_.append(
            {n: None if p.grad is None else p.grad.clone() for n, p in named_parameters}
        )
        self.batches_.append(batch)


def losses_by_hand(module, table, batch):
    """What every task adds to the loss of a batch, and its mean loss, shape (M, T)."""
    tasks, slots = batch.inputs.tasks, batch.inputs.slots
    outputs = module(*batch.inputs)
    losses = (outputs - batch.targets).square().squeeze(3) * batch.weights
    task_of = tasks.gather(1, slots)
    added, means = [], []
    for task in range(table.n_tasks):
        mine = (task_of == task).unsqueeze(2)
        total = (losses * mine).sum((1, 2))
        added.append(total / batch.counts)
        means.append(total.detach() / (batch.weights * mine).sum((1, 2)))
    return torch.stack(added, 1), torch.stack(means, 1)


@every_form
@pytest.mark.parametrize("form_of_gradients", ["auto", "exact"])
@pytest.mark.parametrize("method", ["chebyshev", "mgda", "nash-mtl", ("chebyshev", "mgda")])
def test_a_step_is_the_one_that_is_documented(form, form_of_gradients, method):
    table, seeds = TABLES[form](), [3, 4]
    initial = module_for(table, seeds)
    spy = Gradients()
    net = run(
        table,
        seeds,
        method,
        module=copy.deepcopy(initial),
        gradient_form=form_of_gradients,
        learning_rate=1e-100,
        max_epochs=1,
        callbacks=[spy],
    )
    spy = dict(net.callbacks_)["Gradients"]
    shared = set(initial.shared_parameters())
    names = [name for name, _ in initial.named_parameters()]
    parameters = list(initial.parameters())
    chosen = weighting.get_weighting(method)
    assert len(spy.batches_) > 1
    for actual, batch in zip(spy.gradients_, spy.batches_, strict=True):
        added, means = losses_by_hand(initial, table, batch)
        rows = [
            torch.autograd.grad(added[:, t].sum(), parameters, retain_graph=True, allow_unused=True)
            for t in range(table.n_tasks)
        ]
        rows = [
            {
                n: torch.zeros_like(p) if g is None else g
                for n, p, g in zip(names, parameters, row, strict=True)
            }
            for row in rows
        ]
        flat = torch.stack(
            [torch.cat([r[n].flatten(1) for n in names if n in shared], 1) for r in rows], 1
        )
        w = chosen.weights(means, flat @ flat.mT)
        of_head = w
        if "gramian" in chosen.needs:
            of_head = torch.ones_like(w)
            if isinstance(method, tuple):
                of_head = weighting.get_weighting(method[0]).weights(means)
        for name in names:
            expected = sum(
                (w if name in shared else of_head)[:, t].view(-1, *[1] * (rows[t][name].ndim - 1))
                * rows[t][name]
                for t in range(table.n_tasks)
            )
            # solvers see numbers that differ by rounding
            torch.testing.assert_close(actual[name], expected, rtol=1e-4, atol=1e-6)


@every_form
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_members_are_the_same_alone_and_in_a_stack(form, method):
    table, seeds = TABLES[form](), [3, 14, 15]
    together = run(table, seeds, method)
    for m in (0, 2):
        alone = run(table, [seeds[m]], method)
        torch.testing.assert_close(
            parameters_of(alone.module_, 0),
            parameters_of(together.module_, m),
            rtol=1e-9,
            atol=1e-9,
        )
        mine = together.result_.records["member"] == m
        np.testing.assert_allclose(
            together.result_.task_weights[mine], alone.result_.task_weights, rtol=1e-7, atol=1e-9
        )
        assert_same_state(
            alone.result_.weighting_state,
            weighting._base.select(together.result_.weighting_state, [m]),
        )


def assert_same_state(one, other):
    assert (one is None) == (other is None)
    for key, value in (one or {}).items():
        if isinstance(value, dict):
            assert_same_state(value, other[key])
        else:
            torch.testing.assert_close(value, other[key], rtol=1e-7, atol=1e-9, equal_nan=True)


@every_form
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_members_with_different_clocks_and_rows(form, method):
    table, seeds = TABLES[form](n_rows=80), [3, 14, 15, 92]
    rows = [torch.arange(m, 60 - 9 * m) for m in range(4)]
    valid_rows = [torch.arange(60, 80)] * 4
    # of uneven batches and epochs: two stop at once, and leave
    settings = {
        "learning_rate": [1e-9, 3e-3, 1e-9, 5e-3],
        "patience": 2,
        "tol": 1e-3,
        "max_epochs": 9,
    }
    together = run(table, seeds, method, rows, valid_rows, **settings)
    assert len(set(together.clock_.n_iter.tolist())) > 1
    for m in (2, 3):
        settings_alone = {**settings, "learning_rate": settings["learning_rate"][m]}
        alone = run(table, [seeds[m]], method, [rows[m]], [valid_rows[m]], **settings_alone)
        assert alone.clock_.n_iter[0] == together.clock_.n_iter[m]
        torch.testing.assert_close(
            parameters_of(alone.module_, 0),
            parameters_of(together.module_, m),
            rtol=1e-7,
            atol=1e-8,
        )
        assert_same_state(
            alone.result_.weighting_state,
            weighting._base.select(together.result_.weighting_state, [m]),
        )


@every_form
@pytest.mark.parametrize("method", [None, "equal", weighting.EqualWeights()])
def test_equal_weights_are_bitwise_no_weights(form, method):
    table = TABLES[form](dtype=torch.float32)
    plain, equal = run(table, [3, 4], None), run(table, [3, 4], method)
    assert isinstance(equal.steps_, PlainSteps)
    for m in range(2):
        assert torch.equal(parameters_of(plain.module_, m), parameters_of(equal.module_, m))


@every_form
def test_weights_of_one_change_nothing_but_rounding(form):
    table = TABLES[form]()
    plain = run(table, [3, 4], None)
    # of gradients that are zero or alone, or by hand
    for method in (weighting.FixedWeights([1.0]), weighting.FairGrad(0.0), weighting.CAGrad(0.0)):
        other = run(table, [3, 4], method)
        for m in range(2):
            torch.testing.assert_close(
                parameters_of(plain.module_, m),
                parameters_of(other.module_, m),
                rtol=1e-7,
                atol=1e-8,
            )
        np.testing.assert_allclose(
            plain.result_.records["train_loss"], other.result_.records["train_loss"], rtol=1e-7
        )
        assert (other.result_.task_weights == 1).all()


def test_penalties_are_added_to_weighted_losses():
    table = task_rows()
    for method in (weighting.FixedWeights([1.0]), weighting.CAGrad(0.0)):
        nets = [
            run(table, [3], chosen, module=build(table, [3], embedding_alpha=2.0))
            for chosen in (None, method)
        ]
        torch.testing.assert_close(
            parameters_of(nets[0].module_, 0),
            parameters_of(nets[1].module_, 0),
            rtol=1e-7,
            atol=1e-8,
        )


@pytest.mark.parametrize("name", ["relation", "sluice", "roaming", "three levels", "tucker"])
def test_architectures_with_penalties_and_states(name):
    table = wide_rows()
    module = network(name, table.n_tasks, 3, 1, [3]).double()
    settings = {"max_epochs": 4}
    plain = run(table, [3], None, module=copy.deepcopy(module), **settings)
    other = run(table, [3], weighting.CAGrad(0.0), module=copy.deepcopy(module), **settings)
    torch.testing.assert_close(
        parameters_of(plain.module_, 0), parameters_of(other.module_, 0), rtol=1e-6, atol=1e-7
    )


def test_a_task_that_is_absent_has_no_weight_and_no_record():
    table = task_rows(n_tasks=6)
    rows = (table.tasks != 2).nonzero()[:, 0]
    for method in METHODS:
        net = run(table, [3, 4], method, [rows] * 2)
        assert np.isnan(net.result_.task_weights[:, 2]).all()
        assert np.isfinite(np.delete(net.result_.task_weights, 2, axis=1)).all()


def test_heads_are_steered_by_their_loss_unless_losses_are_weighted():
    # weight 0 for one task: its head does not move only under a method for losses
    table = wide_rows(missing=0.0)
    fixed = weighting.FixedWeights([0.0, 1, 1, 1])
    start = parameters_of(trunk(4, [3]), 0)
    heads = {}
    for method in (fixed, "mgda"):
        net = run(table, [3], method, weight_decay=0.0)
        heads[str(method)] = [layer.weight[0, 0].clone() for layer in net.module_.heads.layers]
    first = [layer.weight[0, 0] for layer in trunk(4, [3]).heads.layers]
    assert len(start)
    for before, after in zip(first, heads[str(fixed)], strict=True):
        assert torch.equal(before, after)
    for before, after in zip(first, heads["mgda"], strict=True):
        assert not torch.equal(before, after)


def test_uncertainty_weighting_knows_numbers_from_classes():
    from skmtl.training import BinaryLoss, JointLoss, NumberLoss

    table = wide_rows()
    table.targets[:, 1] = (table.targets[:, 1] > 0).double()
    mixed = JointLoss([NumberLoss(), BinaryLoss()], [[0, 2, 3], [1]])
    for criterion, types, factors in (
        (mixed, ["regression", "classes", "regression", "regression"], [0.5, 1.0, 0.5, 0.5]),
        (NumberLoss(), ["regression"] * 4, [0.5] * 4),
        (BinaryLoss(), ["classes"] * 4, [1.0] * 4),
    ):
        method = weighting.UncertaintyWeighting().bind([range(4)], types)
        net = run(table, [3], method, module=trunk(4, [3]), criterion=criterion, max_epochs=1)
        assert net.result_.weighting_state["factor"].tolist() == [factors]


def test_a_fit_goes_on_with_the_state_that_it_is_given():
    table, method = wide_rows(), weighting.UncertaintyWeighting()
    first = run(table, [3], method)
    state = copy.deepcopy(first.result_.weighting_state)
    rows = [torch.arange(len(table))]
    steps = steps_for(method, first.result_.weighting_state)
    net = fitted(member_net(trunk(4, [3]), [3], steps=steps, max_epochs=1), table, rows)
    assert_same_state(first.result_.weighting_state, state)
    assert (net.result_.weighting_state["steps"] > state["steps"]).all()
    # the weights that the records begin with are those that it had learned
    learned = 0.5 * torch.exp(-state["value"])
    np.testing.assert_allclose(net.result_.task_weights, learned.numpy(), rtol=0.2)


@pytest.mark.parametrize(
    ("module", "form", "message"),
    [
        ("independent tasks", "wide", "they share, but here tasks share none"),
        ("shared bottom", "long", "every row, and so its representation, belongs to one task"),
        ("mixture", "wide", "which MixtureNetwork does not have"),
        ("roaming", "wide", "which RoamingNetwork does not have"),
    ],
)
def test_gradients_that_there_are_not_are_an_error(module, form, message):
    table = TABLES[form]()
    n_features = table.features.shape[1]
    module = network(module, table.n_tasks, n_features, 1, [3]).double()
    with pytest.raises(ValueError, match=message):
        run(table, [3], "mgda-ub", module=module)


def test_metadata_of_columns_leave_no_common_representation():
    table = wide_rows()
    table.metadata = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    module = trunk(4, [3], n_features=5)
    with pytest.raises(ValueError, match="metadata of the tasks are part of it"):
        run(table, [3], "mgda-ub", module=module)


def test_mgda_at_the_representation_is_near_mgda():
    table = wide_rows(missing=0.0, n_rows=80)
    rows = [torch.arange(80)]
    weights = {
        name: run(table, [3], name, rows, max_epochs=1, learning_rate=1e-100).result_.task_weights
        for name in ("mgda", "mgda-ub")
    }
    assert np.corrcoef(weights["mgda"][0], weights["mgda-ub"][0])[0, 1] > 0.5
    assert not np.allclose(weights["mgda"], weights["mgda-ub"])


def test_members_that_diverge_leave_the_others_as_they_are():
    table = task_rows()
    for method in ("uncertainty", "famo", "nash-mtl"):
        settings = {"learning_rate": [3e-3, 1e30], "drop_diverged": True}
        net = run(table, [3, 4], method, **settings)
        assert list(net.result_.diverged) == [1]
        alone = run(table, [3], method, learning_rate=3e-3)
        torch.testing.assert_close(
            parameters_of(net.module_, 0), parameters_of(alone.module_, 0), rtol=1e-7, atol=1e-8
        )
