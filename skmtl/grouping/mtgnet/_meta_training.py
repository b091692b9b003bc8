"""Training of the networks of MTG-Net: batches of groups, and early stopping of each member."""

import numpy as np
import torch

from skmtl.grouping.mtgnet._networks import as_tensor, outputs_of, training_shares, trust
from skmtl.nn._set_attention import SetAttention
from skmtl.training._device import one_thread
from skmtl.training._optimizer import MemberAdam

# with fewer groups the networks cannot be tested on held-out ones, and are not used
_FEWEST_GROUPS = 16


def train_networks(net, groups, targets, metadata, seeds):
    """Build the networks of an `MTGNet` and train them.

    Parameters
    ----------
    net : MTGNet
        Its parameters are read.
    groups : ndarray of shape (n, n_tasks) of bool
    targets : ndarray of shape (n, n_tasks)
        Gains or errors of the baseline, scaled.
    metadata : ndarray of shape (n_tasks, n_metadata) or None
    seeds : ndarray of n_members ints

    Returns
    -------
    module : SetAttention
    trust : float
        Factor of its outputs; 1 without a baseline.
    """
    has_baseline = net.baseline == "pairwise"
    with one_thread():
        module = SetAttention(
            groups.shape[1],
            net.embedding_dim,
            net.n_layers,
            seeds,
            n_metadata=0 if metadata is None else metadata.shape[1],
            zero_start=has_baseline,
        )
        too_few = has_baseline and len(groups) < _FEWEST_GROUPS
        if too_few or not len(groups) or not net.max_iter:
            return module, float(not has_baseline)
        shares = np.ones((net.n_members, len(groups)), dtype=bool)
        if has_baseline:
            shares = training_shares(*shares.shape)
        _train(
            module,
            torch.from_numpy(groups),
            torch.as_tensor(targets, dtype=torch.get_default_dtype()),
            torch.from_numpy(shares),
            as_tensor(metadata),
            net,
        )
        if shares.all():
            return module, float(not has_baseline)
        return module, trust(outputs_of(module, groups, metadata), targets, groups, shares)


def _train(module, groups, targets, shares, metadata, net):
    """Minimise the mean error over the tasks in the groups, and load the best weights."""
    optimizer = MemberAdam(module, lr=net.learning_rate_init, weight_decay=net.alpha)
    # the same batches for every member, however many there are
    generator = torch.Generator().manual_seed(0)
    best = torch.full((len(shares),), torch.inf)
    stale, sums = torch.zeros(len(shares)), torch.zeros(len(shares))
    best_weights = optimizer.buffer.detach().clone()
    n_batches = -(-len(groups) // net.batch_size)
    order = torch.arange(len(groups))
    for step in range(net.max_iter):
        batch = step % n_batches
        if n_batches > 1 and batch == 0:
            order = torch.randperm(len(groups), generator=generator)
        rows = order[batch::n_batches]
        optimizer.zero_grad(set_to_none=True)
        errors = module(groups[rows], metadata) - targets[rows]
        errors = errors.square() if net.loss == "squared_error" else errors.abs()
        counted = groups[rows] & shares[:, rows].unsqueeze(2)
        losses = (errors * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)
        losses.sum().backward()
        sums += losses.detach()
        if batch == n_batches - 1:
            better = (sums < best) & (stale < net.n_iter_no_change)
            best = torch.where(better, sums, best)
            best_weights = torch.where(better.unsqueeze(1), optimizer.buffer.detach(), best_weights)
            stale = torch.where(better, 0, stale + n_batches)
            sums = torch.zeros(len(shares))
            if (stale >= net.n_iter_no_change).all():
                break
        optimizer.step(active=stale < net.n_iter_no_change)
    optimizer.load(best_weights)
    optimizer.release()
    module.eval()
