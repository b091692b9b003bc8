"""Number of members that train at once: as many as save time and fit in memory."""

import os
from numbers import Integral

import torch

from skmtl._estimators.choices import alternatives
from skmtl._estimators.plan import build_module
from skmtl.training._device import resolve_device

# with more members, the time per member hardly falls
MEMBERS_PER_CORE = 32
MEMBERS_PER_GPU = 4096
# parameters, gradients, two moments, averages, best parameters, and temporaries of a step
_COPIES_OF_PARAMETERS = 16
# outputs of layers, their gradients, and temporaries
_COPIES_OF_ACTIVATIONS = 8
_UNKNOWN = 4 * 2**30


def on_gpu(estimator):
    """Return whether an estimator trains on a GPU; False if its device does not exist."""
    try:
        return resolve_device(estimator.device).type != "cpu"
    except ValueError:
        return False


def fits_in_block(estimator, max_members):
    """Return how many fits may train together, before their memory is known."""
    if not isinstance(max_members, Integral):
        max_members = MEMBERS_PER_GPU if on_gpu(estimator) else MEMBERS_PER_CORE
    try:
        estimator._validate_params()
    except ValueError:
        # each fit will fail and report why
        return max_members
    return max(1, max_members // estimator.n_members)


def members_in_memory(plan, n_workers):
    """Return how many members fit in half of the free memory, shared by `n_workers`."""
    device = resolve_device(plan.estimator.device)
    return max(1, int(free_memory(device) / (2 * n_workers) / bytes_per_member(plan)))


def bytes_per_member(plan):
    """Estimate the memory of a member in training, in bytes."""
    module = build_module(alternatives(plan)[:1])
    sizes = [parameter[0].numel() for parameter in module.parameters()]
    n_tasks, n_rows = plan.tables.n_tasks, plan.batch_rows()
    n_examples = n_rows * (n_tasks if plan.targets.wide else 1)
    # each task of a batch has its own weights
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
    """Return the free memory in bytes."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    try:
        # counts the page cache as free, unlike sysconf
        with open("/proc/meminfo") as file:
            entries = dict(line.split(":") for line in file)
        return 1024 * int(entries["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN
