"""Every member's own clock: early stopping, best weights and history."""

import torch


class MemberClock:
    """Decides for every member when it stops, and keeps its best weights.

    Parameters
    ----------
    buffer : Tensor of shape (M, P)
        Initial parameters.
    patience : int
        Epochs without improvement after which a member stops.
    tol : float
        An epoch improves on the best one only if the validation loss falls by more than this.

    Attributes
    ----------
    members : Tensor of shape (M',)
        Numbers of the members that still train, in the order of the training tensors.
    n_iter : Tensor of shape (M,)
        Epochs that each member has trained.
    """

    def __init__(self, buffer, patience, tol):
        n_members = len(buffer)
        self.patience = patience
        self.tol = tol
        self.best = buffer.clone()
        self.members = torch.arange(n_members, device=buffer.device)
        self.n_iter = torch.zeros(n_members, dtype=torch.int64, device=buffer.device)
        # the loss of the weights kept, and the loss that the next epoch has to improve on
        self.best_loss = buffer.new_full((n_members,), torch.inf)
        self.reference = self.best_loss.clone()
        self.waiting = torch.zeros_like(self.n_iter)
        self.history = []

    @property
    def active(self):
        """Which of the members in the training tensors still train, shape (M',)."""
        return self.waiting[self.members] < self.patience

    @property
    def any_active(self):
        """Whether a member still trains."""
        return bool(self.active.any())

    def tick(self, buffer, train_loss, valid_loss=None):
        """Count an epoch of the members that still train.

        Parameters
        ----------
        buffer : Tensor of shape (M', P)
            Their parameters after the epoch.
        train_loss : Tensor of shape (M',)
        valid_loss : Tensor of shape (M',), optional
            Without it nobody stops and the latest weights are the best.
        """
        here = self.members[self.active]
        train_loss, loss = (v if v is None else v[self.active] for v in (train_loss, valid_loss))
        parameters = buffer[self.active]
        self.n_iter[here] += 1
        missing = torch.full_like(train_loss, torch.nan)
        self.history.append(
            (here, self.n_iter[here], train_loss, missing if loss is None else loss)
        )
        if loss is None:
            self.best[here] = parameters
            return
        better = loss < self.best_loss[here]
        self.best[here[better]] = parameters[better]
        self.best_loss[here] = torch.where(better, loss, self.best_loss[here])
        improved = loss < self.reference[here] - self.tol
        self.reference[here] = torch.where(improved, loss, self.reference[here])
        self.waiting[here] = torch.where(improved, 0, self.waiting[here] + 1)

    def leave(self):
        """Numbers, within the training tensors, of the members that stay in them.

        None while it is not worth moving: members leave when half of them have stopped.
        """
        active = self.active
        if 2 * int(active.sum()) > len(active):
            return None
        stay = active.nonzero().squeeze(1)
        self.members = self.members[stay]
        return stay

    def records(self):
        """History as columns: member, epoch, training and validation loss.

        Returns
        -------
        dict of str to ndarray
        """
        names = ("member", "epoch", "train_loss", "valid_loss")
        columns = [torch.cat(column).cpu().numpy() for column in zip(*self.history, strict=True)]
        return dict(zip(names, columns, strict=True))
