"""Importance of columns: how much shuffling each of them adds to the loss of held-out rows."""

from __future__ import annotations

import copy
from numbers import Integral

import numpy as np
from sklearn.metrics import check_scoring

from skmtl._data.rows import PredictionRows
from skmtl._estimators.explain import inputs_of
from skmtl._estimators.predictor import Predictor
from skmtl._estimators.reports import importance_table
from skmtl.training._device import own_state

# rows that each column is shuffled in, at least and at most, rows of all columns, and rows at once
_FEWEST, _MOST, _TOTAL, _AT_ONCE = 50, 2000, 40_000, 50_000
# minus the logarithm of a millionth
_LOSS_OF_IMPOSSIBLE = 14.0


def measure_importances(plan, module):
    """Return what shuffling each column of X adds to the validation loss, a mean over members.

    Features are shuffled within tasks; columns of metadata and ids between tasks. A batch holds the
    rows of many columns. Without validation rows of trained tasks the result is None.
    """
    estimator = plan.estimator
    if plan.valid is None or plan.new_metadata is not None or plan.holds_out_tasks:
        return None
    columns = _columns(plan.tables)
    at_most = int(np.clip(_TOTAL // max(len(columns), 1), _FEWEST, _MOST))
    result = np.zeros((len(plan.member_splits), estimator.n_features_in_))
    generator = np.random.default_rng(0)
    with own_state():
        for m, (_, valid) in enumerate(plan.member_splits):
            if len(valid) > at_most:
                rows = np.sort(generator.choice(len(valid), at_most, replace=False))
                valid = valid.take(rows)
            losses = _Shuffled(plan, valid, module.part([m]), generator).losses(columns)
            for position, loss in zip((column[0] for column in columns), losses[1:], strict=True):
                result[m, position] += loss - losses[0]
    return result.mean(axis=0)


def _columns(tables):
    """List columns of X: their position, the kind, and positions of inputs."""
    reader = tables.reader
    positions = dict(enumerate(reader.feature_positions))
    columns = [(positions[k], "feature", at) for k, at in inputs_of(tables.feature_encoder).items()]
    if reader.metadata_positions and tables.metadata_encoder is not None:
        positions = dict(enumerate(reader.metadata_positions))
        columns += [
            (positions[k], "metadata", at) for k, at in inputs_of(tables.metadata_encoder).items()
        ]
    columns += [(position, "task", None) for position in reader.task_positions]
    return columns


class _Shuffled:
    """Rows of one member with one column shuffled, for many columns at once."""

    def __init__(self, plan, valid, module, generator):
        self.plan, self.valid, self.generator = plan, valid, generator
        self.predictor = Predictor(module, None)
        self.features = plan.tables.scale(valid.features)
        self.metadata = plan.tables.scaled_metadata()
        self.n_tasks = len(plan.tables.tasks)

    def losses(self, columns):
        """Return the mean losses without a change, then with each column shuffled."""
        at_once = max(1, _AT_ONCE // max(len(self.valid), 1))
        changes, losses = [None, *columns], []
        for start in range(0, len(changes), at_once):
            losses += self._of_changes(changes[start : start + at_once])
        return losses

    def _of_changes(self, changes):
        copies = [self._changed(change) for change in changes]
        features = np.concatenate([copy[0] for copy in copies])
        metadata = self.metadata
        if self.valid.shared_rows:
            query = PredictionRows(features, None, np.arange(self.n_tasks), metadata)
        else:
            networks = np.concatenate(
                [self.valid.tasks + k * self.n_tasks for k in range(len(copies))]
            )
            if metadata is not None:
                metadata = np.concatenate([copy[2] for copy in copies])
            tasks = np.concatenate([copy[1] for copy in copies])
            query = PredictionRows(features, networks, tasks, metadata)
            query = query.take(np.arange(len(features)))
        n_rows, totals = len(self.valid), np.zeros((2, len(changes)))
        for k, rows, values in self.predictor.predict(query, self.plan.targets):
            numbers = np.arange(len(features))[rows]
            row, copy = numbers % n_rows, numbers // n_rows
            labels, weights = self.valid.targets[row], self.valid.weights[row]
            if self.valid.shared_rows:
                labels, weights = labels[:, k : k + 1], weights[:, k]
            known = np.flatnonzero(weights > 0)
            loss = self.plan.targets.parts[k].losses(values[:, known], labels[known])[0]
            # a class that a shuffled task does not have is impossible
            loss = np.where(np.isposinf(loss), _LOSS_OF_IMPOSSIBLE, loss)
            for total, value in zip(totals, (weights[known] * loss, weights[known]), strict=True):
                total += np.bincount(copy[known], value, minlength=len(changes))
        return list(totals[0] / np.maximum(totals[1], 1e-300))

    def _changed(self, change):
        """Return features, tasks and metadata of the rows' networks with one column shuffled."""
        features, tasks, metadata = self.features, np.arange(self.n_tasks), self.metadata
        if change is None:
            return features, tasks, metadata
        _, kind, at = change
        if kind == "feature":
            features = features.copy()
            features[:, at] = features[self._within_tasks()][:, at]
        elif kind == "metadata":
            metadata = metadata.copy()
            metadata[:, at] = metadata[self.generator.permutation(self.n_tasks)][:, at]
        else:
            tasks = self.generator.permutation(self.n_tasks)
        return features, tasks, metadata

    def _within_tasks(self):
        """Return an order of the rows that shuffles those of each task."""
        draw = self.generator.random(len(self.valid))
        if self.valid.shared_rows:
            return np.argsort(draw)
        order = np.empty(len(draw), dtype=np.int64)
        order[np.argsort(self.valid.tasks, kind="stable")] = np.lexsort((draw, self.valid.tasks))
        return order


def relative_importances(increases, id_positions):
    """Return importances of the columns of X, none below zero.

    An id of tasks comes before all other columns, since no model can do without it.
    """
    importances = np.maximum(increases, 0.0)
    if len(id_positions):
        largest = np.nextafter(importances.max(), np.inf)
        importances[id_positions] = np.maximum(importances[id_positions], largest)
    return importances


def metadata_importance(estimator, X, y, scoring, n_repeats, sample_weight, generator):
    """Return the table of the method of this name of a fitted estimator."""
    if not estimator._tables.metadata_names:
        raise ValueError(
            "there is no metadata to shuffle: this model was fitted with metadata=None."
        )
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be an int of at least 1, got {n_repeats!r}.")
    scorer = check_scoring(estimator, scoring=scoring)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    shuffled = copy.copy(estimator)
    before = scorer(estimator, X, y, **weights)
    decreases = []
    for column in range(len(estimator._tables.metadata_names)):
        scores = []
        for _ in range(n_repeats):
            changed, shuffled.metadata = estimator._tables.permuted(X, estimator, column, generator)
            scores.append(before - scorer(shuffled, changed, y, **weights))
        decreases.append((np.mean(scores), np.std(scores)))
    by_level = bool(estimator._tables.level_sizes)
    return importance_table(decreases, estimator._tables.metadata_names, by_level)
