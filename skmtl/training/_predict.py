"""Evaluate a trained stack of members on many rows, a chunk at a time.

In double precision, so that a row's prediction does not depend on the rows beside it.
"""

import copy

import torch

from skmtl.training._blocks import block_shape, pack_blocks

# of all members and tasks together, in one chunk
_ROWS = 2**15
_NETWORKS = 2**10


@torch.no_grad()
def predict_rows(module, networks, features, tasks, metadata=None):
    """Evaluate rows, each by one of several networks.

    Parameters
    ----------
    module : MemberModule
        Trained; left as it is.
    networks : ndarray of shape (n,) of int64
        For every row, where its network stands in `tasks`.
    features : ndarray of shape (n, d)
        Scaled.
    tasks : ndarray of shape (n_networks,) of int64
        Task of every network; -1 for a task never seen.
    metadata : ndarray of shape (n_networks, d_m), optional
        Scaled facts of every network's task.

    Yields
    ------
    rows : ndarray of shape (k,)
        Numbers of some of the rows; all are given once.
    outputs : ndarray of shape (M, k, n_outputs)
        Their predictions, still scaled.
    """
    module = copy.deepcopy(module).double().eval()
    device = next(module.parameters()).device
    n_members = module.n_members
    networks = torch.from_numpy(networks)
    counts = torch.bincount(networks, minlength=len(tasks))
    packed = pack_blocks(
        torch.arange(len(networks)).unsqueeze(0), networks, block_shape(len(networks), counts)
    )
    rows, asked, slots = packed.rows[0], packed.tasks[0].numpy(), packed.slots[0]
    at_once = max(1, min(_ROWS // rows.shape[1], _NETWORKS) // n_members)
    for block, slot in zip(rows.split(at_once), slots.split(at_once), strict=True):
        # blocks are sorted by network: those of a chunk stand next to each other
        some = asked[slot[0] : slot[-1] + 1]
        filled = block >= 0
        x = torch.from_numpy(features[block.clamp(min=0).numpy()]).to(device)
        facts = None
        if metadata is not None:
            facts = torch.from_numpy(metadata[some]).to(device).expand(n_members, -1, -1)
        outputs = module(
            x.expand(n_members, -1, -1, -1),
            torch.from_numpy(tasks[some]).to(device).expand(n_members, -1),
            (slot - slot[0]).to(device).expand(n_members, -1),
            facts,
        )
        yield block[filled].numpy(), outputs[:, filled.to(device)].cpu().numpy()


@torch.no_grad()
def predict_every_task(module, features, tasks, metadata=None):
    """Evaluate every row by the network of every task, as wide form asks for.

    Parameters
    ----------
    module : MemberModule
        Trained; left as it is.
    features : ndarray of shape (n, d)
        Scaled.
    tasks : ndarray of shape (T,) of int64
    metadata : ndarray of shape (T, d_m), optional
        Scaled facts of the tasks.

    Yields
    ------
    rows : slice
        Some of the rows; all are given once, in their order.
    outputs : ndarray of shape (M, T, k, n_outputs)
        Their predictions, still scaled.
    """
    module = copy.deepcopy(module).double().eval()
    device = next(module.parameters()).device
    n_members, n_tasks = module.n_members, len(tasks)
    tasks = torch.from_numpy(tasks).to(device).expand(n_members, -1)
    slots = torch.arange(n_tasks, device=device).expand(n_members, -1)
    facts = None
    if metadata is not None:
        facts = torch.from_numpy(metadata).to(device).expand(n_members, -1, -1)
    at_once = max(1, _ROWS // (n_members * n_tasks))
    for start in range(0, len(features), at_once):
        rows = slice(start, start + at_once)
        x = torch.from_numpy(features[rows]).to(device)
        outputs = module(x.expand(n_members, n_tasks, -1, -1), tasks, slots, facts)
        yield rows, outputs.cpu().numpy()
