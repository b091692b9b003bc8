"""Training of the networks of MTG-Net: batches of groups, and a clock for each member."""

import torch

from skmtl.training._optimizer import MemberAdam


def train_members(
    module,
    groups,
    targets,
    shares,
    facts,
    *,
    squared,
    learning_rate,
    weight_decay,
    max_steps,
    patience,
    batch_size,
):
    """Minimise the mean error over the tasks in the groups; the best weights are kept.

    Parameters
    ----------
    module : SetAttention
    groups : Tensor of shape (n, n_tasks) of bool
    targets : Tensor of shape (n, n_tasks)
    shares : Tensor of shape (M, n) of bool
        Groups that each member trains on.
    facts : Tensor of shape (1, n_tasks, n_metadata) or None
    squared : bool
        Whether errors are squared, else absolute.
    learning_rate, weight_decay : float
    max_steps : int
    patience : int
        Steps without a lower training loss after which a member stops.
    batch_size : int
        Groups in a step at most.
    """
    n_members = len(shares)
    optimizer = MemberAdam(module, lr=learning_rate, weight_decay=weight_decay)
    # the same batches for every member, whichever others there are
    generator = torch.Generator().manual_seed(0)
    best = torch.full((n_members,), torch.inf)
    stale, sums = torch.zeros(n_members), torch.zeros(n_members)
    kept = optimizer.buffer.detach().clone()
    n_batches = -(-len(groups) // batch_size)
    order = torch.arange(len(groups))
    for step in range(max_steps):
        place = step % n_batches
        if n_batches > 1 and place == 0:
            order = torch.randperm(len(groups), generator=generator)
        rows = order[place::n_batches]
        optimizer.zero_grad(set_to_none=True)
        errors = module(groups[rows], facts) - targets[rows]
        errors = errors.square() if squared else errors.abs()
        counted = groups[rows] & shares[:, rows].unsqueeze(2)
        losses = (errors * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)
        losses.sum().backward()
        sums += losses.detach()
        if place == n_batches - 1:
            better = (sums < best) & (stale < patience)
            best = torch.where(better, sums, best)
            kept = torch.where(better.unsqueeze(1), optimizer.buffer.detach(), kept)
            stale = torch.where(better, 0, stale + n_batches)
            sums = torch.zeros(n_members)
            if (stale >= patience).all():
                break
        optimizer.step(active=stale < patience)
    optimizer.load(kept)
    optimizer.release()
    module.eval()
