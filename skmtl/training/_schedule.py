"""Learning rates by epoch: constant, or annealed, with a length that validation rows choose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Chosen on validation rows, see benchmarks/recipe/LOG.md.
# epochs of the first round before the rate falls; they double from round to round
_FIRST_ROUND = 10
# decrease of the validation loss, relative to it, for which twice as many epochs are worth while
_LEAST_GAIN = 0.005


class Schedule:
    """A constant learning rate; members stop by the patience of the clock."""

    # whether the clock's patience decides when members stop
    patient = True

    def most_epochs(self, max_epochs: int) -> int:
        """Return how many of at most `max_epochs` epochs are run."""
        return max_epochs

    def factors(self, epochs: Tensor) -> Tensor | float | None:
        """Return factors of the learning rate in the epochs (M',), counted from 0.

        None leaves the rate alone, which callbacks may change.
        """
        return None

    def after_epoch(self, epoch: int, clock, optimizer) -> None:
        """Act after an epoch, counted from 1, that the clock has ticked."""

    def select(self, members: Tensor) -> None:
        """Continue with the members at the given positions in the training tensors only."""

    def replay(self, best_epochs: Tensor) -> Schedule:
        """Return the schedule that leads to the weights of given epochs (M,) without detours."""
        return self

    def lengths(self, best_epochs: Tensor) -> Tensor:
        """Return the epochs (M,) that the replay takes."""
        return best_epochs


class Doubling(Schedule):
    """Rounds of a constant rate that then falls linearly to zero, each twice as long.

    A round continues where the rate of the last one began to fall, so that all rounds together take
    about as long as the last one alone would. A member stops after the first round that does not
    lower its validation loss. `max_epochs` bounds the sum.
    """

    patient = False

    def __init__(self, max_epochs: int) -> None:
        first = min(_FIRST_ROUND, max(1, 2 * max_epochs // 3))
        # of every epoch that is run: constant epochs before it, and falling ones up to it, of how
        # many
        self._position: list[tuple[int, int, int]] = []
        self._starts, self._ends = set(), set()
        constant, length = 0, first
        while True:
            falling = min(max(1, length // 2), max_epochs - first) if constant == 0 else length // 2
            needed = len(self._position) + length - constant + falling
            if needed > max_epochs and self._position:
                break
            self._position += [(k + 1, 0, 1) for k in range(constant, length)]
            self._starts.add(len(self._position))
            self._position += [(length, k + 1, falling) for k in range(falling)]
            self._ends.add(len(self._position))
            constant, length = length, 2 * length

    def most_epochs(self, max_epochs):
        return min(max_epochs, len(self._position))

    def factors(self, epochs):
        # members that still train have trained equally long
        _, falling, length = self._position[int(epochs.max())]
        return 1.0 if not falling else 1 - (falling - 0.5) / length

    def after_epoch(self, epoch, clock, optimizer):
        if epoch in self._starts:
            optimizer.save()
        if epoch in self._ends:
            clock.end_round(_LEAST_GAIN)
            optimizer.restore()

    def replay(self, best_epochs):
        return Replay(*self._positions(best_epochs).T)

    def lengths(self, best_epochs):
        return self._positions(best_epochs)[:, :2].sum(1)

    def _positions(self, best_epochs):
        return torch.tensor([self._position[max(0, int(k) - 1)] for k in best_epochs])


@dataclass
class Replay(Schedule):
    """Constant epochs (M,), then up to `falling` (M,) epochs in which the rate would reach zero."""

    constant: Tensor
    falling: Tensor
    length: Tensor

    patient = False

    @classmethod
    def of_length(cls, n_epochs, n_members):
        """Return a schedule of a given length: two thirds constant, the last third falling."""
        falling = torch.full((n_members,), max(1, n_epochs // 3))
        return cls(n_epochs - falling, falling, falling)

    def factors(self, epochs):
        into = (epochs - self.constant.to(epochs) + 0.5).clamp(min=0)
        return 1 - (into / self.length.to(epochs)).clamp(max=1)

    def select(self, members):
        self.constant, self.falling, self.length = (
            v[members] for v in (self.constant, self.falling, self.length)
        )
