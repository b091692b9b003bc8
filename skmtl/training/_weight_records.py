"""Records of task weighting: weights of every epoch, and states of members that have stopped."""

import numpy as np
import torch

from skmtl.nn._slots import sum_by
from skmtl.weighting._base import select, to_device

# batches whose weights are added up together
_AT_ONCE = 64


class WeightRecords:
    """Keep the weights of the tasks by epoch, and the states of the method by member.

    Parameters
    ----------
    n_tasks : int
    """

    def __init__(self, n_tasks):
        self.n_tasks = n_tasks
        self._epochs = []
        self._states = {}
        # batches whose weights are not yet in the sums
        self._pending = []
        self._sums = self._counts = 0

    def add(self, weights, present, tasks=None):
        """Add the weights of a batch to those of the epoch.

        Parameters
        ----------
        weights, present : Tensors of shape (M, T), or (M, S) with `tasks`
            Weights, and which tasks have rows.
        tasks : Tensor of shape (M, S), optional
            Which tasks these are.
        """
        self._pending.append((weights, present, tasks))
        if len(self._pending) == _AT_ONCE:
            self._add_up()

    def _add_up(self):
        if not self._pending:
            return
        weights, present, tasks = zip(*self._pending, strict=True)
        self._pending = []
        weights = torch.stack(weights, 1)
        counts = torch.stack(present, 1).to(weights.dtype)
        if tasks[0] is None:
            weights, counts = weights.sum(1), counts.sum(1)
        else:
            tasks = torch.stack(tasks, 1).flatten(1)
            weights = sum_by(tasks, self.n_tasks, weights.flatten(1))
            counts = sum_by(tasks, self.n_tasks, counts.flatten(1))
        self._sums = self._sums + weights
        self._counts = self._counts + counts

    def end_epoch(self, clock):
        """Keep the sums of the epoch, before the clocks tick."""
        self._add_up()
        self._epochs.append((clock.active, self._sums, self._counts))
        self._sums = self._counts = 0

    def table(self):
        """Return mean weights, a row for every row of the clock's records, a column per task."""
        rows = [(sums / counts)[active].cpu().numpy() for active, sums, counts in self._epochs]
        return np.concatenate(rows) if rows else np.empty((0, self.n_tasks))

    def keep(self, state, which, clock):
        """Keep the state of the given members in the training tensors.

        Parameters
        ----------
        state : dict
        which : Tensor of shape (M',) of bool
        clock : MemberClock
        """
        for position in which.nonzero()[:, 0].tolist():
            member = int(clock.members[position])
            self._states[member] = to_device(select(state, [position]), "cpu")

    def state(self, n_members):
        """Return the states of all members as one."""
        return _joined([self._states[m] for m in range(n_members)])


def _joined(states):
    """Concatenate states of members."""
    joined = {}
    for key, value in states[0].items():
        values = [state[key] for state in states]
        if isinstance(value, dict):
            joined[key] = _joined(values)
        elif isinstance(value, torch.Tensor):
            joined[key] = torch.cat(values)
        else:
            joined[key] = [item for items in values for item in items]
    return joined
