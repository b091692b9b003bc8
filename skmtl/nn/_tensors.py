"""Networks of the tasks, whose weights in each layer are a factorised tensor.

Source: Yang and Hospedales, "Deep multi-task representation learning: a tensor factorisation
approach", ICLR 2017.
"""

from itertools import pairwise

from torch import nn

from skmtl.nn._members import (
    ACTIVATIONS,
    MemberModule,
    kaiming_bound,
    keep_first,
    member_generators,
    take_members,
    uniform,
    variance_bound,
)
from skmtl.nn._stacks import TaskModule, task_uniform


class FactorisedLayer(MemberModule):
    """One layer of all tasks, whose weights are a tensor with axes input, output and task.

    "tucker" is the Tucker form ``W[i, o, t] = sum_abc G[b, a, c] U[i, a] V[c, o] Z[t, b]``, "tt" a
    tensor train ``W[i, o, t] = sum_ab U[i, a] G[b, a, o] Z[t, b]``, and "laf" the factorisation of
    the matrix whose rows are the weights of the tasks, ``W[i, o, t] = sum_b G[b, i, o] Z[t, b]``.
    `rank` is the upper limit of all ranks; those of inputs and outputs are at most their number.
    `tasks` (M, T, rank) are Z, and biases (M, T, 1, n_outputs) are not factorised.
    """

    def __init__(self, n_tasks, n_inputs, n_outputs, factorization, rank, generators):
        super().__init__()
        self.factorization = factorization
        a = n_inputs if factorization == "laf" else min(rank, n_inputs)
        c = min(rank, n_outputs) if factorization == "tucker" else n_outputs
        n_terms, n_factors = rank, 2
        if factorization != "laf":
            n_terms, n_factors = n_terms * a, n_factors + 1
        if factorization == "tucker":
            n_terms, n_factors = n_terms * c, n_factors + 1
        # factors of the same scale, since a step changes all elements by about as much, such that
        # the weights have the variance of torch's Linear
        variance = (1 / (3 * max(n_inputs, 1) * n_terms)) ** (1 / n_factors)
        bound = variance_bound(variance)
        self.core = uniform(generators, rank, a, c, bound=bound)
        self.inputs = self.outputs = None
        if factorization != "laf":
            self.inputs = uniform(generators, n_inputs, a, bound=bound)
        if factorization == "tucker":
            self.outputs = uniform(generators, c, n_outputs, bound=bound)
        # all tasks start with the same network; training makes them differ
        self.tasks = task_uniform(generators, n_tasks, rank, bound=bound, alike=True)
        bound = kaiming_bound(n_inputs)
        self.bias = task_uniform(generators, n_tasks, 1, n_outputs, bound=bound, alike=True)

    def keep_tasks(self, n_tasks):
        keep_first(self, n_tasks, "tasks", "bias")

    def basis(self):
        """Return the basis of the weights of all tasks, (M, rank, n_inputs, n_outputs)."""
        basis = self.core
        if self.inputs is not None:
            basis = self.inputs.unsqueeze(1) @ basis
        if self.outputs is not None:
            basis = basis @ self.outputs.unsqueeze(1)
        return basis

    def weights(self):
        """Return the weights of all tasks, shape (M, T, n_inputs, n_outputs)."""
        basis = self.basis()
        return (self.tasks @ basis.flatten(2)).unflatten(2, basis.shape[2:])

    def forward(self, x, tasks):
        """Map blocks of tasks, ``(M, K, b, n_inputs)``, to ``(M, K, b, n_outputs)``."""
        return x @ take_members(self.weights(), tasks) + take_members(self.bias, tasks)


class FactorisedNetwork(TaskModule):
    """Networks of the tasks that share factors of their weights, see `FactorisedLayer`."""

    def __init__(
        self,
        n_tasks,
        n_features,
        n_outputs,
        *,
        seeds,
        hidden_layer_sizes,
        activation,
        factorization,
        rank,
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        self.activation = activation
        self.layers = nn.ModuleList(
            FactorisedLayer(n_tasks, a, b, factorization, rank, generators)
            for a, b in pairwise([n_features, *hidden_layer_sizes, n_outputs])
        )
        self.task_only = tuple(
            f"layers.{n}.{name}" for n in range(len(self.layers)) for name in ("tasks", "bias")
        )

    def keep_tasks(self, n_tasks):
        super().keep_tasks(n_tasks)
        for layer in self.layers:
            layer.keep_tasks(n_tasks)

    def outputs(self, x, tasks):
        last = len(self.layers) - 1
        for n, layer in enumerate(self.layers):
            x = layer(x, tasks)
            if n < last:
                x = ACTIVATIONS[self.activation](x)
        return x
