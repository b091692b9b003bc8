"""Memory for what an operation computes on the way, used again and again.

Fresh memory costs more than the arithmetic here: the system has to clear each page of it first.
"""

import math
from threading import local

import torch

# numbers in one piece of a computation: two such buffers stay in the cache of a core
_NUMBERS_IN_CACHE = 2**19
# on a GPU: enough to keep it busy, little beside what it holds
_NUMBERS_ON_GPU = 2**26
# numbers in 64 bytes, of the smallest type
_ALIGNED = 16


class _Held(local):
    """One for each thread."""

    def __init__(self):
        self.buffers = {}


_held = _Held()


def scratch(name, shape, like):
    """Tensor with arbitrary values, whose memory the next one of the same name takes over.

    Every member begins at a multiple of 64 bytes, as the only one does: the matrix library chooses
    its kernel by that, and another kernel rounds otherwise.

    Parameters
    ----------
    name : str
        What it is for. Must not be in use under that name in this thread.
    shape : tuple of int
    like : Tensor
        Has the type and the device.

    Returns
    -------
    Tensor
        Never to be returned by an operation, nor kept for its backward pass.
    """
    if like.device.type != "cpu":
        # torch keeps the memory of a GPU itself
        return like.new_empty(shape)
    inner, key = math.prod(shape[1:]), (name, like.dtype)
    stride = -(-inner // _ALIGNED) * _ALIGNED
    size = shape[0] * stride
    buffer = _held.buffers.get(key)
    if buffer is None or len(buffer) < size:
        buffer = _held.buffers[key] = like.new_empty(size)
    if stride == inner:
        return buffer[:size].view(shape)
    return buffer[:size].view(shape[0], stride)[:, :inner].unflatten(1, shape[1:])


def aligned(name, values):
    """Copy of `values`, shape ``(M, ...)``, in `scratch`."""
    return scratch(name, values.shape, values).copy_(values)


def product(name, a, b):
    """Products of matrices, in `scratch`."""
    return torch.bmm(a, b, out=scratch(name, (len(a), a.shape[1], b.shape[2]), a))


def pieces(numbers, *tensors):
    """Cut the member axis so that what a piece computes on the way fits into the cache.

    Parameters
    ----------
    numbers : int
        Numbers that one member computes.
    *tensors : Tensors of shape (M, ...)

    Returns
    -------
    sequence of tuple of Tensors
        Views of the same members of all tensors.
    """
    n_members = len(tensors[0])
    most = _NUMBERS_IN_CACHE if tensors[0].device.type == "cpu" else _NUMBERS_ON_GPU
    at_once = max(1, most // max(1, numbers))
    if at_once >= n_members:
        return (tensors,)
    return zip(*(tensor.split(at_once) for tensor in tensors), strict=True)
