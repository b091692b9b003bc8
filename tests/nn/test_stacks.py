"""What all networks of the baselines have in common, whatever their architecture."""

import copy

import pytest
import torch

from tests._members import parameters_of
from tests._networks import NETWORKS, network, random_blocks, randomised

every = pytest.mark.parametrize("name", NETWORKS)


@every
def test_initial_weights_depend_on_the_seed_of_the_member_only(name):
    together, alone = network(name, seeds=[5, 6, 7]), network(name, seeds=[6])
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a[1], b[0])
    first, second = parameters_of(together, 0), parameters_of(together, 1)
    assert not torch.equal(first, second)


@every
def test_a_member_among_others_that_know_more_tasks(name):
    """It starts, and is trained, as if there were only its own tasks."""
    few, many = network(name, n_tasks=3).double(), network(name, n_tasks=6).double()
    trained = torch.ones(2, 6, dtype=torch.bool)
    trained[0, 3:] = False
    many.mark_trained(trained)
    x, tasks, slots = random_blocks(few, 3)

    def run(module, n_tasks):
        for active in (None, torch.tensor([True, False]), None, None):
            loss = module(x, tasks, slots)[0].square().sum()
            if module.penalty() is not None:
                loss = loss + module.penalty()[0]
            module.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in module.parameters():
                    if p.grad is not None:
                        p -= 0.05 * p.grad
            module.after_step(active)
        module = module.part([0])
        module.keep_tasks(n_tasks)
        return module.eval()

    few, many = run(few, 3), run(many, 3)
    for (key, a), b in zip(few.named_parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=key)
    unseen = torch.full((1, 1), -1)
    args = x[:1, :1], unseen, torch.zeros_like(unseen)
    torch.testing.assert_close(few(*args), many(*args))


@every
def test_members_share_no_gradient(name):
    module = randomised(network(name, seeds=[0, 1, 2]))
    loss = module(*random_blocks(module, 3))[1].square().sum()
    if module.penalty() is not None:
        loss = loss + module.penalty()[1]
    loss.backward()
    for parameter in module.parameters():
        assert parameter.grad is None or not parameter.grad[[0, 2]].any()


@every
def test_what_only_one_task_has_gets_its_gradient_only(name):
    module = randomised(network(name, seeds=[0]))
    rows = torch.randn(1, 1, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    zero = torch.zeros(1, 1, dtype=torch.int64)
    reached = []
    for task in range(4):
        module.zero_grad()
        module(rows, zero + task, zero).square().sum().backward()
        gradients = {key: p.grad for key, p in module.named_parameters() if p.grad is not None}
        reached.append({key for key, g in gradients.items() if g.any()})
        shared = module.shared_parameters()
        for key, gradient in gradients.items():
            others = torch.arange(4) != task
            if key not in shared:
                assert not gradient[0, others].any(), key
    # the loss of every task reaches what is shared
    assert set(module.shared_parameters()) <= set.union(*reached)


@every
def test_a_task_never_seen_gets_the_mean_of_the_outputs_of_those_trained_on(name):
    module = randomised(network(name)).eval()
    trained = torch.tensor([[True, True, False, True], [False, True, True, False]])
    module.mark_trained(trained)
    x, _, _ = random_blocks(module, 3)
    blocks = torch.arange(5).expand(2, -1)
    requested = torch.tensor([[-1, 1, -1, 0, 3]]).expand(2, -1)
    got = module(x, requested, blocks)
    for m in range(2):
        by_task = []
        for task in trained[m].nonzero()[:, 0]:
            by_task.append(module(x, torch.full((2, 5), int(task)), blocks)[m])
        torch.testing.assert_close(got[m, [0, 2]], torch.stack(by_task).mean(0)[[0, 2]])
    known = module(x[:, [1, 3, 4]], requested[:, [1, 3, 4]], blocks[:, :3])
    torch.testing.assert_close(got[:, [1, 3, 4]], known)


@every
def test_metadata_are_further_features(name):
    module = randomised(network(name, n_features=5)).eval()
    x, tasks, slots = random_blocks(module, 3)
    metadata = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    got = module(x, tasks, slots, metadata)
    by_row = (
        torch.stack([metadata[m, slots[m]] for m in range(2)]).unsqueeze(2).expand(-1, -1, 2, -1)
    )
    torch.testing.assert_close(got, module(torch.cat([x, by_row], 3), tasks, slots))


@every
def test_many_rows_are_evaluated_in_parts(name, monkeypatch):
    module = randomised(network(name)).eval()
    x, tasks, slots = random_blocks(module, 3, length=7)
    tasks[:, 0] = -1
    expected = module(x, tasks, slots)
    monkeypatch.setattr("skmtl.nn._columns._NUMBERS", 400)
    torch.testing.assert_close(module(x, tasks, slots), expected)


@every
def test_forgetting_tasks_leaves_the_others_as_they_are(name):
    module = randomised(network(name)).eval()
    if name in ("three levels", "cross-stitch", "sluice"):
        # what tasks read from each other goes with them, unless they were never trained
        trained = torch.tensor([[True, True, True, False]]).expand(2, -1)
        module.mark_trained(trained)
    x, tasks, slots = random_blocks(module, 3)
    tasks = tasks.clamp(max=2)
    expected = module(x, tasks, slots)
    module.keep_tasks(3)
    torch.testing.assert_close(module(x, tasks, slots), expected)


@pytest.mark.parametrize(
    ("name", "parameter"), [("sluice", "orthogonality_alpha"), ("relation", "relation_alpha")]
)
def test_strengths_of_penalties_may_differ_between_members(name, parameter):
    together = randomised(network(name, **{parameter: [0.5, 2.0]}))
    for m, strength in enumerate([0.5, 2.0]):
        both = randomised(network(name, **{parameter: strength}))
        torch.testing.assert_close(together.penalty()[m], both.penalty()[m])


@every
def test_copies_are_independent(name):
    module = randomised(network(name)).eval()
    args = random_blocks(module, 3)
    expected = module(*args)
    copied = copy.deepcopy(module)
    for parameter in copied.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(module(*args), expected)


@pytest.mark.parametrize("name", ["cross-stitch", "sluice", "tucker", "tensor train", "last axis"])
def test_tasks_of_networks_that_are_mixed_start_alike(name):
    module = network(name).eval()
    x = torch.randn(2, 1, 3, 3).expand(-1, 4, -1, -1)
    tasks = torch.arange(4).expand(2, -1)
    y = module(x, tasks, tasks, shared_rows=True)
    torch.testing.assert_close(y, y[:, :1].expand_as(y))
    assert not torch.allclose(y[0], y[1])
