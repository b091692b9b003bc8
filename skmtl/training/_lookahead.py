"""Look ahead: losses of a batch at other parameters, those of many candidates in one pass.

Candidates are members of a copy of the module, so that the module itself does not change.
"""

import copy

import torch

from skmtl.nn._slots import sum_by

# rows of all candidates that pass through the copy at once
_ROWS_AT_ONCE = 2**14


class Lookahead:
    """Evaluate batches at other parameters of a net in training.

    Errors name `what` the user has requested. `ratios` says whether losses after a step will be
    divided by those before it.
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
        self._modules = list(net.module_.modules())
        self._copies, self._seen = {}, []

    def losses(self, buffers, batch):
        """Return losses, summed by slot (C, M, S), at the candidates' buffers (C, M, P)."""
        with torch.no_grad():
            parts = buffers.split(self._at_once(batch))
            return torch.cat([self._evaluate(self._at(part), part, batch) for part in parts])

    def curvatures(self, moves, batch):
        """Return ``d' H d`` (C, M, S) of the slots' summed losses along moves d (C, M, P)."""
        optimizer, here = self.net.optimizer_, self.net.optimizer_.buffer
        zero, one = here.new_zeros(()), here.new_ones(())

        def along(part):
            module = copies[len(part)].module

            def line(step):
                parameters = (here + step * part).flatten(0, 1)

                def evaluate(*inputs):
                    return torch.func.functional_call(module, optimizer.views(parameters), inputs)

                return self._evaluate(evaluate, part, batch)

            def slope(step):
                return torch.func.jvp(line, (step,), (one,))[1]

            return torch.func.jvp(slope, (zero,), (one,))[1]

        parts = moves.split(self._at_once(batch))
        copies = {len(part): self._copy(len(part), smooth=True) for part in parts}
        try:
            return torch.cat([along(part) for part in parts]).detach()
        except (RuntimeError, NotImplementedError) as error:
            raise ValueError(
                f"{self.what} with approximate=2 needs second derivatives, which "
                f"{type(self.net.module_).__name__} does not have here. Use approximate=1, or "
                "None, which is exact."
            ) from error

    def _at_once(self, batch):
        """Return how many candidates to evaluate together."""
        features = batch.inputs.features
        blocks = 1 if batch.shared_rows else features.shape[1]
        return max(1, _ROWS_AT_ONCE // (len(features) * blocks * features.shape[2]))

    def _at(self, part):
        """Return the copy of the module with parameters of candidates (c, M, P)."""
        copied = self._copy(len(part))
        for name, view in self.net.optimizer_.views(part.flatten(0, 1)).items():
            copied.parameters[name].data = view
        return copied.module

    def _copy(self, n_candidates, smooth=False):
        """Return a copy whose members are all members of each candidate in turn."""
        module = self.net.module_
        buffers = [b for m in self._modules for b in m._buffers.values() if b is not None]
        state = [(b, b._version) for b in buffers]
        pairs = zip(state, self._seen, strict=False)
        same = all(a is b and v == w for (a, v), (b, w) in pairs)
        if len(state) != len(self._seen) or not same:
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

    def _evaluate(self, module, part, batch):
        """Return summed losses of candidates (c, M, P) by slot, shape (c, M, S)."""
        n = len(part)
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
            criterion.select(torch.arange(part.shape[1]).repeat(n))
        losses = criterion(outputs, _repeated(batch.targets, n), tasks, slots)
        losses = (losses * _repeated(batch.weights, n)).sum(2)
        return sum_by(slots, tasks.shape[1], losses).unflatten(0, (n, -1))


class _Copy:
    """A copy of a module with each member several times, brought up to date on use."""

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
        """Return this copy, with the buffers of the module."""
        if self.stale:
            for copied, original in zip(self.module.modules(), module.modules(), strict=True):
                for name, buffer in original.named_buffers(recurse=False):
                    copied._buffers[name] = _repeated(buffer, self.n_candidates).clone()
            self.stale = False
        return self


def _repeated(values, n):
    """Repeat values of shape (M, ...) for n candidates, shape (n * M, ...)."""
    return values.expand(n, *values.shape).flatten(0, 1)
