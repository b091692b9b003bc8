"""Adam and gradient descent over the member axis.

Every member has its learning rate, decay and step count; torch's optimisers take one rate for
all, and move members that have stopped.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from skmtl.nn._workspace import scratch


class MemberAdam(torch.optim.Optimizer):
    """Adam with decoupled weight decay on one ``(M, P)`` buffer.

    The module's parameters (M, ...) become views of the `buffer`, so that a step is a handful of
    operations, best weights are one ``torch.where`` and dropping members one ``index_select``.
    `lr`, `weight_decay`, `averaging` (decay of the running mean, in `averaged`) and `clip_norm` are
    numbers, or sequences by member; `steps` (M, 1) are those made. All operations are element-wise,
    so that a member's weights are bitwise identical however many members there are.

    Sources: Kingma and Ba, "Adam", algorithm 1; Loshchilov and Hutter, "Decoupled weight decay
    regularization"; Polyak and Juditsky for the running mean, whose exponential weights decay by (1
    + t) / (10 + t) up to `averaging`, so that the start is soon forgotten.
    """

    def __init__(
        self,
        module,
        lr=1e-3,
        weight_decay=0.0,
        betas=(0.9, 0.999),
        eps=1e-8,
        averaging=0.0,
        clip_norm=None,
    ):
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        decayed = set(module.decayed_parameters())
        first = named[0][1]
        self._parameters = [p for _, p in named]
        self._names = [name for name, _ in named]
        self._shapes = [p.shape[1:] for p in self._parameters]
        self._sizes = [shape.numel() for shape in self._shapes]
        sizes = torch.tensor(self._sizes, device=first.device)
        self._decays = first.new_tensor([name in decayed for name in self._names])
        self._decays = self._decays.repeat_interleave(sizes)
        flat = torch.cat([p.detach().flatten(1) for p in self._parameters], dim=1)
        n_members, rates = len(first), self._per_member(lr, first)
        if n_members == 1:
            # a number in double precision, as schedules of torch and skorch expect
            rates = float(torch.as_tensor(lr, dtype=torch.float64).reshape(-1)[0])
        super().__init__(
            self._parameters,
            {
                "lr": rates,
                "weight_decay": self._per_member(weight_decay, first),
                "betas": betas,
                "eps": eps,
                "averaging": self._per_member(averaging, first),
            },
        )
        self.mean = torch.zeros_like(flat)
        self.mean_square = torch.zeros_like(flat)
        self.steps = torch.zeros(n_members, 1, dtype=torch.float64, device=first.device)
        # factors of the learning rate, shape (M or 1, P)
        self._factors, factors = None, module.learning_rate_factors()
        if factors:
            factors = [self._per_member(factors.get(name, 1.0), first) for name in self._names]
            self._factors = torch.cat(factors, dim=1).repeat_interleave(sizes, dim=1)
        self._clip_norm = None if clip_norm is None else self._per_member(clip_norm, first)
        self._decaying = bool((self.param_groups[0]["weight_decay"] > 0).any())
        self._averaging = bool((self.param_groups[0]["averaging"] > 0).any())
        self._shrunk = None
        self._saved = {}
        self._views = {}
        self.averaged = flat.clone() if self._averaging else flat
        self._point_to(flat)
        self.buffer = flat

    @staticmethod
    def _per_member(value, like):
        value = torch.as_tensor(value, dtype=like.dtype, device=like.device)
        return value.reshape(-1, 1).expand(len(like), 1).clone()

    def set_factors(self, factors):
        """Multiply the learning rates by factors: a number, or (M,)."""
        group = self.param_groups[0]
        if "full_lr" not in group:
            group["full_lr"] = group["lr"]
        rates = group["full_lr"]
        if isinstance(rates, torch.Tensor) and isinstance(factors, torch.Tensor):
            factors = factors.unsqueeze(1).to(rates)
        elif isinstance(factors, torch.Tensor):
            factors = float(factors)
        group["lr"] = rates * factors

    def save(self):
        """Remember the weights and the state of the optimiser."""
        self._saved = {name: v.clone() for name, v in self._state().items()}

    def restore(self):
        """Return to what was saved."""
        for name, value in self._state().items():
            value.copy_(self._saved[name])

    def snapshot(self):
        """Return what steps and `save` have changed, for a checkpoint."""
        return {"state": self._state(), "saved": self._saved}

    def resume(self, snapshot):
        """Return to a snapshot of the same members."""
        for name, value in self._state().items():
            value.copy_(snapshot["state"][name])
        saved, device = snapshot["saved"], self.buffer.device
        self._saved = {name: value.to(device, copy=True) for name, value in saved.items()}

    def _state(self):
        names = "buffer", "mean", "mean_square", "steps", *["averaged"] * self._averaging
        return {name: getattr(self, name) for name in names}

    # as torch's, without a wrapper that imports a compiler, which takes seconds
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)

    def load(self, buffer):
        """Make `buffer`, of shape (M, P), the parameters; the member count may change."""
        self.buffer = buffer
        if not self._averaging:
            self.averaged = buffer
        self._point_to(buffer)

    def zero_grad(self, set_to_none=True):
        for p in self._parameters:
            p.grad = None

    @torch.no_grad()
    def copy_unaveraged(self):
        """Set means of members without averaging, which `after_step` may have changed."""
        if self._averaging:
            plain = self.param_groups[0]["averaging"] == 0
            self.averaged.copy_(torch.where(plain, self.buffer, self.averaged))

    @contextmanager
    def using_averages(self):
        """Replace the parameters by their running means in a context."""
        self._point_to(self.averaged)
        try:
            yield
        finally:
            self._point_to(self.buffer)

    def _point_to(self, buffer):
        """Make the module's parameters views of `buffer`."""
        which = buffer is self.averaged
        if self._views.get(which, (None,))[0] is not buffer:
            parts = buffer.split(self._sizes, dim=1)
            views = [p.view(len(buffer), *s) for p, s in zip(parts, self._shapes, strict=True)]
            self._views[which] = buffer, views
        for p, view in zip(self._parameters, self._views[which][1], strict=True):
            p.grad = None
            p.data = view

    def release(self):
        """Copy every parameter to memory of its own, so that the module can be stored."""
        for p in self._parameters:
            p.data = p.data.clone()
            p.grad = None

    def select(self, members):
        """Keep the given members only."""
        group = self.param_groups[0]
        for key in ("lr", "full_lr", "weight_decay", "averaging"):
            if isinstance(group.get(key), torch.Tensor):
                group[key] = group[key].index_select(0, members)
        for name in ("mean", "mean_square", "averaged", "steps", "_factors", "_clip_norm"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name).index_select(0, members))
        self._saved = {name: v.index_select(0, members) for name, v in self._saved.items()}
        self._shrunk = None
        self.load(self.buffer.index_select(0, members))

    @torch.no_grad()
    def step(self, closure=None, active=None):
        """Make one step of the `active` members (M,), or all; return the loss of a closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        lr = torch.as_tensor(group["lr"], dtype=self.buffer.dtype, device=self.buffer.device)
        # allocating as much memory as the parameters take costs more than the arithmetic
        gradient = scratch("gradient", self.buffer.shape, self.buffer)
        torch.cat([self._gradient(p) for p in self._parameters], dim=1, out=gradient)
        if self._clip_norm is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient.mul_((self._clip_norm / (norm + 1e-6)).clamp(max=1))
        everyone = active is None
        if not everyone:
            state = self.mean, self.mean_square, self.buffer, self.averaged
            kept = [tensor.clone() for tensor in state]
        self.steps += 1 if everyone else active.unsqueeze(1)
        if self._decaying:
            self.buffer.mul_(self._shrinkage(lr * group["weight_decay"]))
        self._move(gradient, lr)
        if self._averaging:
            soon = (1 + self.steps) / (10 + self.steps)
            self.averaged.lerp_(
                self.buffer, 1 - torch.minimum(soon.to(lr.dtype), group["averaging"])
            )
        if not everyone:
            for tensor, old in zip(state, kept, strict=True):
                tensor.copy_(torch.where(active.unsqueeze(1), tensor, old))
        return loss

    def _move(self, gradient, lr):
        """Move the parameters along a gradient, whose memory is overwritten."""
        group = self.param_groups[0]
        beta1, beta2 = group["betas"]
        self.mean.lerp_(gradient, 1 - beta1)
        self.mean_square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        rate, root = self._rates(lr, self.steps)
        change = torch.sqrt(self.mean_square, out=gradient).div_(root).add_(group["eps"])
        self.buffer.addcmul_(torch.div(self.mean, change, out=change), rate)

    def _rates(self, lr, steps):
        """Return step size and root of the second-moment correction after `steps` steps."""
        beta1, beta2 = self.param_groups[0]["betas"]
        # in double precision: 1 - 0.999 ** t has few digits left in single
        rate = -lr / (1 - beta1**steps).to(lr.dtype)
        root = (1 - beta2**steps).sqrt().to(lr.dtype)
        return rate if self._factors is None else rate * self._factors, root

    @torch.no_grad()
    def flat(self, gradients):
        """Concatenate gradients (..., M, *) by name, zero if not given, as (..., M, P)."""
        by_parameter = [gradients.get(name) for name in self._names]
        pairs = zip(by_parameter, self._parameters, strict=True)
        known, p = next((g, p) for g, p in pairs if g is not None)
        leading = known.shape[: known.ndim - p.ndim + 1]
        return torch.cat(
            [
                self.buffer.new_zeros(*leading, size) if g is None else g.reshape(*leading, size)
                for g, size in zip(by_parameter, self._sizes, strict=True)
            ],
            dim=-1,
        )

    def columns(self, names):
        """Return a mask (P,) of the columns of the buffer that belong to the named parameters."""
        known = torch.tensor([name in names for name in self._names])
        return known.repeat_interleave(torch.tensor(self._sizes)).to(self.buffer.device)

    def views(self, buffer):
        """Return parameters by name, as views of a tensor like the buffer with any members."""
        parts = buffer.split(self._sizes, dim=1)
        return {
            name: part.view(len(buffer), *shape)
            for name, part, shape in zip(self._names, parts, self._shapes, strict=True)
        }

    @torch.no_grad()
    def after(self, gradient, active=None):
        """Return what a step along (..., M, P) would make of the `active` members' parameters."""
        group = self.param_groups[0]
        lr = torch.as_tensor(group["lr"], dtype=self.buffer.dtype, device=self.buffer.device)
        if self._clip_norm is not None:
            norm = gradient.norm(dim=-1, keepdim=True)
            gradient = gradient * (self._clip_norm / (norm + 1e-6)).clamp(max=1)
        start = self.buffer
        if self._decaying:
            start = start * self._shrinkage(lr * group["weight_decay"])
        moved = self._moved(start, gradient, lr)
        if active is None:
            return moved
        return torch.where(active.unsqueeze(1), moved, self.buffer)

    def _moved(self, start, gradient, lr):
        """Return what `_move` makes of parameters after their decay; nothing changes."""
        group = self.param_groups[0]
        beta1, beta2 = group["betas"]
        rate, root = self._rates(lr, self.steps + 1)
        mean_square = (self.mean_square * beta2).addcmul(gradient, gradient, value=1 - beta2)
        change = mean_square.sqrt_().div_(root).add_(group["eps"])
        mean = torch.lerp(self.mean.expand_as(gradient), gradient, 1 - beta1)
        return torch.addcmul(start, mean.div_(change), rate)

    def _shrinkage(self, rate):
        """Return the factors of weight decay, cached as long as the rates stay the same."""
        if self._shrunk is None or not torch.equal(self._shrunk[0], rate):
            self._shrunk = rate, 1 - rate * self._decays
        return self._shrunk[1]

    @staticmethod
    def _gradient(parameter):
        """Return a gradient of shape (M, size); zero for a parameter that the loss does not use."""
        gradient = parameter.grad
        return (torch.zeros_like(parameter) if gradient is None else gradient).flatten(1)


