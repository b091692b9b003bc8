"""The clock of every member: early stopping, best weights, history and divergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from skmtl.exceptions import DivergenceError
from skmtl.training._checkpoint import packed, unpacked

# about the largest default of the estimators; larger ones are the likely cause
_USUAL_RATE = 1e-2
# Patience "auto", in epochs: as many as the best one has, within bounds. Fewer steps than the
# running mean of the weights remembers say nothing, and are cheap.
_FEWEST_EPOCHS, _MOST_EPOCHS, _FEWEST_STEPS = 10, 50, 250
# epochs, as a multiple of those of a rival that has stopped, after which a member must be better
_HEAD_START = 1.5


@dataclass(frozen=True)
class StoppingSettings:
    """When a member stops; schedules depend on the loop's last epoch, not on `last_epochs`.

    Members with the same number among `rivals` (M,) compete: only the best of them, `n_winners`,
    are wanted.
    """

    patience: int | str | None = 10
    tol: float = 0.0
    last_epochs: Sequence[int] | None = None
    rivals: Sequence[int] | None = None
    n_winners: int | None = None


def _of_all_members(name):
    def values(clock):
        clock._store()
        return clock._left[name]

    return property(values)


class MemberClock:
    """Decide when each member stops, and keep its best weights, from `buffer` (M, P) on.

    A member stops after `patience` epochs in which its validation loss has not fallen by more than
    a share of `tol`, and after `last_epochs` (M,) at most; "auto" waits for as many epochs as the
    best one has, 10 to 50 and at least 250 steps, of which there are `n_steps` (M,) an epoch; None
    waits for ever. One of several `rivals` stops, too, if it is not better than the winners among
    those that have stopped, after half as many epochs again. `members` (M',) are the numbers of
    those in the training tensors; those `active` (M',) still train.
    """

    def __init__(self, buffer, settings, n_steps=None):
        self.patience, self.tol = settings.patience, settings.tol
        last_epochs = settings.last_epochs
        # of all members: tensors are of those in the training tensors
        self._rivals = None if settings.rivals is None else list(settings.rivals)
        self._n_winners = settings.n_winners or 1
        self.members = torch.arange(len(buffer), device=buffer.device)
        self.active = torch.ones_like(self.members, dtype=torch.bool)
        self.any_active = True
        self._n_iter = torch.zeros_like(self.members)
        self._waiting = torch.zeros_like(self.members)
        self._last_epochs = None
        if last_epochs is not None:
            self._last_epochs = torch.as_tensor(last_epochs, device=buffer.device)
        steps = torch.ones_like(self.members) if n_steps is None else torch.as_tensor(n_steps)
        steps = steps.to(buffer.device)
        self._fewest = (-(-_FEWEST_STEPS // steps)).clamp(min=_FEWEST_EPOCHS)
        self._best = buffer.clone()
        self._best_epoch = torch.zeros_like(self.members)
        # loss of the weights kept, and loss that the next epoch must improve on
        self._best_loss = buffer.new_full((len(buffer),), torch.inf)
        self._reference = self._best_loss
        # best loss at the end of the last round of a schedule
        self._round_loss = self._best_loss
        # values of members when they left the training tensors
        self._left = {
            name: getattr(self, name).clone()
            for name in ("_n_iter", "_best", "_best_epoch", "_best_loss")
        }
        self._history = []

    def tick(self, buffer, train_loss, valid_loss=None):
        """Count an epoch of active members, with parameters (M', P) and losses (M',).

        Without validation the latest weights are best, and `last_epochs` decides.
        """
        self._n_iter = self._n_iter + self.active
        self._history.append((self.members, self.active, self._n_iter, train_loss, valid_loss))
        if valid_loss is None:
            self._best_epoch = self._n_iter
            if self._last_epochs is None:
                self._best = buffer
            else:
                self._best = torch.where(self.active.unsqueeze(1), buffer, self._best)
                self.stop(self._at_last_epoch())
            return
        better = (valid_loss < self._best_loss) & self.active
        self._best = torch.where(better.unsqueeze(1), buffer, self._best)
        self._best_epoch = torch.where(better, self._n_iter, self._best_epoch)
        self._best_loss = torch.where(better, valid_loss, self._best_loss)
        # at first infinite
        margin = torch.nan_to_num(self.tol * self._reference.abs(), nan=0.0, posinf=0.0)
        improved = (valid_loss < self._reference - margin) & self.active
        self._reference = torch.where(improved, valid_loss, self._reference)
        self._waiting = torch.where(improved, 0, self._waiting + 1)
        patience = self.patience
        if patience is None:
            patience = torch.inf
        elif patience == "auto":
            patience = self._best_epoch.clamp(max=_MOST_EPOCHS).maximum(self._fewest)
        tired = self._waiting >= patience
        self.stop(tired if self._last_epochs is None else tired | self._at_last_epoch())
        if self._rivals is not None and self.any_active:
            self.stop(self._beaten())

    def _beaten(self):
        """Return a mask (M',) of active members that have lost to rivals which have stopped."""
        rivals, losses = self._of_rivals()
        stopped = torch.ones(rivals.shape[1], dtype=torch.bool, device=losses.device)
        stopped[self.members] = ~self.active
        late = self._n_iter.unsqueeze(1) >= _HEAD_START * self._left["_n_iter"]
        ahead = losses <= self._best_loss.unsqueeze(1)
        return self.active & ((rivals & stopped & ahead & late).sum(1) >= self._n_winners)

    def halve(self):
        """Stop the worse half of the rivals that are active, but as many as win."""
        if self._rivals is None:
            return
        rivals, losses = self._of_rivals()
        active = torch.zeros(rivals.shape[1], dtype=torch.bool, device=losses.device)
        active[self.members] = self.active
        ahead = losses < self._best_loss.unsqueeze(1)
        n_ahead, n_active = (rivals & ahead).sum(1), (rivals & active).sum(1)
        self.stop(self.active & (n_ahead >= (n_active / 2).ceil().clamp(min=self._n_winners)))

    def _of_rivals(self):
        """Return who competes with whom, a mask (M', M), and the best losses of all members."""
        for name in ("_n_iter", "_best_loss"):
            self._left[name][self.members] = getattr(self, name)
        losses = self._left["_best_loss"]
        numbers = torch.tensor(self._rivals, device=losses.device)
        return numbers[self.members].unsqueeze(1) == numbers, losses

    def end_round(self, least_gain):
        """Stop members whose best loss has not fallen by a share of `least_gain` in a round."""
        # not finite after the first round
        fallen = self._best_loss < self._round_loss - least_gain * self._round_loss.abs()
        self.stop(torch.isfinite(self._round_loss) & ~fallen)
        self._round_loss = self._best_loss

    def _at_last_epoch(self):
        return self._n_iter >= self._last_epochs

    def stop(self, members):
        """Stop the members of a mask (M',) permanently."""
        self.active = self.active & ~members
        self.any_active = bool(self.active.any())

    def leave(self, fewest=1):
        """Return the positions of those that stay, `fewest` at least, once half have stopped."""
        n_active, n_members = int(self.active.sum()), len(self.active)
        if 2 * n_active > n_members or n_members <= fewest:
            return None
        self._store()
        stopped_last = torch.argsort(self.active, descending=True, stable=True)
        stay = stopped_last[: max(n_active, fewest)].sort().values
        # every tensor is by member
        for name, values in list(vars(self).items()):
            if isinstance(values, torch.Tensor):
                setattr(self, name, values[stay])
        return stay

    def snapshot(self, buffer):
        """Return the state; the best weights are left out if they are the `buffer` of ticks."""
        state = {**vars(self), "_history": packed(self._history)}
        if self._best is buffer:
            # it changes with every step until the next tick
            state["_best"] = None
        return state

    def resume(self, state, buffer):
        """Return to a state; `buffer` is the one that ticks will bring."""
        vars(self).update(state, _history=unpacked(state["_history"]))
        if self._best is None:
            self._best = buffer

    def _store(self):
        for name, values in self._left.items():
            values[self.members] = getattr(self, name)

    @property
    def epochs(self):
        """Epochs that those in the training tensors have trained, of shape (M',)."""
        return self._n_iter

    @property
    def n_members(self):
        """Number of all members, including those that have left."""
        return len(self._left["_n_iter"])

    # of all members: epochs trained (M,); weights kept (M, P), their epochs and losses (M,)
    n_iter = _of_all_members("_n_iter")
    best = _of_all_members("_best")
    best_epoch = _of_all_members("_best_epoch")
    best_loss = _of_all_members("_best_loss")

    def records(self):
        """Return the history as columns: member, epoch, training and validation loss."""
        columns = {"member": [], "epoch": [], "train_loss": [], "valid_loss": []}
        for members, active, epochs, train_loss, valid_loss in self._history:
            if valid_loss is None:
                valid_loss = torch.full_like(train_loss, torch.nan)
            values = (members, epochs, train_loss, valid_loss)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value[active])
        return {name: torch.cat(column).cpu().numpy() for name, column in columns.items()}


class DivergenceCheck:
    """Raise an error for the first member that diverges or, with `drop`, note their `errors`."""

    def __init__(self, n_members, learning_rate, drop):
        self.n_members, self.drop = n_members, drop
        self.learning_rate = torch.as_tensor(learning_rate).reshape(-1)
        self.errors = {}

    def check(self, values, members, epoch):
        """Return a mask of values (M',) of members that are not finite, None if all are."""
        finite = torch.isfinite(values)
        if bool(finite.all()):
            return None
        bad = [member for member, good in zip(members, finite.tolist(), strict=True) if not good]
        if not self.drop:
            raise self._error(bad, epoch)
        for member in bad:
            self.errors.setdefault(member, self._error([member], epoch))
        return ~finite

    def restore(self, errors):
        """Return to errors by member: pairs of a message and the members."""
        self.errors = {member: DivergenceError(*error) for member, error in errors.items()}

    def _error(self, members, epoch):
        rates = self.learning_rate
        rate = float(rates[members[0]] if len(rates) > 1 else rates[0])
        return DivergenceError(
            f"training diverged in epoch {epoch}: the loss of member {members[0]} of "
            f"{self.n_members} is not finite. Its learning_rate_init is {rate:g}; try "
            + ("the default of the estimator." if rate > _USUAL_RATE else f"{rate / 100:g}."),
            members,
        )
