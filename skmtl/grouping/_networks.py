"""The networks of MTG-Net: what they say of groups, and how far that is to be trusted."""

import numpy as np
import torch

from skmtl.training._device import one_thread

# groups that are encoded at once
_GROUPS_AT_ONCE = 2**12


def as_tensor(facts):
    """Facts about tasks as the networks take them, shape (1, n_tasks, n_metadata), or None."""
    if facts is None:
        return None
    return torch.as_tensor(facts, dtype=torch.get_default_dtype()).unsqueeze(0)


def outputs_of(module, groups, facts):
    """What every network says of every task.

    Parameters
    ----------
    module : SetAttention
    groups : ndarray of shape (n, n_tasks) of bool
    facts : ndarray of shape (n_tasks, n_metadata) or None

    Returns
    -------
    ndarray of shape (n_members, n, n_tasks)
    """
    facts = as_tensor(facts)
    with torch.no_grad(), one_thread():
        parts = [
            module(torch.from_numpy(some), facts).double().numpy()
            for some in np.array_split(groups, max(1, -(-len(groups) // _GROUPS_AT_ONCE)))
        ]
    return np.concatenate(parts, axis=1)


def encodings_of(module, groups, facts):
    """How the first network sees every task, shape (n, n_tasks, embedding_dim)."""
    with torch.no_grad(), one_thread():
        return module.encode(torch.from_numpy(groups), as_tensor(facts))[0].double().numpy()


def held_out_in_turn(n_members, n_groups):
    """Which groups each network trains on, if every group is to be new to one of them.

    Returns
    -------
    ndarray of shape (n_members, n_groups) of bool
        All of them, if there is one network or one group.
    """
    if n_members == 1 or n_groups < 2:
        return np.ones((n_members, n_groups), dtype=bool)
    return np.arange(n_groups) % n_members != np.arange(n_members)[:, None]


def trust(said, missed, groups, shares):
    """How far networks predict what is missed of groups that they have not seen.

    The slope of what is missed on what they say, less two standard errors, from 0 to 1.

    Parameters
    ----------
    said : ndarray of shape (n_members, n, n_tasks)
    missed : ndarray of shape (n, n_tasks)
    groups : ndarray of shape (n, n_tasks) of bool
    shares : ndarray of shape (n_members, n) of bool
        Groups that each network has seen; not all of them.

    Returns
    -------
    float
    """
    held_out = ~shares
    inside = np.broadcast_to(groups, said.shape)[held_out]
    said, missed = said[held_out], np.broadcast_to(missed, said.shape)[held_out]
    # one number a group, for its tasks are not independent
    products = np.where(inside, said * missed, 0).sum(axis=1)
    squares = np.where(inside, said**2, 0).sum(axis=1)
    if squares.sum() <= 0:
        return 0.0
    slope = products.sum() / squares.sum()
    error = np.sqrt(((products - slope * squares) ** 2).sum()) / squares.sum()
    return float(np.clip(slope - 2 * error, 0.0, 1.0))
