"""Callbacks that observe training: passed to the parameter ``callbacks`` of an estimator.

Those of skorch may be passed, too, if they only observe.
"""

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback

from skmtl.nn._slots import sum_by

__all__ = ["TaskLossRecorder"]


class TaskLossRecorder(Callback):
    """Records the loss of every task, epoch by epoch.

    On validation rows, where there are any, else on training rows. The losses are those of
    ``history_`` before they are averaged over rows: in units of the loss, of targets of unit
    variance.

    Attributes
    ----------
    table_ : DataFrame
        One row for each member and epoch, one column for each task, numbered in the order of
        ``tasks_``; NaN for a task without rows there.

    See Also
    --------
    skmtl.display.LearningCurvesDisplay : Draws them with ``by_task=True``.

    Notes
    -----
    An estimator copies its callbacks, and has the copies, which know what was seen, in
    ``callbacks_``.

    References
    ----------
    .. [1] skorch, "Callbacks", https://skorch.readthedocs.io/en/stable/user/callbacks.html.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.callbacks import TaskLossRecorder
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=3, n_rows=20, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id="task", max_iter=5, callbacks=[TaskLossRecorder()], random_state=0
    ... )
    >>> model = model.fit(cubic.data[["x", "task"]], cubic.target)
    >>> model.callbacks_[0].table_.shape
    (5, 3)
    """

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Begin to record.

        Parameters
        ----------
        net : NeuralNet
            That trains.
        X : tuple
            Batches of training and validation rows.
        y : None
            Not used.
        **kwargs : dict
            Not used.
        """
        if not net.steps_.one_prediction:
            raise TypeError(
                "TaskLossRecorder records one loss of every task, but a ParetoHypernet has one "
                "for every preference; see its pareto_front."
            )
        train, valid = X
        self.n_tasks_ = train.table.n_tasks
        self.validates_ = valid is not None
        self.index_, self.rows_ = [], []
        self._clear()

    def _clear(self):
        self._sums = self._weights = 0

    def on_batch_end(self, net, batch=None, training=None, y_pred=None, **kwargs):
        """Add the losses of a batch.

        Parameters
        ----------
        net : NeuralNet
            That trains.
        batch : Batch
            What was predicted.
        training : bool
            Whether a step was made.
        y_pred : Tensor
            Predictions.
        **kwargs : dict
            Not used.
        """
        if training == self.validates_:
            return
        _, tasks, slots, _ = batch.inputs
        n_slots = tasks.shape[1]
        with torch.no_grad():
            losses = net.criterion_(y_pred, batch.targets, tasks, slots) * batch.weights
            by_slot = [sum_by(slots, n_slots, v.sum(2)) for v in (losses, batch.weights)]
        sums, weights = (sum_by(tasks, self.n_tasks_, values) for values in by_slot)
        self._sums, self._weights = self._sums + sums, self._weights + weights

    def on_epoch_end(self, net, **kwargs):
        """Keep the means of the epoch.

        Parameters
        ----------
        net : NeuralNet
            That trains.
        **kwargs : dict
            Not used.
        """
        clock, epoch = net.clock_, len(net.history)
        means = (self._sums / self._weights).double().cpu().numpy()
        for member, means_of_tasks in zip(clock.members.tolist(), means, strict=True):
            # the clock has ticked: whether the member was active is in its records
            self.index_.append((member, epoch))
            self.rows_.append(means_of_tasks)
        self._clear()

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Make the table, without epochs of members that had stopped.

        Parameters
        ----------
        net : NeuralNet
            That has trained.
        X : tuple
            Not used.
        y : None
            Not used.
        **kwargs : dict
            Not used.
        """
        index = pd.MultiIndex.from_tuples(self.index_, names=["member", "epoch"])
        table = pd.DataFrame(np.array(self.rows_), index=index)
        records = net.clock_.records()
        trained = pd.MultiIndex.from_arrays([records["member"], records["epoch"]])
        self.table_ = table[table.index.isin(trained)].sort_index()
        del self.index_, self.rows_
