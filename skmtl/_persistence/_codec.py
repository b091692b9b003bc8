"""Objects to plain data and back, by one codec for each type.

Plain data are JSON: None, bool, int, str, finite floats and lists are themselves. Everything else
is a dict with a "kind" that names its codec. Numbers of arrays are kept apart, in `arrays`.
"""

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

from skmtl.exceptions import ModelFileError

_PLAIN = (type(None), bool, int, str)


class Codec(NamedTuple):
    """How values of a kind become plain data, and the reverse.

    `write` maps a value and a `Writer` to a dict without "kind", `read` maps it back with a
    `Reader`. A value that is `shared` is written once, however often it occurs. `matches` says
    which values it is for, if not those of exactly the `types`.
    """

    kind: str
    types: tuple
    write: Callable
    read: Callable
    shared: bool = False
    matches: Callable | None = None


class Writer:
    """Write values as plain data, and collect their `arrays` by name."""

    def __init__(self, codecs):
        self.arrays = {}
        self._by_type = {cls: codec for codec in codecs for cls in codec.types}
        self._others = [codec for codec in codecs if codec.matches is not None]
        # values are kept, so that no other one gets their id
        self._written, self._path = {}, []

    @contextmanager
    def at(self, step):
        """Say which part of a value is written, for messages."""
        self._path.append(step)
        yield
        self._path.pop()

    def refuse(self, what):
        """Raise an error about the part that is being written."""
        path = "".join(self._path).removeprefix(".") or "it"
        raise ModelFileError(f"this model cannot be saved: {path} is {what}")

    def write(self, value):
        """Return a value as plain data."""
        cls = type(value)
        if cls in _PLAIN or (cls is float and math.isfinite(value)):
            return value
        if cls is list:
            return [self.write_at(f"[{k}]", item) for k, item in enumerate(value)]
        codec = self._by_type.get(cls)
        if codec is None:
            # the last one matches everything
            codec = next(codec for codec in self._others if codec.matches(value))
        if not codec.shared:
            return {"kind": codec.kind, **codec.write(value, self)}
        if id(value) in self._written:
            return {"kind": "same", "id": self._written[id(value)][0]}
        number = len(self._written)
        self._written[id(value)] = number, value
        return {"kind": codec.kind, "id": number, **codec.write(value, self)}

    def write_at(self, step, value):
        """Return a part of a value as plain data."""
        with self.at(step):
            return self.write(value)

    def write_state(self, state):
        """Return a dict with attributes by name as a JSON object."""
        return {name: self.write_at(f".{name}", value) for name, value in state.items()}

    def add_array(self, values):
        """Keep an array of numbers, and return its name."""
        name = f"a{len(self.arrays)}"
        self.arrays[name] = values
        return name


class Reader:
    """Restore values from plain data and `arrays`; `trusted` are the caller's items by name."""

    def __init__(self, codecs, arrays, trusted):
        self.arrays, self.trusted = arrays, trusted
        self._by_kind = {codec.kind: codec for codec in codecs}
        self._read = {}

    def read(self, node):
        """Return what was written."""
        cls = type(node)
        if cls in _PLAIN or cls is float:
            return node
        if cls is list:
            return [self.read(item) for item in node]
        if node["kind"] == "same":
            return self._read[node["id"]]
        value = self._by_kind[node["kind"]].read(node, self)
        return self.keep(node, value)

    def keep(self, node, value):
        """Remember a value, which may be referred to before it is complete."""
        if "id" in node:
            self._read[node["id"]] = value
        return value

    def read_state(self, state):
        """Return attributes by name."""
        return {name: self.read(value) for name, value in state.items()}