class MemberSGD(MemberAdam):
    """``v = momentum * v + g; w = w - lr * v``, as torch's SGD; weight decay is decoupled."""

    def __init__(self, module, *args, momentum=0.0, **settings):
        super().__init__(module, *args, **settings)
        self.param_groups[0]["momentum"] = momentum

    def _rate(self, lr):
        return -lr if self._factors is None else -lr * self._factors

    def _move(self, gradient, lr):
        self.mean.mul_(self.param_groups[0]["momentum"]).add_(gradient)
        self.buffer.addcmul_(self.mean, self._rate(lr))

    def _moved(self, start, gradient, lr):
        mean = self.mean * self.param_groups[0]["momentum"] + gradient
        return torch.addcmul(start, mean, self._rate(lr))


_SOLVERS = {"adam": MemberAdam, "sgd": MemberSGD}


@dataclass(frozen=True)
class OptimizerSettings:
    """How `MemberAdam` or `MemberSGD` update parameters; a sequence is by member."""

    learning_rate: float | Sequence[float] = 1e-3
    weight_decay: float | Sequence[float] = 0.0
    averaging: float | Sequence[float] = 0.0
    clip_norm: float | Sequence[float] | None = None
    solver: str = "adam"
    momentum: float = 0.0

    @property
    def optimizer(self) -> type[MemberAdam]:
        return _SOLVERS[self.solver]

    def arguments(self) -> dict:
        """Return the arguments of the optimiser besides the module."""
        arguments = {
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
            "averaging": self.averaging,
            "clip_norm": self.clip_norm,
        }
        return arguments | ({"momentum": self.momentum} if self.solver == "sgd" else {})
