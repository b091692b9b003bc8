"""Losses of single labels, over the member axis: numbers, classes, and tasks of both kinds.

They know how to read the outputs of a network, but not the caller's units or labels.
"""

import torch
from torch import nn
from torch.nn import functional as F

# threshold of Huber's loss, in (robust) standard deviations of y: efficient for normal errors
HUBER_THRESHOLD = 1.35
# logarithm of the largest rate of Poisson's loss, in multiples of the mean of y
LARGEST_LOG_RATE = 30.0
# logit of a class that a task does not have: finite, so that it is zero after weighting by zero
_IMPOSSIBLE = -1e30


def squared_error(outputs, targets):
    """Compute squared differences."""
    return (outputs - targets).square()


def absolute_error(outputs, targets):
    """Compute absolute differences."""
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

    Parameters
    ----------
    name : {"squared_error", "absolute_error", "huber", "poisson", "pinball"}
    quantile : float
        Quantile of the pinball loss: an output above the label costs ``1 - quantile`` per unit, one
        below it ``quantile`` (Koenker and Bassett, "Regression quantiles", 1978).
    """

    def __init__(self, name="squared_error", quantile=0.5):
        super().__init__()
        self.name, self.quantile = name, quantile

    def forward(self, outputs, targets, tasks=None, slots=None):
        """Map outputs and targets of shape (M, K, b, o) to losses (M, K, b)."""
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
        """Map outputs (M, K, b, o) and class numbers (M, K, b, 1) to losses (M, K, b)."""
        logit, label = outputs[..., 0], targets[..., 0]
        # softplus, by operations whose result does not depend on the position in the tensor
        above = torch.maximum(logit, torch.zeros_like(logit))
        return above + torch.log1p(torch.exp(-logit.abs())) - label * logit


class ClassLoss(nn.Module):
    """Negative log likelihood of several classes, which may differ between tasks.

    Parameters
    ----------
    allowed : Tensor of shape (T, C) or (M, T, C) of bool
        Classes of each task, for all members or for each; the logits of other classes are ignored.
    """

    def __init__(self, allowed):
        super().__init__()
        self.register_buffer("allowed", allowed if allowed.ndim == 3 else allowed.unsqueeze(0))

    def select(self, members):
        """Keep the given members only."""
        if len(self.allowed) > 1:
            self.allowed = self.allowed[members]

    def forward(self, outputs, targets, tasks, slots):
        """Map outputs (M, K, b, o) and class numbers (M, K, b, 1) to losses (M, K, b).

        Parameters
        ----------
        tasks : Tensor of shape (M, S) of int64
        slots : Tensor of shape (M, K) of int64
            For every block, the position of its task in `tasks`.
        """
        members = torch.arange(len(self.allowed), device=tasks.device).unsqueeze(1)
        allowed = self.allowed[members, tasks.gather(1, slots)].unsqueeze(2)
        logits = outputs[..., : allowed.shape[-1]].masked_fill(~allowed, _IMPOSSIBLE)
        chosen = F.log_softmax(logits, dim=-1).gather(-1, targets.long())
        return -chosen.squeeze(-1)


class JointLoss(nn.Module):
    """Losses of tasks of different kinds that share rows, so that block t is that of task t.

    Parameters
    ----------
    losses : list of Modules
    blocks : list of lists of int
        Tasks of each loss; every task is in one list.
    """

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
        """Map outputs (M, T, b, o) and targets (M, T, b, 1) to losses (M, T, b)."""
        parts = []
        for loss, block in zip(self.losses, self.blocks, strict=True):
            block = block.to(outputs.device)
            selected = outputs[:, block]
            if not isinstance(loss, ClassLoss):
                selected = selected[..., :1]
            parts.append(loss(selected, targets[:, block], tasks, slots[:, block]))
        return torch.cat(parts, dim=1)[:, self.order.to(outputs.device)]
