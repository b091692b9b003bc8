"""Reused memory for intermediate results of an operation.

New memory would cost more than the arithmetic: the operating system has to clear each page first.
"""

import math
from threading import local

import torch

# elements in one chunk of a computation: two such buffers stay in the cache of a core
_NUMBERS_IN_CACHE = 2**19
# the same on a GPU: enough to keep it busy, and little compared to its memory
_NUMBERS_ON_GPU = 2**26
# elements in 64 bytes, of the smallest type
_ALIGNED = 16
# largest number of views that a thread keeps, to avoid creating them in each step
_MOST_VIEWS = 500


class _Held(local):
    """Buffers and views of the current thread."""

    def __init__(self):
        self.buffers = {}
        self.views = {}


_held = _Held()


def scratch(name, shape, like):
    """Return a tensor as `like` with arbitrary values, in memory that is reused by name.

    Every member begins at a multiple of 64 bytes, as a single one does: the matrix library chooses
    its kernel by alignment, and kernels round differently. The tensor must not be returned by an
    operation or kept for its backward pass, and its name must not be in use in this thread.
    """
    if like.device.type != "cpu":
        # torch reuses the memory of a GPU itself
        return like.new_empty(shape)
    key = name, like.dtype, shape
    view = _held.views.get(key)
    if view is None:
        view = _held.views[key] = _view_of(*key)
    return view


def _view_of(name, dtype, shape):
    """Return a view of the memory of that name, enlarging it if necessary."""
    inner = math.prod(shape[1:])
    stride = -(-inner // _ALIGNED) * _ALIGNED
    size = shape[0] * stride
    buffer = _held.buffers.get((name, dtype))
    if buffer is None or len(buffer) < size or len(_held.views) > _MOST_VIEWS:
        # drop all views of the old memory, which would keep it alive
        _held.views = {key: view for key, view in _held.views.items() if key[:2] != (name, dtype)}
        buffer = _held.buffers[name, dtype] = torch.empty(size, dtype=dtype)
    if stride == inner:
        return buffer[:size].view(shape)
    return buffer[:size].view(shape[0], stride)[:, :inner].unflatten(1, shape[1:])


def release():
    """Release all memory of this thread; tensors in use keep theirs.

    A thread that ends must not hold tensors: freeing one releases Python's global lock, which a
    thread cannot acquire again while the interpreter exits, and the process aborts.
    """
    _held.buffers.clear()
    _held.views.clear()


def aligned(name, values):
    """Copy values (M, ...) to `scratch` memory, unless there is one member and it is aligned."""
    if len(values) == 1 and values.is_contiguous() and values.data_ptr() % 64 == 0:
        return values
    return scratch(name, values.shape, values).copy_(values)


def product(name, a, b):
    """Multiply matrices into `scratch` memory."""
    return torch.bmm(a, b, out=scratch(name, (len(a), a.shape[1], b.shape[2]), a))


def member_chunks(numbers, *tensors):
    """Split tensors (M, ...) into chunks of members that fit into the cache.

    A member's intermediate results have this many `numbers`.
    """
    n_members = len(tensors[0])
    most = _NUMBERS_IN_CACHE if tensors[0].device.type == "cpu" else _NUMBERS_ON_GPU
    at_once = max(1, most // max(1, numbers))
    if at_once >= n_members:
        return (tensors,)
    return zip(*(tensor.split(at_once) for tensor in tensors), strict=True)
