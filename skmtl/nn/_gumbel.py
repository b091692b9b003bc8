"""The Gumbel-Matrix network: modular layers; each task uses a subset of their components.

Source: Maziarz et al., "Flexible multi-task networks by learning parameter allocation".
"""

import copy

import torch

from skmtl.nn._allocation import Allocation
from skmtl.nn._components import ModularLayer
from skmtl.nn._members import (
    MemberLinear,
    MemberModule,
    kaiming_bound,
    keep_first,
    member_generators,
    take_members,
    trained_shares,
    uniform,
)

# multiplications of a forward pass above which patterns of allocation are evaluated one by one
_WORTH_GROUPING = 2**22


class GumbelNetwork(MemberModule):
    """M modular networks, batched, with a list of `components` for each `ModularLayer`.

    `heads` are linear: one for each task ("own") or one for all ("shared"); with "none" the last
    components end in a linear layer to the outputs. `initial`, `fixed` (M, T, C) and `routing` are
    as in `Allocation`, where C is the number of components of all layers. `sizes` has the number of
    components of each layer, and `routed` the columns of C that are learned: a component that is
    the only one of its layer is always on.
    """

    def __init__(
        self,
        n_tasks,
        n_features,
        n_metadata=0,
        n_outputs=1,
        *,
        seeds,
        components,
        activation="relu",
        heads="own",
        initial,
        fixed=None,
        **routing,
    ):
        super().__init__()
        generators = member_generators(seeds, "initialisation")
        self.n_outputs, self.heads = n_outputs, heads
        self.sizes = [len(layer) for layer in components]
        self.layers = torch.nn.ModuleList()
        width = n_features
        for n, options in enumerate(components):
            last = heads == "none" and n == len(components) - 1
            outputs = n_outputs if last else None
            layer = ModularLayer(options, width, generators, activation, outputs, f"layer {n}")
            self.layers.append(layer)
            width = layer.width
        self.head = None
        if heads == "shared":
            self.head = MemberLinear(width, n_outputs, generators)
        layer_of = [n for n, size in enumerate(self.sizes) for _ in range(size)]
        self.routed = [c for c, n in enumerate(layer_of) if self.sizes[n] > 1]
        self.allocation = Allocation(
            n_tasks,
            len(self.routed),
            seeds=seeds,
            n_metadata=n_metadata,
            generators=generators,
            initial=initial[..., self.routed],
            fixed=None if fixed is None else fixed[..., self.routed],
            **routing,
        )
        # drawn last, task by task: nothing else depends on the number of tasks
        self.task_heads = self.task_biases = None
        if heads == "own":
            bound = kaiming_bound(width)
            # one draw for all tasks; they diverge in training
            draw = uniform(generators, 1, width, n_outputs, bound=bound).detach()
            self.task_heads = torch.nn.Parameter(draw.repeat(1, n_tasks, 1, 1))
            self.task_biases = uniform(generators, n_tasks, 1, n_outputs, bound=0.0)
        self.networks_per_row = max(self.sizes)
        self._slots = None

    def keep_tasks(self, n_tasks):
        self.allocation.keep_tasks(n_tasks)
        keep_first(self, n_tasks, "task_heads", "task_biases")

    def mark_trained(self, trained):
        self.allocation.mark_trained(trained)

    def prepare(self, n_steps, metadata=None):
        self.allocation.prepare(n_steps, metadata)

    def after_step(self, active):
        self.allocation.after_step(active, self._slots)
        self._slots = None

    def after_epoch(self, active):
        self.allocation.after_epoch(active)

    def learning_rate_factors(self):
        factors = self.allocation.rate_factors()
        if bool((factors == 1).all()):
            return {}
        names = (name for name, _ in self.named_parameters())
        return {name: factors for name in names if name.startswith("allocation.")}

    def decayed_parameters(self):
        return [n for n in super().decayed_parameters() if not n.startswith("allocation.")]

    def shared_parameters(self):
        unshared = ("task_", "allocation.logits")
        return [name for name, _ in self.named_parameters() if not name.startswith(unshared)]

    def step_penalty(self):
        return self.allocation.step_penalty()

    def full(self, values):
        """Add ones for the components that are always on to values (..., C') of routed ones."""
        if len(self.routed) == sum(self.sizes):
            return values
        full = values.new_ones(*values.shape[:-1], sum(self.sizes))
        full[..., self.routed] = values
        return full

    def sampled(self, seeds):
        """Return a view with the same parameters whose allocations are sampled by the M seeds."""
        view, router = copy.copy(self), copy.copy(self.allocation)
        router.sample_seeds = seeds
        view._modules = {**self._modules, "allocation": router}
        return view

    def forward(self, x, tasks, slots, metadata=None, shared_rows=False):
        """Evaluate every block of rows by the components and the head of its task."""
        on = self.full(self.allocation(tasks, slots, metadata))
        if self.training:
            self._slots = slots
        n_blocks = x.shape[1]
        if shared_rows:
            x = x[:, :1]
        n_rows = x.shape[1] * x.shape[2]
        cost = n_rows * sum(layer.cost for layer in self.layers)
        if self.training or cost < _WORTH_GROUPING:
            hidden = self._together(x, on, slots)
        else:
            hidden = self._by_pattern(x, on, slots, n_blocks)
        return self._headed(hidden, take_members(tasks.unsqueeze(2), slots).squeeze(2))

    def _together(self, x, on, slots):
        """Evaluate all components on all rows."""
        for layer, z in zip(self.layers, on.split(self.sizes, dim=2), strict=True):
            weights = z / z.sum(2, keepdim=True).clamp(min=1)
            x = layer(x, take_members(weights, slots))
        return x

    def _by_pattern(self, x, on, slots, n_blocks):
        """Evaluate only components in use, jointly for all blocks whose tasks use the same ones."""
        parts = []
        for m in range(len(x)):
            patterns, which = on[m].unique(dim=0, return_inverse=True)
            which, hidden = which[slots[m]], None
            for number, pattern in enumerate(patterns):
                blocks = (which == number).nonzero().squeeze(1)
                if not len(blocks):
                    continue
                rows = x[m] if x.shape[1] < n_blocks else x[m, blocks]
                shape, rows = rows.shape[:2], rows.flatten(0, 1)
                for layer, z in zip(self.layers, pattern.split(self.sizes), strict=True):
                    rows = layer.of_pattern(rows, m, (z > 0).tolist())
                if hidden is None:
                    hidden = rows.new_empty(n_blocks, x.shape[2], rows.shape[1])
                hidden[blocks] = rows.unflatten(0, shape)
            parts.append(hidden)
        return torch.stack(parts)

    def _headed(self, hidden, tasks):
        """Apply the heads of the tasks (M, K) to blocks (M, K, b, w)."""
        if self.heads == "none":
            return hidden
        if self.head is not None:
            return self.head(hidden.flatten(1, 2)).unflatten(1, hidden.shape[1:3])
        heads, biases = self.task_heads, self.task_biases
        if not self.training and bool((tasks < 0).any()):
            share = trained_shares(self.allocation.trained, heads)[..., None, None]
            heads = torch.cat([heads, (share * heads).sum(1, keepdim=True)], dim=1)
            biases = torch.cat([biases, (share * biases).sum(1, keepdim=True)], dim=1)
            tasks = torch.where(tasks < 0, heads.shape[1] - 1, tasks)
        return hidden @ take_members(heads, tasks) + take_members(biases, tasks)
