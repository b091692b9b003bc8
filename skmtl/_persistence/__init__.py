"""Models in files without pickle: objects of known classes as plain data, in one file.

`_registry` says which classes may be in a file, `_codec` turns objects into data and back with
the codecs of `_values`, `_arrays`, `_tables`, `_torch` and `_objects`, and `_file` reads and writes
the file. Nothing here knows an estimator.
"""

from skmtl._persistence._checkpoints import checkpointing, current, remembered, set_aside
from skmtl._persistence._file import write_atomically
from skmtl._persistence._mixin import ModelFileMixin
from skmtl._persistence._model import load, save_model
from skmtl._persistence._registry import saveable, saved_as
from skmtl._persistence._versions import VersionedState

__all__ = [
    "ModelFileMixin",
    "VersionedState",
    "checkpointing",
    "current",
    "load",
    "remembered",
    "save_model",
    "saveable",
    "saved_as",
    "set_aside",
    "write_atomically",
]
