"""Evaluate a trained stack of members on many rows, a chunk at a time.

In double precision, so that a row's prediction does not depend on the other rows of a chunk. The
module stays unchanged. Features, metadata and outputs are scaled.
"""

import copy
import operator
import weakref

import numpy as np
import torch

from skmtl.nn import ModuleInputs
from skmtl.training._blocks import block_shape, pack_blocks

# maxima of a chunk, over all members and tasks
_ROWS = 2**15
_NETWORKS = 2**10
# copies of modules in double precision, each with the state of the module that it was made of
_copies = weakref.WeakKeyDictionary()


def frozen(module):
    """Return a copy of a module in double precision, of which nothing is trained."""
    return copy.deepcopy(module).double().eval().requires_grad_(False)


def _in_double(module):
    """Return a `frozen` copy of a module, the same one until the module changes.

    Making one takes as long as predicting a hundred rows.
    """
    tensors = _tensors(module)
    if any(tensor.is_inference() for tensor in tensors):
        # of a model that was unpickled in inference mode: torch does not count their changes
        return frozen(module)
    # torch counts the changes of a tensor in place
    versions = [(tensor.data_ptr(), tensor._version) for tensor in tensors]
    known = _copies.get(module)
    if known is not None:
        of_tensors, of_versions, copied = known
        if of_versions == versions and all(map(operator.is_, of_tensors, tensors)):
            return copied
    copied = frozen(module)
    copied.prepare_predictions()
    _copies[module] = tensors, versions, copied
    return copied


def _tensors(module):
    """List parameters and buffers, in a fraction of the time that torch takes to name them."""
    own = (*module._parameters.values(), *module._buffers.values())
    tensors = [tensor for tensor in own if tensor is not None]
    for part in module._modules.values():
        if part is not None:
            tensors += _tensors(part)
    return tensors


def _packed(networks, n_networks):
    """Return blocks of rows (K, b), -1 for padding, their slots (K,), and the networks of these."""
    if len(networks) == 1:
        zero = torch.zeros(1, dtype=torch.int64)
        return zero.view(1, 1), zero, networks
    networks = torch.from_numpy(networks)
    shape = block_shape(len(networks), torch.bincount(networks, minlength=n_networks))
    packed = pack_blocks(torch.arange(len(networks)).unsqueeze(0), networks, shape)
    return packed.rows[0], packed.slots[0], packed.tasks[0].numpy()


@torch.no_grad()
def predict_rows(module, networks, features, tasks, metadata=None):
    """Yield row numbers (k,) and outputs (M, k, o) of chunks of rows, one network per row.

    `networks` (n,) are positions in `tasks`, -1 if unseen, and `metadata` (n_networks, d_m). Tasks
    with ids of several levels are (n_networks, L).
    """
    module = _in_double(module)
    device = next(module.parameters()).device
    n_members = module.n_members
    rows, slots, distinct = _packed(networks, len(tasks))
    at_once = max(1, min(_ROWS // rows.shape[1], _NETWORKS) // n_members)
    for block, slot in zip(rows.split(at_once), slots.split(at_once), strict=True):
        # blocks are sorted by network: the networks of a chunk are adjacent
        chunk = distinct[slot[0] : slot[-1] + 1]
        filled = block >= 0
        x = torch.from_numpy(features[block.clamp(min=0).numpy()]).to(device)
        inputs = ModuleInputs(
            x.expand(n_members, -1, -1, -1),
            _for_members(tasks[chunk], n_members, device),
            (slot - slot[0]).to(device).expand(n_members, -1),
            None if metadata is None else _for_members(metadata[chunk], n_members, device),
        )
        outputs = module(*inputs)
        yield block[filled].numpy(), outputs[:, filled.to(device)].cpu().numpy()


@torch.no_grad()
def predict_every_task(module, features, tasks, metadata=None):
    """Yield slices of rows and outputs (M, T, k, o) of all networks, for wide form."""
    module = _in_double(module)
    device = next(module.parameters()).device
    n_members, n_tasks = module.n_members, len(tasks)
    tasks = torch.from_numpy(tasks).to(device).expand(n_members, -1)
    slots = torch.arange(n_tasks, device=device).expand(n_members, -1)
    if metadata is not None:
        metadata = _for_members(metadata, n_members, device)
    at_once = max(1, _ROWS // (n_members * n_tasks))
    for start in range(0, len(features), at_once):
        rows = slice(start, start + at_once)
        x = torch.from_numpy(features[rows]).to(device)
        x = x.expand(n_members, n_tasks, -1, -1)
        outputs = module(*ModuleInputs(x, tasks, slots, metadata, shared_rows=True))
        yield rows, outputs.cpu().numpy()


def evaluate_rows(module, features, embeddings, metadata=None):
    """Return outputs (M, n) of a hypernetwork and derivatives by the embeddings (M, n, d_e).

    Row i of `features` (n, d) has the network of its own embedding and `metadata` (n, d_m).
    """
    module = frozen(module)
    device, n_members = next(module.parameters()).device, module.n_members
    outputs, slopes = np.empty(embeddings.shape[:2]), np.empty(embeddings.shape)
    at_once = max(1, _ROWS // (8 * n_members))
    for start in range(0, len(features), at_once):
        rows = slice(start, start + at_once)
        values = module.evaluate(
            _for_members(features[rows], n_members, device),
            torch.from_numpy(embeddings[:, rows]).to(device),
            None if metadata is None else _for_members(metadata[rows], n_members, device),
        )
        outputs[:, rows], slopes[:, rows] = (v.cpu().numpy() for v in values)
    return outputs, slopes


def _for_members(values, n_members, device):
    return torch.from_numpy(values).to(device).expand(n_members, *values.shape)
