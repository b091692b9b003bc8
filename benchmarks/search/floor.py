"""The floor: the least arithmetic and memory traffic of a step, and the time measured."""

import numpy as np
import torch
from common.timing import time_interleaved
from search.contenders import cubic
from search.memory import fit_members

from skmtl.nn import TaskHypernetwork

# of one thread of the machine that the floor is computed for
GIGAFLOPS, GIGABYTES_PER_SECOND = 150.0, 20.0
MEMBERS = (1, 4, 16, 32, 64)


def shapes_of_a_step():
    """Train one member for an epoch, and return the network and the shapes of its batches.

    Returns
    -------
    module : TaskHypernetwork
    shapes : list of tuples of int
        Of every batch: blocks, rows in a block, tasks.
    """
    shapes = []

    def watch(module, inputs):
        if isinstance(module, TaskHypernetwork) and module.training:
            features, tasks = inputs[:2]
            shapes.append((*features.shape[1:3], tasks.shape[1]))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        (model,) = fit_members(1, 1)
    finally:
        handle.remove()
    return model.module_, shapes


def work():
    """Return the least multiply-adds and bytes of one member's step on Cubic.

    Products are counted three times: forward, and backward for each of their two arguments.
    Bytes are those of what does not stay in registers: generated weights and their gradients
    are written once each and read twice each, activations likewise; parameters, gradients, two
    moments and averages are read, and all but the gradients written; gradients are written once.

    Returns
    -------
    steps : list of dict
        "least": weights are generated task by task from the factors. "as computed": the full map
        of each generator is built once a step, and blocks have empty positions.
    n_batches : int
        Batches of an epoch.
    """
    module, shapes = shapes_of_a_step()
    bunch = cubic()
    n_batches = len(shapes)
    n_batch = -(-(len(bunch.data) * 3 // 4) // n_batches)
    n_blocks, length, n_slots = np.max(shapes, axis=0).tolist()
    width = module.embeddings.shape[2] + len(bunch.metadata)
    n_parameters = sum(p.numel() for p in module.parameters())
    generated = sum((a + 1) * b for a, b in module.shapes)
    skip = (module.shapes[0][0] + 1) * module.n_outputs
    widths = sum(b for _, b in module.shapes)
    size = torch.finfo(torch.get_default_dtype()).bits / 8
    steps = []
    for kind, positions in (("least", n_batch), ("as computed", n_blocks * length)):
        products = n_slots * width * (generated + skip) + positions * (generated + skip)
        numbers = 6 * n_slots * (generated + skip) + 6 * positions * widths + 10 * n_parameters
        elementwise = 0
        if kind == "as computed":
            # A C, times B; backward for the three factors
            elementwise = 8 * width * generated
            # two products written and read, the map read thrice, its gradient written, read thrice
            numbers += 11 * width * generated
            # weights are gathered for the blocks, and their gradients scattered
            numbers += 4 * n_blocks * (generated + skip)
        steps.append(
            {
                "count": kind,
                "million_multiply_adds": (3 * products + elementwise) / 1e6,
                "megabytes": numbers * size / 1e6,
            }
        )
    return steps, n_batches


def measure_floor(n_epochs, n_repeats):
    """Compare milliseconds per member and step with what the machine could do.

    Returns
    -------
    list of dict
    """
    rows, least = [], None
    steps, n_batches = work()
    for step in steps:
        products = 2 * step["million_multiply_adds"] / GIGAFLOPS
        moves = step["megabytes"] / GIGABYTES_PER_SECOND
        least = least or products + moves
        rows.append({**step, "milliseconds": products + moves})
        rows[-1] |= {"of_it_products": products, "of_it_moves": moves}
    torch.set_num_threads(1)

    def runs(n_members, n_epochs):
        return lambda: lambda: fit_members(n_members, n_epochs)

    # the difference of two runs leaves out what is done once
    timed = {(n, more): runs(n, 1 + more * n_epochs) for n in MEMBERS for more in (0, 1)}
    time_interleaved(timed, 1)
    seconds = time_interleaved(timed, n_repeats)
    for n_members in MEMBERS:
        spent = (seconds[n_members, 1] - seconds[n_members, 0]).median()
        milliseconds = 1000 * spent / (n_members * n_batches * n_epochs)
        line = {"count": f"measured, {n_members} members", "milliseconds": milliseconds}
        rows.append({**line, "times_the_least": milliseconds / least})
    return rows
