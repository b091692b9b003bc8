"""Devices of tensors, and the number of threads.

Threads slow small networks down, and results on one thread do not depend on their number.
"""

from contextlib import contextmanager
from threading import Lock, current_thread, local, main_thread

import torch

from skmtl.nn import _workspace


def resolve_device(device):
    """Return the torch device, for "auto" a GPU if there is one, or raise an error."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        known = resolved.type in ("cpu", "cuda")
    except (RuntimeError, TypeError):
        known = False
    if not known:
        raise ValueError(f"device={device!r} is not known here; use 'auto', 'cpu' or 'cuda'.")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r}, but torch sees {torch.cuda.device_count()} CUDA device(s). Use "
            "device='auto', which takes a GPU if there is one, or device='cpu'."
        )
    return resolved


_lock = Lock()
_inside = {"count": 0, "threads": 1}
_own = local()


@contextmanager
def one_thread():
    """Run torch on one thread, and restore the caller's setting after the last exit.

    Several threads may be inside, several times; those that may end at any time release buffers.
    """
    with _lock:
        # called in every thread: its first call there fixes the number that torch uses
        threads = torch.get_num_threads()
        if not _inside["count"]:
            _inside["threads"] = threads
        _inside["count"] += 1
        _own.depth = getattr(_own, "depth", 0) + 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside["count"] -= 1
            _own.depth -= 1
            if not _own.depth:
                torch.set_num_threads(_inside["threads"])
        if not _own.depth and current_thread() is not main_thread():
            _workspace.release()
