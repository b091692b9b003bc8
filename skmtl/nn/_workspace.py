"""Reused memory for what an operation computes on the way.

Fresh memory costs more than the arithmetic here: the system has to clear each page of it first.
"""

import math
from threading import local

import torch

# numbers in one chunk of a computation: two such buffers stay in the cache of a core
_NUMBERS_IN_CACHE = 2**19
# on a GPU: enough to keep it busy, little beside what it holds
_NUMBERS_ON_GPU = 2**26
# numbers in 64 bytes, of the smallest type
_ALIGNED = 16
# views that a thread remembers, so that it need not make them in each step
_MOST_VIEWS = 500


class _Held(local):
    """One for each thread."""

    def __init__(self):
        self.buffers = {}
        self.views = {}


_held = _Held()


def scratch(name, shape, like):
    """Return a tensor as `like` with arbitrary values, in memory that its name reuses.

    Every member begins at a multiple of 64 bytes, as the only one does: the matrix library chooses
    its kernel by that, and kernels round differently. It is never to be returned by an operation,
    nor kept for its backward pass, and its name must not be in use in this thread.
    """
    if like.device.type != "cpu":
        # torch keeps the memory of a GPU itself
        return like.new_empty(shape)
    key = name, like.dtype, shape
    view = _held.views.get(key)
    if view is None:
        view = _held.views[key] = _view_of(*key)
    return view


def _view_of(name, dtype, shape):
    """Return a view of the memory of that name, which grows if it must."""
    inner = math.prod(shape[1:])
    stride = -(-inner // _ALIGNED) * _ALIGNED
    size = shape[0] * stride
    buffer = _held.buffers.get((name, dtype))
    if buffer is None or len(buffer) < size or len(_held.views) > _MOST_VIEWS:
        # no view keeps memory that is no longer used
        _held.views = {key: view for key, view in _held.views.items() if key[:2] != (name, dtype)}
        buffer = _held.buffers[name, dtype] = torch.empty(size, dtype=dtype)
    if stride == inner:
        return buffer[:size].view(shape)
    return buffer[:size].view(shape[0], stride)[:, :inner].unflatten(1, shape[1:])


def release():
    """Forget all memory of this thread; what is in use stays as long as it is.

    A thread that ends must not hold tensors: freeing one releases Python's lock, which a thread
    does not get back while the interpreter exits, and the process aborts.
    """
    _held.buffers.clear()
    _held.views.clear()


def aligned(name, values):
    """Copy values (M, ...) to `scratch`, unless they are the only member and aligned already."""
    if len(values) == 1 and values.is_contiguous() and values.data_ptr() % 64 == 0:
        return values
    return scratch(name, values.shape, values).copy_(values)


def product(name, a, b):
    """Multiply matrices into `scratch`."""
    return torch.bmm(a, b, out=scratch(name, (len(a), a.shape[1], b.shape[2]), a))


def member_chunks(numbers, *tensors):
    """Yield tensors (M, ...) in chunks of members, of `numbers` each, that fit into the cache."""
    n_members = len(tensors[0])
    most = _NUMBERS_IN_CACHE if tensors[0].device.type == "cpu" else _NUMBERS_ON_GPU
    at_once = max(1, most // max(1, numbers))
    if at_once >= n_members:
        return (tensors,)
    return zip(*(tensor.split(at_once) for tensor in tensors), strict=True)
