"""Stacks of networks beside the member axis: one per task, one per expert, or one for all.

What the architectures of `skmtl.architectures` are made of.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import nn

from skmtl.nn._members import (
    ACTIVATIONS,
    MemberModule,
    kaiming_bound,
    take_members,
    trained_shares,
    uniform,
)


def task_uniform(generators, n_tasks, *shape, bound, alike=False):
    """Parameter of shape ``(M, n_tasks, *shape)`` from U(-bound, bound), if `alike` for all tasks.

    The first tasks get the same numbers however many there are, and so does what is drawn after
    them: a member may train beside others that know more tasks.
    """
    own = []
    for generator in generators:
        seed = torch.randint(2**31 - 1, (1,), generator=generator).item()
        own.append(torch.Generator().manual_seed(seed))
    if not alike:
        return uniform(own, n_tasks, *shape, bound=bound)
    return nn.Parameter(uniform(own, 1, *shape, bound=bound).data.repeat_interleave(n_tasks, 1))


class StackLinear(MemberModule):
    """Linear layers side by side.

    Parameters
    ----------
    stack : tuple of int
        How many there are, besides members: ``()`` for one layer for all rows.
    n_inputs, n_outputs : int
        Widths.
    generators : list of torch.Generator
        One per member.
    per_task : bool, default=False
        Whether the first axis of the stack is that of the tasks.
    alike : bool, default=False
        Whether all tasks start with the same numbers.
    bias : bool, default=True
        Whether layers have biases.

    Attributes
    ----------
    weight : Parameter of shape (M, *stack, n_inputs, n_outputs)
    bias : Parameter of shape (M, *stack, 1, n_outputs), or None
        Both start as torch's ``Linear``.
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
        """Forget the layers of all but the first tasks."""
        if not self.per_task:
            return
        self.weight = nn.Parameter(self.weight.data[:, :n_tasks].clone())
        if self.bias is not None:
            self.bias = nn.Parameter(self.bias.data[:, :n_tasks].clone())

    def forward(self, x, tasks=None):
        """Apply every layer, or those of some tasks.

        Parameters
        ----------
        x : Tensor of shape (M, *stack, n, n_inputs)
            Axes of the stack may have length 1. With `tasks`, K blocks of rows take the place of
            the tasks: (M, K, ..., b, n_inputs).
        tasks : Tensor of shape (M, K) of int64, optional
            The task of each block.

        Returns
        -------
        Tensor of shape (M, *stack, n, n_outputs)
        """
        weight, bias = self.weight, self.bias
        if tasks is not None:
            weight = take_members(weight, tasks)
            bias = None if bias is None else take_members(bias, tasks)
        if tasks is not None and not torch.is_grad_enabled() and _same_blocks(x):
            # one product for all tasks, for which the rows need not be copied
            y = x[:, 0] @ weight.transpose(1, 2).flatten(2)
            y = y.unflatten(2, weight.shape[1::2]).transpose(1, 2)
        else:
            y = x @ weight
        return y if bias is None else y + bias


def _same_blocks(x):
    """Whether all blocks of (M, K, b, d) hold the same rows, in the same memory."""
    return x.ndim == 4 and x.shape[1] > 1 and x.stride(1) == 0


class StackMLP(MemberModule):
    """Networks side by side.

    Parameters
    ----------
    stack : tuple of int
        How many there are, besides members.
    widths : sequence of int
        Inputs, then the width of every layer.
    generators : list of torch.Generator
        One per member.
    activation : str
        Key of `ACTIVATIONS`.
    per_task, alike : bool, default=False
        As of `StackLinear`.
    linear_output : bool, default=True
        Whether there is no activation behind the last layer.
    """

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
        """As `StackLinear.forward`, through all layers."""
        last = len(self.layers) - 1
        for n, layer in enumerate(self.layers):
            x = layer(x, tasks)
            if n < last or not self.linear_output:
                x = ACTIVATIONS[self.activation](x)
        return x


