"""Gradients of tasks in every architecture and form, against a loop over the tasks in float64."""

import pytest
import torch

from skmtl.nn import ModuleInputs, task_gradients
from skmtl.nn._gradients import TaskGradients
from skmtl.nn._slot_gradients import SlotGradients
from skmtl.nn._trunk_gradients import TrunkGradients
from tests._members import build, task_rows
from tests._networks import NETWORKS, network, random_blocks, randomised

FORMS = ["auto", "exact"]
SHARING = [
    name for name in NETWORKS if randomised(network(name)).shared_parameters()
]  # those whose tasks share something


def hypernet(**changes):
    module = build(task_rows(n_tasks=4, n_metadata=2), [0, 1], **changes)
    return randomised(module)


HYPERNETS = {
    "plain": {},
    "layers": {"hypernet_layers": 2},
    "full": {"compression": False},
    "biases": {"target_bias": "plain", "hypernet_layers": 1},
    "no skip": {"linear_skip": False},
}


def wide_blocks(module, n_features, length=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    n_members, n_tasks = module.trained.shape
    rows = torch.randn(n_members, 1, length, n_features, generator=generator).double()
    tasks = torch.arange(n_tasks).expand(n_members, -1)
    return ModuleInputs(rows.expand(-1, n_tasks, -1, -1), tasks, tasks, shared_rows=True)


def losses_of(module, *inputs):
    """Compute a loss for every slot."""
    y = module(*inputs)
    _, tasks, slots, *_ = inputs
    by_block = (y - torch.linspace(-1, 1, y.numel()).view_as(y)).square().sum((2, 3))
    return by_block.new_zeros(tasks.shape).scatter_add(1, slots, by_block)


def by_loop(module, losses):
    """Gradients of the shared parameters, one task after the other, shape (M, S, P)."""
    names = module.shared_parameters()
    shared = [p for name, p in module.named_parameters() if name in names]
    rows = []
    for s in range(losses.shape[1]):
        actual = torch.autograd.grad(
            losses[:, s].sum(), shared, retain_graph=True, allow_unused=True
        )
        filled = [
            torch.zeros_like(p) if g is None else g for g, p in zip(actual, shared, strict=True)
        ]
        rows.append(torch.cat([g.flatten(1) for g in filled], dim=1))
    return torch.stack(rows, 1)


def check(module, blocks, form):
    module.train()
    gradients = task_gradients(module, form)
    losses = losses_of(module, *blocks)
    rows = by_loop(module, losses)
    gradients.differentiate(losses, blocks[2])
    torch.testing.assert_close(gradients.gramian(), rows @ rows.mT, rtol=1e-10, atol=1e-10)
    weights = torch.rand(losses.shape, generator=torch.Generator().manual_seed(1)).double()
    actual = gradients.combine(weights)
    names = module.shared_parameters()
    expected = (weights.unsqueeze(1) @ rows).squeeze(1)
    shared = {name: p for name, p in module.named_parameters() if name in names}
    together = torch.cat(
        [
            (torch.zeros_like(p) if actual[name] is None else actual[name]).flatten(1)
            for name, p in shared.items()
        ],
        dim=1,
    )
    torch.testing.assert_close(together, expected, rtol=1e-10, atol=1e-10)
    # each alone: weights that leave out all others
    each = gradients.each()
    for s in range(losses.shape[1]):
        alone = [
            (torch.zeros_like(p) if each[name] is None else each[name][s]).flatten(1)
            for name, p in shared.items()
        ]
        torch.testing.assert_close(torch.cat(alone, 1), rows[:, s], rtol=1e-10, atol=1e-10)
    # several at once, fewer and more than there are tasks
    for n_sets in (2, 7):
        several = torch.randn(n_sets, *weights.shape, dtype=weights.dtype)
        for which, one in enumerate(several):
            for name, value in gradients.combine(one).items():
                got = gradients.combine_all(several)[name]
                assert (got is None) == (value is None)
                if value is not None:
                    torch.testing.assert_close(got[which], value, rtol=1e-10, atol=1e-10)
    # parameters of one task: the plain sum
    of_heads = {name: p for name, p in module.named_parameters() if name not in names}
    plain = torch.autograd.grad(
        losses_of(module, *blocks).sum(), list(module.parameters()), allow_unused=True
    )
    for (name, _), expected in zip(module.named_parameters(), plain, strict=True):
        if name in of_heads and expected is not None:
            torch.testing.assert_close(
                gradients.unshared_gradients[name], expected, rtol=1e-10, atol=1e-10
            )
    gradients.detach()
    check_watched(module, gradients, blocks)
    return gradients


def check_watched(module, gradients, blocks):
    """A backward pass of a weighted sum gives the gradients of `differentiate`."""
    scales = torch.rand(blocks[1].shape, generator=torch.Generator().manual_seed(2)) + 0.5
    gradients.attach()
    gradients.differentiate(losses_of(module, *blocks) * scales, blocks[2])
    expected = gradients.each(), gradients.gramian()
    gradients.detach()
    if not gradients.watch(blocks):
        # every form has its reason: T passes, or networks that are not written out
        by_row = isinstance(gradients, SlotGradients) and module.reads_by_row(
            blocks[0].shape[1] * blocks[0].shape[2], blocks[1].shape[1]
        )
        assert type(gradients) is TaskGradients or by_row
        return
    losses_of(module, *blocks).sum().backward()
    gradients.collect(scales, blocks[2])
    for name, value in gradients.each().items():
        torch.testing.assert_close(value, expected[0][name], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradients.gramian(), expected[1], rtol=1e-10, atol=1e-10)
    gradients.detach()
    module.zero_grad()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", SHARING)
def test_baselines(name, wide, form):
    module = randomised(network(name))
    blocks = wide_blocks(module, 3) if wide else random_blocks(module, 3)
    gradients = check(module, blocks, form)
    trunk = name in ("shared bottom", "relation") and form == "auto"
    assert type(gradients) is (TrunkGradients if trunk else TaskGradients)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", HYPERNETS)
def test_hypernetworks(name, wide, form):
    module = hypernet(**HYPERNETS[name])
    inputs = wide_blocks(module, 2) if wide else ModuleInputs(*random_blocks(module, 2))
    metadata = torch.linspace(-1, 1, 2 * inputs.tasks.shape[1] * 2).double().view(2, -1, 2)
    gradients = check(module, inputs._replace(metadata=metadata), form)
    assert type(gradients) is (SlotGradients if form == "auto" else TaskGradients)


@pytest.mark.parametrize("name", HYPERNETS)
def test_many_rows_of_hypernetworks(name):
    # networks are written out anyway
    module = hypernet(**HYPERNETS[name])
    x, tasks, slots = random_blocks(module, 2, n_blocks=9, length=20)
    metadata = torch.linspace(-1, 1, 2 * tasks.shape[1] * 2).double().view(2, -1, 2)
    assert not module.reads_by_row(9 * 20, tasks.shape[1])
    check(module, (x, tasks, slots, metadata), "auto")


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
def test_trunks_of_every_activation(activation):
    module = randomised(network("shared bottom", activation=activation))
    check(module, wide_blocks(module, 3), "auto")


@pytest.mark.parametrize(("n_blocks", "length"), [(4, 1), (5, 3), (24, 8)])
def test_trunks_in_long_form_whatever_is_cheaper(n_blocks, length):
    # small batches by inner products of rows, large ones by outer products of blocks
    module = randomised(network("shared bottom"))
    check(module, random_blocks(module, 3, n_blocks=n_blocks, length=length), "auto")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_padding_of_blocks_is_ignored(share):
    # as many as they are, and other ones in every member
    module = randomised(network("shared bottom")).train()
    x, tasks, slots = random_blocks(module, 3, n_blocks=6, length=3)
    generator = torch.Generator().manual_seed(0)
    filled = torch.rand(*x.shape[:3], generator=generator) < share
    filled[0, 1:] = False

    def losses():
        errors = module(x, tasks, slots).square().sum(3) * filled
        return errors.new_zeros(tasks.shape).scatter_add(1, slots, errors.sum(2))

    gradients = task_gradients(module)
    actual = losses()
    rows = by_loop(module, actual)
    gradients.differentiate(actual, slots)
    torch.testing.assert_close(gradients.gramian(), rows @ rows.mT, rtol=1e-10, atol=1e-10)
    gradients.detach()


def test_gradients_that_are_no_numbers_are_not_taken_for_padding():
    module = randomised(network("shared bottom")).train()
    x, tasks, slots = random_blocks(module, 3)
    gradients = task_gradients(module)
    gradients.differentiate(losses_of(module, x, tasks, slots) * torch.nan, slots)
    assert gradients.gramian().isnan().all()
    gradients.detach()


def test_metadata_in_wide_form_give_each_task_its_rows():
    module = randomised(network("shared bottom", n_features=5))
    metadata = torch.linspace(-1, 1, 16).double().view(2, 4, 2)
    gradients = check(module, wide_blocks(module, 3)._replace(metadata=metadata), "auto")
    assert not gradients.tasks_share_rows


def test_gradients_at_the_representation():
    module = randomised(network("shared bottom"))
    inputs = wide_blocks(module, 3)
    x, tasks, slots = inputs[:3]
    gradients = task_gradients(module)
    losses = losses_of(module, *inputs)
    gradients.differentiate(losses, slots)
    read = module.features(x[:, :1], tasks[:, :1]).detach().requires_grad_()
    outputs = module.heads(read.expand(-1, 4, -1, -1), tasks)
    by_task = (outputs - torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).square()
    rows = [
        torch.autograd.grad(by_task[:, t].sum(), read, retain_graph=True)[0].flatten(1)
        for t in range(4)
    ]
    rows = torch.stack(rows, 1)
    torch.testing.assert_close(gradients.gramian_at_representation(), rows @ rows.mT)
    # the step without T passes is the same
    weights = torch.rand(2, 4, generator=torch.Generator().manual_seed(0)).double()
    once = gradients.combine(weights)
    gradients.gramian()
    for name, expected in gradients.combine(weights).items():
        torch.testing.assert_close(once[name], expected)


def test_nothing_is_left_at_the_module():
    for module in (hypernet(), randomised(network("shared bottom"))):
        gradients = task_gradients(module)
        gradients.detach()
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
        assert getattr(module, "readers", 0) == 0
