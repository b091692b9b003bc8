"""Embeddings after training: their curvature is that of the loss, and updates end at an optimum."""

import copy

import pytest
import torch
from torch.func import functional_call
from torch.testing import assert_close

from skmtl.nn import LevelHypernetwork, TaskHypernetwork
from skmtl.training import BinaryLoss, ClassLoss, NumberLoss
from skmtl.training._embeddings import EmbeddingRows, curvatures
from skmtl.training._updates import estimated_embeddings, updated_embeddings

N_TASKS, N_ROWS, WIDTH = 4, 60, 3
SEEDS = (0, 1)
LOSSES = {
    "squared_error": (NumberLoss(), 1),
    "two outputs": (NumberLoss(), 2),
    "huber": (NumberLoss("huber"), 1),
    "poisson": (NumberLoss("poisson"), 1),
    "two classes": (BinaryLoss(), 1),
    "three classes": (ClassLoss(torch.ones(N_TASKS, 3, dtype=torch.bool)), 3),
}


@pytest.fixture(autouse=True)
def double_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def make(kind, n_metadata=2):
    criterion, n_outputs = LOSSES[kind]
    module = TaskHypernetwork(
        N_TASKS,
        2,
        n_metadata,
        n_outputs,
        seeds=SEEDS,
        embedding_dim=WIDTH,
        hidden_layer_sizes=(4,),
        hypernet_layers=0,
        activation="tanh",
        embeddings_apart=True,
    )
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    tasks = torch.arange(N_ROWS) % N_TASKS
    targets = normal(N_ROWS, n_outputs)
    if kind == "poisson":
        targets = targets.abs().round()
    elif "classes" in kind:
        targets = torch.arange(N_ROWS).remainder(max(2, n_outputs)).unsqueeze(1).double()
    rows = EmbeddingRows(
        features=normal(N_ROWS, 2),
        numbers=tasks.unsqueeze(1),
        targets=targets,
        weights=1 + normal(N_ROWS).abs(),
        metadata=normal(N_TASKS, n_metadata)[tasks] if n_metadata else None,
    )
    return module, rows, criterion


def loss(module, rows, criterion, embeddings):
    """The summed loss (M,) by the ordinary forward pass."""
    changed = copy.deepcopy(module).double().eval()
    changed.use_smooth_operations()
    n_members, n_rows = len(embeddings), len(rows)
    metadata = None if rows.metadata is None else rows.metadata.expand(n_members, -1, -1)
    tasks = rows.numbers[:, 0].expand(n_members, -1)
    slots = torch.arange(n_rows).expand(n_members, -1)
    x = rows.features[None, :, None].expand(n_members, -1, -1, -1)
    inputs = x, tasks, slots, metadata
    outputs = rows.share * functional_call(changed, {"embeddings": embeddings}, inputs)
    if rows.offset is not None:
        outputs = outputs + rows.offset[:, None]
    targets = rows.targets[None, :, None].expand(n_members, -1, -1, -1)
    losses = criterion(outputs, targets, tasks, slots)
    return (losses[:, :, 0] * rows.weights).sum(1)


def hessian(function, at):
    """Second derivatives of a function of the embeddings (M, T, d), by member and task."""
    result = torch.autograd.functional.hessian(lambda e: function(e).sum(), at)
    return torch.stack(
        [
            torch.stack([result[m, t, :, m, t, :] for t in range(at.shape[1])])
            for m in range(len(at))
        ]
    )


def test_curvature_is_half_the_second_derivative_where_residuals_vanish():
    module, rows, criterion = make("squared_error")
    embeddings = module.embeddings.detach()
    with torch.no_grad():
        # at a perfect fit the approximation of Gauss and Newton is exact; one of two members fits
        exact = module.part([0]).of_rows(
            rows.features[None],
            [embeddings[:1, rows.numbers[:, 0]]],
            rows.metadata[None],
        )
    rows.targets = exact[0]
    expected = hessian(lambda e: loss(module, rows, criterion, e), embeddings) / 2
    (actual,) = curvatures(module, rows, criterion)
    assert actual.shape == (2, N_TASKS, WIDTH, WIDTH)
    assert_close(actual[0], expected[0])
    assert (torch.linalg.eigvalsh(actual) > -1e-9).all()


