"""Codecs of numpy's arrays and scalars. Numbers are kept in the file's tensors, bit for bit."""

import numpy as np

from skmtl._persistence._codec import Codec

_NUMBERS = "biuf"
_DATES = "mM"


def _write(value, writer):
    kind, dtype = value.dtype.kind, value.dtype.newbyteorder("=")
    if kind in _DATES:
        value = value.astype(dtype).view(np.int64)
    elif kind == "c":
        value = np.ascontiguousarray(value.astype(dtype)).view(value.real.dtype.newbyteorder("="))
    elif kind in "OUS":
        items = value.ravel().tolist()
        items = [writer.write_at(f"[{k}]", item) for k, item in enumerate(items)]
        return {"dtype": dtype.str, "shape": list(value.shape), "items": items}
    elif kind not in _NUMBERS or dtype.itemsize > 8:
        writer.refuse(f"an array of the dtype {dtype}, which files cannot hold")
    node = {"dtype": dtype.str}
    if value.ndim > 1 and value.flags.f_contiguous and not value.flags.c_contiguous:
        # sums over it are rounded in another order than over a copy in C order
        node["order"], value = "F", value.T
    return node | {"array": writer.add_array(_native(value))}


def _native(value):
    return np.ascontiguousarray(value.astype(value.dtype.newbyteorder("="), copy=False))


def _read(node, reader):
    dtype = np.dtype(node["dtype"])
    if "items" in node:
        values = np.empty(len(node["items"]), dtype=dtype)
        for k, item in enumerate(node["items"]):
            values[k] = reader.read(item)
        return values.reshape(node["shape"])
    values = reader.arrays[node["array"]].copy()
    if dtype.kind not in _NUMBERS:
        if dtype.kind not in _DATES + "c":
            raise ValueError(f"an array cannot have the dtype {dtype}")
        values = values.view(dtype)
    return values.T if node.get("order") == "F" else values


def _write_scalar(value, writer):
    return {"value": writer.write(np.asarray(value)[None])}


def _read_scalar(node, reader):
    return reader.read(node["value"])[0]


CODECS = [
    Codec("array", (np.ndarray,), _write, _read, shared=True),
    Codec(
        "scalar",
        (),
        _write_scalar,
        _read_scalar,
        matches=lambda value: isinstance(value, np.generic),
    ),
    Codec(
        "dtype",
        (),
        lambda value, writer: {"value": value.str},
        lambda node, reader: np.dtype(node["value"]),
        matches=lambda value: isinstance(value, np.dtype) and value.kind not in "OV",
    ),
]
