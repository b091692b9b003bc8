"""Gradients of every task with respect to the shared parameters: their Gramian, and their sum.

The task losses of a batch are given as S numbers per member, with the graph behind them. What comes
out is exact in all three forms; they differ in what has to be computed.
"""

import torch

from skmtl.nn._generators import CompressedGenerator


def one_hot(slots, n_slots, dtype):
    """Which block belongs to which slot, shape (M, S, K)."""
    places = torch.arange(n_slots, device=slots.device).unsqueeze(1)
    return (slots.unsqueeze(1) == places).to(dtype)


class TaskGradients:
    """T backward passes, for all members together: right for every architecture.

    Parameters
    ----------
    module : MemberModule
        Of which the shared parameters that require a gradient are looked at.

    Attributes
    ----------
    shared, own : dict of str to Parameter
        Parameters that several tasks have, and those that one task has.
    """

    def __init__(self, module):
        self.module = module
        names = set(module.shared_parameters())
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.shared = {name: p for name, p in named.items() if name in names}
        self.own = {name: p for name, p in named.items() if name not in names}

    def detach(self):
        """Take everything back that was attached to the module."""

    def differentiate(self, losses, slots):
        """Look at the gradients of the losses.

        Parameters
        ----------
        losses : Tensor of shape (M, S)
            Of every slot; what they are multiplied by is part of them.
        slots : Tensor of shape (M, K) of int64
            For every block, where its task stands among the S.
        """
        self.own_gradients = self.pull_back(losses.sum(), self.own)
        self.rows = self._jacobian(losses, torch.eye(losses.shape[1]).to(losses))

    def _jacobian(self, outputs, directions):
        """Gradients of every slot, shape (M, S, P).

        Parameters
        ----------
        outputs : Tensor of shape (M, ...)
        directions : Tensor of shape (S, ...)
            What each slot's gradient with respect to them is, the same for all members or (S, M,
            ...).
        """
        if directions.ndim == outputs.ndim:
            directions = directions.unsqueeze(1).expand(-1, len(outputs), *outputs.shape[1:])
        gradients = torch.autograd.grad(
            outputs,
            list(self.shared.values()),
            directions,
            retain_graph=True,
            is_grads_batched=True,
            allow_unused=True,
        )
        n_slots, n_members = directions.shape[:2]
        return torch.cat(
            [
                p.new_zeros(n_members, n_slots, p[0].numel())
                if g is None
                else g.transpose(0, 1).flatten(2)
                for g, p in zip(gradients, self.shared.values(), strict=True)
            ],
            dim=2,
        )

    @staticmethod
    def pull_back(outputs, parameters, grad_outputs=None):
        """Gradients by name; None for a parameter that is not reached."""
        if not parameters:
            return {}
        values = torch.autograd.grad(
            outputs,
            list(parameters.values()),
            grad_outputs,
            retain_graph=True,
            allow_unused=True,
        )
        return dict(zip(parameters, values, strict=True))

    def gramian(self):
        """Inner products of the tasks' gradients, shape (M, S, S)."""
        return self.rows @ self.rows.mT

    def combine(self, weights):
        """Weighted sums of the tasks' gradients.

        Parameters
        ----------
        weights : Tensor of shape (M, S)

        Returns
        -------
        dict of str to Tensor
            By name of the shared parameter.
        """
        total = (weights.unsqueeze(1) @ self.rows).squeeze(1)
        sizes = [p[0].numel() for p in self.shared.values()]
        pieces = total.split(sizes, dim=1)
        return {
            name: piece.view_as(p)
            for (name, p), piece in zip(self.shared.items(), pieces, strict=True)
        }


class SlotGradients(TaskGradients):
    """For hypernetworks, in which tasks meet where their networks are written.

    One backward pass gives the gradients with respect to the weights that were written for each
    task. The parameters of the hypernetwork see each task as one row, so that the rest is small,
    however many rows the batch has.
    """

    def __init__(self, module):
        super().__init__(module)
        self.last = [*module.layers, *module.target_biases]
        if module.skip is not None:
            self.last.append(module.skip)
        self.parts = [*module.extractor, *self.last]
        self._seen = {}
        self._hooks = [part.register_forward_hook(self._remember) for part in self.parts]

    def _remember(self, part, inputs, output):
        if torch.is_grad_enabled():
            self._seen[part] = inputs[0].detach(), output

    def detach(self):
        """Take the hooks off the module."""
        for hook in self._hooks:
            hook.remove()
        self._seen.clear()

    def differentiate(self, losses, slots):
        """Look at the gradients of the losses, see `TaskGradients.differentiate`."""
        written = {str(n): self._seen[part][1] for n, part in enumerate(self.parts)}
        gradients = self.pull_back(losses.sum(), {**self.own, **written})
        self.own_gradients = {name: gradients[name] for name in self.own}
        self._slopes = [gradients[name] for name in written]

    def gramian(self):
        """Inner products of the tasks' gradients, shape (M, S, S)."""
        total = 0
        for part, slope in zip(self.parts, self._slopes, strict=True):
            read = self._seen[part][0]
            if isinstance(part, CompressedGenerator):
                rows = compressed_rows(part, read, slope)
                total = total + rows @ rows.mT
            else:
                # of a linear map: the gradient of a slot is the outer product of what it reads and
                # of its slope
                total = total + (read @ read.mT + 1) * (slope @ slope.mT)
        return total

    def combine(self, weights):
        """Weighted sums of the tasks' gradients, see `TaskGradients.combine`."""
        n_last = len(self.last)
        outputs = [self._seen[part][1] for part in self.last]
        slopes = [slope * weights.unsqueeze(2) for slope in self._slopes[-n_last:]]
        gradients = self.pull_back(outputs, self.shared, slopes)
        self._seen.clear()
        return gradients


def compressed_rows(part, read, slope):
    """Gradients of every slot with respect to the factors of a `CompressedGenerator`.

    Parameters
    ----------
    part : CompressedGenerator
    read : Tensor of shape (M, S, width)
        What it was told about every task.
    slope : Tensor of shape (M, S, rows * n_outputs)
        Gradients with respect to what it wrote.

    Returns
    -------
    Tensor of shape (M, S, P)
    """
    a, b, c = (p.detach().unsqueeze(1) for p in (part.A, part.B, part.C))
    slope = slope.unflatten(2, b.shape[2:])
    scaled = slope * b
    read = read.unsqueeze(3)
    rows = (
        read * (c @ scaled.mT),
        slope * ((a * read).mT @ c),
        read * (a @ scaled),
        slope,
    )
    return torch.cat([row.flatten(2) for row in rows], dim=2)


