"""Adam and SGD over the member axis against torch's, and what torch's cannot do.

Gradients are made up, so that nothing but the optimiser is tested.
"""

from functools import partial

import pytest
import torch
from torch import nn

from skmtl.nn import MemberModule
from skmtl.training._optimizer import MemberAdam, MemberSGD


class Stack(MemberModule):
    def __init__(self, n_members):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(n_members, 3, 2, generator=generator).double())
        self.bias = nn.Parameter(torch.randn(n_members, 4, generator=generator).double())


def gradients(step, module, members=slice(None)):
    generator = torch.Generator().manual_seed(step)
    for parameter in module.parameters():
        full = torch.randn(4, *parameter.shape[1:], generator=generator).double()
        parameter.grad = full[members].clone()


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_one_member_is_torchs_adamw(weight_decay):
    ours, theirs = Stack(1), Stack(1)
    optimizer = MemberAdam(ours, lr=0.01, weight_decay=weight_decay)
    groups = [
        {"params": [theirs.weight], "weight_decay": weight_decay},
        {"params": [theirs.bias], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.01)
    for step in range(100):
        gradients(step, ours, slice(1))
        gradients(step, theirs, slice(1))
        optimizer.step()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_member_is_torchs_sgd(momentum):
    ours, theirs = Stack(1), Stack(1)
    optimizer = MemberSGD(ours, lr=0.01, momentum=momentum)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=momentum)
    for step in range(50):
        gradients(step, ours, slice(1))
        gradients(step, theirs, slice(1))
        optimizer.step()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


class Fast(Stack):
    def learning_rate_factors(self):
        return {"bias": 3.0}


SETTINGS = [
    {},
    {"weight_decay": [0.1, 0.0, 0.2, 0.3]},
    {"clip_norm": [0.1, 1.0, 5.0, 100.0]},
    {"averaging": 0.9, "weight_decay": 0.1},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("stack", [Stack, Fast])
@pytest.mark.parametrize("make", [MemberAdam, partial(MemberSGD, momentum=0.8)])
def test_a_step_that_is_looked_at_is_the_step_that_is_made(make, stack, settings):
    module = stack(4)
    optimizer = make(module, lr=[0.1, 0.2, 0.3, 0.4], **settings)
    for step in range(6):
        gradients(step, module)
        named = dict(module.named_parameters())
        flat = optimizer.flat({name: p.grad for name, p in named.items()})
        active = torch.tensor([True, False, True, True]) if step % 2 else None
        state = {n: v.clone() for n, v in vars(optimizer).items() if isinstance(v, torch.Tensor)}
        several = optimizer.after(torch.stack([flat, 2 * flat]), active)
        after = optimizer.after(flat, active)
        for name, value in state.items():
            assert torch.equal(getattr(optimizer, name), value)
        optimizer.step(active=active)
        assert torch.equal(after, optimizer.buffer)
        assert torch.equal(several[0], after)


def test_the_buffer_by_names():
    module = Stack(4)
    optimizer = MemberAdam(module)
    assert optimizer.columns({"bias"}).tolist() == [False] * 6 + [True] * 4
    flat = optimizer.flat({"bias": torch.ones(2, 4, 4), "weight": None})
    assert flat.shape == (2, 4, 10)
    assert flat.sum() == 2 * 4 * 4
    views = optimizer.views(optimizer.buffer)
    assert torch.equal(views["weight"], module.weight)


def test_running_mean_by_its_definition():
    module = Stack(4)
    decays = [0.0, 0.5, 0.9, 0.99]
    optimizer = MemberAdam(module, lr=0.05, averaging=decays)
    means = optimizer.buffer.clone()
    for step in range(30):
        gradients(step, module)
        optimizer.step()
        for m, decay in enumerate(decays):
            d = min(decay, (step + 2) / (step + 11))
            means[m] = d * means[m] + (1 - d) * optimizer.buffer[m]
    torch.testing.assert_close(optimizer.averaged, means, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(means[0], optimizer.buffer[0])
    with optimizer.using_averages():
        torch.testing.assert_close(module.weight.flatten(1), means[:, :6], rtol=1e-10, atol=1e-10)
    assert torch.equal(module.weight.flatten(1), optimizer.buffer[:, :6])


def test_members_that_do_not_step_keep_every_bit():
    module = Stack(4)
    optimizer = MemberAdam(module, lr=0.1, weight_decay=0.1, averaging=0.9)
    state = ("buffer", "mean", "mean_square", "averaged", "steps")
    for step in range(3):
        gradients(step, module)
        optimizer.step()
    before = {name: getattr(optimizer, name).clone() for name in state}
    gradients(7, module)
    optimizer.step(active=torch.tensor([True, False, True, False]))
    for name in state:
        now = getattr(optimizer, name)
        assert torch.equal(now[[1, 3]], before[name][[1, 3]])
        assert (now[[0, 2]] != before[name][[0, 2]]).any(dim=1).all()


def test_selected_members_go_on_as_before():
    module, smaller = Stack(4), Stack(4)
    everyone = MemberAdam(module, lr=[0.1, 0.2, 0.3, 0.4], averaging=0.9)
    selected = MemberAdam(smaller, lr=[0.1, 0.2, 0.3, 0.4], averaging=0.9)
    kept = torch.tensor([1, 3])
    for step in range(6):
        if step == 3:
            selected.select(kept)
        gradients(step, module)
        gradients(step, smaller, slice(None) if step < 3 else kept)
        everyone.step()
        selected.step()
    assert smaller.weight.shape == (2, 3, 2)
    assert torch.equal(smaller.weight, module.weight[kept])
    assert torch.equal(selected.averaged, everyone.averaged[kept])


def test_parameters_without_gradient_do_not_move():
    module = Stack(2)
    module.weight.requires_grad_(False)
    optimizer = MemberAdam(module, lr=0.1)
    before = module.weight.clone()
    module.bias.grad = torch.ones_like(module.bias)
    optimizer.step()
    assert torch.equal(module.weight, before)
    assert optimizer.buffer.shape == (2, 4)


def test_released_parameters_do_not_share_memory():
    module = Stack(2)
    optimizer = MemberAdam(module, lr=0.1)
    assert module.weight.untyped_storage().nbytes() == optimizer.buffer.untyped_storage().nbytes()
    optimizer.release()
    assert module.weight.untyped_storage().nbytes() == module.weight.nbytes
