"""Where tensors live and how many threads work on them.

Small networks are slowed by threads, and one thread gives the same bits on every machine.
"""

from contextlib import contextmanager

import torch


def resolve_device(device):
    """Turn the constructor parameter into a torch device that exists.

    Parameters
    ----------
    device : str
        ``"auto"`` is a GPU if torch sees one.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the device or does not see it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is no device that torch knows; use 'auto', 'cpu' or 'cuda'."
        ) from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r}, but torch sees {torch.cuda.device_count()} CUDA device(s). Use "
            "device='auto', which takes a GPU if there is one, or device='cpu'."
        )
    return resolved


@contextmanager
def one_thread():
    """Run torch on one thread, and give the caller's setting back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
