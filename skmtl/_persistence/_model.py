"""Saving a model and loading it: the layout of the file and its versions."""

import json
import os
from pathlib import Path

from skmtl._persistence import _arrays, _objects, _tables, _torch, _values
from skmtl._persistence._codec import Reader, Writer
from skmtl._persistence._file import pack, read_metadata, unpack, write_atomically
from skmtl._persistence._registry import full_name
from skmtl._version import __version__
from skmtl.exceptions import ModelFileError

# The number rises when a file means something else than before; then `_MIGRATIONS` says, by the
# earlier number, how a document becomes one of the next.
FORMAT = 1
_MIGRATIONS = {}
_NAME = "skmtl model"
CODECS = [*_values.CODECS, *_arrays.CODECS, *_tables.CODECS, *_torch.CODECS, *_objects.CODECS]


def save_model(model, path):
    """Write a model to a file, see `ModelFileMixin.save`."""
    writer = Writer(CODECS)
    document = writer.write(model)
    metadata = {
        "format": _NAME,
        "format_version": str(FORMAT),
        "skmtl_version": __version__,
        "model": json.dumps(document, separators=(",", ":"), allow_nan=False),
    }
    content = pack(writer.arrays, metadata)
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {str(path.parent)!r} of path does not exist.")
    write_atomically(path, content)


def load(path, *, trusted=()):
    """Load a model from a file that its method `save` has written.

    No code of the file runs: it holds arrays, text, and names of classes of this package. A file
    of an unknown source is as harmless as a table, unless you pass `trusted`.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of classes and functions, default=()
        Code outside of this package that the model uses and that you trust: your own architectures,
        task weightings, modules and callbacks, and what skops does not trust by itself. The error
        without it names what is missing.

    Returns
    -------
    estimator
        The model, which predicts bitwise the same as the saved one on the same machine, and goes on
        from there in ``adapt`` and with ``warm_start``. A model that was trained on a GPU is moved
        to it if there is one.

    Raises
    ------
    ModelFileError
        If the file is of something else, damaged, or of a newer format than this version of skmtl
        reads; or if it needs code that is not in `trusted`.

    Warns
    -----
    VersionWarning
        If the model lacks parameters that this version of skmtl has: it is from an earlier one.

    References
    ----------
    The format of the file: https://github.com/huggingface/safetensors

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmtl
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=5, n_rows=20, random_state=0)
    >>> model = skmtl.MultiTaskHypernetRegressor(task_id=cubic.task_id, max_iter=5, random_state=0)
    >>> model = model.fit(cubic.data, cubic.target)
    >>> path = Path(tempfile.mkdtemp()) / "cubic.skmtl"
    >>> model.save(path)
    >>> loaded = skmtl.load(path)
    >>> bool((loaded.predict(cubic.data) == model.predict(cubic.data)).all())
    True
    """
    if isinstance(trusted, str) or not all(hasattr(item, "__qualname__") for item in trusted):
        raise TypeError("trusted holds classes and functions, not their names.")
    name = os.fspath(path)
    content = Path(path).read_bytes()
    metadata = read_metadata(content, name)
    if metadata.get("format") != _NAME:
        raise ModelFileError(f"{name} holds tensors of something else, not a model of skmtl.")
    version = _format_of(metadata, name)
    arrays = unpack(content, metadata, name)
    try:
        document = json.loads(metadata["model"])
        for number in range(version, FORMAT):
            document = _MIGRATIONS[number](document)
        reader = Reader(CODECS, arrays, {full_name(item): item for item in trusted})
        model = reader.read(document)
    except (ModelFileError, MemoryError):
        raise
    except Exception as error:
        # whatever a stranger has put together
        raise ModelFileError(
            f"{name} cannot be read ({type(error).__name__}: {error}). It was written by skmtl "
            f"{metadata.get('skmtl_version')}; this is {__version__}."
        ) from error
    if not hasattr(model, "save"):
        raise ModelFileError(f"{name} holds no model, but a {type(model).__name__}.")
    return model


def _format_of(metadata, name):
    """Return the number of a file's format, which must not be newer than this package."""
    text = metadata.get("format_version", "")
    writer = metadata.get("skmtl_version")
    if not text.isdecimal() or not int(text) >= 1:
        raise ModelFileError(f"{name} is damaged: it does not say which format it has.")
    if int(text) > FORMAT:
        raise ModelFileError(
            f"{name} has format {text}, written by skmtl {writer}; skmtl {__version__} reads "
            f"formats up to {FORMAT}. Upgrade skmtl to load it."
        )
    return int(text)
