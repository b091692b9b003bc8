"""Gradients of tasks that share a trunk, and the choice between the forms of gradients."""

import torch

from skmtl.nn._gradients import TaskGradients
from skmtl.nn._inputs import ModuleInputs
from skmtl.nn._members import ACTIVATIONS, take_members
from skmtl.nn._slot_gradients import SlotGradients
from skmtl.nn._slots import matrix_by
from skmtl.nn._workspace import product


class TrunkGradients(TaskGradients):
    """Gradients in a trunk of linear layers, after one pass through the heads of the tasks.

    If tasks have separate rows, one more pass gives the slopes at every layer: a gradient is a sum
    over rows of outer products, and inner products of gradients are sums of products of inner
    products. If they share rows, T batched passes go through the trunk, but not through the heads.
    """

    def __init__(self, module):
        super().__init__(module)
        self._seen = []

    def can_watch(self, inputs):
        return True

    def attach(self, watching=False):
        module, self._watching = self.module, watching
        self._hooks = [layer.register_forward_hook(self._remember) for layer in module.trunk.layers]
        self._hooks.append(
            module.register_forward_pre_hook(self._remember_inputs, with_kwargs=True)
        )
        self._hooks.append(module.trunk.register_forward_hook(self._remember_representation))
        self._hooks.append(module.trunk.register_forward_pre_hook(self._forget))
        self._hooks.append(module.heads.register_forward_pre_hook(self._remember_heads))

    def _remember_inputs(self, module, inputs, keywords):
        features, _, _, metadata, shared_rows = ModuleInputs(*inputs, **keywords)
        # a single block shares its rows with no other, and appended metadata differs by task
        self.tasks_share_rows = shared_rows and metadata is None and features.shape[1] > 1

    def _forget(self, part, inputs):
        self._seen = []

    def _remember(self, part, inputs, output):
        if torch.is_grad_enabled():
            self._seen.append((inputs[0].detach(), output))
            if self._watching:
                output.retain_grad()

    def _remember_representation(self, part, inputs, output):
        self._representation = output if torch.is_grad_enabled() else None

    def _remember_heads(self, part, inputs):
        self._read = inputs[0] if torch.is_grad_enabled() else None
        if self._watching and self._read is not None:
            self._read.retain_grad()

    def detach(self):
        for hook in self._hooks:
            hook.remove()
        self.release()

    def release(self):
        super().release()
        self._seen, self._representation, self._read = [], None, None
        self._slopes = self.at_representation = None

    def differentiate(self, losses, slots):
        self._set_slots(losses.shape[1], slots)
        # where tasks share rows, block k is that of task k, and all blocks have the same rows
        layers = [] if self.tasks_share_rows else [output for _, output in self._seen]
        targets = {**self.unshared, "": self._read, **dict(enumerate(layers))}
        gradients = self.pull_back(losses.sum(), targets)
        self.unshared_gradients = {name: gradients[name] for name in self.unshared}
        self.at_representation = gradients[""]
        self._slopes = [gradients[n] for n in range(len(layers))]
        self.rows = None

    def _set_slots(self, n_slots, slots):
        self._n_slots, self._slots = n_slots, slots

    def collect(self, scales, slots):
        self._set_slots(scales.shape[1], slots)
        scales = scales.gather(1, slots)[:, :, None, None]
        self.at_representation = self._read.grad * scales
        self.rows = None
        if not self.tasks_share_rows:
            slopes = [output.grad.unflatten(1, (slots.shape[1], -1)) for _, output in self._seen]
            self._slopes = [(slope * scales).flatten(1, 2) for slope in slopes]

    def gramian_at_representation(self):
        """Compute inner products of the tasks' gradients at the shared representation."""
        flat = self.at_representation.flatten(2)
        return flat @ flat.mT

    def gramian(self):
        if self.tasks_share_rows:
            self._compute_rows()
            return super().gramian()
        n_blocks, by_block, kernel = self._slots.shape[1], None, None
        filled = self._filled()
        for (read, _), slope in zip(self._seen, self._slopes, strict=True):
            n_rows, d_in, d_out = filled.shape[1], read.shape[2], slope.shape[2]
            if n_rows**2 * (d_in + d_out) < (n_blocks**2 + n_rows) * d_in * d_out:
                read, slope = take_members(read, filled), take_members(slope, filled)
                terms = product("kernel of reads", read, read.mT).add_(1)
                terms.mul_(product("kernel of slopes", slope, slope.mT))
                kernel = terms.clone() if kernel is None else kernel.add_(terms)
                continue
            read, slope = (v.unflatten(1, (n_blocks, -1)) for v in (read, slope))
            # weights and biases separately: joining them would copy all of them
            weights = product("weights of blocks", read.flatten(0, 1).mT, slope.flatten(0, 1))
            weights, biases = weights.unflatten(0, (-1, n_blocks)).flatten(2), slope.sum(2)
            terms = weights @ weights.mT + biases @ biases.mT
            by_block = terms if by_block is None else by_block + terms
        total = 0
        if by_block is not None:
            total = matrix_by(self._slots, self._n_slots, by_block)
        if kernel is not None:
            slots = self._slots.gather(1, filled // self.at_representation.shape[2])
            total = total + matrix_by(slots, self._n_slots, kernel)
        return total

    def _filled(self):
        """Return positions (M, n) of the rows whose slope is not zero: blocks are padded."""
        # sums are faster than comparisons of all elements, and keep NaN
        filled = (self.at_representation.abs().sum(3) != 0).flatten(1)
        most = int(filled.sum(1).max())
        # a member with fewer such rows also gets rows whose slopes are zero
        return filled.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, :most]

    def _compute_rows(self):
        """Make T batched passes through the trunk, unless they have been made."""
        if self.rows is not None:
            return
        trunk, gradients = self.module.trunk, {}
        # rows before tasks: one product multiplies the shared inputs with the slopes of all tasks
        slope = self.at_representation.transpose(1, 2)
        n_rows, n_tasks = slope.shape[1:3]
        for n in reversed(range(len(self._seen))):
            read, output = self._seen[n]
            slope = slope * _derivative(ACTIVATIONS[trunk.activation], output).unsqueeze(2)
            product = (read.mT @ slope.flatten(2)).unflatten(2, (n_tasks, -1))
            gradients[f"trunk.layers.{n}.weight"] = product.transpose(1, 2).flatten(2)
            gradients[f"trunk.layers.{n}.bias"] = slope.sum(1)
            if n:
                back = slope.flatten(1, 2) @ trunk.layers[n].weight.detach().mT
                slope = back.unflatten(1, (n_rows, n_tasks))
        self.rows = torch.cat([gradients[name] for name in self.shared], dim=2)

    def each(self):
        if self.tasks_share_rows:
            self._compute_rows()
            return super().each()
        n_blocks, gradients = self._slots.shape[1], {}
        for n, ((read, _), slope) in enumerate(zip(self._seen, self._slopes, strict=True)):
            read, slope = (v.unflatten(1, (n_blocks, -1)) for v in (read, slope))
            weight, bias = read.mT @ slope, slope.sum(2, keepdim=True)
            gradients[f"trunk.layers.{n}.weight"] = self._by_slot(weight).transpose(0, 1)
            gradients[f"trunk.layers.{n}.bias"] = self._by_slot(bias).transpose(0, 1)
        return gradients

    def combine_all(self, weights):
        if self.tasks_share_rows:
            if self.rows is None and len(weights) < self._n_slots:
                return self._combine_each(weights)
            self._compute_rows()
            return super().combine_all(weights)
        slots = self._slots.expand(len(weights), *self._slots.shape)
        by_block = weights.gather(2, slots).unsqueeze(3).unsqueeze(4)
        gradients = {}
        for n, ((read, _), slope) in enumerate(zip(self._seen, self._slopes, strict=True)):
            slope = slope.unflatten(1, (slots.shape[2], -1)) * by_block
            slope = slope.flatten(2, 3)
            gradients[f"trunk.layers.{n}.weight"] = read.mT @ slope
            gradients[f"trunk.layers.{n}.bias"] = slope.sum(2, keepdim=True)
        return gradients

    def _by_slot(self, by_block):
        """Sum (M, K, ...) over the blocks of each slot."""
        n_members = len(self._slots)
        first = torch.arange(n_members, device=self._slots.device).unsqueeze(1) * self._n_slots
        index = (self._slots + first).flatten()
        empty = by_block.new_zeros(n_members * self._n_slots, *by_block.shape[2:])
        return empty.index_add(0, index, by_block.flatten(0, 1)).unflatten(0, (n_members, -1))

    def combine(self, weights):
        if self.tasks_share_rows:
            if self.rows is not None:
                return super().combine(weights)
            # at the representation: one pass through the trunk
            read = self._representation
            slope = (weights.unsqueeze(1) @ self.at_representation.flatten(2)).view_as(read)
            return self.pull_back(read, self.shared, slope)
        gradients = self.combine_all(weights.unsqueeze(0))
        return {name: gradient.squeeze(0) for name, gradient in gradients.items()}


def _derivative(activation, values):
    """Compute the derivative of an activation."""
    with torch.enable_grad():
        values = values.detach().requires_grad_()
        return torch.autograd.grad(activation(values).sum(), values)[0]


def task_gradients(module, form="auto"):
    """Return the object that differentiates task losses: "exact" by T passes, "auto" cheapest."""
    forms = {"slots": SlotGradients, "trunk": TrunkGradients, None: TaskGradients}
    return forms[module.gradient_form if form == "auto" else None](module)
