"""Gradients of every task with respect to the shared parameters: their Gramian and weighted sums.

The task losses of a batch are S values per member, with their graph. All three forms are exact;
they differ in cost.
"""

import torch


class TaskGradients:
    """Differentiate by T backward passes, for all members together: for any architecture.

    `shared` parameters belong to several tasks, `unshared` ones to a single task; the gradients of
    the latter are in `unshared_gradients` after `differentiate`.
    """

    def __init__(self, module):
        self.module = module
        names = set(module.shared_parameters())
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.shared = {name: p for name, p in named.items() if name in names}
        self.unshared = {name: p for name, p in named.items() if name not in names}
        self.attach()

    def attach(self, watching=False):
        """Attach hooks to the module; if `watching`, also for the next backward pass."""

    def can_watch(self, inputs):
        """Return whether `watch` is possible for a call with these inputs."""
        return False

    def watch(self, inputs):
        """Attach hooks so that `collect` can follow the next pass; return whether it can."""
        possible = self.can_watch(inputs)
        if possible:
            self.attach(watching=True)
        return possible

    def detach(self):
        """Remove the hooks from the module."""

    def release(self):
        """Release the graph, since the number of members may change before the next batch."""
        self.rows = self.unshared_gradients = None

    def differentiate(self, losses, slots):
        """Differentiate the losses (M, S) of the slots; block k has slot ``slots[:, k]`` (M, K)."""
        self.unshared_gradients = self.pull_back(losses.sum(), self.unshared)
        self.rows = self._jacobian(losses, torch.eye(losses.shape[1]).to(losses))

    def collect(self, scales, slots):
        """Collect the gradients of the watched backward pass, for losses times `scales` (M, S).

        Gradients of parameters that belong to one task stay in their ``grad``.
        """
        raise NotImplementedError

    def _jacobian(self, outputs, directions):
        """Compute gradients (M, S, P) of outputs along directions (S, ...) or (S, M, ...)."""
        if directions.ndim == outputs.ndim:
            directions = directions.unsqueeze(1).expand(-1, len(outputs), *outputs.shape[1:])
        shared = list(self.shared.values())
        keep = {"retain_graph": True, "allow_unused": True}
        if self.module.batched_passes:
            gradients = torch.autograd.grad(
                outputs, shared, directions, is_grads_batched=True, **keep
            )
        else:
            passes = [torch.autograd.grad(outputs, shared, d, **keep) for d in directions]
            gradients = [
                None if rows[0] is None else torch.stack(rows) for rows in zip(*passes, strict=True)
            ]
        n_slots, n_members = directions.shape[:2]
        rows = [
            p.new_zeros(n_members, n_slots, p[0].numel())
            if g is None
            else g.transpose(0, 1).flatten(2)
            for g, p in zip(gradients, shared, strict=True)
        ]
        return torch.cat(rows, dim=2)

    @staticmethod
    def pull_back(outputs, parameters, grad_outputs=None):
        """Return gradients by name; None for a parameter that the outputs do not depend on."""
        if not parameters:
            return {}
        inputs = list(parameters.values())
        gradients = torch.autograd.grad(
            outputs, inputs, grad_outputs, retain_graph=True, allow_unused=True
        )
        return dict(zip(parameters, gradients, strict=True))

    def gramian(self):
        """Compute inner products of the tasks' gradients, shape (M, S, S)."""
        return self.rows @ self.rows.mT

    def combine(self, weights):
        """Sum the tasks' gradients with weights (M, S); return them by shared parameter's name."""
        total = (weights.unsqueeze(1) @ self.rows).squeeze(1)
        parts = total.split([p[0].numel() for p in self.shared.values()], dim=1)
        return {
            name: part.view_as(p)
            for (name, p), part in zip(self.shared.items(), parts, strict=True)
        }

    def each(self):
        """Return gradients (S, M, ...) of every slot by name; None where there is no gradient."""
        return self._by_name(self.rows)

    def combine_all(self, weights):
        """Sum the gradients with weights (C, M, S); return a dict of (C, M, ...) as `each` does."""
        return self._by_name(weights.transpose(0, 1) @ self.rows)

    def _by_name(self, rows):
        """Split gradients (M, C, P) of all shared parameters into a dict of (C, M, ...)."""
        parts = rows.split([p[0].numel() for p in self.shared.values()], dim=2)
        return {
            name: part.unflatten(2, p.shape[1:]).transpose(0, 1)
            for (name, p), part in zip(self.shared.items(), parts, strict=True)
        }

    def _combine_each(self, weights):
        """Compute `combine_all` for one set of weights after another."""
        sums = [self.combine(w) for w in weights]
        return {
            name: None if first is None else torch.stack([total[name] for total in sums])
            for name, first in sums[0].items()
        }
