"""Mixtures of experts: networks shared by tasks, weighted by a gate for each task."""

import torch
from torch import nn

from skmtl.nn._columns import columns_of_tasks, in_chunks
from skmtl.nn._members import member_generators
from skmtl.nn._stacks import StackLinear, StackMLP, TaskModule


class MixtureNetwork(TaskModule):
    """Experts shared by all tasks; each task has a gate and a tower.

    Source: Ma, Zhao, Yi, Chen, Hong and Chi, "Modeling task relationships in multi-task learning
    with multi-gate mixture-of-experts", KDD 2018, section 4.2.
    """

    task_only = ("gates", "heads")

    def __init__(
        self,
        n_tasks,
        n_features,
        n_outputs,
        *,
        seeds,
        hidden_layer_sizes,
        head_layer_sizes,
        n_experts,
        activation,
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        widths = [n_features, *hidden_layer_sizes]
        self.networks_per_row = n_experts
        self.experts = StackMLP((n_experts,), widths, generators, activation, linear_output=False)
        # without biases, as in the paper
        self.gates = StackLinear(
            (n_tasks,), n_features, n_experts, generators, per_task=True, bias=False
        )
        widths = [widths[-1], *head_layer_sizes, n_outputs]
        self.heads = StackMLP((n_tasks,), widths, generators, activation, per_task=True)

    def outputs(self, x, tasks):
        experts = self.experts(x.flatten(1, 2).unsqueeze(1)).unflatten(2, x.shape[1:3])
        gates = self.gates(x, tasks).softmax(3)
        # (M, E, K, b, w) by (M, E, K, b, 1)
        mixed = (experts * gates.permute(0, 3, 1, 2).unsqueeze(4)).sum(1)
        return self.heads(mixed, tasks)


class ExtractionLevel(nn.Module):
    """One level of progressive layered extraction; the `last` one has no shared path."""

    def __init__(
        self,
        n_tasks,
        n_inputs,
        layer_sizes,
        n_task_experts,
        n_shared_experts,
        generators,
        activation,
        last,
    ):
        super().__init__()
        widths = [n_inputs, *layer_sizes]

        def gate(stack, n_outputs):
            return StackLinear(
                stack, n_inputs, n_outputs, generators, per_task=bool(stack), bias=False
            )

        network = widths, generators, activation
        self.shared_experts = StackMLP((n_shared_experts,), *network, linear_output=False)
        self.task_experts = StackMLP(
            (n_tasks, n_task_experts), *network, per_task=True, linear_output=False
        )
        self.task_gates = gate((n_tasks,), n_task_experts + n_shared_experts)
        if not last:
            # gate of the shared path: weights of the experts of each task, and of the shared ones
            self.gate_of_tasks = gate((n_tasks,), n_task_experts)
            self.gate_of_shared = gate((), n_shared_experts)

    def forward(self, x, shared, tasks):
        """Map inputs of tasks and of shared experts, both (M, 1 or K, b, d), to (M, K, b, w)."""
        return self._mix(x, *self._experts(x, shared, tasks), tasks)

    def _mix(self, columns, single, common, tasks=None):
        """Weight the experts by the gates of the tasks."""
        gates = self.task_gates(columns, tasks).softmax(3).unsqueeze(4)
        n = single.shape[2]
        mixed = (gates[:, :, :, :n] * single.transpose(2, 3)).sum(3)
        return mixed + (gates[:, :, :, n:] * common.transpose(2, 3)).sum(3)

    def _experts(self, columns, shared, tasks):
        """Compute the experts' outputs: (M, T or K, E_t, n, w) and (M, 1 or K, E_s, n, w)."""
        single = self.task_experts(columns.unsqueeze(2), tasks)
        if tasks is None:
            return single, self.shared_experts(shared.unsqueeze(1)).unsqueeze(1)
        common = self.shared_experts(shared.flatten(1, 2).unsqueeze(1))
        return single, common.unflatten(2, shared.shape[1:3]).transpose(1, 2)

    def with_shared(self, columns, shared, trained):
        """Return the outputs of the tasks (M, T, R, w) and of the shared path (M, R, w).

        Tasks read `columns` (M, T or 1, R, d), and the shared path reads `shared` (M, R, d).
        """
        single, common = self._experts(columns, shared, None)
        # the shared path combines the experts of the trained tasks and the shared ones
        gates = self.gate_of_tasks(shared.unsqueeze(1))
        gates = gates.masked_fill(~trained[:, :, None, None], -torch.inf)
        gates = gates.transpose(1, 2).flatten(2)
        gates = torch.cat([gates, self.gate_of_shared(shared)], dim=2).softmax(2)
        experts = torch.cat([single.flatten(1, 2), common[:, 0]], dim=1)
        columns = self._mix(columns, single, common)
        return columns, (gates.transpose(1, 2).unsqueeze(3) * experts).sum(1)


class ExtractionNetwork(TaskModule):
    """Levels of shared and task-specific experts, and a tower for each task.

    Source: Tang, Liu, Zhao and Gong, "Progressive layered extraction (PLE)", RecSys 2020, section
    4; one level is customised gate control (CGC), section 4.1. On all levels but the last, the
    shared path combines the experts of all tasks, so that each row passes through all of them.
    """

    def __init__(
        self,
        n_tasks,
        n_features,
        n_outputs,
        *,
        seeds,
        hidden_layer_sizes,
        head_layer_sizes,
        n_levels,
        n_task_experts,
        n_shared_experts,
        activation,
    ):
        super().__init__(len(seeds), n_tasks)
        generators = member_generators(seeds, "initialisation")
        width = hidden_layer_sizes[-1]
        self.levels = nn.ModuleList(
            ExtractionLevel(
                n_tasks,
                width if level else n_features,
                hidden_layer_sizes,
                n_task_experts,
                n_shared_experts,
                generators,
                activation,
                last=level == n_levels - 1,
            )
            for level in range(n_levels)
        )
        widths = [width, *head_layer_sizes, n_outputs]
        self.heads = StackMLP((n_tasks,), widths, generators, activation, per_task=True)
        last = f"levels.{n_levels - 1}."
        self.task_only = (last + "task_experts", last + "task_gates", "heads")
        columns = n_tasks if n_levels > 1 else 1
        self.networks_per_row = n_task_experts * columns + n_shared_experts
        self._numbers = n_tasks * n_task_experts * max(hidden_layer_sizes)

    def outputs(self, x, tasks):
        if self.training or len(self.levels) == 1:
            return self._outputs(x, tasks)
        numbers = tasks.numel() * self._numbers
        return in_chunks(lambda chunk: self._outputs(chunk, tasks), x, numbers)

    def _outputs(self, x, tasks):
        if len(self.levels) == 1:
            return self.heads(self.levels[0](x, x, tasks), tasks)
        n_blocks = x.shape[1]
        shared = x.flatten(1, 2)
        columns = shared.unsqueeze(1)
        for level in self.levels[:-1]:
            columns, shared = level.with_shared(columns, shared, self.trained)
        columns = columns_of_tasks(columns, n_blocks, tasks)
        shared = shared.unflatten(1, (n_blocks, -1))
        return self.heads(self.levels[-1](columns, shared, tasks), tasks)
