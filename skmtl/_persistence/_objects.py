"""Codecs of objects: of this package, of the caller's classes, and of scikit-learn by skops."""

import types

import numpy as np
from torch import nn

from skmtl._persistence._codec import Codec
from skmtl._persistence._registry import (
    full_name,
    is_own,
    is_saveable,
    known_classes,
    own_name,
    stand_in,
)
from skmtl._persistence._torch import is_layer, layer_class, read_module, write_module
from skmtl.exceptions import ModelFileError

_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)


def _write_object(value, writer):
    cls = type(value)
    if is_own(cls):
        name = {"class": own_name(cls)}
    elif is_layer(cls):
        name = {"layer": cls.__name__}
    else:
        name = {"trusted": _importable_name(cls, writer)}
    if isinstance(value, nn.Module):
        return name | write_module(value, writer)
    state = value.__getstate__()
    if not isinstance(state, dict):
        state = {} if state is None else writer.refuse("an object with slots, not attributes")
    return name | {"state": writer.write_state(state)}


def _read_object(node, reader):
    cls = _class_of(node, reader)
    if issubclass(cls, nn.Module):
        return read_module(cls, node, reader)
    value = reader.keep(node, object.__new__(cls))
    state = reader.read_state(node["state"])
    if hasattr(cls, "__setstate__"):
        value.__setstate__(state)
    else:
        vars(value).update(state)
    return value


def _class_of(node, reader):
    if "layer" in node:
        return layer_class(node["layer"])
    if "trusted" in node:
        return _trusted(node["trusted"], reader)
    try:
        return known_classes()[node["class"]]
    except KeyError:
        raise ModelFileError(
            f"the file holds an object of the class {node['class']!r}, which this version of skmtl "
            "does not have; load it with the version that wrote it."
        ) from None


def _importable_name(item, writer):
    """Return the name of a class or a function by which the caller of `load` can name it."""
    if "<" in item.__qualname__:
        writer.refuse(
            f"{item.__qualname__}, which has no name that a file could say. Define it in a module, "
            "or set the parameter to None with set_params before saving if it only matters in fit."
        )
    return full_name(item)


def _trusted(name, reader):
    try:
        return reader.trusted[name]
    except KeyError:
        short = name.rpartition(".")[2]
        raise ModelFileError(
            f"the file refers to {name}, which is not part of skmtl; files bring no code. If you "
            f"trust it, import it and pass it: skmtl.load(path, trusted=[{short}])."
        ) from None


def _write_function(value, writer):
    return {"trusted": _importable_name(value, writer)}


def _skops():
    try:
        import skops.io
    except ImportError as error:
        raise ModelFileError(
            "objects of other packages, such as estimators of scikit-learn, are stored in the "
            "format of skops, which is not installed: pip install skmtl[skops]."
        ) from error
    return skops.io


def _write_foreign(value, writer):
    other = stand_in(value)
    if other is not value:
        return {"value": writer.write(other)}
    cls = type(value)
    try:
        content = _skops().dumps(value)
    except ModelFileError as error:
        writer.refuse(f"an object of {full_name(cls)}, and {error}")
    except Exception as error:
        writer.refuse(f"an object of {full_name(cls)}, which files cannot hold ({error})")
    return {"skops": writer.add_array(np.frombuffer(content, dtype=np.uint8)), "of": full_name(cls)}


def _read_foreign(node, reader):
    if "value" in node:
        return reader.read(node["value"])
    skops, content = _skops(), reader.arrays[node["skops"]].tobytes()
    foreign = skops.get_untrusted_types(data=content)
    unknown = [name for name in foreign if name not in reader.trusted]
    if unknown:
        _trusted(unknown[0], reader)
    return skops.loads(content, trusted=foreign)


def _is_object(value):
    return is_saveable(type(value))


CODECS = [
    Codec(
        "object",
        (),
        _write_object,
        _read_object,
        shared=True,
        matches=lambda v: is_saveable(type(v)),
    ),
    Codec(
        "function",
        (),
        _write_function,
        lambda node, reader: _trusted(node["trusted"], reader),
        matches=lambda value: isinstance(value, _FUNCTIONS),
    ),
    # everything else
    Codec("foreign", (), _write_foreign, _read_foreign, shared=True, matches=lambda value: True),
]
