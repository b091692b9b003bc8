"""Checkpoints: what an interrupted call has computed, in files that the same call finds again.

A file is named by a digest of everything that its content depends on. Nothing here knows training.
"""

import hashlib
import json
import os
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import PicklingError
from threading import local
from time import monotonic

import joblib
import numpy as np
import torch

from skmtl._persistence._codec import Reader, Writer
from skmtl._persistence._file import pack, read_metadata, unpack, write_atomically
from skmtl._persistence._model import CODECS
from skmtl._persistence._registry import full_name, stand_in
from skmtl._version import __version__
from skmtl.exceptions import CheckpointWarning, ModelFileError

_FORMAT = "skmtl checkpoint"
# str: that of torch is of a class of its own
_VERSIONS = [__version__, str(torch.__version__), np.__version__]
# seconds of work from which on a result is stored
_WORTH = 0.5
_active = local()


def _hashed(value, writer):
    """Write an object of another package, whose files may differ from time to time."""
    return {"hash": joblib.hash(stand_in(value))}


# the last codec is that of objects of other packages
_TO_IDENTIFY = [*CODECS[:-1], CODECS[-1]._replace(write=_hashed)]


def digest(value):
    """Return a digest of a value and of the versions of this package, torch and numpy."""
    writer = Writer(_TO_IDENTIFY)
    try:
        document = writer.write([_VERSIONS, value])
    except (ModelFileError, PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"checkpoint_dir needs to tell this fit from others, which it cannot: {error}"
        ) from error
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name, array in writer.arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8))
    return digest.hexdigest()[:40]


def set_aside(path, error):
    """Give a file that cannot be used another name, with a warning."""
    new, reason = path.with_name(f"{path.name}.damaged"), str(error).partition(";")[0]
    with suppress(OSError):
        os.replace(path, new)
    warnings.warn(
        f"{path} cannot be used ({reason}); it is now called {new.name}, and what it held is "
        "computed again.",
        CheckpointWarning,
        stacklevel=2,
    )


class Checkpoints:
    """The files of one call in a folder, which other calls may use at the same time.

    With `in_blocks`, parts that are finished stay until the call ends. If they are `optional`, what
    cannot be told from other work goes on without. `names` are those that the call has used, in
    this process.
    """

    def __init__(self, folder, in_blocks=False, optional=False):
        self.folder, self.in_blocks, self.optional = Path(folder), in_blocks, optional
        self.names = set()
        self._warned = False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{str(folder)!r} cannot hold checkpoints: {error}") from error

    def _path(self, name):
        return self.folder / f"{name}.safetensors"

    def read(self, name, trusted=()):
        """Return the value of a name, or None; files that are damaged are set aside."""
        self.names.add(name)
        path = self._path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"{path} cannot be read: {error}")
            return None
        try:
            metadata = read_metadata(content, path.name)
            if metadata.get("format") != _FORMAT or metadata.get("name") != name:
                raise ModelFileError("it belongs to something else")
            arrays = unpack(content, metadata, path.name)
            reader = Reader(CODECS, arrays, {full_name(item): item for item in trusted})
            return reader.read(json.loads(metadata["value"]))
        except Exception as error:
            set_aside(path, error)
            return None

    def write(self, name, value):
        """Store a value; where that fails, a warning says so, once."""
        writer = Writer(CODECS)
        try:
            document = json.dumps(writer.write(value), separators=(",", ":"), allow_nan=False)
            metadata = {"format": _FORMAT, "name": name, "value": document}
            write_atomically(self._path(name), pack(writer.arrays, metadata))
        except (OSError, ModelFileError) as error:
            self._warn(f"no checkpoint can be written to {self.folder}: {error}")

    def _warn(self, message):
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{message}. The fit goes on, and what it does now is lost if it is interrupted.",
                CheckpointWarning,
                stacklevel=2,
            )

    def remove(self, names=None):
        """Delete the files of this call, or some, and what killed processes have left of them."""
        for name in self.names if names is None else names:
            path = self._path(name)
            for file in [path, *self.folder.glob(f".{path.name}.*.tmp")]:
                with suppress(OSError):
                    file.unlink()

    @contextmanager
    def active(self):
        """Have what runs inside, in this thread, keep its checkpoints here."""
        before, _active.checkpoints = current(), self
        try:
            yield
        finally:
            _active.checkpoints = before


def current():
    """Return the `Checkpoints` of the call that this thread works for, or None."""
    return getattr(_active, "checkpoints", None)


def remembered(kind, identity, compute, worth=_WORTH):
    """Return `compute()`, or what it has returned before in an interrupted call.

    `identity` is everything that it depends on. What takes fewer seconds than `worth` is not kept.
    """
    checkpoints = current()
    if checkpoints is None:
        return compute()
    name = f"{kind}_{digest(identity)}"
    value = checkpoints.read(name)
    if value is None:
        began = monotonic()
        value = compute()
        if monotonic() - began >= worth:
            checkpoints.write(name, value)
    return value


@contextmanager
def checkpointing(folder, in_blocks=False, optional=False):
    """Keep checkpoints in a folder until what runs inside ends well; None changes nothing.

    Interrupted work keeps them, whatever interrupts it.
    """
    if folder is None:
        yield current()
        return
    checkpoints = Checkpoints(folder, in_blocks, optional)
    with checkpoints.active():
        yield checkpoints
    checkpoints.remove()