def distinct_rows(x):
    """The first block alone if all blocks are the same rows, as in wide form without metadata.

    Parameters
    ----------
    x : Tensor of shape (M, K, b, d)

    Returns
    -------
    Tensor of shape (M, K or 1, b, d)
    """
    return x[:, :1] if x.stride(1) == 0 else x


class TaskModule(MemberModule):
    """Base class of architectures that read a task's facts as features.

    A subclass implements `outputs`. A task that was never seen gets the mean of the outputs that
    the networks of the tasks trained on have for its rows, its own facts included.

    Parameters
    ----------
    n_members, n_tasks : int

    Attributes
    ----------
    trained : Tensor of shape (M, T) of bool
        Tasks that each member has trained on.
    """

    # parameters, or modules that hold them, that the loss of one task alone reaches
    task_only = ()

    def __init__(self, n_members, n_tasks):
        super().__init__()
        self.register_buffer("trained", torch.ones(n_members, n_tasks, dtype=torch.bool))

    @property
    def n_tasks(self):
        """Number of tasks."""
        return self.trained.shape[1]

    def keep_tasks(self, n_tasks):
        """Forget all but the first tasks."""
        self.trained = self.trained[:, :n_tasks].clone()
        for module in self.modules():
            if isinstance(module, StackLinear):
                module.keep_tasks(n_tasks)

    def mark_trained(self, trained):
        """Tasks without rows have no say about tasks that were never seen."""
        self.trained = trained

    def shared_parameters(self):
        """Names of the parameters that the losses of several tasks reach."""
        return [
            name
            for name, _ in self.named_parameters()
            if not any(name == own or name.startswith(own + ".") for own in self.task_only)
        ]

    def outputs(self, x, tasks):
        """Outputs of every block.

        Parameters
        ----------
        x : Tensor of shape (M, K, b, d)
            Blocks of rows, facts included.
        tasks : Tensor of shape (M, K) of int64
            The task of each block.

        Returns
        -------
        Tensor of shape (M, K, b, n_outputs)
        """
        raise NotImplementedError

    def mean_outputs(self, x):
        """Mean over the tasks trained on of their outputs, for rows of a task never seen."""
        share = self.task_shares()
        total = 0
        for task in range(self.n_tasks):
            outputs = self.outputs(x, x.new_full(x.shape[:2], task, dtype=torch.int64))
            total = total + share[:, task].view(-1, 1, 1, 1) * outputs
        return total

    def task_shares(self):
        """Share of each task in the mean over those trained on, shape (M, T)."""
        return trained_shares(self.trained, next(self.parameters()))

    def forward(self, x, tasks, slots, metadata=None):
        """Evaluate every block of rows with the network of its task.

        Parameters
        ----------
        x : Tensor of shape (M, K, b, n_features)
            K blocks of b rows, each of one task.
        tasks : Tensor of shape (M, S) of int64
            Distinct tasks; -1 for a task never seen, outside training.
        slots : Tensor of shape (M, K) of int64
            For every block, where its task stands in `tasks`.
        metadata : Tensor of shape (M, S, n_metadata), optional
            Standardised facts about `tasks`, appended to the features.

        Returns
        -------
        Tensor of shape (M, K, b, n_outputs)
        """
        if metadata is not None:
            facts = take_members(metadata, slots).unsqueeze(2)
            x = torch.cat([x, facts.expand(-1, -1, x.shape[2], -1)], dim=3)
        tasks = tasks.gather(1, slots)
        if self.training:
            return self.outputs(x, tasks)
        unseen = tasks < 0
        y = self.outputs(x, tasks.clamp(min=0))
        some = unseen.any(0)
        if bool(some.any()):
            mean = self.mean_outputs(x[:, some])
            y[:, some] = torch.where(unseen[:, some, None, None], mean, y[:, some])
        return y
