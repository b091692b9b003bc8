"""Cross-stitch and sluice networks: a network for each task that also reads the others' layers."""

from itertools import pairwise

import torch
from torch import nn

from skmtl.nn._columns import columns_of_tasks, in_chunks
from skmtl.nn._members import ACTIVATIONS, MemberModule, keep_first, member_generators
from skmtl.nn._stacks import StackLinear, StackMLP, TaskModule


def stitch_start(trained, n_subspaces, self_weight):
    """Return initial weights of the stitches, shape (M, T, S, T, S).

    Each subspace of a task has weight `self_weight` on itself; the rest is distributed evenly over
    the subspaces of the other tasks. Untrained tasks have weight 0.
    """
    n_members, n_tasks = trained.shape
    others = (trained.sum(1) - 1).clamp(min=1)
    share = ((1 - self_weight) / (others * n_subspaces)).view(-1, 1, 1)
    same = torch.eye(n_tasks, dtype=torch.bool)
    weights = torch.where(same, 0.0, share) * trained.unsqueeze(1) * trained.unsqueeze(2)
    weights = weights.view(n_members, n_tasks, 1, n_tasks, 1)
    weights = weights.repeat(1, 1, n_subspaces, 1, n_subspaces)
    # a task without others only reads itself
    alone = trained.sum(1).le(1).view(-1, 1, 1, 1, 1)
    itself = torch.eye(n_tasks * n_subspaces).view(n_tasks, n_subspaces, n_tasks, n_subspaces)
    return weights + itself * torch.where(alone, 1.0, self_weight)


class Stitch(MemberModule):
    """Combine the columns of tasks by `weight` (M, T, S, T, S), whose last two axes are summed."""

    def __init__(self, n_members, n_tasks, n_subspaces, self_weight):
        super().__init__()
        trained = torch.ones(n_members, n_tasks, dtype=torch.bool)
        self.weight = nn.Parameter(stitch_start(trained, n_subspaces, self_weight))

    def forward(self, columns, trained):
        """Map ``(M, T, R, w)`` to the same shape."""
        n_tasks, n_subspaces = self.weight.shape[1:3]
        weight = self.weight * trained[:, None, None, :, None]
        weight = weight.flatten(3).flatten(1, 2)
        n_rows = columns.shape[2]
        parts = columns.unflatten(3, (n_subspaces, -1)).transpose(2, 3)
        mixed = weight @ parts.flatten(1, 2).flatten(2)
        mixed = mixed.view(len(mixed), n_tasks, n_subspaces, n_rows, -1)
        return mixed.transpose(2, 3).flatten(3)


