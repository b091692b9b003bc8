"""Losses of the best constants, which losses of tasks in different units are divided by."""

import torch

from skmtl.training._losses import JointLoss, NumberLoss


def constant_losses(criterion, table, rows):
    """Mean loss of every task that the best constant has on the rows that a member trains on.

    Parameters
    ----------
    criterion : Module
    table : TaskRows
    rows : list of M Tensors of int64

    Returns
    -------
    Tensor of shape (M, T)
        1 where it is 0, as of a task with one class only.
    """
    known, result = {}, []
    for own in rows:
        if id(own) not in known:
            losses = [_constant_loss(criterion, table, own, t) for t in range(table.n_tasks)]
            known[id(own)] = table.weights.new_tensor(losses)
        result.append(known[id(own)])
    return torch.stack(result)


def _constant_loss(criterion, table, rows, task):
    """As `constant_losses`, of one member and task."""
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
