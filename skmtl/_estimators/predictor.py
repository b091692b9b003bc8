"""What predicts: trained networks, and the base learners that they are blended with."""

import numpy as np

from skmtl._estimators.base_learner import BaseRows, base_inputs
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
        parts, bases = targets.parts, None
        if self.blend is not None:
            features = base_inputs(query.features, query.metadata, query.networks)
            tasks = None if query.shared_rows else query.tasks[query.networks]
            bases = self.blend.predict(BaseRows(features, tasks))

        def blended(k, rows, outputs, allowed=None):
            values = parts[k].members(outputs, allowed)
            if bases is None or bases[k] is None:
                return k, rows, values
            return k, rows, parts[k].blended(values, bases[k][rows], self.blend.weights[k])

        rows_to_predict = query.features, query.tasks, query.metadata
        if query.shared_rows:
            for rows, outputs in predict_every_task(self.module, *rows_to_predict):
                for k in range(len(parts)):
                    yield blended(k, rows, outputs[:, k])
            return
        allowed = targets.allowed_classes(query.tasks)
        for rows, outputs in predict_rows(self.module, query.networks, *rows_to_predict):
            yield blended(
                0, rows, outputs, None if allowed is None else allowed[query.networks[rows]]
            )


def predict_parts(targets, query, main, new=None, each_member=False):
    """Predict `PredictionRows`, tasks that were never seen by `new` if there is one.

    Returns a list of arrays ([M,] n, ...) for the parts of the targets; with `each_member`, members
    are kept apart. Of `new`, whose members are more, every M-th has a common mean.
    """
    n_rows, results = len(query.features), [None] * len(targets.parts)
    n_members = main.module.n_members

    def put(k, rows, values):
        if each_member:
            if len(values) > n_members:
                groups = [values[m::n_members] for m in range(n_members)]
                values = np.stack([targets.parts[k].mean(group) for group in groups])
        else:
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
            taken = query if mask.all() else query.take(chosen)
            for k, rows, values in predictor.predict(taken, targets):
                put(k, chosen[rows], values)
    return results
