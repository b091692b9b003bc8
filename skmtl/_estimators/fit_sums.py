"""What a fit keeps of its rows for reports: sums by task, and rows made up from marginals.

No training row is kept; all of it is small and is saved with the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr, ndtri
from scipy.stats import qmc, rankdata

from skmtl._data.rows import TrainingRows
from skmtl._estimators.random_effects import StateSums, effective_directions
from skmtl._persistence import saveable
from skmtl.training import evaluate_rows

# made-up rows, the rows whose marginals they follow, and most columns of a Sobol sequence
_N_MADE_UP, _N_READ, _MOST_COLUMNS = 256, 5000, 1000
# rows whose derivatives are in memory at once
_AT_ONCE = 2**15
# rows from which directions are chosen
_STAND_FOR_ALL = 2**12
# a column with at most as many values has only these
_FEW_VALUES = 20


@dataclass(eq=False)
@saveable
class FitSums:
    """Sums over the rows of a fit.

    `members` have the `StateSums` of each member, and `means` (T, d) are the mean encoded
    features of each task. The rows `made_up` (k, d) have the marginal distributions and rank
    correlations of the encoded features.
    """

    members: list[StateSums]
    means: np.ndarray
    made_up: np.ndarray

    def joined(self, other):
        """Return these sums with those of other tasks appended."""
        pairs = zip(self.members, other.members, strict=True)
        return replace(
            self,
            members=[own.joined(new) for own, new in pairs],
            means=np.concatenate([self.means, other.means]),
        )


def can_report(estimator, targets):
    """Return whether embeddings of tasks are learned for one number per row, by squared error."""
    part = targets.parts[0]
    return (
        estimator.task_id is not None
        and estimator.task_levels == "joint"
        and estimator._architecture().adapts
        and not targets.wide
        and part.classes is None
        and part.loss == "squared_error"
        and part.n_outputs == 1
    )


def sums_of_fit(plan, module):
    """Return the `FitSums` of a plan for its trained module; None if it has no report."""
    if not can_report(plan.estimator, plan.targets) or len(plan.tables.tasks) < 2:
        return None
    if not module.embeddings.shape[2]:
        return None
    rows = plan.refit
    if rows is None:
        train, valid = plan.splits[0]
        # members with different rows have all of them together
        rows = train if len(plan.splits) == 1 else TrainingRows.concatenate(train, valid)
    made_up = made_up_rows(plan.tables.scale(rows.features))
    return _sums(plan.tables, plan.targets, rows, module, made_up)


def sums_of_new_tasks(sums, tables, targets, rows, module):
    """Return the sums with those of tasks that `adapt` has learned, of rows of these alone."""
    return sums.joined(_sums(tables, targets, rows, module, sums.made_up, sums.members))


def _sums(tables, targets, rows, module, made_up, earlier=None):
    n_tasks, features = len(tables.tasks), tables.scale(rows.features)
    metadata = tables.scaled_metadata()
    embeddings = module.embeddings.detach().cpu().double().numpy()
    labels = targets.scale(rows.targets)[:, 0]
    weights = rows.label_weights
    spaces = None if earlier is None else [(sums.basis, sums.terms) for sums in earlier]
    members = None
    for start in range(0, len(features), _AT_ONCE):
        chunk = slice(start, start + _AT_ONCE)
        tasks, w = rows.tasks[chunk], weights[chunk]
        x, of_tasks = features[chunk], None if metadata is None else metadata[tasks]
        outputs, slopes = evaluate_rows(module, x, embeddings[:, tasks], of_tasks)
        errors = labels[chunk] - outputs
        if spaces is None:
            # rows are in random order: the first ones stand for all
            first = slice(_STAND_FOR_ALL)
            share = w[first] * (weights.sum() / w[first].sum())
            spaces = [
                effective_directions(
                    own, x[first], tasks[first], j[first], u[first], share, n_tasks
                )
                for own, j, u in zip(embeddings, slopes, errors, strict=True)
            ]
        sums = [
            StateSums.of_rows(*space, tasks, x, *of_member, w, n_tasks)
            for space, *of_member in zip(spaces, slopes, errors, strict=True)
        ]
        members = sums if members is None else [a + b for a, b in zip(members, sums, strict=True)]
    by_task = csr_array((weights, (rows.tasks, np.arange(len(weights)))))
    means = by_task @ features / by_task.sum(axis=1)[:, None]
    return FitSums(members, means, made_up)


def made_up_rows(features):
    """Return rows with the marginals and rank correlations of encoded features (n, d)."""
    step = max(1, len(features) // _N_READ)
    features = features[::step]
    n_rows, n_columns = features.shape
    if n_columns <= _MOST_COLUMNS:
        uniform = qmc.Sobol(n_columns, seed=0).random(_N_MADE_UP)
    else:
        uniform = np.random.default_rng(0).random((_N_MADE_UP, n_columns))
    normal = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
    scores = ndtri(rankdata(features, axis=0) / (n_rows + 1))
    scores -= scores.mean(axis=0)
    scores /= np.maximum(scores.std(axis=0), 1e-12)
    # only as many directions as there are rows
    _, sizes, axes = np.linalg.svd(scores, full_matrices=False)
    correlated = (normal @ axes.T * (sizes / np.sqrt(n_rows))) @ axes
    share = ndtr(correlated / np.maximum(correlated.std(axis=0), 1e-12))
    rows = np.empty((_N_MADE_UP, n_columns))
    for k, column in enumerate(features.T):
        few = len(np.unique(column)) <= _FEW_VALUES
        rows[:, k] = np.quantile(column, share[:, k], method="inverted_cdf" if few else "linear")
    return rows
