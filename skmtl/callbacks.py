"""Callbacks that observe training, for the parameter ``callbacks`` of an estimator.

Callbacks of skorch can also be passed if they only observe.
"""

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback

from skmtl._persistence import saveable
from skmtl.nn._slots import sum_by

__all__ = ["TaskLossRecorder"]


@saveable
class TaskLossRecorder(Callback):
    """Record the loss of each task, epoch by epoch.

    Losses are means over validation rows if there are any, otherwise over training rows. As in
    ``history_``, they refer to targets scaled to unit variance.

    Attributes
    ----------
    table_ : DataFrame
        One row for each member and epoch, one column for each task, numbered in the order of
        ``tasks_``; NaN for a task without such rows. Tasks of `X_val` that are new have none.

    See Also
    --------
    skmtl.display.LearningCurvesDisplay : Draw these losses with ``by_task=True``.

    Notes
    -----
    An estimator copies its callbacks; ``callbacks_`` holds the copies with the recorded losses.

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
        """Start recording.

        Parameters
        ----------
        net : NeuralNet
            The net that trains.
        X : tuple
            Batches of training rows and of validation rows.
        y : None
            Not used.
        **kwargs : dict
            Not used.
        """
        if not net.steps_.one_prediction:
            raise TypeError(
                "TaskLossRecorder records one loss of each task, but a ParetoHypernet has one "
                "for each preference; see its pareto_front."
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
            The net that trains.
        batch : Batch
            The batch that was predicted.
        training : bool
            Whether this is a training step.
        y_pred : Tensor
            Predictions.
        **kwargs : dict
            Not used.
        """
        if training == self.validates_:
            return
        tasks, slots = batch.inputs.tasks, batch.inputs.slots
        n_slots = tasks.shape[1]
        with torch.no_grad():
            losses = net.criterion_(y_pred, batch.targets, tasks, slots) * batch.weights
            by_slot = [sum_by(slots, n_slots, v.sum(2)) for v in (losses, batch.weights)]
        known = tasks >= 0
        tasks = tasks.clamp(min=0)
        sums, weights = (sum_by(tasks, self.n_tasks_, values * known) for values in by_slot)
        self._sums, self._weights = self._sums + sums, self._weights + weights

    def on_epoch_end(self, net, **kwargs):
        """Store the means of the epoch.

        Parameters
        ----------
        net : NeuralNet
            The net that trains.
        **kwargs : dict
            Not used.
        """
        clock, epoch = net.clock_, len(net.history)
        means = (self._sums / self._weights).double().cpu().numpy()
        for member, means_of_tasks in zip(clock.members.tolist(), means, strict=True):
            # members that had stopped are dropped at the end of training
            self.index_.append((member, epoch))
            self.rows_.append(means_of_tasks)
        self._clear()

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Create the table, without epochs of members that had stopped.

        Parameters
        ----------
        net : NeuralNet
            The net that trained.
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
