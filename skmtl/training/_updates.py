"""Embeddings after training: updates by new rows, and estimates as random effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from skmtl.nn import TaskHypernetwork
from skmtl.training._embeddings import EmbeddingRows, moments
from skmtl.training._newton import EmbeddingPart, EmbeddingProblem
from skmtl.training._predict import frozen

# steps of an update, and the relative change of an embedding below which it has converged
_MOST_STEPS, _TOLERANCE = 50, 1e-6
# of estimated embeddings: rounds, each of expectation-maximisation of the variances and of steps
_ROUNDS, _EXPECTATIONS, _STEPS, _ROUGHLY = 2, 50, 3, 1e-3
_SMALLEST_VARIANCE = 1e-6


def updated_embeddings(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    pulls: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Move the embeddings of the rows' tasks to where the loss on all their rows is smallest.

    That is the summed loss of the rows, plus for each embedding the quadratic form of its distance
    from where it is, with its curvature on earlier rows plus the `pulls` (M, 1, d): the rows it was
    learned from are not needed again. Steps are those of Newton's method with the curvature of
    Gauss and Newton, halved where they would raise the objective.

    Returns by table positions of embeddings (U,), their new values (M, U, d), and their curvature
    on earlier and new rows (M, U, d, d).
    """
    module = frozen(module)
    earlier = module.curvatures()
    assert earlier is not None
    priors = zip(module.tables(), earlier, pulls, strict=True)
    parts = [
        EmbeddingPart(module, level, rows.numbers[:, level], table, _sum(curvature, pull))
        for level, (table, curvature, pull) in enumerate(priors)
    ]
    EmbeddingProblem(module, rows, criterion, parts).minimise(_MOST_STEPS, _TOLERANCE)
    _, _, learned = moments(module, rows, criterion)
    numbers = [part.numbers for part in parts]
    triples = zip(earlier, learned, numbers, strict=True)
    return (
        numbers,
        [part.vectors for part in parts],
        [old[:, at] + new[:, at] for old, new, at in triples],
    )


def _sum(curvature, pull):
    """Return the precision (M, T, d, d) of embeddings that are pulled, in double precision."""
    pull = torch.diag_embed(pull.double().expand(*curvature.shape[:3]))
    return curvature.double() + pull


def estimated_embeddings(
    module: TaskHypernetwork,
    rows: EmbeddingRows,
    criterion: torch.nn.Module,
    noise: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Return the most probable embeddings (M, T, d), by table, with all else frozen.

    Embeddings of a table are normal, around the mean one, with a covariance matrix S (d, d) that is
    estimated, as the variance components of a mixed model are: the objective is the summed loss
    plus ``s * (e - mean)^T S^-1 (e - mean)`` for each embedding, where `noise` maps the mean loss
    (M,) to s. Expectation-maximisation with the Laplace approximation (Dempster, Laird and Rubin,
    "Maximum likelihood from incomplete data via the EM algorithm", 1977; Tierney and Kadane,
    "Accurate approximations for posterior moments and marginal densities", 1986): S is the mean of
    outer products of ``e - mean``, plus that of the covariances ``s (G + s S^-1)^-1`` that remain
    given the rows, with `curvatures` G; the expected loss includes these, too. Covariances between
    embeddings are left out, and so is what those of other tables leave unknown.
    """
    module = frozen(module)
    means = [mean.detach().clone() for mean in module.means()]
    for _ in range(_ROUNDS):
        strength, scatters = _variances(module, rows, criterion, noise, means)
        parts = []
        for level, (mean, scatter) in enumerate(zip(means, scatters, strict=True)):
            table = module.tables()[level]
            pull = (strength.view(-1, 1, 1) * torch.linalg.inv(scatter)).unsqueeze(1)
            precision = pull.expand(-1, table.shape[1], -1, -1)
            before = mean.expand_as(table)
            parts.append(EmbeddingPart(module, level, rows.numbers[:, level], before, precision))
        EmbeddingProblem(module, rows, criterion, parts).minimise(_STEPS, _ROUGHLY)
    return [table.detach() for table in module.tables()]


def _variances(module, rows, criterion, noise, means):
    """Return s (M,) and S (M, d, d) by table, see `estimated_embeddings`.

    The loss is approximated by a quadratic function of the embeddings of each table, those of the
    others fixed, so that expectation-maximisation looks at the rows only once.
    """
    loss, gradients, curved = moments(module, rows, criterion)
    # above zero, so that embeddings about which rows say nothing are determined
    strength, results = noise(loss.clamp(min=_SMALLEST_VARIANCE)), []
    unknown = torch.zeros_like(loss)
    for table, mean, G, g in zip(module.tables(), means, curved, gradients, strict=True):
        # embeddings without rows say nothing
        known = G.flatten(2).any(2).any(0)
        distance, G, g = table.detach()[:, known] - mean, G[:, known], g[:, known]
        towards = torch.einsum("mude,mue->mud", G, distance) - g / 2
        scatter, own = _scatter(distance), strength
        for _ in range(_EXPECTATIONS):
            prior = (own.view(-1, 1, 1) * torch.linalg.inv(scatter)).unsqueeze(1)
            inverse = torch.linalg.inv(G + prior)
            best = torch.einsum("mude,mue->mud", inverse, towards)
            remaining = own.view(-1, 1, 1, 1) * inverse
            scatter = _scatter(best) + remaining.mean(1)
            # the expected loss, of the embeddings and of what remains unknown of them
            move = best - distance
            change = (g * move).sum((1, 2)) + torch.einsum("mud,mude,mue->m", move, G, move)
            left = (G * remaining).sum((1, 2, 3))
            expected = loss + (change + left) / rows.weights.sum()
            own = noise(expected.clamp(min=_SMALLEST_VARIANCE))
        results.append(scatter)
        unknown = unknown + (change + left) / rows.weights.sum()
    return noise((loss + unknown).clamp(min=_SMALLEST_VARIANCE)), results


def _scatter(distance):
    """Return the mean outer product (M, d, d) of vectors (M, T, d), never singular."""
    mean = torch.einsum("mtd,mte->mde", distance, distance) / max(1, distance.shape[1])
    return mean + _SMALLEST_VARIANCE * torch.eye(distance.shape[2]).to(mean)
