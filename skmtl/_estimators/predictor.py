"""What predicts: trained networks, and the base learners that they are blended with."""

import numpy as np

from skmtl._estimators.base_learner import BaseRows
from skmtl._persistence import saveable
from skmtl.training import predict_every_task, predict_rows


@saveable
class Predictor:
    """Trained networks, the blend with their base learners or None, and perhaps their history."""

    def __init__(self, module, blend, history=None):
        self.module, self.blend, self.history = module, blend, history

    def predict(self, query, targets):
        """Yield the number of a part of the targets, row numbers, and predictions of members.

        Predictions (M, k, ...) of `PredictionRows` are as of `ColumnTarget.members`.
        """
        parts = targets.parts
        bases, weights = [None] * len(parts), None
        if self.blend is not None:
            bases, weights = self.blend.predict(_base_rows(query)), self.blend.weights
        rows_to_predict = query.features, query.tasks, query.metadata
        if query.shared_rows:
            for rows, outputs in predict_every_task(self.module, *rows_to_predict):
                for k, part in enumerate(parts):
                    values = part.members(outputs[:, k])
                    if bases[k] is not None:
                        values = part.blended(values, bases[k][rows], weights[k])
                    yield k, rows, values
            return
        (part,), allowed = parts, targets.allowed_classes(query.tasks)
        for rows, outputs in predict_rows(self.module, query.networks, *rows_to_predict):
            possible = None if allowed is None else allowed[query.networks[rows]]
            values = part.members(outputs, possible)
            if bases[0] is not None:
                values = part.blended(values, bases[0][rows], weights[0])
            yield 0, rows, values


def predict_parts(targets, query, main, new=None, each_member=False):
    """Predict `PredictionRows`, tasks that were never seen by `new` if there is one.

    Returns a list of arrays ([M,] n, ...) for the parts of the targets; with `each_member`, members
    are kept apart.
    """
    n_rows, results = len(query.features), [None] * len(targets.parts)

    def put(k, rows, values):
        if not each_member:
            values = targets.parts[k].mean(values)
        if results[k] is None:
            results[k] = np.empty((*values.shape[:-2], n_rows, values.shape[-1]))
        results[k][..., rows, :] = values

    if query.shared_rows or new is None:
        for k, rows, values in main.predict(query, targets):
            put(k, rows, values)
        return results
    unseen = query.tasks[query.networks] < 0
    for predictor, mask in ((main, ~unseen), (new, unseen)):
        if mask.any():
            chosen = np.flatnonzero(mask)
            for k, rows, values in predictor.predict(query.take(chosen), targets):
                put(k, chosen[rows], values)
    return results


def _base_rows(query):
    """Return what base learners see of `PredictionRows`."""
    if query.shared_rows:
        return BaseRows(query.features, None)
    inputs = query.features
    if query.metadata is not None:
        inputs = np.hstack([inputs, query.metadata[query.networks]])
    return BaseRows(inputs, query.tasks[query.networks])
