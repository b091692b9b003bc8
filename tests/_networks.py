"""The networks of the baselines in small, and what their tests share.

The slow twins are loops over members, tasks and rows, written from the formulas for float64.
"""

import numpy as np
import torch

from skmtl.nn import (
    ExtractionNetwork,
    FactorisedNetwork,
    MixtureNetwork,
    RelationNetwork,
    RoamingNetwork,
    SharedBottomNetwork,
    SingleTaskNetwork,
    StitchedNetwork,
)

SMALL = {"hidden_layer_sizes": (4, 4), "activation": "tanh"}
HEADS = {**SMALL, "head_layer_sizes": (3,)}
STITCHED = {**SMALL, "self_weight": 0.8}

# class and settings of each architecture, in small
NETWORKS = {
    "single task, one-hot": (SingleTaskNetwork, {**SMALL, "one_hot": True}),
    "single task, naive": (SingleTaskNetwork, {**SMALL, "one_hot": False}),
    "independent tasks": (SharedBottomNetwork, {**HEADS, "hidden_layer_sizes": ()}),
    "shared bottom": (SharedBottomNetwork, HEADS),
    "mixture": (MixtureNetwork, {**HEADS, "n_experts": 3}),
    "one level": (
        ExtractionNetwork,
        {**HEADS, "n_levels": 1, "n_task_experts": 2, "n_shared_experts": 1},
    ),
    "three levels": (
        ExtractionNetwork,
        {**HEADS, "n_levels": 3, "n_task_experts": 1, "n_shared_experts": 2},
    ),
    "cross-stitch": (StitchedNetwork, STITCHED),
    "sluice": (
        StitchedNetwork,
        {**STITCHED, "sluice": True, "n_subspaces": 2, "orthogonality_alpha": 0.5},
    ),
    "tucker": (FactorisedNetwork, {**SMALL, "factorization": "tucker", "rank": 2}),
    "tensor train": (FactorisedNetwork, {**SMALL, "factorization": "tt", "rank": 3}),
    "last axis": (FactorisedNetwork, {**SMALL, "factorization": "laf", "rank": 2}),
    "relation": (
        RelationNetwork,
        {**HEADS, "relation_alpha": 0.5, "relation_interval": 3, "relations": "all"},
    ),
    "roaming": (RoamingNetwork, {**HEADS, "active_fraction": 0.5, "roaming_interval": 2}),
}


def network(name, n_tasks=4, n_features=3, n_outputs=2, seeds=(0, 1), **changes):
    """One of them, as it is built."""
    cls, settings = NETWORKS[name]
    return cls(n_tasks, n_features, n_outputs, seeds=list(seeds), **{**settings, **changes})


def randomised(module):
    """The module in double precision, no two tasks alike."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        if name == "steps":
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = (parameter.data + 0.3 * noise).double()
    return module.double()


def member_values(module, member):
    """Parameters of one member as arrays, by name."""
    return {name: p.detach().numpy()[member] for name, p in module.named_parameters()}


def layers_of(values, prefix, *where):
    """Weights and biases of a network, layer by layer, those at `where` of a stack."""
    layers = []
    while f"{prefix}.layers.{len(layers)}.weight" in values:
        name = f"{prefix}.layers.{len(layers)}"
        layers.append((values[name + ".weight"][where], values[name + ".bias"][where][0]))
    return layers


def mlp(x, layers, linear_output=True):
    """A network on one row, with tanh."""
    for n, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        if n < len(layers) - 1 or not linear_output:
            x = np.tanh(x)
    return x


def softmax(z):
    """Of a vector."""
    e = np.exp(z - z.max())
    return e / e.sum()


def random_blocks(module, n_features, n_blocks=5, length=2, n_slots=3, seed=0):
    """Blocks of random rows of some tasks, as the training loop would pack them."""
    rng = np.random.default_rng(seed)
    n_members, n_tasks = module.trained.shape
    tasks = np.stack([rng.permutation(n_tasks)[:n_slots] for _ in range(n_members)])
    slots = rng.integers(0, n_slots, (n_members, n_blocks))
    x = rng.normal(size=(n_members, n_blocks, length, n_features))
    return tuple(torch.as_tensor(v) for v in (x, tasks, slots))


def assert_is_formula(module, slow, n_features=3):
    """The module does what `slow(values, task, row, member)` does, in long and in wide form."""
    module = module.eval()
    x, tasks, slots = random_blocks(module, n_features)
    got = module(x, tasks, slots).detach().numpy()
    for m in range(x.shape[0]):
        values = member_values(module, m)
        for k in range(x.shape[1]):
            task = int(tasks[m, slots[m, k]])
            for b in range(x.shape[2]):
                expected = slow(values, task, x[m, k, b].numpy(), m)
                np.testing.assert_allclose(got[m, k, b], expected, rtol=1e-10, atol=1e-10)
    n_members, n_tasks = module.trained.shape
    everyone = torch.arange(n_tasks).expand(n_members, -1)
    rows = x[:, :1].expand(-1, n_tasks, -1, -1)
    shared = module(rows, everyone, everyone, shared_rows=True)
    torch.testing.assert_close(shared, module(rows, everyone, everyone))
    got = shared.detach().numpy()
    for m in range(n_members):
        values = member_values(module, m)
        for task in range(n_tasks):
            expected = slow(values, task, x[m, 0, 0].numpy(), m)
            np.testing.assert_allclose(got[m, task, 0], expected, rtol=1e-10, atol=1e-10)
