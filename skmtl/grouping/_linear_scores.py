"""Scores of groups without training them: ridge regressions on gradients of a network of all tasks.

Sums over rows, of products of gradients and residuals, add over tasks, so that a group costs one
linear system for each fold.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from sklearn.base import clone, is_classifier

from skmtl._data.messages import label_text
from skmtl.grouping._trainer import Fit, GroupTrainer
from skmtl.training._device import in_own_state
from skmtl.training._predict import frozen

# step of central differences, for directions whose entries are about 1
_STEP = 1e-6
# directions that are evaluated at once, and numbers in the matrices that are solved at once
_DIRECTIONS, _NUMBERS = 64, 2**22
# eigenvalues of all gradients, relative to the largest, that are kept
_SMALLEST = 1e-12
WORKING = "gains='hoa', 'mtgnet', 'exhaustive' or 'random'"


@dataclass
class Sums:
    """Sums of a split for each task: of products (T, r, r), (T, r), (T,), and of weights (T,).

    With gradients J, residuals e and weights w they are J'wJ, J'we, e'we and the total of w, so
    that a change d of the parameters has the loss (e'we - 2 d'J'we + d'J'wJ d) / total.
    """

    products: np.ndarray
    moments: np.ndarray
    squares: np.ndarray
    totals: np.ndarray

    def losses(self, changes):
        """Return the mean loss of every task (n, T) after changes (n, r)."""
        quadratic = np.einsum("nr,trs,ns->nt", changes, self.products, changes, optimize=True)
        return (self.squares - 2 * changes @ self.moments.T + quadratic) / self.totals

    def rotated(self, basis):
        """Return the sums in coordinates of a basis (r, s)."""
        products = basis.T @ self.products @ basis
        return Sums(products, self.moments @ basis, self.squares, self.totals)


@dataclass
class LinearScores:
    """Scores of groups on each split, as of a `GroupTrainer` that trains them.

    Networks of all tasks train for a share `training` of their epochs. `alphas` are penalties,
    relative to the mean curvature of all tasks, of which every group uses what is best for it on
    the other splits.
    """

    trainer: GroupTrainer
    n_components: int
    training: float
    alphas: tuple
    seed: int

    def __post_init__(self):
        self.data, self.splits = self.trainer.data, self.trainer.splits
        self._losses = {}
        _check(self.trainer)

    def scores(self, groups):
        """Return the mean score of every task in groups, NaN outside them."""
        return self.scores_by_split(groups).mean(axis=0)

    def scores_by_split(self, groups):
        """Return scores by split, of shape (n_splits, n_groups, n_tasks)."""
        keys = [group.tobytes() for group in groups]
        new = {key: g for key, g in zip(keys, groups, strict=True) if key not in self._losses}
        if new:
            losses = self._losses_of(np.array(list(new.values())))
            self._losses |= {key: losses[:, k] for k, key in enumerate(new)}
        losses = np.array([self._losses[key] for key in keys]).swapaxes(0, 1)
        return np.where(groups, -losses, np.nan)

    def _losses_of(self, groups):
        """Return losses (n_splits, n_groups, T), means over the networks of a split."""
        losses = np.zeros((len(self.splits), len(self.alphas), *groups.shape))
        n_seeds = len(self.trainer.seeds)
        for number, (train, valid) in enumerate(self._sums):
            split, n_columns = number // n_seeds, train.moments.shape[1]
            unit = np.trace(train.products.sum(axis=0)) / n_columns
            for a, alpha in enumerate(self.alphas):
                changes = ridge(train, groups, alpha * unit)
                losses[split, a] += valid.losses(changes) / n_seeds
        # what suits a group on all splits but one; a single split has no other
        means = np.where(groups, losses / losses.mean(axis=(0, 1, 2)), 0).sum(axis=3)
        others = means.sum(axis=0) - means if len(means) > 1 else means
        best = others.argmin(axis=1)
        return np.take_along_axis(losses, best[:, None, :, None], axis=1)[:, 0]

    @cached_property
    def _sums(self):
        """Sums of training and validation rows, for each split and seed."""
        trainer, everything = self.trainer, np.ones(len(self.data.tasks), dtype=bool)
        estimator = clone(trainer.estimator)
        epochs = max(1, round(self.training * estimator.max_iter))
        estimator.set_params(max_iter=epochs, early_stopping=False, n_members=1, base=None)
        ways = [(*split, seed) for split in self.splits for seed in trainer.seeds]
        fits = [Fit(everything, seed, train, None, k) for k, (train, _, seed) in enumerate(ways)]
        models = replace(trainer, estimator=estimator, cache=None, show=False).trained(fits)
        sums = []
        for model, (train, valid, _) in zip(models, ways, strict=True):
            directions = random_directions(model.module_, self.n_components, self.seed)
            of_rows = [sums_of(model, self.data, rows, directions) for rows in (train, valid)]
            # gradients of training rows often span less than there are directions
            values, vectors = np.linalg.eigh(of_rows[0].products.sum(axis=0))
            basis = vectors[:, values > values[-1] * _SMALLEST]
            sums.append([part.rotated(basis) for part in of_rows])
        return sums


def _check(trainer):
    """Refuse estimators and scores whose losses no quadratic function of the parameters gives."""
    inner = getattr(trainer.estimator, "estimator", trainer.estimator)
    name = type(inner).__name__
    if not trainer.ours:
        why = f"need gradients, which only estimators of skmtl have, and {name} is none"
    elif trainer.scoring is not None:
        why = f"are of squared errors, and scoring={trainer.scoring!r} is another score"
    elif is_classifier(inner) or not hasattr(inner, "max_iter") or not hasattr(inner, "loss"):
        why = f"are of squared errors, and {name} does not minimise them"
    elif inner.loss != "squared_error":
        why = f"are of squared errors, and loss={inner.loss!r} is another loss"
    else:
        return
    raise _refused(why)


def _refused(why):
    return ValueError(f"linearised gains {why}. Use {WORKING}.")


def random_directions(module, n_components, seed):
    """Return directions in the space of the parameters, a list of arrays (r, ...).

    Coordinates, if there are at most `n_components` parameters; otherwise random signs.
    """
    shapes = [parameter.shape[1:] for parameter in module.parameters()]
    sizes = [shape.numel() for shape in shapes]
    total = sum(sizes)
    if total <= n_components:
        flat = np.eye(total)
    else:
        signs = np.random.RandomState(seed).randint(2, size=(n_components, total))
        flat = (2.0 * signs - 1) / np.sqrt(n_components)
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]


@in_own_state
def gradients(model, X, directions):
    """Return derivatives of predictions along directions: for each part of the targets (r, n, o).

    By differences, since every module can predict; torch.func cannot differentiate those with
    backward passes of their own. Networks with changed parameters are members of one module.
    """
    query, start, parts = model._query(X), frozen(model.module_), []
    scale = max(np.sqrt(np.mean(np.square(np.concatenate([d.ravel() for d in directions])))), 1e-12)
    for first in range(0, len(directions[0]), _DIRECTIONS):
        some = [torch.from_numpy(part[first : first + _DIRECTIONS]) for part in directions]
        module = start.part([0] * (2 * len(some[0])))
        for parameter, change in zip(module.parameters(), some, strict=True):
            step = (change * (_STEP / scale)).to(parameter.device)
            parameter.data += torch.cat([step, -step])
        both = model._predict_query(query, each_member=True, module=model._networks(module))
        for_part = []
        for values in both:
            ahead, behind = np.split(values, 2)
            for_part.append((ahead - behind) * (scale / (2 * _STEP)))
        parts.append(for_part)
    return [np.concatenate(of_part) for of_part in zip(*parts, strict=True)]


def sums_of(model, data, rows, directions):
    """Return the `Sums` of some rows of all tasks, in the units of the labels."""
    n_tasks = len(data.tasks)
    for task, part in zip(data.tasks, model._targets.parts, strict=False):
        if part.kind != "regression":
            raise _refused(f"are of squared errors, and {label_text(task)} has classes")
    X, y, weights = data.part(np.ones(n_tasks, dtype=bool), rows)
    X, labels, weights, _ = model._check_rows(X, y, weights, model._targets.transform)
    slopes, outputs, wide = gradients(model, X, directions), model._predict(X), weights.ndim == 2
    if not wide:
        codes = data.tasks.get_indexer(model.tasks_)[model._tables.validation_rows(X, model)[1]]
    parts = []
    for t in range(n_tasks):
        k, chosen = (t, weights[:, t] > 0) if wide else (0, codes == t)
        residual = labels[chosen, t : t + 1] if wide else labels[chosen]
        residual = residual - outputs[k][chosen]
        weight = weights[chosen, t] if wide else weights[chosen]
        # a row of several outputs is as many rows
        J = slopes[k][:, chosen].reshape(len(slopes[k]), -1)
        w, e = np.repeat(weight, residual.shape[1]), residual.reshape(-1)
        parts.append(((J * w) @ J.T, (J * w) @ e, w @ e**2, w.sum()))
    return Sums(*map(np.array, zip(*parts, strict=True)))


@in_own_state
def ridge(sums, groups, penalty):
    """Return the changes (n, r) of parameters that minimise the penalised loss of each group."""
    n_columns = sums.moments.shape[1]
    products = torch.from_numpy(sums.products.reshape(len(sums.products), -1))
    moments, changes = torch.from_numpy(sums.moments), []
    for some in torch.from_numpy(groups.astype(np.float64)).split(max(1, _NUMBERS // n_columns**2)):
        matrices = (some @ products).view(-1, n_columns, n_columns)
        matrices.diagonal(dim1=1, dim2=2).add_(penalty)
        factors = torch.linalg.cholesky(matrices)
        changes.append(torch.cholesky_solve((some @ moments).unsqueeze(2), factors)[:, :, 0])
    return torch.cat(changes).numpy()
