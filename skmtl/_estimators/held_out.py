"""Out-of-sample predictions of the training rows: by members that hold out rows, or whole tasks.

They train in one stack, for the epochs and with the settings that the fit has chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from skmtl._data.rows import TrainingRows
from skmtl._estimators.blend import base_predictions, held_out_predictions
from skmtl._estimators.new_tasks import n_seeds
from skmtl._estimators.run import train_epochs
from skmtl.nn import member_generators
from skmtl.training._device import own_state

# folds of tables with less labels: of small ones a tenth matters, of large ones a fold takes long
_FOLDS = {500: 20, 2000: 10, np.inf: 5}


@dataclass
class HeldOut:
    """Out-of-sample predictions of one part of the targets.

    `labels` (n, o) are encoded, `predicted` as of `ColumnTarget.members` without their axis, and
    `tasks` (n,) numbers; a weight of 2 in `weights` (n,) is the same as the row twice. `rows` (n,)
    are numbers in the table.
    """

    tasks: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    weights: np.ndarray
    rows: np.ndarray


class Folds:
    """Members that hold out a fold each of the rows of a plan, and train as its members did.

    `like` is the plan whose settings they have, of which `result` has been trained, `blend` its
    base learners and their shares or None; `folds` (n,) number the rows' folds.
    """

    def __init__(self, like, result, blend, folds, seeds, *, new):
        rows = like.interval_rows
        self.like, self.blend, self.new = like, blend, new
        numbers = np.unique(folds[folds >= 0])
        self.rows = [np.flatnonzero(folds == k) for k in numbers]
        self.pairs = [
            (rows.take(np.flatnonzero(folds != k)), rows.take(held_out))
            for k, held_out in zip(numbers, self.rows, strict=True)
        ]
        seeds = seeds[: len(numbers)]
        of_member = np.arange(len(seeds)) % result.n_members
        self.best_epochs = result.best_epoch[of_member].clamp(min=1)
        chosen = {
            name: [value[m] for m in of_member] if isinstance(value, list) else value
            for name, value in (like.chosen or {}).items()
        }
        self.plan = replace(
            like,
            splits=[(train, None) for train, _ in self.pairs],
            seeds=seeds,
            refit=None,
            new_metadata=None,
            new_tasks=None,
            holds_out_tasks=new,
            chosen=chosen,
        )

    def predictions(self, result):
        """Return a list of `HeldOut`, one for each part of the targets, of a `TrainingResult`."""
        like, rows = self.like, self.like.interval_rows
        parts, n_tasks = like.targets.parts, len(like.tables.tasks)
        networks = like.estimator._networks(result.part(range(result.n_members), n_tasks).module)
        outputs = held_out_predictions(replace(self.plan, splits=self.pairs), networks)
        bases = base_predictions(like, self.blend, self.pairs)
        chunks = [[] for _ in parts]
        for k, (train, held_out) in enumerate(self.pairs):
            if k in result.diverged:
                continue
            for p, part in enumerate(parts):
                labelled = np.flatnonzero(_weights(held_out, p))
                if not len(labelled):
                    continue
                values = outputs[k][p][None]
                if bases[k][p] is not None:
                    values = part.blended(values, bases[k][p], self.blend.weights[p])
                values, numbers = values[0], self.rows[k][labelled]
                if not (rows.shared_rows or self.new):
                    # of a task without other rows nothing was known
                    kept = np.isin(rows.tasks[numbers], train.tasks)
                    values, numbers = values[kept], numbers[kept]
                chunks[p].append((numbers, values))
        return [_of_part(rows, p, of_part) for p, of_part in enumerate(chunks)]


def _weights(rows, part):
    return rows.weights[:, part] if rows.shared_rows else rows.weights


def _of_part(rows, part, chunks):
    """Return a `HeldOut` of pairs of row numbers and predictions."""
    if not chunks:
        chunks = [(np.zeros(0, dtype=int), np.zeros((0, 1)))]
    numbers, predicted = (np.concatenate(values) for values in zip(*chunks, strict=True))
    weights = _weights(rows, part)
    # together as many as the rows of the caller
    scale = rows.copies[weights > 0].sum() / max(weights.sum(), 1e-300)
    tasks = np.full(len(numbers), part) if rows.shared_rows else rows.tasks[numbers]
    labels = rows.targets[numbers]
    labels = labels[:, part : part + 1] if rows.shared_rows else labels
    return HeldOut(tasks, labels, predicted, weights[numbers] * scale, numbers)


def labelled_part(rows, part, chosen, predicted):
    """Return a `HeldOut` of those of the `chosen` rows that have a label of a part.

    `predicted` (n, ...) are predictions of the part for all `rows`.
    """
    numbers = np.arange(len(rows))[chosen]
    numbers = numbers[_weights(rows, part)[numbers] > 0]
    return _of_part(rows, part, [(numbers, predicted[numbers])])


def hold_out(plan, results, blends, *, known, new):
    """Train members that hold out rows and tasks; return what they predict.

    `results` and `blends` are of the plan, and of that for new tasks if there is one. Returns lists
    of `HeldOut` by part for known and for new tasks, None where they are not wanted.
    """
    estimator, rows = plan.estimator, plan.interval_rows
    n_folds = next(folds for most, folds in _FOLDS.items() if rows.n_labels < most)
    # members of the fit have the first ones
    n_before = n_seeds(estimator)
    seeds = estimator._member_seeds(n_before + 2 * n_folds)[n_before:]
    generators = member_generators(seeds[:2], "intervals")
    wanted = []
    if known:
        if rows.late is None:
            folds = row_folds(rows, n_folds, generators[0])
        else:
            # the future is not held out to predict the past
            folds = np.where(rows.late, 0, -1)
        wanted.append(Folds(plan, results[0], blends[0], folds, seeds[:n_folds], new=False))
    if new:
        folds = task_folds(rows, n_folds, generators[1])
        like = plan if plan.new_tasks is None else plan.new_tasks
        of_like = results[-1], blends[-1]
        wanted.append(Folds(like, *of_like, folds, seeds[n_folds:], new=True))
    epochs = torch.cat([folds.best_epochs for folds in wanted])
    result, first, predictions = train_epochs([f.plan for f in wanted], plan, epochs), 0, []
    for folds in wanted:
        members = range(first, first + len(folds.plan.seeds))
        with own_state():
            predictions.append(folds.predictions(result.part(members, result.n_tasks)))
        first = members.stop
    return (predictions[0] if known else None), (predictions[-1] if new else None)


def row_folds(rows: TrainingRows, n_folds, generator):
    """Draw a fold for each row, so that every task has about as many rows in each."""
    draw = torch.rand(len(rows), generator=generator, dtype=torch.float64).numpy()
    order = np.argsort(draw) if rows.shared_rows else np.lexsort((draw, rows.tasks))
    folds = np.empty(len(rows), dtype=np.int64)
    folds[order] = np.arange(len(rows)) % n_folds
    return folds


def task_folds(rows: TrainingRows, n_folds, generator):
    """Draw a fold for each task; return that of each row."""
    tasks, numbers = np.unique(rows.tasks, return_inverse=True)
    draw = torch.rand(len(tasks), generator=generator, dtype=torch.float64).numpy()
    folds = np.empty(len(tasks), dtype=np.int64)
    folds[np.argsort(draw)] = np.arange(len(tasks)) % n_folds
    return folds[numbers]
