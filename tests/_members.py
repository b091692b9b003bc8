"""Tables and modules for the tests of the engine, and its slow twin.

The twin is written with loops over members, tasks and the paper's sums, for float64.
"""

import dataclasses

import numpy as np
import torch

from skmtl.nn import TaskHypernetwork
from skmtl.training import (
    AffinityRecorder,
    MemberNet,
    OptimizerSettings,
    StoppingSettings,
    TaskRows,
    steps_for,
)
from skmtl.weighting import Affinity


def task_rows(
    n_tasks=5, n_features=2, n_metadata=0, n_outputs=1, n_rows=60, seed=0, dtype=torch.float64
):
    """A table of related tasks of uneven size."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    uneven = torch.rand(n_tasks, generator=generator) ** 3 + 0.05
    tasks = torch.multinomial(uneven, n_rows, replacement=True, generator=generator)
    tasks[:n_tasks] = torch.arange(n_tasks)
    features = draw(n_rows, n_features)
    slopes = draw(n_tasks, n_features, n_outputs)
    targets = torch.sin(torch.einsum("nd,ndo->no", features, slopes[tasks])) + 0.1 * draw(
        n_rows, n_outputs
    )
    return TaskRows(
        features=features.to(dtype),
        tasks=tasks,
        targets=targets.to(dtype),
        weights=torch.rand(n_rows, generator=generator, dtype=torch.float64).add(0.5).to(dtype),
        n_tasks=n_tasks,
        metadata=draw(1, n_tasks, n_metadata).to(dtype) if n_metadata else None,
    )


def build(table, seeds, **settings):
    """A module for the table, in the table's precision."""
    n_metadata = 0 if table.metadata is None else table.metadata.shape[2]
    settings = {"hidden_layer_sizes": (6, 5), "embedding_dim": 3, "hypernet_width": 4, **settings}
    # drawn in single precision, so that both precisions start from the same weights
    module = TaskHypernetwork(
        table.n_tasks,
        table.features.shape[1],
        n_metadata,
        table.targets.shape[1],
        seeds=seeds,
        **settings,
    )
    return module.to(table.features.dtype)


def member_net(module, seeds, *, task_weighting=None, gradient_form="auto", **settings):
    """The net with all settings as arguments, `record_affinity` being those of `Affinity`."""
    affinity = settings.pop("record_affinity", None)
    grouped = {}
    for name, group in (("optimizer_settings", OptimizerSettings), ("stopping", StoppingSettings)):
        names = [f.name for f in dataclasses.fields(group) if f.name in settings]
        grouped[name] = group(**{field: settings.pop(field) for field in names})
    if task_weighting is not None:
        settings["steps"] = steps_for(task_weighting, form=gradient_form)
    observer = None if affinity is None else AffinityRecorder(Affinity(**affinity))
    return MemberNet(module, seeds=seeds, observer=observer, **grouped, **settings)


def fitted(net, *arguments):
    """The net, trained; what is left of training is its `result_`."""
    torch.set_num_threads(1)
    net.fit_members(*arguments)
    return net


def train(table, seeds, train_rows, valid_rows=None, module=None, **settings):
    """Run the loop; returns the net."""
    module = build(table, seeds) if module is None else module
    settings = {
        "batch_size": 16,
        "learning_rate": 3e-3,
        "max_epochs": 10,
        "patience": 10**6,
        **settings,
    }
    return fitted(member_net(module, seeds, **settings), table, train_rows, valid_rows)


def parameters_of(module, member):
    """All parameters of one member, as one vector."""
    return torch.cat([p.detach()[member].flatten() for p in module.parameters()])


def slow_forward(module, member, task, x, metadata=None):
    """Output for one row of one task, by the sums of the paper, in NumPy.

    Parameters
    ----------
    module : TaskHypernetwork
    member, task : int
    x : ndarray of shape (d,)
    metadata : ndarray of shape (d_m,), optional
    """

    def value(parameter):
        return parameter.detach().numpy()[member]

    z = value(module.embeddings)[task]
    if metadata is not None:
        z = np.concatenate([z, metadata])
    h = z
    for layer in module.extractor:
        h = np.maximum(h @ value(layer.weight) + value(layer.bias)[0], 0)
    y = np.asarray(x)
    for n, (layer, (d_in, d_out)) in enumerate(zip(module.layers, module.shapes, strict=True)):
        if hasattr(layer, "A"):
            A, B, C, D = (value(getattr(layer, name)) for name in "ABCD")
            rows = B.shape[0]
            W = np.zeros((rows, d_out))
            for i in range(rows):
                for o in range(d_out):
                    W[i, o] = (
                        sum(h[k] * A[k, i] * B[i, o] * C[k, o] for k in range(len(h))) + D[i, o]
                    )
        else:
            W = (h @ value(layer.W) + value(layer.D)[0]).reshape(-1, d_out)
        if module.target_biases:
            bias = (
                h @ value(module.target_biases[n].weight) + value(module.target_biases[n].bias)[0]
            )
        else:
            bias = W[d_in]
        y = y @ W[:d_in] + bias
        if n < len(module.shapes) - 1:
            y = {
                "relu": lambda v: np.maximum(v, 0),
                "silu": lambda v: v / (1 + np.exp(-v)),
                "tanh": np.tanh,
            }[module.activation.each[member]](y)
    if module.skip is not None:
        z = z.copy()
        z[: module.embeddings.shape[2]] -= value(module.origin)[0]
        V = (z @ value(module.skip.weight) + value(module.skip.bias)[0]).reshape(len(x) + 1, -1)
        y = y + x @ V[:-1] + V[-1]
    return y