class StitchedNetwork(TaskModule):
    """Networks of the tasks, stitched together after every hidden layer.

    Source: Misra, Shrivastava, Gupta and Hebert, "Cross-stitch networks for multi-task learning",
    CVPR 2016, section 3.3, equation (1), for any number of tasks; with `sluice`, where outputs read
    a mixture of all hidden layers, Ruder, Bingel, Augenstein and Søgaard, "Latent multi-task
    architecture learning", AAAI 2019. Every row passes through the networks of all tasks. A task
    has weight `self_weight` on itself at the start; `n_subspaces` equal parts of every layer are
    stitched separately, and a penalty of strength `orthogonality_alpha` makes them differ.
    """

    task_only = ("heads",)

    def __init__(
        self,
        n_tasks,
        n_features,
        n_outputs,
        *,
        seeds,
        hidden_layer_sizes,
        activation,
        self_weight,
        sluice=False,
        n_subspaces=1,
        orthogonality_alpha=0.0,
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        self.activation = activation
        self.self_weight = self_weight
        self.n_subspaces = n_subspaces
        self.networks_per_row = n_tasks
        widths = [n_features, *hidden_layer_sizes]
        # units are mixed with those of the same index, which should start with the same meaning
        start = {"per_task": True, "alike": True}
        self.layers = nn.ModuleList(
            StackLinear((n_tasks,), a, b, generators, **start) for a, b in pairwise(widths)
        )
        self.stitches = nn.ModuleList(
            Stitch(len(seeds), n_tasks, n_subspaces, self_weight) for _ in hidden_layer_sizes
        )
        self.layer_weights = None
        if sluice:
            # the last layer dominates at the start; the others have small weights
            shares = torch.full((len(self.layers),), 0.1 / max(len(self.layers) - 1, 1))
            shares[-1] = 0.9 if len(self.layers) > 1 else 1.0
            self.layer_weights = nn.Parameter(shares.repeat(len(seeds), n_tasks, 1))
            self.task_only = ("heads", "layer_weights")
        self.heads = StackMLP((n_tasks,), [widths[-1], n_outputs], generators, activation, **start)
        alpha = torch.as_tensor(orthogonality_alpha, dtype=self.heads.layers[0].weight.dtype)
        self.register_buffer("orthogonality_alpha", alpha.expand(len(seeds)).clone())
        self.penalised = n_subspaces > 1 and bool((alpha > 0).any())
        self._width = max(hidden_layer_sizes)

    def decayed_parameters(self):
        """Return the names without mixing weights, too: decay would lower the sums of mixtures."""
        mixing = ("stitches", "layer_weights")
        return [name for name in super().decayed_parameters() if not name.startswith(mixing)]

    def keep_tasks(self, n_tasks):
        super().keep_tasks(n_tasks)
        keep_first(self, n_tasks, "layer_weights")
        for stitch in self.stitches:
            stitch.weight = nn.Parameter(stitch.weight.data[:, :n_tasks, :, :n_tasks].clone())

    @torch.no_grad()
    def mark_trained(self, trained):
        """Reinitialise members with untrained tasks as if these tasks did not exist."""
        super().mark_trained(trained)
        partial = ~trained.all(1)
        if not bool(partial.any()):
            return
        start = stitch_start(trained.cpu(), self.n_subspaces, self.self_weight)
        for stitch in self.stitches:
            weight = stitch.weight
            weight.copy_(torch.where(partial.view(-1, 1, 1, 1, 1), start.to(weight), weight))

    def penalty(self):
        """Return ``orthogonality_alpha`` times the sum of ||G_1^T G_2||^2 over layers and tasks."""
        if not self.penalised:
            return None
        total = 0
        for layer in self.layers:
            # the weights into each subspace: (M, T, S, d_in, w / S)
            parts = layer.weight.unflatten(3, (self.n_subspaces, -1)).transpose(2, 3)
            for second in range(1, self.n_subspaces):
                for first in range(second):
                    product = parts[:, :, first].mT @ parts[:, :, second]
                    total = total + (product.square().sum((2, 3)) * self.trained).sum(1)
        return self.orthogonality_alpha * total

    def outputs(self, x, tasks):
        return self._in_chunks(lambda chunk: self._outputs(chunk, tasks), x, tasks.shape[1])

    def mean_outputs(self, x):
        return self._in_chunks(self._mean_outputs, x, x.shape[1])

    def _in_chunks(self, function, x, n_blocks):
        if self.training:
            return function(x)
        return in_chunks(function, x, len(x) * n_blocks * self.n_tasks * self._width)

    def _columns(self, rows):
        """Return every hidden layer of all tasks: list of (M, T, R, w)."""
        columns, layers = rows.flatten(1, 2).unsqueeze(1), []
        for layer, stitch in zip(self.layers, self.stitches, strict=True):
            columns = stitch(ACTIVATIONS[self.activation](layer(columns)), self.trained)
            layers.append(columns)
        return layers

    def _read(self, layers):
        """Combine the hidden layers into the inputs of the heads, (M, T, R, w)."""
        if self.layer_weights is None:
            return layers[-1]
        weights = self.layer_weights.unsqueeze(3).unsqueeze(4)
        return sum(weights[:, :, n] * layer for n, layer in enumerate(layers))

    def _outputs(self, x, tasks):
        return self.heads(columns_of_tasks(self._read(self._columns(x)), x.shape[1], tasks), tasks)

    def _mean_outputs(self, x):
        outputs = self.heads(self._read(self._columns(x)))
        mean = (self.task_shares()[:, :, None, None] * outputs).sum(1)
        return mean.unflatten(1, x.shape[1:3])
