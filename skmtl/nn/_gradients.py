"""Gradients of every task with respect to the shared parameters: their Gramian, and their sum.

The task losses of a batch are given as S numbers per member, with the graph behind them. What comes
out is exact in all three forms; they differ in what has to be computed.
"""

import torch


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

        self.attach()

    def attach(self, watching=False):
        """Attach to the module what is needed to look at a forward pass; again after `detach`.

        Parameters
        ----------
        watching : bool, default=False
            Whether to look at the next backward pass, too, see `watch`.
        """

    def can_watch(self, inputs):
        """Whether `watch` is possible for a call with these inputs."""
        return False

    def watch(self, inputs):
        """Attach to the module so that the next backward pass leaves behind what `collect` needs.

        Parameters
        ----------
        inputs : tuple
            What the module is going to be called with.

        Returns
        -------
        bool
            False if that is not possible here, and nothing was attached.
        """
        possible = self.can_watch(inputs)
        if possible:
            self.attach(watching=True)
        return possible

    def detach(self):
        """Take everything back that was attached to the module."""

    def release(self):
        """Let go of the graph: the number of members may change before the next batch."""
        self.rows = self.own_gradients = None

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

    def collect(self, scales, slots):
        """Look at what a backward pass has left behind, after `watch`.

        Gradients of parameters that one task has are not looked at: the parameters have them.

        Parameters
        ----------
        scales : Tensor of shape (M, S)
            What the losses of every slot are to be multiplied by.
        slots : Tensor of shape (M, K) of int64
            As for `differentiate`.
        """
        raise NotImplementedError

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
        shared = list(self.shared.values())
        keep = {"retain_graph": True, "allow_unused": True}
        if self.module.batched_passes:
            gradients = torch.autograd.grad(
                outputs, shared, directions, is_grads_batched=True, **keep
            )
        else:
            passes = [torch.autograd.grad(outputs, shared, d, **keep) for d in directions]
            gradients = [
                None if some[0] is None else torch.stack(some) for some in zip(*passes, strict=True)
            ]
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

    def each(self):
        """Gradients of every slot by itself.

        Returns
        -------
        dict of str to Tensor of shape (S, M, ...)
            By name of the shared parameter; None for one that is not reached.
        """
        return self._by_name(self.rows)

    def combine_all(self, weights):
        """Weighted sums for several sets of weights.

        Parameters
        ----------
        weights : Tensor of shape (C, M, S)

        Returns
        -------
        dict of str to Tensor of shape (C, M, ...)
            By name of the shared parameter; None for one that is not reached.
        """
        return self._by_name(weights.transpose(0, 1) @ self.rows)

    def _by_name(self, rows):
        """Gradients (M, C, P) of all shared parameters as a dict of (C, M, ...)."""
        pieces = rows.split([p[0].numel() for p in self.shared.values()], dim=2)
        return {
            name: piece.unflatten(2, p.shape[1:]).transpose(0, 1)
            for (name, p), piece in zip(self.shared.items(), pieces, strict=True)
        }

    def _combine_each(self, weights):
        """As `combine_all`, one by one."""
        found = [self.combine(some) for some in weights]
        return {
            name: None if found[0][name] is None else torch.stack([one[name] for one in found])
            for name in found[0]
        }
