"""How many members train at once: as many as pay, and no more than memory holds."""

import os
from numbers import Integral

import torch

from skmtl._estimators.plan import build_module
from skmtl.training._device import resolve_device

# more members than this hardly get cheaper each
MEMBERS_PER_CORE = 32
MEMBERS_PER_GPU = 4096
# parameters, gradients, two moments, averages, best ones, and what a step computes on the way
_COPIES_OF_PARAMETERS = 16
# of the numbers that pass through a network: outputs, their gradients, and temporary ones
_COPIES_OF_ACTIVATIONS = 8
_UNKNOWN = 4 * 2**30


def on_gpu(estimator):
    """Whether an estimator trains on a GPU; a device that does not exist is none."""
    try:
        return resolve_device(estimator.device).type != "cpu"
    except ValueError:
        return False


def fits_in_block(estimator, max_members):
    """Fits that are to train together, before their memory is known.

    Parameters
    ----------
    estimator : estimator
    max_members : int or "auto"

    Returns
    -------
    int
    """
    if not isinstance(max_members, Integral):
        max_members = MEMBERS_PER_GPU if on_gpu(estimator) else MEMBERS_PER_CORE
    try:
        estimator._validate_params()
    except ValueError:
        # each of them will fail, and say why
        return max_members
    return max(1, max_members // estimator.n_members)


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
    module = build_module([job])
    sizes = [parameter[0].numel() for parameter in module.parameters()]
    n_tasks, n_rows = len(job.tables.tasks), job.batch_rows()
    n_examples = n_rows * (n_tasks if job.targets.wide else 1)
    # every task of a batch has weights of its own, at most as many as the parameters
    n_networks = min(n_tasks, n_examples)
    widths = sum(parameter.shape[-1] for parameter in module.parameters())
    generated = sum(a * b for a, b in getattr(module, "shapes", ()))
    numbers = (
        _COPIES_OF_PARAMETERS * sum(sizes)
        + _COPIES_OF_ACTIVATIONS * n_examples * widths * module.networks_per_row
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
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    try:
        # what the system holds for files only counts as free here, but not in sysconf
        with open("/proc/meminfo") as file:
            facts = dict(line.split(":") for line in file)
        return 1024 * int(facts["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN
