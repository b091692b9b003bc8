"""Looks ahead: losses of a batch at other parameters, those of many candidates in one pass.

Candidates are members of a copy of the module, so that nothing of the module itself changes.
"""

import copy

import torch

from skmtl.nn._slots import sum_by

# rows of all candidates that pass through the copy at once
_ROWS_AT_ONCE = 2**14


class Lookahead:
    """Evaluates batches at other parameters.

    Parameters
    ----------
    net : MemberNet
        In training.
    what : str
        Asked for by the user; errors name it.
    ratios : bool, default=True
        Whether losses after a step will be divided by those before it.
    """

    def __init__(self, net, what, ratios=True):
        self.net, self.what = net, what
        criterion = net.criterion_
        losses = getattr(criterion, "losses", [criterion])
        if ratios and any(getattr(loss, "name", "") == "poisson" for loss in losses):
            raise ValueError(
                f"{what} compares a loss after a step with the loss before it, as a ratio, but "
                "loss='poisson' can be negative. Use another loss."
            )
        self._parts = list(net.module_.modules())
        self._copies, self._seen = {}, None

    def losses(self, buffers, batch):
        """Losses at other parameters.

        Parameters
        ----------
        buffers : Tensor of shape (C, M, P)
            Parameters of every candidate, in the order of the optimiser's buffer.
        batch : Batch

        Returns
        -------
        Tensor of shape (C, M, S)
            Sum over the labels of each slot.
        """
        with torch.no_grad():
            return torch.cat(
                [
                    self._evaluate(self._at(some), some, batch)
                    for some in buffers.split(self._at_once(batch))
                ]
            )

    def curvatures(self, moves, batch):
        """Second derivatives of the losses along straight lines from here.

        Parameters
        ----------
        moves : Tensor of shape (C, M, P)
            Directions.
        batch : Batch

        Returns
        -------
        Tensor of shape (C, M, S)
            ``d' H d`` of the sum over the labels of each slot.
        """
        optimizer, here = self.net.optimizer_, self.net.optimizer_.buffer
        zero, one = here.new_zeros(()), here.new_ones(())

        def along(some):
            module = copies[len(some)].module

            def line(step):
                places = (here + step * some).flatten(0, 1)

                def evaluate(*inputs):
                    return torch.func.functional_call(module, optimizer.views(places), inputs)

                return self._evaluate(evaluate, some, batch)

            def slope(step):
                return torch.func.jvp(line, (step,), (one,))[1]

            return torch.func.jvp(slope, (zero,), (one,))[1]

        parts = moves.split(self._at_once(batch))
        copies = {len(some): self._copy(len(some), smooth=True) for some in parts}
        try:
            return torch.cat([along(some) for some in parts]).detach()
        except (RuntimeError, NotImplementedError) as error:
            raise ValueError(
                f"{self.what} with approximate=2 needs second derivatives, which "
                f"{type(self.net.module_).__name__} does not have here. Use approximate=1, or "
                "None, which is exact."
            ) from error

    def _at_once(self, batch):
        """Candidates that are evaluated together."""
        features = batch.inputs.features
        blocks = 1 if batch.shared_rows else features.shape[1]
        return max(1, _ROWS_AT_ONCE // (len(features) * blocks * features.shape[2]))

    def _at(self, some):
        """The copy of the module with the parameters of some candidates."""
        copied = self._copy(len(some))
        for name, view in self.net.optimizer_.views(some.flatten(0, 1)).items():
            copied.parameters[name].data = view
        return copied.module

    def _copy(self, n_candidates, smooth=False):
        """A `_Copy` whose members are all members of each candidate in turn."""
        module = self.net.module_
        buffers = [b for part in self._parts for b in part._buffers.values() if b is not None]
        state = [(b, b._version) for b in buffers]
        same = self._seen is not None and len(state) == len(self._seen)
        same = same and all(
            a is b and v == w for (a, v), (b, w) in zip(state, self._seen, strict=True)
        )
        if not same:
            # the number of members, or something that training counts, has changed
            self._seen = state
            if any(len(k.members) != module.n_members for k in self._copies.values()):
                self._copies = {}
            for known in self._copies.values():
                known.stale = True
        key = n_candidates, smooth
        if key not in self._copies:
            self._copies[key] = _Copy(module, n_candidates, smooth)
        return self._copies[key].current(module)

    def _evaluate(self, module, some, batch):
        """Summed losses of some candidates (c, M, P) by slot, shape (c, M, S)."""
        n = len(some)
        features, tasks, slots, metadata, shared_rows = batch.inputs
        n_blocks = features.shape[1]
        features = _repeated(features[:, :1] if shared_rows else features, n)
        if shared_rows:
            features = features.expand(-1, n_blocks, -1, -1)
        tasks, slots = _repeated(tasks, n), _repeated(slots, n)
        metadata = None if metadata is None else _repeated(metadata, n)
        outputs = module(features, tasks, slots, metadata, shared_rows)
        criterion = self.net.criterion_
        if hasattr(criterion, "select"):
            criterion = copy.deepcopy(criterion)
            criterion.select(torch.arange(some.shape[1]).repeat(n))
        losses = criterion(outputs, _repeated(batch.targets, n), tasks, slots)
        losses = (losses * _repeated(batch.weights, n)).sum(2)
        return sum_by(slots, tasks.shape[1], losses).unflatten(0, (n, -1))


class _Copy:
    """A copy of a module with each member several times, brought up to date when asked for."""

    def __init__(self, module, n_candidates, smooth):
        self.members = list(range(module.n_members))
        self.n_candidates = n_candidates
        self.module = module.part(self.members * n_candidates)
        self.module.requires_grad_(False)
        self.parameters = dict(self.module.named_parameters())
        if smooth:
            self.module.use_smooth_operations()
        self.stale = False

    def current(self, module):
        """This copy, with the buffers of the module."""
        if self.stale:
            for own, original in zip(self.module.modules(), module.modules(), strict=True):
                for name, buffer in original.named_buffers(recurse=False):
                    own._buffers[name] = _repeated(buffer, self.n_candidates).clone()
            self.stale = False
        return self


def _repeated(values, n):
    """Values of shape (M, ...) for n candidates, shape (n * M, ...)."""
    return values.expand(n, *values.shape).flatten(0, 1)
