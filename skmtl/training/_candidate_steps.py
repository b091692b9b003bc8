"""Candidate steps of IT-MTL: evaluate several steps, and make the one that lowers the losses most.

Source: Fifty et al., "Measuring and harnessing transference in multi-task learning", 2020,
section 4.
"""

import dataclasses

import numpy as np
import torch

from skmtl.training._lookahead import Lookahead
from skmtl.training._steps import PlainSteps
from skmtl.training._weighted_steps import WeightedSteps
from skmtl.weighting import get_weighting
from skmtl.weighting._it_mtl import taken

# attributes with what was chosen in earlier epochs and in this one
_CHOICES = "_epochs", "_steps", "_n_steps"


class CandidateSteps(WeightedSteps):
    """Weighted steps whose gradient method, an `ITMTL`, chooses between candidates."""

    def start(self, loop, table, train_rows, valid):
        super().start(loop, table, train_rows, valid)
        _, (chooser, _) = self.method.parts()
        self.chooser = chooser
        self.lookahead = Lookahead(loop, "ITMTL")
        self.columns = loop.optimizer_.columns(set(loop.module_.shared_parameters()))
        self._epochs, self._steps, self._n_steps = [], [], 0

    def _combine(self, part, losses, sums, means, loop, batch):
        """Weigh the gradients of the shared parameters by the best candidate's weights."""
        tasks = batch.inputs[1]
        # one Gramian for all candidates that compare the same gradients
        compared = {m.at_representation: m for m in self.chooser.compared()}
        gramians = {where: self._gramian(tasks, m) for where, m in compared.items()}
        weights, eligible = self.chooser.candidate_weights(
            means, gramians, part.state, self.generators
        )
        by_slot = weights
        if not self.shared_rows:
            by_slot = weights.gather(2, tasks.unsqueeze(1).expand(-1, weights.shape[1], -1))
        with torch.no_grad():
            candidates = self.gradients.combine_all(by_slot.transpose(0, 1))
            total = self._transference(loop, batch, losses.detach(), sums, candidates)
            total = torch.where(eligible, total, torch.nan)
            choice = self.chooser.choose(total, eligible, self.generators)
            shared = {
                name: None if values is None else taken(values.transpose(0, 1), choice)
                for name, values in candidates.items()
            }
        self._record_choice(total, choice, batch)
        return taken(weights, choice), taken(by_slot, choice), shared

    def _transference(self, loop, batch, losses, sums, candidates):
        """Return the total transference (M, C) of gradients of shared parameters, by name.

        The parameters have the gradients of the penalties, if there are any.
        """
        optimizer, gradients, order = loop.optimizer_, self.gradients, self.chooser.approximate
        parameters = dict(loop.module_.named_parameters())
        of_module = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        full = optimizer.flat(candidates)
        for more in (of_module, gradients.unshared_gradients):
            if any(value is not None for value in more.values()):
                full = full + optimizer.flat(more)
        after = optimizer.after(full, batch.active)
        counted = (sums > 0).unsqueeze(1)
        before = torch.where(counted[:, 0], sums, 1.0)
        if order is None:
            now = self.lookahead.losses(after, batch).transpose(0, 1)
            change = now / before.unsqueeze(1) - 1
            return -torch.where(counted, change, 0.0).sum(2)
        moves = torch.where(self.columns, after - optimizer.buffer, 0.0)
        # the gradient of the sum of the logarithms
        inverse = torch.where(counted[:, 0], 1 / torch.where(counted[:, 0], losses, 1.0), 0.0)
        slope = optimizer.flat(gradients.combine(inverse))
        change = (moves * slope).sum(2).T
        if order == 2:
            second = self.lookahead.curvatures(moves, batch).transpose(0, 1) / before.unsqueeze(1)
            change = change + 0.5 * torch.where(counted, second, 0.0).sum(2)
        return -change

    def _record_choice(self, total, choice, batch):
        if self._n_steps % self.chooser.record_every == 0:
            made = torch.ones_like(choice, dtype=torch.bool)
            made = made if batch.active is None else batch.active
            self._steps.append((self._n_steps, made.cpu(), choice.cpu(), total.cpu()))
        self._n_steps += 1

    def end_epoch(self, clock):
        super().end_epoch(clock)
        if self._steps:
            numbers, *values = zip(*self._steps, strict=True)
            made, choice, total = (torch.stack(rows, 1).numpy() for rows in values)
            made = made & clock.active.cpu().numpy()[:, None]
            self._epochs.append((clock.members.cpu().numpy(), numbers, made, choice, total))
        else:
            self._epochs.append(None)
        self._steps, self._n_steps = [], 0

    def snapshot(self):
        chosen = {name: getattr(self, name) for name in _CHOICES}
        return super().snapshot() | {"choices": chosen}

    def resume(self, state):
        super().resume(state)
        vars(self).update(state["choices"])

    def finish(self, clock):
        """Return the records of weighted steps, and the choices, by member, then step.

        ``choices`` has "member", "epoch", "step" (from 1 on), "choice", and "transference" (n, C),
        NaN where a candidate could not be chosen.
        """
        columns = {"member": [], "epoch": [], "step": [], "choice": [], "transference": []}
        for epoch, kept in enumerate(self._epochs, start=1):
            if kept is None:
                continue
            members, numbers, made, choice, total = kept
            rows, steps = made.nonzero()
            columns["member"].append(members[rows])
            columns["epoch"].append(np.full(len(rows), epoch))
            columns["step"].append(np.asarray(numbers)[steps] + 1)
            columns["choice"].append(choice[rows, steps])
            columns["transference"].append(total[rows, steps])
        columns = {name: np.concatenate(values) for name, values in columns.items()}
        order = np.argsort(columns["member"], kind="stable")
        return dataclasses.replace(
            super().finish(clock),
            choices={name: values[order] for name, values in columns.items()},
            candidates=self.chooser.candidate_steps(self.n_tasks),
        )


def steps_for(method, state=None, form="auto"):
    """Return the `Steps` of what `get_weighting` takes, bound if it depends on the tasks.

    `state` is what the method remembers of an earlier fit; `form` is that of `task_gradients`.
    """
    method = get_weighting(method)
    if method.unweighted:
        return PlainSteps()
    _, by_gradient = method.parts()
    chooses = by_gradient is not None and by_gradient.method.chooses
    return (CandidateSteps if chooses else WeightedSteps)(method, state, form)
