"""The networks of MTG-Net: their training, their outputs, and the reliability of these."""

import numpy as np
import torch

from skmtl.nn._set_attention import SetAttention
from skmtl.training._device import own_state
from skmtl.training._optimizer import MemberAdam

# number of groups that are encoded at once
_GROUPS_AT_ONCE = 2**12
# with fewer groups, the networks cannot be validated on held-out ones and are not used
_FEWEST_GROUPS = 16


def train_networks(net, groups, targets, metadata, seeds):
    """Build the networks of an `MTGNet`, and train them on scaled targets (n, n_tasks).

    Return the module and the factor by which its outputs are multiplied, 1 without a baseline.
    """
    has_baseline = net.baseline == "pairwise"
    with own_state():
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
            shares = _training_shares(*shares.shape)
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
        return module, _trust(outputs_of(module, groups, metadata), targets, groups, shares)


def _train(module, groups, targets, shares, metadata, net):
    """Minimise the mean error over the tasks in the groups, and load the best weights."""
    optimizer = MemberAdam(module, lr=net.learning_rate_init, weight_decay=net.alpha)
    # the same batches for every member, whatever their number
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


def as_tensor(metadata):
    """Return metadata as a tensor (1, n_tasks, n_metadata), or None."""
    if metadata is None:
        return None
    return torch.as_tensor(metadata, dtype=torch.get_default_dtype()).unsqueeze(0)


def outputs_of(module, groups, metadata):
    """Return the outputs (n_members, n, n_tasks) of all networks."""
    with own_state(), torch.no_grad():
        metadata = as_tensor(metadata)
        outputs = [
            module(torch.from_numpy(part), metadata).double().numpy()
            for part in np.array_split(groups, max(1, -(-len(groups) // _GROUPS_AT_ONCE)))
        ]
    return np.concatenate(outputs, axis=1)


def encodings_of(module, groups, metadata):
    """Return the encodings (n, n_tasks, embedding_dim) of the first network."""
    with own_state(), torch.no_grad():
        return module.encode(torch.from_numpy(groups), as_tensor(metadata))[0].double().numpy()


def _training_shares(n_members, n_groups):
    """Return the training groups of each network; each group is held out from one of several."""
    if n_members == 1 or n_groups < 2:
        return np.ones((n_members, n_groups), dtype=bool)
    return np.arange(n_groups) % n_members != np.arange(n_members)[:, None]


def _trust(outputs, targets, groups, shares):
    """Return how well the outputs of the networks predict the targets of held-out groups.

    This is the slope of the targets on the outputs minus two standard errors, clipped to [0, 1].
    `shares` (n_members, n) marks the groups that each network was trained on.
    """
    held_out = ~shares
    inside = np.broadcast_to(groups, outputs.shape)[held_out]
    targets, outputs = np.broadcast_to(targets, outputs.shape)[held_out], outputs[held_out]
    # one term per group, since its tasks are not independent
    products = np.where(inside, outputs * targets, 0).sum(axis=1)
    squares = np.where(inside, outputs**2, 0).sum(axis=1)
    if squares.sum() <= 0:
        return 0.0
    slope = products.sum() / squares.sum()
    error = np.sqrt(((products - slope * squares) ** 2).sum()) / squares.sum()
    return float(np.clip(slope - 2 * error, 0.0, 1.0))
