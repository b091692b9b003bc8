"""The member axis: modules whose every parameter is a stack of M independent networks' parameters.

Also the random generators that make a member independent of the others.
"""

import copy
import math
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid,
    "relu": F.relu,
    # F.silu has no derivative in forward mode, which affinities of second order take
    "silu": lambda x: x * torch.sigmoid(x),
    "tanh": torch.tanh,
}


class MemberActivation(nn.Module):
    """Activation of hidden layers: one, a key of `ACTIVATIONS`, or a list of one for each member.

    `choice` (M,) says which of the distinct `names` a member has.
    """

    def __init__(self, activation, n_members):
        super().__init__()
        each = [activation] * n_members if isinstance(activation, str) else list(activation)
        self.names = list(dict.fromkeys(each))
        self.register_buffer("choice", torch.tensor([self.names.index(name) for name in each]))

    @property
    def each(self):
        """The activation of each member."""
        return [self.names[n] for n in self.choice.tolist()]

    def forward(self, x):
        """Apply the activations to values whose first axis has the members, perhaps in blocks."""
        y = ACTIVATIONS[self.names[0]](x)
        for n, name in enumerate(self.names[1:], 1):
            mask = (self.choice == n).repeat_interleave(len(x) // len(self.choice))
            y = torch.where(mask.view(-1, *(1,) * (x.ndim - 1)), ACTIVATIONS[name](x), y)
        return y

    def forget_unused(self):
        """Forget activations that no member has."""
        kept = self.choice.unique().tolist()
        self.names = [self.names[n] for n in kept]
        self.choice = torch.searchsorted(torch.tensor(kept, device=self.choice.device), self.choice)


# average rows per task of a batch up to which a network is not written out: blocks are rows then
FEW_ROWS = 3
_PURPOSES = (
    "initialisation",
    "rows",
    "validation",
    "weighting",
    "noise",
    "preferences",
    "intervals",
)


def member_generators(seeds, purpose):
    """Return one CPU generator per member, the same on every device.

    Each depends only on the member's seed, a non-negative int, and the purpose, of `_PURPOSES`.
    """
    key = _PURPOSES.index(purpose)
    states = [np.random.SeedSequence([int(seed), key]).generate_state(1)[0] for seed in seeds]
    return [torch.Generator().manual_seed(int(state)) for state in states]


def uniform(generators, *shape, bound):
    """Draw a parameter of shape ``(M, *shape)`` from U(-bound, bound), member by member."""
    draws = [torch.rand(shape, generator=generator) for generator in generators]
    return nn.Parameter((torch.stack(draws) * 2 - 1) * bound)


def kaiming_bound(fan_in):
    """Return the bound of the uniform draw of torch's ``Linear``, 1 / sqrt(fan_in)."""
    return 1.0 / math.sqrt(max(fan_in, 1))


def variance_bound(variance):
    """Return the bound of the uniform draw that has the given variance."""
    return (3.0 * variance) ** 0.5


def take_members(values, members):
    """Take rows `members` (M, k) of `values` (M, n, ...), for every member."""
    n_members, n_rows = values.shape[:2]
    offset = torch.arange(n_members, device=values.device).unsqueeze(1) * n_rows
    taken = values.flatten(0, 1).index_select(0, (members + offset).flatten())
    return taken.view(n_members, members.shape[1], *values.shape[2:])


def keep_first(module, n_tasks, *names):
    """Cut parameters and buffers (M, T, ...) of a module to the first tasks."""
    for name in names:
        tensor = getattr(module, name)
        if tensor is not None:
            first = tensor.detach()[:, :n_tasks].clone()
            is_parameter = isinstance(tensor, nn.Parameter)
            setattr(module, name, nn.Parameter(first) if is_parameter else first)


def trained_shares(trained, like):
    """Return the weights (M, T) of a mean over the trained tasks, with the dtype of `like`."""
    share = trained.to(like.dtype)
    return share / share.sum(1, keepdim=True).clamp(min=1)


class MemberModule(nn.Module):
    """Base class of every architecture: M networks as slices of the same tensors.

    Every parameter and buffer has shape ``(n_members, ...)``, and ``forward`` never mixes members.
    Architectures are called with the fields of `ModuleInputs` and return (M, K, b, n_outputs).
    Constructors share `n_tasks`, `n_features` (with metadata in a `TaskModule`), `n_metadata` and
    `n_outputs`; `seeds`, M ints for initial weights and noise, and M `generators` to draw the
    former; widths `hidden_layer_sizes` of networks, trunks or experts, and `head_layer_sizes` of
    the heads of the tasks; and `activation`, a key of `ACTIVATIONS`, after all hidden layers.
    """

    # buffers that a fit which goes on from another takes over with the parameters
    resumed_buffers = ()
    # attributes, besides parameters and buffers, that training changes: checkpoints hold them
    changing_attributes = ()
    # how many networks a row passes through: what is kept for the backward pass grows with it
    networks_per_row = 1
    # how gradients of tasks are computed cheaply, see `task_gradients`; None: pass by pass
    gradient_form = None
    # whether torch can make several backward passes at once
    batched_passes = True

    @property
    def n_members(self):
        """Number of networks in the stack."""
        return next(self.parameters()).shape[0]

    def part(self, members):
        """Copy the given members (list of int, with repetitions, or slice), without hooks."""
        # the tensors are replaced before they are copied
        memo = {}
        for module in self.modules():
            for hooks in (module._forward_hooks, module._forward_pre_hooks):
                memo[id(hooks)] = OrderedDict()
            for value in vars(module).values():
                # what a forward pass has left may have a graph
                if isinstance(value, torch.Tensor):
                    memo[id(value)] = value.detach()
        for tensor in [*self.parameters(), *self.buffers()]:
            taken = tensor.detach()[members].clone()
            if isinstance(tensor, nn.Parameter):
                taken = nn.Parameter(taken, requires_grad=tensor.requires_grad)
            memo[id(tensor)] = taken
        part = copy.deepcopy(self, memo)
        for module in part.modules():
            if isinstance(module, MemberActivation):
                module.forget_unused()
        return part

    def prepare_predictions(self):
        """Compute once what many predictions need; parameters do not change any more."""

    def use_smooth_operations(self):
        """Replace hand-written operations by torch's, which have second derivatives."""

    def keep_tasks(self, n_tasks):
        """Keep the first tasks only."""

    def mark_trained(self, trained):
        """Receive which tasks each member trains on, (M, T) of bool."""

    def decayed_parameters(self):
        """Return the names of parameters with weight decay: all without "bias" in their name."""
        return [name for name, _ in self.named_parameters() if "bias" not in name]

    def prepare(self, n_steps, metadata=None):
        """Receive the most steps (M,) and metadata (M or 1, T, m), after `mark_trained`."""

    def learning_rate_factors(self):
        """Return factors of the learning rate, numbers or (M,), by name, after `mark_trained`."""
        return {}

    def shared_parameters(self):
        """Return the names of the parameters that the losses of several tasks reach."""
        return [name for name, _ in self.named_parameters()]

    def after_step(self, active):
        """Update state after a step of the `active` members (M,); None if all made it.

        What changes and belongs to the weights must be a parameter; buffers serve training only.
        """

    def after_epoch(self, active):
        """Update state after an epoch of the `active` members, (M,) of bool."""

    def step_penalty(self):
        """Return a penalty (M,) of the last batch, added to each member's mean loss, or None."""

    def penalty(self):
        """Return a penalty (M,) added to the sum of each member's losses, or None."""


class MemberLinear(MemberModule):
    """M linear layers, as torch's ``Linear``, or of weights U(-bound, bound) and zero biases."""

    def __init__(self, n_inputs, n_outputs, generators, bound=None):
        super().__init__()
        bias_bound = 0.0
        if bound is None:
            bound = bias_bound = kaiming_bound(n_inputs)
        self.weight = uniform(generators, n_inputs, n_outputs, bound=bound)
        self.bias = uniform(generators, 1, n_outputs, bound=bias_bound)

    def forward(self, x):
        """Map ``(M, n, n_inputs)`` to ``(M, n, n_outputs)``."""
        return torch.baddbmm(self.bias, x, self.weight)


def per_member(values, like, n_axes):
    """Expand one number for all members or one for each to (M, 1, ...), `n_axes` of length 1."""
    values = torch.as_tensor(values, dtype=like.dtype).reshape(-1, *(1,) * n_axes)
    return values.expand(len(like), *(-1,) * n_axes).clone()
