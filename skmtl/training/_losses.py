"""Losses of single labels, over the member axis: numbers, classes, and tasks of both kinds.

They map outputs (M, K, b, o) and targets to losses (M, K, b), in scaled units; classes are numbers
in targets (M, K, b, 1). For each block, `slots` (M, K) are positions in `tasks` (M, S).
"""

import torch
from torch import nn
from torch.nn import functional as F

# threshold of Huber's loss, in (robust) standard deviations of y: efficient for normal errors
HUBER_THRESHOLD = 1.35
# logarithm of the largest rate of Poisson's loss, in multiples of the mean of y
LARGEST_LOG_RATE = 30.0
# absolute error below which its parabola does not become narrower, in standard deviations of y
_SMALLEST_ERROR = 0.1
# logit of a class that a task does not have: finite, so that it is zero after weighting by zero
_IMPOSSIBLE = -1e30


def squared_error(outputs, targets):
    return (outputs - targets).square()


def absolute_error(outputs, targets):
    return (outputs - targets).abs()


def huber(outputs, targets):
    """Compute half the squared difference up to a threshold, linear beyond it."""
    return F.huber_loss(outputs, targets, reduction="none", delta=HUBER_THRESHOLD)


def poisson(outputs, targets):
    """Compute the negative log likelihood of counts from log rates, without constant terms."""
    # linear beyond it, so that no row overflows
    rate = outputs.clamp(max=LARGEST_LOG_RATE).exp()
    rate = rate * (1 + (outputs - LARGEST_LOG_RATE).clamp(min=0))
    return rate - targets * outputs


class NumberLoss(nn.Module):
    """Loss of numbers, averaged over the outputs of a row.

    Pinball, of a `quantile`: (1 - quantile) per unit above the label, quantile below (Koenker and
    Bassett, "Regression quantiles", 1978).
    """

    def __init__(self, name="squared_error", quantile=0.5):
        super().__init__()
        self.name, self.quantile = name, quantile

    def forward(self, outputs, targets, tasks=None, slots=None):
        if self.name == "pinball":
            error = targets - outputs
            losses = torch.maximum(self.quantile * error, (self.quantile - 1) * error)
        else:
            losses = _NUMBER_LOSSES[self.name](outputs, targets)
        return losses.squeeze(-1) if losses.shape[-1] == 1 else losses.mean(-1)


_NUMBER_LOSSES = {
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "poisson": poisson,
}


class BinaryLoss(nn.Module):
    """Negative log likelihood of two classes; the first output is the logit of the second class."""

    def forward(self, outputs, targets, tasks=None, slots=None):
        logit, label = outputs[..., 0], targets[..., 0]
        # softplus, by operations whose result does not depend on the position in the tensor
        above = torch.maximum(logit, torch.zeros_like(logit))
        return above + torch.log1p(torch.exp(-logit.abs())) - label * logit


class ClassLoss(nn.Module):
    """Negative log likelihood of the classes `allowed`, (T, C) or (M, T, C), for each task."""

    def __init__(self, allowed):
        super().__init__()
        self.register_buffer("allowed", allowed if allowed.ndim == 3 else allowed.unsqueeze(0))

    def select(self, members):
        """Keep the given members only."""
        if len(self.allowed) > 1:
            self.allowed = self.allowed[members]

    def forward(self, outputs, targets, tasks, slots):
        members = torch.arange(len(self.allowed), device=tasks.device).unsqueeze(1)
        if tasks.ndim == 3:
            # combinations of ids, of which nothing is known: one row of `allowed` is for all
            tasks = torch.zeros_like(tasks[..., 0])
        tasks = tasks.gather(1, slots)
        # new tasks, -1, can have all classes
        allowed = (self.allowed[members, tasks] | (tasks < 0).unsqueeze(2)).unsqueeze(2)
        logits = outputs[..., : allowed.shape[-1]].masked_fill(~allowed, _IMPOSSIBLE)
        chosen = F.log_softmax(logits, dim=-1).gather(-1, targets.long())
        return -chosen.squeeze(-1)


class JointLoss(nn.Module):
    """`losses` of tasks that share rows; `blocks` are the tasks of each, together all of them."""

    def __init__(self, losses, blocks):
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.blocks = [torch.as_tensor(b) for b in blocks]
        self.order = torch.cat(self.blocks).argsort()

    def of_task(self, task):
        """Return the loss of one task."""
        pairs = zip(self.losses, self.blocks, strict=True)
        return next(loss for loss, block in pairs if task in block.tolist())

    def forward(self, outputs, targets, tasks, slots):
        parts = []
        for loss, block in zip(self.losses, self.blocks, strict=True):
            block = block.to(outputs.device)
            selected = outputs[:, block]
            if not isinstance(loss, ClassLoss):
                selected = selected[..., :1]
            parts.append(loss(selected, targets[:, block], tasks, slots[:, block]))
        return torch.cat(parts, dim=1)[:, self.order.to(outputs.device)]


def second_derivatives(criterion, losses, outputs, targets):
    """Return the slopes (M, K, b, o) and the curvature (M, K, b, o, o) of losses of outputs.

    Absolute errors have no curvature: theirs is that of the parabola with the same slope, as in
    iteratively reweighted least squares.
    """
    slopes = torch.autograd.grad(losses.sum(), outputs, create_graph=True)[0]
    if getattr(criterion, "name", None) in ("absolute_error", "pinball"):
        slopes = slopes.detach()
        distance = (targets - outputs).detach().abs().clamp(min=_SMALLEST_ERROR)
        return slopes, torch.diag_embed(slopes.abs() / distance)
    rows = [
        torch.autograd.grad(slopes[..., k].sum(), outputs, retain_graph=True)[0]
        for k in range(slopes.shape[-1])
    ]
    return slopes.detach(), torch.stack(rows, dim=-1)


def constant_losses(criterion, table, rows):
    """Return the loss (M, T) of the best constant for a member's rows of tasks, 1 if that is 0."""
    known, result = {}, []
    for member_rows in rows:
        if id(member_rows) not in known:
            losses = [
                _constant_loss(criterion, table, member_rows, t) for t in range(table.n_tasks)
            ]
            known[id(member_rows)] = table.weights.new_tensor(losses)
        result.append(known[id(member_rows)])
    return torch.stack(result)


def _constant_loss(criterion, table, rows, task):
    targets, weights = table.targets[rows], table.weights[rows]
    if table.shared_rows:
        targets, weights = targets[:, task : task + 1], weights[:, task]
    else:
        weights = weights * (table.tasks[rows] == task)
    targets, weights = targets[weights > 0].double(), weights[weights > 0].double()
    if not len(weights):
        return 1.0
    share = weights / weights.sum()
    loss = criterion.of_task(task) if isinstance(criterion, JointLoss) else criterion
    if not isinstance(loss, NumberLoss):
        counts = torch.bincount(targets[:, 0].long(), weights=share)
        mean = torch.special.entr(counts).sum()
    else:
        if loss.name == "squared_error":
            best = share @ targets
        else:
            ordered, order = targets.sort(dim=0)
            quantile = loss.quantile if loss.name == "pinball" else 0.5
            at = (share[order].cumsum(0) < quantile).sum(0, keepdim=True)
            best = ordered.gather(0, at.clamp(max=len(ordered) - 1)).squeeze(0)
        mean = loss(best.expand_as(targets)[None, None], targets[None, None])[0, 0] @ share
    return float(mean) if mean > 1e-12 else 1.0
