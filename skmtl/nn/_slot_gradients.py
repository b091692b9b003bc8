"""Gradients of tasks in hypernetworks, in which every task is one row."""

import torch

from skmtl.nn._generators import CompressedGenerator
from skmtl.nn._gradients import TaskGradients


class SlotGradients(TaskGradients):
    """Gradients for hypernetworks, in which tasks share only what generates their networks.

    One backward pass gives the gradients of the generated weights; in the layers before them, every
    task is one row.
    """

    def __init__(self, module):
        self.last = [*module.layers, *module.target_biases]
        if module.skip is not None:
            self.last.append(module.skip)
        self.parts = [*module.extractor, *self.last]
        self._seen = {}
        super().__init__(module)

    def attach(self, watching=False):
        self._watching = watching
        # watching must not change the step
        self.module.readers += not watching
        self._hooks = [part.register_forward_hook(self._remember) for part in self.parts]

    def can_watch(self, inputs):
        """Return whether the networks of the tasks are generated in full anyway."""
        features, tasks, *_ = inputs
        return not self.module.reads_by_row(features.shape[1] * features.shape[2], tasks.shape[1])

    def _remember(self, part, inputs, output):
        if torch.is_grad_enabled():
            self._seen[part] = inputs[0].detach(), output
            if self._watching:
                output.retain_grad()

    def detach(self):
        for hook in self._hooks:
            hook.remove()
        self.module.readers -= not self._watching
        self.release()

    def release(self):
        super().release()
        self._seen, self._rows, self._slopes = {}, {}, []

    def differentiate(self, losses, slots):
        written = {str(n): self._seen[part][1] for n, part in enumerate(self.parts)}
        gradients = self.pull_back(losses.sum(), {**self.unshared, **written})
        self.unshared_gradients = {name: gradients[name] for name in self.unshared}
        self._keep([gradients[name] for name in written])

    def collect(self, scales, slots):
        scales = scales.unsqueeze(2)
        self._keep([self._seen[part][1].grad * scales for part in self.parts])

    def _keep(self, slopes):
        self._slopes = slopes
        # gradients of compressed generators' factors, which have no simpler form
        self._rows = {
            part: compressed_rows(part, self._seen[part][0], slope)
            for part, slope in zip(self.parts, self._slopes, strict=True)
            if isinstance(part, CompressedGenerator)
        }

    def gramian(self):
        total = 0
        for part, slope in zip(self.parts, self._slopes, strict=True):
            if part in self._rows:
                rows = self._rows[part]
                total = total + rows @ rows.mT
            else:
                # in a linear map, the gradient of a slot is the outer product of its input and its
                # slope
                read = self._seen[part][0]
                total = total + (read @ read.mT + 1) * (slope @ slope.mT)
        return total

    def combine(self, weights):
        gradients = {}
        by_slot = weights.unsqueeze(1)
        for part, slope in zip(self.parts, self._slopes, strict=True):
            # weights come first, then biases: D of a full generator is its bias
            parameters = list(part.parameters())
            if part in self._rows:
                total = (by_slot @ self._rows[part]).squeeze(1)
                parts = total.split([p[0].numel() for p in parameters], dim=1)
            else:
                slope = slope * weights.unsqueeze(2)
                parts = self._seen[part][0].mT @ slope, slope.sum(1, keepdim=True)
            for parameter, values in zip(parameters, parts, strict=True):
                gradients[parameter] = values.view_as(parameter)
        return {name: gradients.get(parameter) for name, parameter in self.shared.items()}

    def each(self):
        gradients = {}
        for part, slope in zip(self.parts, self._slopes, strict=True):
            parameters = list(part.parameters())
            if part in self._rows:
                parts = self._rows[part].split([p[0].numel() for p in parameters], dim=2)
            else:
                parts = self._seen[part][0].unsqueeze(3) * slope.unsqueeze(2), slope
            for parameter, values in zip(parameters, parts, strict=True):
                gradients[parameter] = values.reshape(*slope.shape[:2], *parameter.shape[1:])
        gradients = {parameter: values.transpose(0, 1) for parameter, values in gradients.items()}
        return {name: gradients.get(parameter) for name, parameter in self.shared.items()}

    def combine_all(self, weights):
        return self._combine_each(weights)


def compressed_rows(part, read, slope):
    """Compute the factors' gradients (M, S, P) from inputs (M, S, width) and output slopes."""
    a, b, c = (p.detach().unsqueeze(1) for p in (part.A, part.B, part.C))
    slope = slope.unflatten(2, b.shape[2:])
    scaled = slope * b
    read = read.unsqueeze(3)
    rows = (read * (c @ scaled.mT), slope * ((a * read).mT @ c), read * (a @ scaled), slope)
    return torch.cat([row.flatten(2) for row in rows], dim=2)
