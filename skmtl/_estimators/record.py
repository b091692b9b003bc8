"""What training has recorded, as attributes of a fitted estimator.

Tables are made when they are asked for where that is cheaper: epochs times tasks are many numbers.
"""

import copy

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.reports import affinity_table, choices_table, history_table, weights_table
from skmtl.training import ProgressBar
from skmtl.weighting import get_weighting
from skmtl.weighting._base import select
from skmtl.weighting._it_mtl import increased_transfer


class RecordedMixin:
    """History of losses, weights of tasks, affinity, and the choices of IT-MTL."""

    def _keep_records(self, job, net, members=None):
        """Keep what the net has recorded of a job.

        Parameters
        ----------
        job : Job
        net : MemberNet
            That has trained it.
        members : slice, optional
            The members of the job, if the net has trained others too.
        """
        tasks = job.tables.tasks
        records, weights, affinity = net.records_, net.task_weights_, net.affinity_
        choices, state = net.choices_, net.weighting_state_
        if members is not None:
            own = _among(members, records)
            weights = None if weights is None else weights[own]
            records = _part(records, own, members)
            affinity = None if affinity is None else affinity[:, members]
            if choices is not None:
                choices = _part(choices, _among(members, choices), members)
            state = select(state, list(range(members.start, members.stop)), len(tasks))
        method = get_weighting(self.task_weighting)
        self._weighting_state = state, repr(method), len(tasks)
        self._task_weights = self._affinity = self._choices = None
        if weights is not None:
            self._task_weights = weights_table(records, weights, tasks)
        if affinity is not None:
            self._affinity = affinity_table(affinity, tasks)
        if choices is not None:
            names = increased_transfer(method).names(tasks, net.weighting_.n_tasks)
            self._choices = choices_table(choices, names)
        observed = net.history if len(net.seeds) == 1 else None
        self.history_ = history_table(records, observed)
        self.n_iter_ = int(self.history_["epoch"].max())
        self.callbacks_ = [
            callback for _, callback in net.callbacks_ if not isinstance(callback, ProgressBar)
        ]

    def _resumed_weighting(self, n_tasks):
        """What task weighting remembers of the previous fit, if that was weighted in the same way.

        Tasks that `adapt` has learned since are not in it, and start afresh with all others.
        """
        state, method, known = self._weighting_state
        same = method == repr(get_weighting(self.task_weighting)) and known == n_tasks
        return copy.deepcopy(state) if same else None

    @property
    def task_weights_(self):
        """Mean weight of every task in each epoch of each member."""
        check_is_fitted(self, "module_")
        if self._task_weights is None:
            _, _, n_tasks = self._weighting_state
            return weights_table(self.history_, 1.0, self.tasks_[:n_tasks])
        return self._task_weights.copy()

    @property
    def affinity_history_(self):
        """Affinity in every epoch of every member, one row for each task that steps."""
        check_is_fitted(self, "module_")
        if self._affinity is None:
            raise AttributeError("affinity is recorded with record_affinity=True only.")
        return self._affinity.copy()

    @property
    def affinity_(self):
        """Affinity over the whole training: mean over epochs, then over members."""
        history = self.affinity_history_
        by_member = history.groupby(level=["member", "task"], sort=False).mean()
        return by_member.groupby(level="task", sort=False).mean().loc[history.columns]

    @property
    def candidate_transferences_(self):
        """Total transference of each of IT-MTL's candidates, one row per member, epoch and step."""
        check_is_fitted(self, "module_")
        if self._choices is None:
            raise AttributeError("candidates are recorded with task_weighting=ITMTL(...) only.")
        return self._choices[0].copy()

    @property
    def candidate_choices_(self):
        """IT-MTL's choice in each step of each member, and its total transference."""
        table = self.candidate_transferences_
        choice = self._choices[1]
        value = table.to_numpy()[np.arange(len(table)), choice.codes]
        return pd.DataFrame({"candidate": choice, "transference": value}, index=table.index)


def _among(members, records):
    """Which rows of records are of some members."""
    return (records["member"] >= members.start) & (records["member"] < members.stop)


def _part(records, rows, members):
    """Some rows of records, members numbered from 0."""
    records = {name: values[rows] for name, values in records.items()}
    return {**records, "member": records["member"] - members.start}
