"""The clock of every member: early stopping, best weights and history."""

import torch


class MemberClock:
    """Decide when each member stops, and keep its best weights.

    Parameters
    ----------
    buffer : Tensor of shape (M, P)
        Initial parameters.
    patience : int
        Epochs without improvement after which a member stops.
    tol : float
        Smallest fall of the validation loss that counts as an improvement.
    last_epochs : sequence of M ints, optional
        Epochs after which each member stops at the latest.

    Attributes
    ----------
    members : Tensor of shape (M',)
        Numbers of the members in the training tensors, in their order.
    active : Tensor of shape (M',) of bool
        Which of them still train.
    """

    def __init__(self, buffer, patience, tol, last_epochs=None):
        n_members = len(buffer)
        self.patience = patience
        self.tol = tol
        self.members = torch.arange(n_members, device=buffer.device)
        self.active = torch.ones_like(self.members, dtype=torch.bool)
        self.any_active = True
        self._n_iter = torch.zeros_like(self.members)
        self._waiting = torch.zeros_like(self.members)
        self._last_epochs = None
        if last_epochs is not None:
            self._last_epochs = torch.as_tensor(last_epochs, device=buffer.device)
        self._best = buffer.clone()
        self._best_epoch = torch.zeros_like(self.members)
        # loss of the weights kept, and loss that the next epoch must improve on
        self._best_loss = buffer.new_full((n_members,), torch.inf)
        self._reference = self._best_loss
        # values of members when they left the training tensors
        self._left = {
            name: getattr(self, name).clone()
            for name in ("_n_iter", "_best", "_best_epoch", "_best_loss")
        }
        self._history = []

    def tick(self, buffer, train_loss, valid_loss=None):
        """Count an epoch of the members that still train.

        Parameters
        ----------
        buffer : Tensor of shape (M', P)
            Their parameters after the epoch.
        train_loss : Tensor of shape (M',)
        valid_loss : Tensor of shape (M',), optional
            Without it the latest weights are the best, and members stop at `last_epochs` only.
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
        improved = (valid_loss < self._reference - self.tol) & self.active
        self._reference = torch.where(improved, valid_loss, self._reference)
        self._waiting = torch.where(improved, 0, self._waiting + 1)
        tired = self._waiting >= self.patience
        self.stop(tired if self._last_epochs is None else tired | self._at_last_epoch())

    def _at_last_epoch(self):
        return self._n_iter >= self._last_epochs

    def stop(self, members):
        """Stop members permanently.

        Parameters
        ----------
        members : Tensor of shape (M',) of bool
        """
        self.active = self.active & ~members
        self.any_active = bool(self.active.any())

    def leave(self, fewest=1):
        """Return the positions of the members that stay in the training tensors.

        Members leave when half of them have stopped; until then the result is None.

        Parameters
        ----------
        fewest : int, default=1
            Number of members that stay at least, even if they have stopped.
        """
        n_active, n_members = int(self.active.sum()), len(self.active)
        if 2 * n_active > n_members or n_members <= fewest:
            return None
        self._store()
        stopped_last = torch.argsort(self.active, descending=True, stable=True)
        stay = stopped_last[: max(n_active, fewest)].sort().values
        for name in (
            "members",
            "active",
            "_n_iter",
            "_waiting",
            "_last_epochs",
            "_best",
            "_best_epoch",
            "_best_loss",
            "_reference",
        ):
            values = getattr(self, name)
            setattr(self, name, None if values is None else values[stay])
        return stay

    def _store(self):
        for name, values in self._left.items():
            values[self.members] = getattr(self, name)

    @property
    def n_members(self):
        """All members, those that have left included."""
        return len(self._left["_n_iter"])

    @property
    def n_iter(self):
        """Epochs that each member has trained, shape ``(M,)``."""
        self._store()
        return self._left["_n_iter"]

    @property
    def best(self):
        """Weights kept for each member, shape ``(M, P)``."""
        self._store()
        return self._left["_best"]

    @property
    def best_epoch(self):
        """Epochs that the weights kept were trained for, shape ``(M,)``."""
        self._store()
        return self._left["_best_epoch"]

    @property
    def best_loss(self):
        """Validation loss of the weights kept, shape ``(M,)``."""
        self._store()
        return self._left["_best_loss"]

    def records(self):
        """History as columns: member, epoch, training and validation loss.

        Returns
        -------
        dict of str to ndarray
        """
        columns = {"member": [], "epoch": [], "train_loss": [], "valid_loss": []}
        for members, active, epochs, train_loss, valid_loss in self._history:
            if valid_loss is None:
                valid_loss = torch.full_like(train_loss, torch.nan)
            values = (members, epochs, train_loss, valid_loss)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value[active])
        return {name: torch.cat(column).cpu().numpy() for name, column in columns.items()}
