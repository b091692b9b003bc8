"""Stacks of networks along further axes than that of members: per task, per expert, or one for all.

They are the building blocks of most architectures.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import nn

from skmtl.nn._members import (
    ACTIVATIONS,
    MemberModule,
    kaiming_bound,
    keep_first,
    take_members,
    trained_shares,
    uniform,
)


def task_uniform(generators, n_tasks, *shape, bound, alike=False):
    """Draw ``(M, n_tasks, *shape)`` from U(-bound, bound); with `alike`, the same for all tasks.

    Draws do not depend on the number of tasks, since members may train with others of more tasks.
    """
    task_generators = []
    for generator in generators:
        seed = torch.randint(2**31 - 1, (1,), generator=generator).item()
        task_generators.append(torch.Generator().manual_seed(seed))
    if not alike:
        return uniform(task_generators, n_tasks, *shape, bound=bound)
    draw = uniform(task_generators, 1, *shape, bound=bound).data
    return nn.Parameter(draw.repeat_interleave(n_tasks, 1))


class StackLinear(MemberModule):
    """Linear layers ``(M, *stack)``, initialised as torch's ``Linear``; `alike` for all tasks.

    With `per_task`, the first axis of the stack is that of tasks. The weight has shape (M, *stack,
    n_inputs, n_outputs), the bias (M, *stack, 1, n_outputs) unless it is None.
    """

    def __init__(
        self, stack, n_inputs, n_outputs, generators, *, per_task=False, alike=False, bias=True
    ):
        super().__init__()
        bound = kaiming_bound(n_inputs)
        draw = partial(task_uniform, alike=alike) if per_task else uniform
        self.per_task = per_task
        self.weight = draw(generators, *stack, n_inputs, n_outputs, bound=bound)
        self.bias = draw(generators, *stack, 1, n_outputs, bound=bound) if bias else None

    def keep_tasks(self, n_tasks):
        if self.per_task:
            keep_first(self, n_tasks, "weight", "bias")

    def forward(self, x, tasks=None):
        """Apply the layers to rows (M, *stack, n, n_inputs); axes of the stack may be 1.

        With `tasks` (M, K), rows (M, K or 1, ..., b, n_inputs) have an axis of K blocks instead of
        the axis of tasks.
        """
        weight, bias = self.weight, self.bias
        if tasks is not None:
            weight = take_members(weight, tasks)
            bias = None if bias is None else take_members(bias, tasks)
        one_block = tasks is not None and x.ndim == 4 and x.shape[1] < tasks.shape[1]
        if one_block and not torch.is_grad_enabled():
            # one product for all tasks, without copies of the rows
            y = x[:, 0] @ weight.transpose(1, 2).flatten(2)
            y = y.unflatten(2, weight.shape[1::2]).transpose(1, 2)
        else:
            y = x @ weight
        return y if bias is None else y + bias


class StackMLP(MemberModule):
    """Networks of `StackLinear` layers, batched; `widths` starts with the number of inputs."""

    def __init__(
        self,
        stack,
        widths,
        generators,
        activation,
        *,
        per_task=False,
        alike=False,
        linear_output=True,
    ):
        super().__init__()
        self.activation = activation
        self.linear_output = linear_output
        self.layers = nn.ModuleList(
            StackLinear(stack, a, b, generators, per_task=per_task, alike=alike)
            for a, b in pairwise(widths)
        )

    def forward(self, x, tasks=None):
        """Apply all layers, see `StackLinear.forward`."""
        last = len(self.layers) - 1
        for n, layer in enumerate(self.layers):
            x = layer(x, tasks)
            if n < last or not self.linear_output:
                x = ACTIVATIONS[self.activation](x)
        return x


class TaskModule(MemberModule):
    """Base class of modules that read metadata as features; they implement `outputs`.

    For an unseen task, the outputs of the networks of all tasks `trained`, (M, T) of bool, for its
    rows and its metadata are averaged.
    """

    # names of the parameters, or of modules with parameters, that belong to one task each
    task_only = ()

    def __init__(self, n_members, n_tasks):
        super().__init__()
        self.register_buffer("trained", torch.ones(n_members, n_tasks, dtype=torch.bool))

    @property
    def n_tasks(self):
        """Number of tasks."""
        return self.trained.shape[1]

    def keep_tasks(self, n_tasks):
        keep_first(self, n_tasks, "trained")
        for module in self.modules():
            if isinstance(module, StackLinear):
                module.keep_tasks(n_tasks)

    def mark_trained(self, trained):
        self.trained = trained

    def shared_parameters(self):
        return [
            name
            for name, _ in self.named_parameters()
            if not any(name == part or name.startswith(part + ".") for part in self.task_only)
        ]

    def outputs(self, x, tasks):
        """Compute outputs (M, K, b, n_outputs) of `tasks` (M, K) for x (M, K or 1, b, d)."""
        raise NotImplementedError

    def mean_outputs(self, x):
        """Average the outputs of all trained tasks, for rows of an unseen task."""
        share = self.task_shares()
        total = 0
        for task in range(self.n_tasks):
            outputs = self.outputs(x, x.new_full(x.shape[:2], task, dtype=torch.int64))
            total = total + share[:, task].view(-1, 1, 1, 1) * outputs
        return total

    def task_shares(self):
        """Return the share of each task in a mean over the trained ones, shape (M, T)."""
        return trained_shares(self.trained, next(self.parameters()))

    def forward(self, x, tasks, slots, metadata=None, shared_rows=False):
        """Evaluate every block of rows by the network of its task; metadata become features."""
        if metadata is not None:
            metadata = take_members(metadata, slots).unsqueeze(2)
            x = torch.cat([x, metadata.expand(-1, -1, x.shape[2], -1)], dim=3)
        elif shared_rows:
            x = x[:, :1]
        tasks = tasks.gather(1, slots)
        if self.training:
            return self.outputs(x, tasks)
        unseen = tasks < 0
        y = self.outputs(x, tasks.clamp(min=0))
        blocks = unseen.any(0)
        if bool(blocks.any()):
            mean = self.mean_outputs(x if x.shape[1] < len(blocks) else x[:, blocks])
            y[:, blocks] = torch.where(unseen[:, blocks, None, None], mean, y[:, blocks])
        return y