class TrunkGradients(TaskGradients):
    """For a trunk of linear layers, shared by heads of which each has a task of its own.

    One backward pass through the heads gives the gradients at the representation. From there,

    - if tasks have rows of their own (long form, or facts appended to the features), one more pass
      gives the slopes at every layer, row by row. A task's gradient with respect to a layer is the
      sum over its rows of outer products, so that inner products of gradients are sums of products
      of inner products;
    - if they share rows, T passes through the trunk, none of them through the heads.
    """

    def __init__(self, module):
        super().__init__(module)
        self._seen = []
        self._hooks = [layer.register_forward_hook(self._remember) for layer in module.trunk.layers]
        self._hooks.append(module.trunk.register_forward_hook(self._remember_representation))
        self._hooks.append(module.trunk.register_forward_pre_hook(self._forget))
        self._hooks.append(module.heads.register_forward_pre_hook(self._remember_heads))

    def _forget(self, part, inputs):
        self._seen = []

    def _remember(self, part, inputs, output):
        if torch.is_grad_enabled():
            self._seen.append((inputs[0].detach(), output))

    def _remember_representation(self, part, inputs, output):
        self._representation = output if torch.is_grad_enabled() else None

    def _remember_heads(self, part, inputs):
        self._read = inputs[0] if torch.is_grad_enabled() else None

    def detach(self):
        """Take the hooks off the module."""
        for hook in self._hooks:
            hook.remove()
        self._seen, self._representation, self._read = [], None, None

    def differentiate(self, losses, slots):
        """Look at the gradients of the losses, see `TaskGradients.differentiate`."""
        self._n_slots = losses.shape[1]
        self._slots = slots
        n_blocks, length = self._read.shape[1:3]
        self.tasks_share_rows = self._representation.shape[1] < n_blocks * length
        gradients = self.pull_back(losses.sum(), {**self.own, "": self._read})
        self.at_representation = gradients.pop("")
        self.own_gradients = gradients
        if self.tasks_share_rows:
            # block k is that of task k, and the rows of all blocks are the same
            self.rows = None
            return
        slope = self.at_representation.flatten(1, 2)
        layers = {str(n): output for n, (_, output) in enumerate(self._seen)}
        self._slopes = list(self.pull_back(self._representation, layers, slope).values())

    def gramian_at_representation(self):
        """Inner products of the tasks' gradients at the representation that they share."""
        flat = self.at_representation.flatten(2)
        return flat @ flat.mT

    def gramian(self):
        """Inner products of the tasks' gradients, shape (M, S, S)."""
        if self.tasks_share_rows:
            self.rows = self._jacobian(self._representation, self.at_representation.transpose(0, 1))
            return super().gramian()
        hot = one_hot(self._slots, self._n_slots, self._slopes[0].dtype)
        length = self._slopes[0].shape[1] // self._slots.shape[1]
        by_row = hot.repeat_interleave(length, dim=2)
        total = 0
        kernel = 0
        for (read, _), slope in zip(self._seen, self._slopes, strict=True):
            n_rows, d_in, d_out = read.shape[1], read.shape[2], slope.shape[2]
            if n_rows**2 * (d_in + d_out) <= self._n_slots**2 * d_in * d_out:
                kernel = kernel + (read @ read.mT + 1) * (slope @ slope.mT)
                continue
            blocks = read.unflatten(1, (-1, length)).mT @ slope.unflatten(1, (-1, length))
            bias = slope.unflatten(1, (-1, length)).sum(2)
            rows = hot @ torch.cat([blocks.flatten(2), bias], dim=2)
            total = total + rows @ rows.mT
        if isinstance(kernel, torch.Tensor):
            total = total + by_row @ kernel @ by_row.mT
        return total

    def combine(self, weights):
        """Weighted sums of the tasks' gradients, see `TaskGradients.combine`."""
        if self.tasks_share_rows:
            if self.rows is not None:
                return super().combine(weights)
            # at the representation: one pass through the trunk
            slope = (self.at_representation * weights[:, :, None, None]).sum(1)
            return self.pull_back(self._representation, self.shared, slope)
        by_block = weights.gather(1, self._slots)[:, :, None, None]
        gradients = {}
        for n, ((read, _), slope) in enumerate(zip(self._seen, self._slopes, strict=True)):
            slope = slope.unflatten(1, (self._slots.shape[1], -1)) * by_block
            slope = slope.flatten(1, 2)
            gradients[f"trunk.layers.{n}.weight"] = read.mT @ slope
            gradients[f"trunk.layers.{n}.bias"] = slope.sum(1, keepdim=True)
        return gradients


def task_gradients(module, form="auto"):
    """How the gradients of the tasks of a module are computed.

    Parameters
    ----------
    module : MemberModule
    form : {"auto", "exact"}
        The cheapest way that the architecture allows, or T backward passes.

    Returns
    -------
    TaskGradients
    """
    forms = {"slots": SlotGradients, "trunk": TrunkGradients, None: TaskGradients}
    return forms[module.gradient_form if form == "auto" else None](module)
