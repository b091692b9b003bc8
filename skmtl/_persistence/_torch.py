"""Codecs of torch: tensors, parameters and modules.

A module is written as its attributes, and restored without its constructor and without hooks.
"""

import numpy as np
import torch
from torch import nn

from skmtl._persistence._codec import Codec
from skmtl._persistence._registry import saveable

# layers of torch that networks of the caller may contain
_LAYERS = {
    cls.__name__: cls
    for cls in (
        nn.BatchNorm1d,
        nn.Dropout,
        nn.ELU,
        nn.GELU,
        nn.Identity,
        nn.LayerNorm,
        nn.LeakyReLU,
        nn.Linear,
        nn.ModuleDict,
        nn.ModuleList,
        nn.Parameter,
        nn.ParameterDict,
        nn.ParameterList,
        nn.ReLU,
        nn.Sequential,
        nn.SiLU,
        nn.Sigmoid,
        nn.Softmax,
        nn.Softplus,
        nn.Tanh,
    )
}
_DTYPES = {
    str(dtype): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.float32,
        torch.float64,
    )
}
saveable(nn.Module)
_PARTS = ("_parameters", "_buffers", "_modules")
# what torch keeps of every module: hooks, above all
_OF_TORCH = set(vars(nn.Module())) - {"training"}


def _write_tensor(value, writer):
    if str(value.dtype) not in _DTYPES:
        writer.refuse(f"a tensor of the dtype {value.dtype}, which files cannot hold")
    node = {"dtype": str(value.dtype)}
    if isinstance(value, nn.Parameter):
        node["requires_grad"] = value.requires_grad
    value = value.detach()
    if value.is_meta:
        # a shape without numbers
        return node | {"shape": list(value.shape)}
    value = value.cpu()
    # products of a tensor whose axes are stored in another order are rounded otherwise
    order = sorted(range(value.ndim), key=lambda axis: -value.stride(axis))
    if order != sorted(order) and value.permute(order).is_contiguous():
        node["order"], value = order, value.permute(order)
    return node | {"array": writer.add_array(np.ascontiguousarray(value.numpy()))}


def _read_tensor(node, reader):
    if "shape" in node:
        value = torch.empty(node["shape"], dtype=_DTYPES[node["dtype"]], device="meta")
    else:
        # copied by numpy: a copy by torch may use threads, which hang in a forked process
        value = torch.from_numpy(reader.arrays[node["array"]].copy())
        if "order" in node:
            value = value.permute(np.argsort(node["order"]).tolist())
    if "requires_grad" in node:
        return nn.Parameter(value, requires_grad=node["requires_grad"])
    return value


def _write_generator(value, writer):
    if value.device.type != "cpu":
        writer.refuse(f"a generator of torch on {value.device}")
    return {"state": writer.write(value.get_state())}


def _read_generator(node, reader):
    value = torch.Generator()
    value.set_state(reader.read(node["state"]))
    return value


def is_layer(cls):
    """Whether a class is a layer of torch that may be in a file."""
    return _LAYERS.get(cls.__name__) is cls


def layer_class(name):
    """Return a layer of torch by its name."""
    return _LAYERS[name]


def write_module(value, writer):
    """Return a module as plain data, without its class."""
    parts = [writer.write_state(vars(value)[name]) for name in _PARTS]
    others = {name: v for name, v in vars(value).items() if name not in _OF_TORCH}
    buffers = sorted(value._non_persistent_buffers_set)
    return {"parts": parts, "temporary": buffers, "state": writer.write_state(others)}


def read_module(cls, node, reader):
    """Return a module of a class; `node` is what `write_module` returned."""
    value = cls.__new__(cls)
    nn.Module.__init__(value)
    reader.keep(node, value)
    for name, part in zip(_PARTS, node["parts"], strict=True):
        vars(value)[name].update(reader.read_state(part))
    value._non_persistent_buffers_set.update(node["temporary"])
    vars(value).update(reader.read_state(node["state"]))
    return value


CODECS = [
    Codec("tensor", (torch.Tensor, nn.Parameter), _write_tensor, _read_tensor, shared=True),
    Codec("torch_generator", (torch.Generator,), _write_generator, _read_generator),
    Codec(
        "size",
        (torch.Size,),
        lambda value, writer: {"value": list(value)},
        lambda node, reader: torch.Size(node["value"]),
    ),
    Codec(
        "torch_dtype",
        (torch.dtype,),
        lambda value, writer: {"value": str(value)},
        lambda node, reader: _DTYPES[node["value"]],
    ),
]