@pytest.mark.parametrize("kind", LOSSES)
def test_an_update_ends_where_the_objective_is_smallest(kind):
    module, rows, criterion = make(kind)
    few = rows.take(slice(0, 22))
    # task 3 has no new rows
    few = few.take((few.numbers[:, 0] != 3).nonzero().squeeze(1))
    module.keep_curvatures(curvatures(module, rows, criterion))
    pulls = [torch.full((2, 1, WIDTH), 0.7)]
    ((numbers,), (vectors,), (learned,)) = updated_embeddings(module, few, criterion, pulls)
    assert numbers.tolist() == [0, 1, 2]
    before = module.embeddings.detach()
    precision = module.curvature + torch.diag_embed(pulls[0].expand(-1, N_TASKS, -1))

    def objective(embeddings):
        distance = embeddings - before
        pull = torch.einsum("mtd,mtde,mte->m", distance, precision, distance)
        return loss(module, few, criterion, embeddings) + pull

    after = before.clone()
    after[:, :3] = vectors
    after.requires_grad_()
    assert (objective(after) < objective(before)).all()
    (slope,) = torch.autograd.grad(objective(after).sum(), after)
    (first,) = torch.autograd.grad(objective(at := before.clone().requires_grad_()).sum(), at)
    assert slope.abs().max() < 1e-4 * first.abs().max()
    assert not slope[:, 3].any()
    # of earlier and of new rows
    moved = copy.deepcopy(module)
    moved.set_embeddings([numbers], [vectors], [learned])
    (new,) = curvatures(moved, few, criterion)
    assert_close(moved.curvature, module.curvature + new)


def test_an_update_of_absolute_errors_lowers_the_objective():
    module, rows, _ = make("squared_error")
    criterion = NumberLoss("absolute_error")
    module.keep_curvatures([torch.zeros(2, N_TASKS, WIDTH, WIDTH)])
    pulls = [torch.full((2, 1, WIDTH), 0.1)]
    _, (vectors,), _ = updated_embeddings(module, rows, criterion, pulls)
    before = module.embeddings.detach()
    assert (loss(module, rows, criterion, vectors) < loss(module, rows, criterion, before)).all()


def test_members_and_tasks_are_updated_independently():
    module, rows, criterion = make("squared_error", n_metadata=0)
    module.keep_curvatures(curvatures(module, rows, criterion))
    pulls = [torch.full((2, 1, WIDTH), 0.7)]
    _, (together,), _ = updated_embeddings(module, rows, criterion, pulls)
    alone = rows.take((rows.numbers[:, 0] == 2).nonzero().squeeze(1))
    _, (vectors,), _ = updated_embeddings(module.part([1]), alone, criterion, [pulls[0][:1]])
    assert_close(vectors[0, 0], together[1, 2], rtol=1e-6, atol=1e-8)


def test_the_share_and_the_offset_of_a_base():
    module, rows, criterion = make("squared_error")
    module.keep_curvatures([torch.zeros(2, N_TASKS, WIDTH, WIDTH)])
    rows.offset, rows.share = 0.75 * rows.targets, 0.25
    pulls = [torch.full((2, 1, WIDTH), 1e-6)]
    _, (vectors,), _ = updated_embeddings(module, rows, criterion, pulls)
    before = module.embeddings.detach()
    assert (loss(module, rows, criterion, vectors) < loss(module, rows, criterion, before)).all()
    # the same as a network that learns what the base leaves, in its share
    plain = EmbeddingRows(rows.features, rows.numbers, rows.targets, rows.weights / 16)
    plain.metadata = rows.metadata
    _, (same,), _ = updated_embeddings(module, plain, criterion, pulls)
    assert_close(same, vectors, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["two outputs", "three classes"])
def test_rows_do_not_depend_on_their_chunk(kind, monkeypatch):
    module, rows, criterion = make(kind)
    whole = curvatures(module, rows, criterion)
    monkeypatch.setattr("skmtl.training._embeddings._ROWS", 16)
    assert_close(curvatures(module, rows, criterion), whole)


