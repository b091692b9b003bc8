"""The networks of MTG-Net: their outputs for groups, and how far these can be trusted."""

import numpy as np
import torch

from skmtl.training._device import one_thread

# groups that are encoded at once
_GROUPS_AT_ONCE = 2**12


def as_tensor(metadata):
    """Return metadata in the form the networks take, shape (1, n_tasks, n_metadata), or None."""
    if metadata is None:
        return None
    return torch.as_tensor(metadata, dtype=torch.get_default_dtype()).unsqueeze(0)


def outputs_of(module, groups, metadata):
    """Return the outputs of all networks, shape (n_members, n, n_tasks)."""
    metadata = as_tensor(metadata)
    with torch.no_grad(), one_thread():
        outputs = [
            module(torch.from_numpy(part), metadata).double().numpy()
            for part in np.array_split(groups, max(1, -(-len(groups) // _GROUPS_AT_ONCE)))
        ]
    return np.concatenate(outputs, axis=1)


def encodings_of(module, groups, metadata):
    """Return the encodings of the first network, shape (n, n_tasks, embedding_dim)."""
    with torch.no_grad(), one_thread():
        return module.encode(torch.from_numpy(groups), as_tensor(metadata))[0].double().numpy()


def training_shares(n_members, n_groups):
    """Return which groups each network trains on; every group is held out from one of several."""
    if n_members == 1 or n_groups < 2:
        return np.ones((n_members, n_groups), dtype=bool)
    return np.arange(n_groups) % n_members != np.arange(n_members)[:, None]


def trust(outputs, targets, groups, shares):
    """Return how far the outputs of networks predict the targets of groups that were held out.

    The slope of the targets on the outputs, less two standard errors, clipped to 0 to 1.

    Parameters
    ----------
    outputs : ndarray of shape (n_members, n, n_tasks)
    targets : ndarray of shape (n, n_tasks)
    groups : ndarray of shape (n, n_tasks) of bool
    shares : ndarray of shape (n_members, n) of bool
        Groups that each network was trained on; not all of them.

    Returns
    -------
    float
    """
    held_out = ~shares
    inside = np.broadcast_to(groups, outputs.shape)[held_out]
    targets, outputs = np.broadcast_to(targets, outputs.shape)[held_out], outputs[held_out]
    # one number a group, since its tasks are not independent
    products = np.where(inside, outputs * targets, 0).sum(axis=1)
    squares = np.where(inside, outputs**2, 0).sum(axis=1)
    if squares.sum() <= 0:
        return 0.0
    slope = products.sum() / squares.sum()
    error = np.sqrt(((products - slope * squares) ** 2).sum()) / squares.sum()
    return float(np.clip(slope - 2 * error, 0.0, 1.0))
