"""One network for all tasks, a network for each, and a shared trunk with a head for each."""

from itertools import pairwise

import torch
from torch import nn

from skmtl.nn._members import ACTIVATIONS, member_generators
from skmtl.nn._stacks import StackLinear, StackMLP, TaskModule


class SingleTaskNetwork(TaskModule):
    """One network for the rows of all tasks: STL-naive, or STL with `one_hot`.

    Source: "Multi-task learning with hypernetworks and task metadata", section 3. The indicator of
    a task adds a row of weights to the outputs of the first layer; only these rows are stored. They
    are initialised as the weights of one more input, since only one indicator is not zero.
    """

    def __init__(
        self, n_tasks, n_features, n_outputs, *, seeds, hidden_layer_sizes, activation, one_hot
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        self.activation = activation
        widths = [n_features, *hidden_layer_sizes, n_outputs]
        self.layers = nn.ModuleList(StackLinear((), a, b, generators) for a, b in pairwise(widths))
        self.codes = None
        if one_hot:
            self.codes = StackLinear(
                (n_tasks,), 1, widths[1], generators, per_task=True, bias=False
            )
            with torch.no_grad():
                self.codes.weight.mul_((n_features + 1) ** -0.5)
            self.task_only = ("codes",)

    def mean_outputs(self, x):
        if self.codes is None:
            return self.outputs(x, None)
        return super().mean_outputs(x)

    def outputs(self, x, tasks):
        last = len(self.layers) - 1
        n_blocks = x.shape[1] if tasks is None else tasks.shape[1]
        y = x
        for n, layer in enumerate(self.layers):
            y = layer(y.flatten(1, 2)).unflatten(1, y.shape[1:3])
            if n == 0 and self.codes is not None:
                y = y + self.codes(y.new_ones(*tasks.shape, 1, 1), tasks)
            if n < last:
                y = ACTIVATIONS[self.activation](y)
        return y.expand(-1, n_blocks, -1, -1)


class SharedBottomNetwork(TaskModule):
    """A trunk shared by all tasks, or none, and a head for each: hard parameter sharing.

    Source: Caruana, "Multitask learning", Machine Learning 28, 1997, section 2.
    """

    task_only = ("heads",)
    gradient_form = "trunk"

    def __init__(
        self,
        n_tasks,
        n_features,
        n_outputs,
        *,
        seeds,
        hidden_layer_sizes,
        head_layer_sizes,
        activation,
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        self.activation = activation
        widths = [n_features, *hidden_layer_sizes]
        self.trunk = StackMLP((), widths, generators, activation, linear_output=False)
        widths = [widths[-1], *head_layer_sizes, n_outputs]
        self.heads = StackMLP((n_tasks,), widths, generators, activation, per_task=True)

    def features(self, x, tasks):
        """Compute the inputs of the heads, shape (M, K or 1, b, width)."""
        hidden = self.trunk(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
        # in training every task reads a separate view, whose gradient is the task's gradient
        return hidden.expand(-1, tasks.shape[1], -1, -1) if torch.is_grad_enabled() else hidden

    def outputs(self, x, tasks):
        return self.heads(self.features(x, tasks), tasks)
