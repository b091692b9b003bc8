"""What a fit with several levels of ids keeps for reports: variances of the effects of each level.

A linear mixed model stands for the networks: its regressors are the derivatives of the network of
average ids by their embeddings, so that effects are measured from the average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from skmtl._data.rows import TrainingRows
from skmtl._estimators.crossed_effects import estimate_components
from skmtl._estimators.embedding_rows import embedding_rows_of, loss_of
from skmtl._estimators.fit_sums import made_up_rows
from skmtl._estimators.random_effects import design_of, effective_directions, values_of
from skmtl._persistence import saveable
from skmtl.training._device import own_state
from skmtl.training._embeddings import EmbeddingRows, evaluated_rows

# rows that variances are estimated from, and that directions are chosen by
_MOST_ROWS, _STAND_FOR_ALL = 50_000, 4096
# directions of the embeddings of a level, and columns of its metadata, that count
_MOST_DIRECTIONS, _MOST_COLUMNS = 4, 10
# combinations of metadata that stand for all
_N_COMBINATIONS = 64


@dataclass
@saveable
class Level:
    """Effects of the ids of one level, of one member.

    Derivatives of outputs by an embedding, and the `terms` of a linear model, are taken along
    `basis` (d_l + q, r). In these coordinates the effect of an id is the linear function `mean` (1
    + p, r) of 1 and its metadata, then a deviation with the `covariance` (r, r), of which the rows
    have resolved the share `known`. It has `n_ids`.
    """

    basis: np.ndarray
    terms: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    known: float
    n_ids: int


@dataclass(eq=False)
@saveable
class LevelSums:
    """Variances of a fit with several levels.

    `members` have a `Level` for each level, `noise` (M,) is the variance of errors of rows, which
    have `free` (M,) degrees of freedom. Rows `made_up` (k, d) have the marginal distributions and
    rank correlations of the encoded features, `metadata` (c, d_m) are those of some combinations of
    ids, or None. Level l depends on the columns `spans[l]` of them, less `centres[l]`, along
    `axes[l]`.
    """

    members: list[list[Level]]
    noise: np.ndarray
    free: np.ndarray
    made_up: np.ndarray
    metadata: np.ndarray | None
    spans: list[tuple[int, int]]
    centres: list[np.ndarray]
    axes: list[np.ndarray]

    def designs(self, metadata, n_rows):
        """Return the columns (n, 1 + p) of each level that its mean effects are linear in."""
        constant = np.ones((n_rows, 1))
        return [
            np.hstack([constant, (metadata[:, slice(*span)] - centre) @ axes])
            if len(centre)
            else constant
            for span, centre, axes in zip(self.spans, self.centres, self.axes, strict=True)
        ]


def can_report_levels(estimator, targets):
    """Return whether embeddings of levels are learned for one number per row, by squared error."""
    part = targets.parts[0]
    return part.classes is None and part.loss == "squared_error" and part.n_outputs == 1


def level_sums(plan, module):
    """Return the `LevelSums` of a plan for its trained module; None if it has no report."""
    if not can_report_levels(plan.estimator, plan.targets):
        return None
    if not all(table.shape[2] for table in module.tables()):
        return None
    rows = plan.refit
    if rows is None:
        train, valid = plan.splits[0]
        rows = train if len(plan.splits) == 1 else TrainingRows.concatenate(train, valid)
    if len(rows) > _MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(rows), _MOST_ROWS, replace=False)
        rows = rows.take(np.sort(chosen))
    tables = plan.tables
    made_up = made_up_rows(tables.scale(rows.features))
    sums = _without_members(tables, made_up)
    with own_state():
        of_rows = embedding_rows_of(module, plan, rows)
        # networks of average ids: what ids add need not be linear where they are far from it
        of_rows.numbers = torch.full_like(of_rows.numbers, -1)
        errors, slopes = evaluated_rows(module, of_rows, loss_of(plan.targets, module))
    numbers, features = tables.ids_of(rows.tasks), tables.scale(rows.features)
    all_metadata = tables.scaled_metadata()
    of_rows = None if all_metadata is None else all_metadata[rows.tasks]
    designs, weights = sums.designs(of_rows, len(rows)), rows.label_weights
    embeddings = [table.detach().cpu().double().numpy() for table in module.tables()]
    means = [mean.detach().cpu().double().numpy() for mean in module.means()]
    noise, free = [], []
    for m, error in enumerate(errors):
        away = [table[m] - mean[m] for table, mean in zip(embeddings, means, strict=True)]
        of_member = [of_level[m] for of_level in slopes]
        levels, found = _of_member(away, of_member, error, numbers, features, designs, weights)
        sums.members.append(levels)
        noise.append(found.noise)
        free.append(found.free)
    sums.noise, sums.free = np.array(noise), np.array(free)
    return sums


def _without_members(tables, made_up):
    """Return `LevelSums` that know the metadata of ids, but no effects yet."""
    metadata = tables.scaled_metadata()
    spans, centres, axes, start = [], [], [], 0
    for level, numbers in zip(tables.levels, tables.combinations.T, strict=True):
        span = start, start + level.n_metadata
        start = span[1]
        spans.append(span)
        of_level = None
        if level.n_metadata:
            ids, first = np.unique(numbers, return_index=True)
            of_level = metadata[first[ids >= 0], slice(*span)]
        found = None
        if of_level is not None:
            _, found = design_of(of_level, np.ones(len(of_level), dtype=bool))
        if found is None:
            centres.append(np.empty(0))
            axes.append(np.empty((0, 0)))
        else:
            centres.append(of_level.mean(axis=0))
            axes.append(found[:, :_MOST_COLUMNS])
    if metadata is not None:
        chosen = np.random.default_rng(0).permutation(len(metadata))[:_N_COMBINATIONS]
        metadata = metadata[np.sort(chosen)]
    nothing = np.empty(0)
    return LevelSums([], nothing, nothing, made_up, metadata, spans, centres, axes)


def _of_member(away, slopes, errors, numbers, features, designs, weights):
    """Return the `Level` of each level and the `Components`, of one member.

    `away` are embeddings (T_l, d_l) less their mean, by level, `slopes` (n, d_l) derivatives.
    """
    alongs, fixed, spaces = [], [], []
    for level, (own, slope) in enumerate(zip(away, slopes, strict=True)):
        ids = numbers[:, level]
        first = np.flatnonzero(ids >= 0)[:_STAND_FOR_ALL]
        basis, terms = effective_directions(
            own,
            # an intercept is the only term
            np.zeros((len(first), 1)),
            ids[first],
            slope[first],
            errors[first],
            weights[first] * (weights.sum() / weights[first].sum()),
            len(own),
        )
        n_embedding = basis.shape[1] - len(terms)
        basis = basis[:, max(0, n_embedding - _MOST_DIRECTIONS) :]
        spaces.append((basis, terms))
        along = _along(slope, features, basis, terms)
        alongs.append(along)
        design = designs[level]
        fixed.append((design[:, :, None] * along[:, None, :]).reshape(len(along), -1))
    sizes = [len(own) for own in away]
    found = estimate_components(errors, weights, np.hstack(fixed), alongs, numbers, sizes)
    levels, first = [], 0
    for level, (basis, terms) in enumerate(spaces):
        shape = designs[level].shape[1], basis.shape[1]
        mean = found.fixed[first : first + shape[0] * shape[1]].reshape(shape)
        first += mean.size
        n_ids = len(np.unique(numbers[numbers[:, level] >= 0, level]))
        covariance, known = found.covariances[level], float(found.known[level])
        levels.append(Level(basis, terms, mean, covariance, known, n_ids))
    return levels, found


def _along(slopes, features, basis, terms):
    """Return derivatives (n, r) along a basis, from those by the embedding (n, d_l)."""
    return np.hstack([slopes, values_of(terms, features)]) @ basis


def average_networks(estimator, sums, features, metadata):
    """Evaluate rows (k, d) with the average ids of each combination of metadata (c, d_m).

    Yields for each member expected outputs (k, c) and derivatives (k, c, r) by level, in the units
    of y.
    """
    module, targets = estimator.module_, estimator._targets
    n_combinations = 1 if metadata is None else len(metadata)
    tiled = np.repeat(features, n_combinations, axis=0)
    of_rows = None if metadata is None else np.tile(metadata, (len(features), 1))
    n_rows, device = len(tiled), module.origin.device
    rows = EmbeddingRows(
        features=torch.as_tensor(tiled, device=device),
        numbers=torch.full((n_rows, len(sums.spans)), -1, device=device),
        # of which the errors are what is predicted
        targets=torch.zeros(n_rows, 1, dtype=torch.float64, device=device),
        weights=torch.ones(n_rows, dtype=torch.float64, device=device),
        metadata=None if of_rows is None else torch.as_tensor(of_rows, device=device),
    )
    with own_state():
        errors, slopes = evaluated_rows(module, rows, loss_of(targets, module))
    size, shape = float(targets.parts[0].size[0]), (len(features), n_combinations)
    designs = sums.designs(of_rows, n_rows)
    for m, levels in enumerate(sums.members):
        outputs, alongs = -errors[m], []
        for level, of_level, design in zip(levels, slopes, designs, strict=True):
            along = _along(of_level[m], tiled, level.basis, level.terms)
            outputs = outputs + (along * (design @ level.mean)).sum(axis=1)
            alongs.append(size * along.reshape(*shape, -1))
        yield size * outputs.reshape(shape), alongs
