"""Devices of tensors, and what torch's state is while the package works.

Threads slow small networks down, and results on one thread do not depend on their number. A forked
process hangs in the first operation on several threads if its parent has used them.
"""

from contextlib import ExitStack, contextmanager
from functools import wraps
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


# of parameters and of tables to train on; tests compare in double precision
DTYPE = torch.float32

_lock = Lock()
_inside = {"count": 0, "threads": 1, "dtype": torch.float32}
_own = local()


@contextmanager
def own_state():
    """Run torch as this package needs it, whatever the caller has set: see `one_thread`.

    Gradients can be computed, new tensors are float32 on the CPU unless a call says otherwise, and
    nothing is cast automatically. The caller's state comes back.
    """
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        # contexts that every call of torch passes through: only where they are needed
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def in_own_state(function):
    """Decorate a function or a method to run in `own_state`."""

    @wraps(function)
    def run(*arguments, **settings):
        with own_state():
            return function(*arguments, **settings)

    return run


@contextmanager
def one_thread():
    """Run torch on one thread and in float32; restore the caller's settings after the last exit.

    Several threads may be inside, several times; those that may end at any time release buffers.
    """
    with _lock:
        # called in every thread: its first call there fixes the number that torch uses
        threads = torch.get_num_threads()
        if not _inside["count"]:
            _inside["threads"], _inside["dtype"] = threads, torch.get_default_dtype()
            torch.set_default_dtype(DTYPE)
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
            if not _inside["count"]:
                torch.set_default_dtype(_inside["dtype"])
        if not _own.depth and current_thread() is not main_thread():
            _workspace.release()
