"""The networks of single tasks as stacks of dense layers, for use outside of the package."""

from typing import NamedTuple

import torch

from skmtl.nn._components import DenseComponents
from skmtl.nn._gumbel import GumbelNetwork
from skmtl.nn._hypernet import TaskHypernetwork
from skmtl.nn._relations import RelationNetwork
from skmtl.nn._shared import SharedBottomNetwork, SingleTaskNetwork
from skmtl.nn._tensors import FactorisedNetwork


class TaskLayers(NamedTuple):
    """Networks of S tasks and M members: an activation follows each layer but the last.

    A layer is a pair of weights (M, S, n_inputs, n_outputs) and biases (M, S, n_outputs). `skip` is
    one from the inputs to the outputs, whose results are added, or None. The `activations` (M,) are
    keys of `ACTIVATIONS`.
    """

    layers: list
    skip: tuple | None
    activations: list


@torch.no_grad()
def task_layers(module, tasks, metadata=None):
    """Return the `TaskLayers` of `tasks` (M, S) with metadata (M, S, d_m), or None.

    They read features only: metadata are constant within a task. None is the answer for a module
    whose networks are no such stacks.
    """
    # exactly these: a subclass may evaluate its rows differently
    write = _WRITERS.get(type(module))
    return None if write is None else write(module, tasks, metadata)


def _of_hypernetwork(module, tasks, metadata):
    h, moved = module._read(module.representations(tasks, metadata))
    layers = []
    for n, (layer, shape) in enumerate(zip(module.layers, module.shapes, strict=True)):
        weights = layer(h)
        if module.target_biases:
            weights = torch.cat([weights, module.target_biases[n](h)], dim=2)
        layers.append(_split(weights, shape[1]))
    skip = None if moved is None else _split(module.skip(moved), module.n_outputs)
    return TaskLayers(layers, skip, module.activation.each)


def _split(weights, n_outputs):
    """Split layers (M, S, (d_in + 1) * d_out) into weights and biases, which are last."""
    weights = weights.unflatten(2, (-1, n_outputs))
    return weights[:, :, :-1], weights[:, :, -1]


def _of_heads(module, tasks, metadata):
    layers = [_shared(layer.weight, layer.bias, tasks) for layer in module.trunk.layers]
    layers += [
        (_taken(layer.weight, tasks), _taken(layer.bias, tasks)[:, :, 0])
        for layer in module.heads.layers
    ]
    return _stack(module, layers, metadata)


def _of_single(module, tasks, metadata):
    layers = [_shared(layer.weight, layer.bias, tasks) for layer in module.layers]
    if module.codes is not None:
        weights, biases = layers[0]
        layers[0] = weights, biases + _taken(module.codes.weight, tasks)[:, :, 0]
    return _stack(module, layers, metadata)


def _of_factors(module, tasks, metadata):
    layers = [
        (_taken(layer.weights(), tasks), _taken(layer.bias, tasks)[:, :, 0])
        for layer in module.layers
    ]
    return _stack(module, layers, metadata)


def _of_components(module, tasks, metadata):
    """Write components as one wide layer; what averages their outputs is a part of the next one."""
    groups = [list(layer.groups) for layer in module.layers]
    if any(len(g) > 1 or not isinstance(g[0], DenseComponents) for g in groups):
        return None
    on = module.full(module.allocation(tasks, tasks, metadata)).split(module.sizes, dim=2)
    layers, shares, last = [], None, len(groups) - 1
    for (group,), z, number in zip(groups, on, range(len(groups)), strict=True):
        first, *others = group.weights
        layers.append(_averaged(shares, *_shared(first.flatten(2), _flat(group.biases[0]), tasks)))
        for weight, bias in zip(others, group.biases[1:], strict=True):
            blocks = torch.stack([torch.block_diag(*of_member) for of_member in weight])
            layers.append(_shared(blocks, _flat(bias), tasks))
        shares = z / z.sum(2, keepdim=True).clamp(min=1)
        if number == last and module.heads == "none":
            # no activation comes between
            weights, biases = (values.unflatten(-1, (z.shape[2], -1)) for values in layers[-1])
            weights = (weights * shares[:, :, None, :, None]).sum(3)
            layers[-1] = weights, (biases * shares.unsqueeze(3)).sum(2)
    if module.head is not None:
        layers.append(_averaged(shares, *_shared(module.head.weight, module.head.bias, tasks)))
    elif module.heads == "own":
        head = _taken(module.task_heads, tasks), _taken(module.task_biases, tasks)[:, :, 0]
        layers.append(_averaged(shares, *head))
    return TaskLayers(layers, None, [groups[0][0].activation] * module.n_members)


def _flat(bias):
    """Join the biases (M, C, w) of components."""
    return bias.flatten(1).unsqueeze(1)


def _averaged(shares, weights, biases):
    """Let a layer (M, S, w, o) read components next to each other, averaged by shares (M, S, C)."""
    if shares is not None:
        weights = (shares[..., None, None] * weights.unsqueeze(2)).flatten(2, 3)
    return weights, biases


def _shared(weight, bias, tasks):
    """Repeat a layer (M, i, o) of all tasks for each of them."""
    n_tasks = tasks.shape[1]
    return weight.unsqueeze(1).expand(-1, n_tasks, -1, -1), bias.expand(-1, n_tasks, -1)


def _taken(values, tasks):
    """Take entries `tasks` (M, S) of values (M, T, ...)."""
    return torch.stack([of_member[at] for of_member, at in zip(values, tasks, strict=True)])


def _stack(module, layers, metadata):
    """Return layers that read features followed by metadata, which become a part of the biases."""
    if metadata is not None:
        weights, biases = layers[0]
        n_features = weights.shape[2] - metadata.shape[2]
        biases = biases + (metadata.unsqueeze(2) @ weights[:, :, n_features:]).squeeze(2)
        layers[0] = weights[:, :, :n_features], biases
    return TaskLayers(layers, None, [module.activation] * module.n_members)


_WRITERS = {
    GumbelNetwork: _of_components,
    TaskHypernetwork: _of_hypernetwork,
    SharedBottomNetwork: _of_heads,
    RelationNetwork: _of_heads,
    SingleTaskNetwork: _of_single,
    FactorisedNetwork: _of_factors,
}