def random_intercepts(n_tasks=300, n_rows=4, between=1.5, within=0.8):
    """A module whose outputs are its embeddings, of length 1, and rows of a random intercept."""
    module = TaskHypernetwork(
        n_tasks, 1, 0, 1, seeds=SEEDS, embedding_dim=1, hidden_layer_sizes=(), hypernet_layers=0
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.origin.zero_()
        # the last column is the intercept
        module.skip.weight[:, 0, -1] = 1.0
    generator = torch.Generator().manual_seed(1)
    tasks = torch.arange(n_tasks).repeat_interleave(n_rows)
    levels = between * torch.randn(n_tasks, generator=generator)
    y = levels[tasks] + within * torch.randn(len(tasks), generator=generator)
    rows = EmbeddingRows(
        torch.randn(len(y), 1, generator=generator), tasks[:, None], y[:, None], torch.ones(len(y))
    )
    return module, rows, y.view(n_tasks, n_rows)


def test_estimates_are_those_of_the_mixed_model(monkeypatch):
    module, rows, y = random_intercepts()
    monkeypatch.setattr("skmtl.training._updates._EXPECTATIONS", 300)
    start = y.mean(1)
    module.embeddings.data[:, :, 0] = 0.3 * (start - start.mean())
    (actual,) = estimated_embeddings(module, rows, NumberLoss(), lambda loss: loss)
    # maximum likelihood of a balanced table, whose mean is known to be zero, and its predictions
    means = y.mean(1)
    within = (y - means[:, None]).square().sum() / (y.numel() - len(y))
    between = means.square().mean() - within / y.shape[1]
    expected = means * between / (between + within / y.shape[1])
    assert_close(actual[0, :, 0], expected, rtol=1e-3, atol=1e-3)
    assert_close(actual[1], actual[0])


def test_two_rounds_are_close_to_the_mixed_model():
    module, rows, y = random_intercepts()
    start = y.mean(1)
    module.embeddings.data[:, :, 0] = 0.3 * (start - start.mean())
    (actual,) = estimated_embeddings(module, rows, NumberLoss(), lambda loss: loss)
    means = y.mean(1)
    within, between = 0.8**2, 1.5**2
    expected = means * between / (between + within / y.shape[1])
    assert (actual[0, :, 0] - expected).square().mean() < 0.02 * expected.square().mean()


@pytest.mark.parametrize("nested", [False, True])
def test_levels_are_estimated_and_updated_together(nested):
    generator = torch.Generator().manual_seed(0)
    module = LevelHypernetwork(
        (5, 7),
        2,
        seeds=SEEDS,
        embedding_dims=(2, 2),
        embedding_alphas=(0.3, 0.3),
        apart=(True, True),
        nested=nested,
        hidden_layer_sizes=(4,),
        activation="tanh",
    )
    numbers = torch.stack([torch.arange(70) % 5, torch.arange(70) % 7], dim=1)
    numbers[:3, 1] = -1
    features = torch.randn(70, 2, generator=generator)
    targets = torch.randn(70, 1, generator=generator)
    rows = EmbeddingRows(features, numbers, targets, torch.ones(70))
    criterion = NumberLoss()
    module.keep_curvatures(curvatures(module, rows, criterion))
    few = rows.take(slice(0, 20))
    pulls = [torch.full((2, 1, 2), 0.5)] * 2
    numbers, vectors, learned = updated_embeddings(module, few, criterion, pulls)
    tables = [table.detach().clone() for table in module.tables()]
    x = features[None, :20, None].expand(2, -1, -1, -1)
    tasks = few.numbers.expand(2, -1, -1)
    slots = torch.arange(20).expand(2, -1)
    smooth = copy.deepcopy(module).double().eval()
    smooth.use_smooth_operations()
    # -1 is the mean embedding, which an update leaves alone
    smooth.set_embeddings(numbers, [t[:, n] for t, n in zip(tables, numbers, strict=True)], learned)

    def objective(*after):
        values = {f"levels.{level}": table for level, table in enumerate(after)}
        outputs = functional_call(smooth, values, (x, tasks, slots))
        total = (outputs[:, :, 0, 0] - targets[:20, 0]).square().sum()
        for table, before, G in zip(after, tables, module.curvatures(), strict=True):
            distance = table - before
            total = total + torch.einsum("mtd,mtde,mte->", distance, G, distance)
            total = total + 0.5 * distance.square().sum()
        return total

    after = [table.clone() for table in tables]
    for table, at, values in zip(after, numbers, vectors, strict=True):
        table[:, at] = values
    after = [table.requires_grad_() for table in after]
    before = [table.clone().requires_grad_() for table in tables]
    assert objective(*after) < objective(*before)
    slopes = torch.autograd.grad(objective(*after), after)
    first = torch.autograd.grad(objective(*before), before)
    for slope, start in zip(slopes, first, strict=True):
        assert slope.abs().max() < 1e-3 * start.abs().max()
    values = estimated_embeddings(module, rows, criterion, lambda loss: loss)
    assert [v.shape for v in values] == [t.shape for t in tables]
