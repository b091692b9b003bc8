"""IT-MTL's step: candidates are looked at, and the one that takes the losses furthest down is made.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
section 4.
"""

import numpy as np
import torch

from skmtl.training._lookahead import Lookahead
from skmtl.weighting._it_mtl import taken


class IncreasedTransfer:
    """Chooses steps, and remembers what it has chosen.

    Parameters
    ----------
    net : MemberNet
        Before its first step.
    method : ITMTL
        Has the settings, and the formulas.
    """

    def __init__(self, net, method):
        self.method = method
        self.lookahead = Lookahead(net, "ITMTL")
        self.columns = net.optimizer_.columns(set(net.module_.shared_parameters()))
        self._epochs, self._steps, self._n_steps = [], [], 0

    def choose(self, net, batch, gradients, losses, sums, weights, eligible, generators):
        """Choose a candidate for every member.

        Parameters
        ----------
        net : MemberNet
            Whose parameters have the gradients of the penalties, if there are any.
        batch : Batch
        gradients : TaskGradients
            Of `losses`.
        losses, sums : Tensors of shape (M, S)
            What every slot adds to the loss of the batch, weighted; and the sum of its losses.
        weights : Tensor of shape (M, C, S)
            Of the slots, by candidate.
        eligible : Tensor of shape (M, C) of bool
        generators : list of M torch.Generator

        Returns
        -------
        found : dict of str to Tensor
            Gradients of the shared parameters.
        choice : Tensor of shape (M,) of int64
        """
        with torch.no_grad():
            candidates = gradients.combine_all(weights.transpose(0, 1))
            total = self._transference(net, batch, gradients, losses.detach(), sums, candidates)
            total = torch.where(eligible, total, torch.nan)
            choice = self.method.choose(total, eligible, generators)
            found = {
                name: None if values is None else taken(values.transpose(0, 1), choice)
                for name, values in candidates.items()
            }
        self._record(total, choice, batch)
        return found, choice

    def _transference(self, net, batch, gradients, losses, sums, candidates):
        """Total transference of every candidate, shape (M, C)."""
        optimizer = net.optimizer_
        own = {name: p.grad for name, p in net.module_.named_parameters() if p.grad is not None}
        full = optimizer.flat(candidates)
        for more in (own, gradients.unshared_gradients):
            if any(value is not None for value in more.values()):
                full = full + optimizer.flat(more)
        after = optimizer.after(full, batch.active)
        counted = (sums > 0).unsqueeze(1)
        before = torch.where(counted[:, 0], sums, 1.0)
        if self.method.approximate is None:
            now = self.lookahead.losses(after, batch).transpose(0, 1)
            change = now / before.unsqueeze(1) - 1
            return -torch.where(counted, change, 0.0).sum(2)
        moves = torch.where(self.columns, after - optimizer.buffer, 0.0)
        # the gradient of the sum of the logarithms
        inverse = torch.where(counted[:, 0], 1 / torch.where(counted[:, 0], losses, 1.0), 0.0)
        slope = optimizer.flat(gradients.combine(inverse))
        change = (moves * slope).sum(2).T
        if self.method.approximate == 2:
            second = self.lookahead.curvatures(moves, batch).transpose(0, 1) / before.unsqueeze(1)
            change = change + 0.5 * torch.where(counted, second, 0.0).sum(2)
        return -change

    def _record(self, total, choice, batch):
        if self._n_steps % self.method.record_every == 0:
            made = torch.ones_like(choice, dtype=torch.bool)
            made = made if batch.active is None else batch.active
            self._steps.append((self._n_steps, made.cpu(), choice.cpu(), total.cpu()))
        self._n_steps += 1

    def end_epoch(self, clock):
        """Begin another epoch, before the clocks tick."""
        if self._steps:
            numbers, *values = zip(*self._steps, strict=True)
            made, choice, total = (torch.stack(some, 1).numpy() for some in values)
            made = made & clock.active.cpu().numpy()[:, None]
            self._epochs.append((clock.members.cpu().numpy(), numbers, made, choice, total))
        else:
            self._epochs.append(None)
        self._steps, self._n_steps = [], 0

    def finish(self):
        """What was chosen, and what from.

        Returns
        -------
        dict of str to ndarray
            Columns "member", "epoch" and "step" (from 1 on), "choice", and "transference" of shape
            (n, C), NaN where a candidate could not be chosen. In order of members, then steps.
        """
        columns = {"member": [], "epoch": [], "step": [], "choice": [], "transference": []}
        for epoch, kept in enumerate(self._epochs, start=1):
            if kept is None:
                continue
            members, numbers, made, choice, total = kept
            rows, places = made.nonzero()
            columns["member"].append(members[rows])
            columns["epoch"].append(np.full(len(rows), epoch))
            columns["step"].append(np.asarray(numbers)[places] + 1)
            columns["choice"].append(choice[rows, places])
            columns["transference"].append(total[rows, places])
        found = {name: np.concatenate(values) for name, values in columns.items()}
        order = np.argsort(found["member"], kind="stable")
        return {name: values[order] for name, values in found.items()}
