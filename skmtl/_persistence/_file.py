"""Files on disk: written as a whole or not at all, and checked when they are read."""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from skmtl.exceptions import ModelFileError

_NO_DIGEST = "0" * 64


def write_atomically(path, content, durable=True):
    """Write bytes to a file under another name in its folder, and rename it.

    Whoever reads the file finds the old content or the new one: after a crash of the process, and
    if `durable` also after one of the machine.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder):
    """Have the renaming on disk, too, on systems where a folder can be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def pack(arrays, metadata):
    """Return safetensors with arrays by name, texts by name, and a digest of all bytes."""
    from safetensors.numpy import save

    content = save(arrays, metadata={**metadata, "sha256": _NO_DIGEST})
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(_digest_bytes(_NO_DIGEST), _digest_bytes(digest), 1)


def _digest_bytes(digest):
    return f'"sha256":"{digest}"'.encode()


def read_metadata(content, path):
    """Return the texts of safetensors; what is no such file, or is cut, is an error."""
    length = int.from_bytes(content[:8], "little")
    if content[8:9] != b"{":
        pickled = content[:1] == b"\x80"
        what = "a pickle, which could run code" if pickled else "of another format"
        raise ModelFileError(f"{path} is {what}; skmtl.load reads files of model.save(path) only.")
    if len(content) < 8 + length:
        raise ModelFileError(f"{path} is damaged: its end is missing.")
    try:
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        return {str(name): str(text) for name, text in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} is no file of model.save(path), or it is damaged.") from error


def unpack(content, metadata, path):
    """Return the arrays of safetensors by name, whose bytes must be those that were written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    digest = _digest_bytes(metadata.get("sha256", ""))
    original = content.replace(digest, _digest_bytes(_NO_DIGEST), 1)
    if _digest_bytes(hashlib.sha256(original).hexdigest()) != digest:
        raise ModelFileError(f"{path} is damaged: it is not as it was written.")
    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: {error}.") from error
