"""How many members train at once: as many as pay, and no more than memory holds."""

import os
from numbers import Integral

import torch

from skmtl._device import resolve_device
from skmtl._jobs import build_module

# more members than this no longer fit into the cache of a core together, and cost more each
_MEMBERS_PER_CORE = 32
_MEMBERS_PER_GPU = 4096
# parameters, gradients, two moments, averages, best ones, and what a step computes on the way
_COPIES_OF_PARAMETERS = 16
# of the numbers that pass through a network: outputs, their gradients, and temporary ones
_COPIES_OF_ACTIVATIONS = 8
_UNKNOWN = 4 * 2**30


def members_in_block(estimator, max_members):
    """Members that are to train together, before their memory is known.

    Parameters
    ----------
    estimator : estimator
    max_members : int or "auto"

    Returns
    -------
    int
    """
    if isinstance(max_members, Integral):
        return max_members
    on_cpu = resolve_device(estimator.device).type == "cpu"
    return _MEMBERS_PER_CORE if on_cpu else _MEMBERS_PER_GPU


def members_in_memory(job, n_workers):
    """Members that half of the free memory holds, when `n_workers` share it.

    Parameters
    ----------
    job : Job
    n_workers : int

    Returns
    -------
    int
    """
    device = resolve_device(job.estimator.device)
    return max(1, int(free_memory(device) / (2 * n_workers) / bytes_per_member(job)))


def bytes_per_member(job):
    """About what a member takes in training.

    Parameters
    ----------
    job : Job

    Returns
    -------
    float
    """
    single = build_module([job]).part(slice(0, 1))
    sizes = [parameter.numel() for parameter in single.parameters()]
    n_tasks, n_rows = len(job.tables.tasks), job.batch_rows()
    n_examples = n_rows * (n_tasks if job.targets.wide else 1)
    # every task of a batch has weights of its own, at most as many as the parameters
    n_networks = min(n_tasks, n_examples)
    widths = sum(parameter.shape[-1] for parameter in single.parameters())
    generated = sum(a * b for a, b in getattr(single, "shapes", ()))
    numbers = (
        _COPIES_OF_PARAMETERS * sum(sizes)
        + _COPIES_OF_ACTIVATIONS * n_examples * widths
        + _COPIES_OF_ACTIVATIONS * n_networks * generated
    )
    return numbers * torch.finfo(torch.get_default_dtype()).bits / 8


def free_memory(device):
    """Bytes that are free.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    int
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN
