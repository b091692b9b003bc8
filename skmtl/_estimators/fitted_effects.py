"""The networks of a fitted estimator as a mixed model: what its reports evaluate."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._data.messages import label_text
from skmtl._estimators.fit_sums import can_report
from skmtl._estimators.level_effects import can_report_levels
from skmtl._estimators.random_effects import RandomEffects, values_of
from skmtl.training import evaluate_rows
from skmtl.training._device import in_own_state

# random effects by the sums that they are estimated from: all reports of a model have the same
_ESTIMATES = WeakKeyDictionary()
_NOTHING_KEPT = (
    "this model has kept nothing for reports: it is from an earlier version of skmtl, from a fold "
    "of a search, or adapt has changed known tasks since fit. Call fit again."
)


class FittedEffects:
    """Random effects of every member, and the networks that they belong to.

    Predictions are of the networks alone, without a base learner, in the units of y. `trained` (T,)
    marks the tasks of ``fit``; those of ``adapt`` have effects, too, but take no part in estimates.
    """

    def __init__(self, estimator):
        check_is_fitted(estimator, "module_")
        self.sums = _sums_of(estimator)
        module, tables = estimator.module_, estimator._tables
        self.module, self.tables = module, tables
        self.size = float(estimator._targets.parts[0].size[0])
        self.shift = float(estimator._targets.parts[0].shift[0])
        self.metadata = tables.scaled_metadata()
        self.trained = module.trained.all(0).cpu().numpy()
        counts = np.max([sums.counts for sums in self.sums.members], axis=0)
        if not (counts[self.trained] > 1).any():
            raise ValueError(
                "every task was fitted with one row, so that nothing says what goes with the task "
                "and what is noise; reports of tasks need several rows of some tasks."
            )
        embeddings = module.embeddings.detach().cpu().double().numpy()
        if self.sums not in _ESTIMATES:
            _ESTIMATES[self.sums] = [
                RandomEffects.of(sums, own, self.trained, self.metadata)
                for sums, own in zip(self.sums.members, embeddings, strict=True)
            ]
        self.members = _ESTIMATES[self.sums]

    @property
    def mean_metadata(self):
        """Mean scaled metadata (d_m,) of the tasks of fit, or None."""
        return None if self.metadata is None else self.metadata[self.trained].mean(axis=0)

    def mean_states(self):
        """Return the mean state of the tasks of fit, for each member."""
        return [own.expected[self.trained].mean(axis=0) for own in self.members]

    @in_own_state
    def evaluate(self, features, states, metadata=None):
        """Return predictions (M, n) and derivatives along the basis of each member, (n, r).

        Row i of `features` (n, d) has row i of the states of each member and of `metadata` (n,
        d_m). Networks are expanded to first order, as the estimates of states take them to be.
        """
        d_e = self.module.embeddings.shape[2]
        centres = np.stack([own[:, -d_e:] for own in states])
        outputs, slopes = evaluate_rows(self.module, features, centres, metadata)
        along = []
        for m, own in enumerate(self.members):
            gradient = np.hstack([slopes[m], values_of(self.sums.members[m].terms, features)])
            away = states[m][:, :-d_e].copy()
            away[:, :d_e] -= centres[m]
            outputs[m] += (gradient * away).sum(axis=1)
            along.append(self.size * gradient @ own.basis)
        return outputs * self.size + self.shift, along

    def of_tasks(self, features, tasks, name="states"):
        """Evaluate each row of `features` (k, d) with the network of each task, by number (t,).

        `name` is that of states of `RandomEffects`. Returns predictions (M, t, k) and derivatives
        of each member, (t, k, r).
        """
        n_rows = len(features)
        numbers = np.repeat(tasks, n_rows)
        states = [getattr(own, name)[numbers] for own in self.members]
        metadata = None if self.metadata is None else self.metadata[numbers]
        outputs, along = self.evaluate(np.tile(features, (len(tasks), 1)), states, metadata)
        shape = len(tasks), n_rows
        return outputs.reshape(-1, *shape), [own.reshape(*shape, -1) for own in along]


def _sums_of(estimator):
    """Return what the fit kept for reports, or raise an error that says why there is nothing."""
    if estimator.task_levels != "joint":
        raise ValueError(
            "effects of tasks are for one level of ids, and task_levels="
            f"{estimator.task_levels!r} has several; variance_shares has the variances of each, "
            "and task_embeddings_ what was learned of its ids."
        )
    if estimator._sums is not None:
        return estimator._sums
    if estimator.task_id is None:
        raise ValueError(
            "reports of tasks need several tasks in long form: name the column that says which "
            "task a row belongs to, task_id='...'."
        )
    if not can_report(estimator, estimator._targets):
        raise _of_other_labels(estimator)
    if not estimator.module_.embeddings.shape[2] or len(estimator._tables.tasks) < 2:
        raise ValueError(
            "reports of tasks are about what distinguishes tasks beyond their metadata: they need "
            "embedding_dim above 0, and at least two tasks."
        )
    raise ValueError(_NOTHING_KEPT)


def level_sums_of(estimator):
    """Return what a fit with several levels kept for reports, or raise an error."""
    if estimator._sums is not None:
        return estimator._sums
    if not can_report_levels(estimator, estimator._targets):
        raise _of_other_labels(estimator)
    if not all(table.shape[2] for table in estimator.module_.tables()):
        raise ValueError(
            "reports of levels are about what distinguishes ids beyond their metadata: every level "
            "needs an embedding_dim above 0."
        )
    raise ValueError(_NOTHING_KEPT)


def _of_other_labels(estimator):
    return ValueError(
        "reports of tasks are for one number per row with loss='squared_error', as in a linear "
        f"mixed model; this model has loss={estimator.loss!r} and "
        f"{estimator._targets.n_outputs} output(s)."
    )


def task_number(estimator, task, name="task"):
    """Return the number of a task, by its label."""
    if isinstance(task, (list, np.ndarray, pd.Index, pd.Series)):
        raise ValueError(
            f"{name} must be one id of a task, not {len(task)}; explain_task(a, other=b) compares "
            "two."
        )
    number = estimator._tables.tasks.get_indexer([task])[0]
    if number < 0:
        raise ValueError(
            f"{name}={label_text(task)} is not among the tasks that this model has learned, see "
            "tasks_."
        )
    return int(number)
