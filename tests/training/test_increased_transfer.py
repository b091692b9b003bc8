"""IT-MTL: candidates by hand, what a step really did, the laws of the member axis, records."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skmtl.training import NumberLoss
from skmtl.weighting import ITMTL, CAGrad, FixedWeights, get_weighting
from tests._members import build, member_net, parameters_of, task_rows
from tests._networks import network
from tests.training.test_affinity import SOLVERS
from tests.training.test_weighting import TABLES, every_form, module_for, run, wide_rows

CANDIDATES = ["equal", "tasks", "mgda", "imtl-g"]


def slow_step(module, optimizer, table, candidates, first, order):
    """One step by hand: total transference of every candidate; the best step is made."""
    shared = set(module.shared_parameters())
    n_tasks = table.n_tasks
    tasks = torch.arange(n_tasks).unsqueeze(0)
    x = table.features.expand(1, n_tasks, -1, -1)
    totals = table.weights.sum(0)

    def losses(network_):
        errors = (
            network_(x, tasks, tasks, shared_rows=True)[0, :, :, 0] - table.targets.T
        ).square()
        return (errors * table.weights.T).sum(1)

    before = losses(module)
    names = dict(module.named_parameters())
    shared_parameters = [p for name, p in names.items() if name in shared]
    added = first * before / totals.sum()
    rows = [
        torch.autograd.grad(a, shared_parameters, retain_graph=True, allow_unused=True)
        for a in added
    ]
    flat = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    weights = []
    for candidate in candidates:
        if candidate == "tasks":
            weights += list(torch.eye(n_tasks).double())
        else:
            means = (before / totals).detach().unsqueeze(0)
            method = get_weighting(candidate)
            weights.append(method.weights(means, (flat @ flat.T).unsqueeze(0))[0])
    total, moves = [], []
    for w in weights:
        moved, other = copy.deepcopy((module, optimizer))
        of_tasks = losses(moved) * first / totals.sum()
        for name, p in moved.named_parameters():
            which = (of_tasks * w).sum() if name in shared else of_tasks.sum()
            (p.grad,) = torch.autograd.grad(which, p, retain_graph=True)
        other.step()
        moves.append((moved, other))
        if order is None:
            total.append((1 - losses(moved) / before).sum().item())
            continue
        after = dict(moved.named_parameters())
        step = [(after[name] - names[name]).detach() for name in names if name in shared]
        change = 0.0
        for loss in losses(module):
            slope = torch.autograd.grad(loss, shared_parameters, create_graph=True)
            along = sum((g * d).sum() for g, d in zip(slope, step, strict=True))
            change += (along / loss).item()
            if order == 2:
                second = torch.autograd.grad(along, shared_parameters, retain_graph=True)
                curve = sum((h * d).sum() for h, d in zip(second, step, strict=True))
                change += (0.5 * curve / loss).item()
        total.append(-change)
    return np.array(total), *moves[int(np.argmax(total))]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("order", [None, 1, 2])
@pytest.mark.parametrize("first", [None, [0.2, 3.0, 1.0, 1.0]])
def test_every_step_is_the_best_by_hand(solver, order, first):
    table, rate = wide_rows(missing=0.2), 0.02
    ours, theirs, arguments = SOLVERS[solver]
    method = ITMTL(CANDIDATES, approximate=order)
    if first is not None:
        method = (FixedWeights(first), method)
    module = module_for(table, [3])
    net = run(
        table,
        [3],
        method,
        module=copy.deepcopy(module),
        batch_size=40,
        max_epochs=3,
        learning_rate=rate,
        **ours,
    )
    optimizer = theirs(module.parameters(), lr=rate, **arguments)
    weights = torch.ones(4).double() if first is None else torch.tensor(first).double()
    assert len(net.result_.choices["step"]) == 3
    for epoch in range(3):
        total, module, optimizer = slow_step(module, optimizer, table, CANDIDATES, weights, order)
        actual = net.result_.choices["transference"][epoch]
        np.testing.assert_allclose(actual, total, rtol=1e-5, atol=1e-8)
        assert net.result_.choices["choice"][epoch] == np.argmax(total)
    torch.testing.assert_close(
        parameters_of(net.module_, 0), parameters_of(module, 0), rtol=1e-6, atol=1e-8
    )


class Watch(Callback):
    """Losses of every batch before and after the step."""

    def initialize(self):
        self.seen_ = []
        return self

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.seen_.append(self.losses(net, batch))

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        self.seen_[-1] = self.seen_[-1], self.losses(net, batch)

    @torch.no_grad()
    def losses(self, net, batch):
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        sums = net.evaluate(batch)[1].sum(2)
        return sums.new_zeros(tasks.shape).scatter_add(1, slots, sums)


ARCHITECTURES = ["shared bottom", "relation", "sluice", "mixture", "three levels", "tucker"]


@pytest.mark.parametrize("name", ["hypernetwork", *ARCHITECTURES])
def test_what_is_recorded_is_what_the_step_did(name):
    # decay, penalties, clipped gradients and weighted losses included
    seeds = [3, 4]
    table = task_rows() if name == "hypernetwork" else wide_rows()
    if name == "hypernetwork":
        module = build(table, seeds, embedding_alpha=0.5)
    else:
        module = network(name, 4, 3, 1, seeds).double()
    net = run(
        table,
        seeds,
        ("uncertainty", ITMTL(["equal", "tasks", "pcgrad"])),
        module=module,
        weight_decay=0.1,
        clip_norm=0.05,
        max_epochs=3,
        callbacks=[Watch()],
    )
    seen = dict(net.callbacks_)["Watch"].seen_
    before, after = (torch.stack(values) for values in zip(*seen, strict=True))
    counted = before > 0
    did = torch.where(counted, 1 - after / torch.where(counted, before, 1.0), 0.0).sum(2)
    choices = net.result_.choices
    rows = np.arange(len(choices["choice"]))
    chosen = choices["transference"][rows, choices["choice"]].reshape(2, -1)
    np.testing.assert_allclose(chosen, did.T.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("gradient_form", ["auto", "exact"])
@every_form
def test_a_single_candidate_is_the_method_itself(form, gradient_form):
    table = TABLES[form]()
    for method in ("equal", "pcgrad", CAGrad(), "imtl-l"):
        alone = None if method == "equal" else method
        settings = {"gradient_form": gradient_form, "max_epochs": 3}
        plain = run(table, [3, 4], alone, **settings)
        chosen = run(table, [3, 4], ITMTL([method]), **settings)
        assert (chosen.result_.choices["choice"] == 0).all()
        if method == "imtl-l":
            # as a candidate its weights are for shared parameters only
            continue
        for m in range(2):
            torch.testing.assert_close(
                parameters_of(plain.module_, m),
                parameters_of(chosen.module_, m),
                rtol=1e-6,
                atol=1e-7,
            )
    assert plain.result_.choices is None


LAWS = [
    ITMTL(["equal", "tasks", "pcgrad"]),
    ITMTL(["tasks", "dwa"], choice="random"),
    ("uncertainty", ITMTL(["equal", "gradvac"], approximate=1)),
]


@every_form
@pytest.mark.parametrize("method", LAWS, ids=str)
def test_members_choose_the_same_alone_and_in_a_stack(form, method):
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
    for m in (2, 3):
        settings_alone = {**settings, "learning_rate": settings["learning_rate"][m]}
        alone = run(table, [seeds[m]], method, [rows[m]], [valid_rows[m]], **settings_alone)
        mine = together.result_.choices["member"] == m
        for name in ("epoch", "step", "choice"):
            np.testing.assert_array_equal(
                together.result_.choices[name][mine], alone.result_.choices[name]
            )
        np.testing.assert_allclose(
            together.result_.choices["transference"][mine],
            alone.result_.choices["transference"],
            rtol=1e-6,
            atol=1e-9,
        )
        torch.testing.assert_close(
            parameters_of(alone.module_, 0),
            parameters_of(together.module_, m),
            rtol=1e-7,
            atol=1e-8,
        )


@every_form
def test_members_choose_bitwise_the_same_in_single_precision(form):
    table, seeds = TABLES[form](n_rows=160, dtype=torch.float32), list(range(5))

    def fit(seeds):
        if form == "wide":
            sizes = {"hidden_layer_sizes": (32, 32), "head_layer_sizes": (8,)}
            module = network("shared bottom", 4, 3, 1, seeds, **sizes)
        else:
            module = build(table, seeds, hidden_layer_sizes=(32, 32), embedding_dim=10)
        return run(table, seeds, ITMTL(["equal", "tasks", "pcgrad"]), module=module, max_epochs=3)

    together = fit(seeds)
    alone = fit(seeds[4:])
    assert torch.equal(parameters_of(together.module_, 4), parameters_of(alone.module_, 0))


@every_form
def test_choices_replay_and_beat_random_ones(form):
    table = TABLES[form]()
    candidates = ["equal", "tasks", "pcgrad"]
    settings = {"max_epochs": 15, "learning_rate": 1e-2}
    nets = {
        choice: run(table, [3, 4, 5], ITMTL(candidates, choice=choice), **settings)
        for choice in ("best", "random")
    }
    actual = nets["best"].result_.choices
    values, rows = actual["transference"], np.arange(len(actual["choice"]))
    best = np.nanargmax(values, axis=1)
    np.testing.assert_array_equal(actual["choice"], best)
    assert len(set(best)) > 2
    # of a step whose candidate is drawn, at the same steps
    chosen, drawn = values[rows, best], np.nanmean(values, axis=1)
    assert chosen.mean() > drawn.mean() + 0.005
    actual = nets["random"].result_.choices
    values = actual["transference"]
    assert len(set(actual["choice"])) == values.shape[1]
    assert np.isfinite(values[rows, actual["choice"]]).all()
    assert (actual["choice"] == np.nanargmax(values, axis=1)).mean() < 0.5


def test_a_task_that_is_absent_counts_for_nothing():
    table = task_rows(n_tasks=6)
    rows = (table.tasks != 2).nonzero()[:, 0]
    for order in (None, 1, 2):
        net = run(table, [3, 4], ITMTL(approximate=order), [rows] * 2)
        values = net.result_.choices["transference"]
        assert values.shape[1] == 7
        assert np.isnan(values[:, 3]).all()
        assert (net.result_.choices["choice"] != 3).all()
        assert np.isfinite(values[:, 0]).all()
        assert np.isnan(net.result_.task_weights[:, 2]).all()


def test_steps_that_are_recorded():
    table = wide_rows()
    every = run(table, [3, 4], ITMTL())
    sparse = run(table, [3, 4], ITMTL(record_every=2))
    kept = every.result_.choices["step"] % 2 == 1
    assert 0 < kept.sum() < len(kept)
    for name, values in sparse.result_.choices.items():
        np.testing.assert_array_equal(values, every.result_.choices[name][kept])


@pytest.mark.parametrize(
    ("method", "form", "message"),
    [
        (ITMTL(["pcgard"]), "wide", "'pcgard' is not known"),
        (ITMTL([]), "wide", r"candidates must be a list of methods.*got \[\]"),
        (ITMTL("equal"), "wide", "candidates must be a list of methods"),
        (ITMTL(["equal", "equal"]), "wide", "'equal' is twice among the candidates"),
        (ITMTL(["equal", ITMTL()]), "wide", "ITMTL cannot be a candidate of ITMTL"),
        (ITMTL([("dwa", "it-mtl")]), "wide", "ITMTL cannot be a candidate of ITMTL"),
        (ITMTL(["equal", "famo"]), "wide", "'famo' learns from the losses after its own step"),
        (ITMTL(approximate=3), "wide", "approximate must be None, 1 or 2, got 3"),
        (ITMTL(choice="worst"), "wide", "choice must be one of"),
        (ITMTL(record_every=0), "wide", "record_every must be an int of at least 1"),
        (ITMTL(["equal", "mgda-ub"]), "long", "every row, and so its representation, belongs to"),
    ],
)
def test_bad_settings_are_errors(method, form, message):
    table = TABLES[form]()
    module = module_for(wide_rows(), [3]) if form == "wide" else None
    if form == "long":
        module = network("shared bottom", table.n_tasks, 2, 1, [3]).double()
    with pytest.raises(ValueError, match=message):
        run(table, [3], method, module=module)


def test_what_cannot_be_compared_is_an_error():
    table = wide_rows()
    module = network("independent tasks", 4, 3, 1, [3]).double()
    with pytest.raises(ValueError, match="ITMTL compares the tasks' gradients.*here tasks share"):
        run(table, [3], ITMTL(), module=module)
    net = member_net(
        module_for(table, [3]), [3], criterion=NumberLoss("poisson"), task_weighting="it-mtl"
    )
    with pytest.raises(ValueError, match="loss='poisson' can be negative"):
        net.fit_members(table, [torch.arange(40)])


def test_gradients_at_the_representation_can_be_a_candidate():
    table = wide_rows(missing=0.0)
    net = run(table, [3], ITMTL(["mgda", "mgda-ub"]), max_epochs=3)
    first = [
        run(table, [3], ITMTL([name]), max_epochs=1).result_.choices["transference"][0, 0]
        for name in ("mgda", "mgda-ub")
    ]
    np.testing.assert_allclose(net.result_.choices["transference"][0], first)
    assert first[0] != first[1]


def test_without_a_loop_it_takes_the_first_order():
    losses = torch.tensor([[1.0, 2.0, torch.nan]])
    gradients = torch.tensor([[[1.0, 0.0], [-2.0, 1.0], [0.0, 0.0]]])
    gramian = gradients @ gradients.mT
    # equal: (1 - 2) / 1 + (5 - 2) / 2; task 0: 1 - 2 / 2; task 1: -2 + 5 / 2
    method = ITMTL(["tasks", "equal"])
    assert method.weights(losses, gramian).tolist() == [[0.0, 1.0, 0.0]]
    assert ITMTL(["equal", "tasks"]).weights(losses, gramian).tolist() == [[1.0, 1.0, 0.0]]
