"""Learning new tasks from a few rows: their embeddings are trained, everything else is frozen."""

import torch
from sklearn.utils.validation import check_is_fitted

from skmtl._data.rows import TrainingRows
from skmtl._estimators.fit_sums import sums_of_new_tasks
from skmtl._estimators.interval_fits import rows_by_task
from skmtl._estimators.plan import FitPlan
from skmtl._estimators.run import train
from skmtl.training import PlainSteps
from skmtl.training._device import in_own_state

# of Adam, at most: a handful of numbers per task is learned by then
_MAX_STEPS = 2000


@in_own_state
def adapt(estimator, X, y, sample_weight=None):
    """Add the tasks of X to a fitted estimator, which is changed, see its method `adapt`."""
    check_is_fitted(estimator, "module_")
    module = estimator.module_
    if estimator.task_id is None or not module.embeddings.shape[2]:
        raise ValueError(
            "adapt learns embeddings of new tasks: it needs task_id and an embedding_dim above 0."
        )
    if not (module.trained.sum(1) > 1).all():
        raise ValueError(
            "adapt learns how new tasks differ from how those of fit do, but fit saw one task "
            "only; call fit with the rows of several tasks."
        )
    X, *labels = estimator._check_rows(X, y, sample_weight, estimator._targets.transform)
    new, features, tasks = estimator._tables.for_new_tasks(X, estimator)
    rows = TrainingRows(features, tasks, *labels).canonical()
    targets = estimator._targets.for_new_tasks(rows, len(new.tasks))
    seeds = estimator._member_seeds(module.n_members)
    extended = module.for_new_tasks(len(new.tasks), _noise(estimator))
    plan = FitPlan(estimator, new, targets, [(rows, None)], seeds)
    plan.chosen = estimator._chosen
    result = train(
        [plan],
        extended,
        steps=PlainSteps(),
        max_steps=_MAX_STEPS,
        with_callbacks=False,
        record_affinity=False,
    )
    if estimator._sums is not None:
        sums = sums_of_new_tasks(estimator._sums, new, targets, rows, result.module)
        estimator._sums = sums
    tables, targets = estimator._tables.joined(new), estimator._targets.joined(targets)
    module.add_tasks(result.module)
    estimator._tables, estimator._targets = tables, targets
    if estimator._intervals is not None:
        sizes = rows_by_task(rows, len(new.tasks))
        estimator._intervals = estimator._intervals.add_tasks(sizes)
    return estimator


def _noise(estimator):
    """Return the strength of the pull on a new embedding, per member, from the remaining loss."""
    losses = estimator.history_.groupby("member")
    left = losses["valid_loss"].min().fillna(losses["train_loss"].last())
    left = torch.as_tensor(left.to_numpy(copy=True), dtype=torch.get_default_dtype())
    return estimator._targets.parts[0].noise(left)
