"""Blends of networks and base learners: shares are chosen by rows that neither was trained on."""

from __future__ import annotations

import joblib
import numpy as np
from scipy.optimize import minimize_scalar

from skmtl._data.rows import PredictionRows
from skmtl._estimators.base_learner import BaseRows, FittedBase, PartBase, base_inputs
from skmtl._estimators.predictor import Predictor
from skmtl._persistence import saveable

# share of a base where no row validates
_NOT_VALIDATED = 0.5


def _rows_of(plan, rows):
    """Return what a base learner sees of rows, by part of the targets."""
    metadata = plan.tables.scaled_metadata(plan.new_metadata)
    inputs = base_inputs(plan.tables.scale(rows.features), metadata, rows.tasks)
    if not rows.shared_rows:
        sees_task = plan.estimator.base_sees_task and not plan.holds_out_tasks
        tasks = plan.tables.ids_of(rows.tasks) if sees_task else None
        return [BaseRows(inputs, tasks, rows.targets, rows.weights)]
    columns = zip(rows.targets.T, rows.weights.T, strict=True)
    return [BaseRows(inputs, None, y[:, None], weights) for y, weights in columns]


def fit_blend(plan, held_out):
    """Return the `Blend` of a plan, or None without a base.

    `held_out` is what the members predict for their validation rows, see `held_out_predictions`.
    """
    base = plan.base
    if base is None:
        return None
    key = plan.holds_out_tasks, joblib.hash((base, plan.estimator.base_sees_task))
    if key not in plan.shared:
        pairs = [pair for pair in plan.splits if pair[1] is not None]
        splits = [tuple(_rows_of(plan, rows) for rows in pair) for pair in pairs]
        rows = _rows_of(plan, plan.train if plan.refit is None else plan.refit)
        plan.shared[key] = BaseFits(plan.targets.parts, base, splits, rows)
    return plan.shared[key].blend(held_out)


def held_out_predictions(plan, module):
    """Return what each member of a module predicts for its validation rows, by part."""
    metadata = plan.tables.scaled_metadata(plan.new_metadata)
    tasks = plan.tables.ids_of(np.arange(plan.tables.n_tasks))
    if plan.holds_out_tasks:
        tasks[:] = -1
    elif plan.new_metadata is not None:
        tasks = np.append(tasks, [-1] * len(plan.new_metadata))
    results = []
    for m, (_, valid) in enumerate(plan.member_splits):
        of_member = Predictor(module.part(slice(m, m + 1)), None)
        query = PredictionRows(plan.tables.scale(valid.features), valid.tasks, tasks, metadata)
        found = [[] for _ in plan.targets.parts]
        for k, rows, values in of_member.predict(query, plan.targets):
            found[k].append((np.arange(len(valid))[rows], values[0]))
        results.append(
            [_in_order(chunks)[rows] for chunks, rows in zip(found, _labelled(valid), strict=True)]
        )
    return results


def _in_order(chunks):
    """Join pairs of row numbers and values, in the order of the rows."""
    rows, values = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return values[np.argsort(rows)]


def _labelled(rows):
    """Return masks of the rows that have a label, by part of the targets."""
    return rows.weights.T > 0 if rows.shared_rows else [rows.weights > 0]


@saveable
class Blend:
    """Weighs the predictions of networks and of base learners, part by part of the targets.

    `bases` have a `FittedBase` for each part, None where there is nothing to learn or to gain;
    `weights` are their shares, between 0 and 1, in the predictions.
    """

    def __init__(self, bases: list[FittedBase | None], weights: np.ndarray) -> None:
        self.bases, self.weights = bases, weights

    def predict(self, rows: BaseRows) -> list[np.ndarray | None]:
        """Return what the bases predict, by part; None where they do not count."""
        return [None if base is None else base.predict(rows) for base in self.bases]


class BaseFits:
    """Base learners fitted to the rows of a plan; all candidates of a search share them.

    `splits` are pairs of training and validation `BaseRows` by part, one pair for all members or
    one for each;
    `rows` are those that the final base learns from, by part.
    """

    def __init__(self, parts, base, splits, rows):
        self.parts, self.rows = parts, rows
        self.learners = [_learner(part, base) for part in parts]
        self.held_out = [[] for _ in parts]
        for k, learner in enumerate(self.learners):
            for m, (train, valid) in enumerate(splits if learner is not None else ()):
                valid_rows = valid[k].labelled()
                fitted = learner.fit(train[k].labelled(), valid_rows if m == 0 else None)
                self.held_out[k].append((fitted.predict(valid_rows), valid_rows))
        self._final = {}

    def blend(self, outputs):
        """Weigh the bases against what the networks predict for validation rows.

        `outputs` are by member and part, for the rows of the part that have a label.
        """
        bases, weights = [], []
        for k, (part, learner) in enumerate(zip(self.parts, self.learners, strict=True)):
            weight = 0.0
            if learner is not None:
                networks = [by_part[k] for by_part in outputs if by_part is not None]
                held_out = self.held_out[k]
                if len(held_out) == 1:
                    held_out = held_out * len(networks)
                weight = _best_weight(part, networks, held_out)
            if weight > 0 and k not in self._final:
                self._final[k] = learner.fit(self.rows[k].labelled())
            bases.append(self._final[k] if weight > 0 else None)
            weights.append(weight)
        return Blend(bases, np.array(weights))


def _learner(part, base):
    """Return the unfitted base of a part; None if it has one class only."""
    if part.classes is not None and len(part.classes) < 2:
        return None
    return PartBase(part, base)


def _best_weight(part, networks, held_out):
    """Return the share of the base, in [0, 1], with the smallest loss on held-out rows."""
    if not sum(len(rows.labels) for _, rows in held_out):
        return _NOT_VALIDATED
    network, base = np.concatenate(networks), np.concatenate([found for found, _ in held_out])
    labels = np.concatenate([rows.labels for _, rows in held_out])
    weights = np.concatenate([rows.weights for _, rows in held_out])

    def loss(weight):
        blended = part.blended(network[None], base, weight)
        return float(np.average(part.losses(blended, labels)[0], weights=weights))

    inside = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-3}).x
    return float(min((0.0, 1.0, inside), key=loss))
