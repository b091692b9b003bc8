"""The member axis: modules whose every parameter is a stack of M independent networks' parameters.

Also the random generators that make a member the same alone and in company.
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
    "tanh": torch.tanh,
}

# rows for each task of a batch, on average, up to which a network is not worth writing out: blocks
# are rows then
FEW_ROWS = 3
_PURPOSES = ("initialisation", "rows", "validation", "weighting", "noise", "preferences")


def member_generators(seeds, purpose):
    """Give every member a random generator of its own for one purpose.

    A generator depends on the member's seed and on the purpose alone, so that what a member draws
    changes neither with its company nor with how often it draws for something else.

    Parameters
    ----------
    seeds : sequence of int
        One non-negative seed per member.
    purpose : {"initialisation", "rows", "validation", "weighting", "noise", "preferences"}
        What the numbers are for.

    Returns
    -------
    list of torch.Generator
        Generators on the CPU, so that a seed means the same on every device.
    """
    key = _PURPOSES.index(purpose)
    states = [np.random.SeedSequence([int(seed), key]).generate_state(1)[0] for seed in seeds]
    return [torch.Generator().manual_seed(int(state)) for state in states]


def uniform(generators, *shape, bound):
    """Parameter of shape ``(M, *shape)`` from U(-bound, bound), each member by its generator."""
    draws = [torch.rand(shape, generator=generator) for generator in generators]
    return nn.Parameter((torch.stack(draws) * 2 - 1) * bound)


def kaiming_bound(fan_in):
    """Bound of the uniform draw of torch's ``Linear``, 1 / sqrt(fan_in)."""
    return 1.0 / math.sqrt(max(fan_in, 1))


def variance_bound(variance):
    """Bound of the uniform draw that has the given variance."""
    return math.sqrt(3.0 * variance)


def take_members(values, members):
    """Rows of `values`, shape ``(M, n, ...)``, by number, separately for every member.

    Parameters
    ----------
    values : Tensor of shape (M, n, ...)
        One table per member.
    members : Tensor of shape (M, k)
        Row numbers, each into the table of its own member.

    Returns
    -------
    Tensor of shape (M, k, ...)
    """
    n_members, n_rows = values.shape[:2]
    offset = torch.arange(n_members, device=values.device).unsqueeze(1) * n_rows
    taken = values.flatten(0, 1).index_select(0, (members + offset).flatten())
    return taken.view(n_members, members.shape[1], *values.shape[2:])


def trained_shares(trained, like):
    """Share of each task in a mean over those that a member has trained on.

    Parameters
    ----------
    trained : Tensor of shape (M, T) of bool
    like : Tensor
        Has the type.

    Returns
    -------
    Tensor of shape (M, T)
    """
    share = trained.to(like.dtype)
    return share / share.sum(1, keepdim=True).clamp(min=1)


class MemberModule(nn.Module):
    """Base class of every architecture: M networks as slices of the same tensors.

    Every parameter and buffer has shape ``(n_members, ...)``, and ``forward`` never mixes members.
    """

    # buffers that a fit which goes on from another takes over with the parameters
    resumed_buffers = ()
    # how many networks a row passes through: what is kept for the backward pass grows with it
    networks_per_row = 1
    # how the gradients of tasks are told apart cheaply, see `task_gradients`; None: pass by pass
    gradient_form = None
    # whether torch can make several backward passes at once
    batched_passes = True

    @property
    def n_members(self):
        """Number of networks in the stack."""
        return next(self.parameters()).shape[0]

    def part(self, members):
        """Copy of some of the members.

        Parameters
        ----------
        members : list of int or slice
            A member may be in it several times.

        Returns
        -------
        MemberModule
            Without hooks: they belong to whoever looks at this one.
        """
        # the tensors are replaced before they are copied
        memo = {}
        for module in self.modules():
            for hooks in (module._forward_hooks, module._forward_pre_hooks):
                memo[id(hooks)] = OrderedDict()
            for value in vars(module).values():
                # what a forward pass has left behind may have a graph
                if isinstance(value, torch.Tensor):
                    memo[id(value)] = value.detach()
        for tensor in [*self.parameters(), *self.buffers()]:
            piece = tensor.detach()[members].clone()
            if isinstance(tensor, nn.Parameter):
                piece = nn.Parameter(piece, requires_grad=tensor.requires_grad)
            memo[id(tensor)] = piece
        return copy.deepcopy(self, memo)

    def use_smooth_operations(self):
        """Do with operations of torch what is done by hand and has no second derivative.

        Nothing to do by default.
        """

    def keep_tasks(self, n_tasks):
        """Forget all but the first tasks; nothing to do by default.

        Parameters
        ----------
        n_tasks : int
        """

    def mark_trained(self, trained):
        """Learn which tasks each member trains on; nothing to do by default.

        Parameters
        ----------
        trained : Tensor of shape (M, T) of bool
        """

    def decayed_parameters(self):
        """Names of the parameters that weight decay shrinks: all whose name has no "bias"."""
        return [name for name, _ in self.named_parameters() if "bias" not in name]

    def prepare(self, n_steps, metadata=None):
        """Learn what training is to be like, after `mark_trained`; nothing to do by default.

        Parameters
        ----------
        n_steps : Tensor of shape (M,)
            Steps that each member makes at most.
        metadata : Tensor of shape (M or 1, T, n_metadata), optional
            Standardised facts about all tasks.
        """

    def learning_rate_factors(self):
        """Multiples of the learning rate that some parameters are stepped with.

        Asked for after `mark_trained`, when the optimiser starts.

        Returns
        -------
        dict of str to float or Tensor of shape (M,)
            By name of the parameter; those that are not named have 1.
        """
        return {}

    def shared_parameters(self):
        """Names of the parameters that the losses of several tasks reach: all by default."""
        return [name for name, _ in self.named_parameters()]

    def after_step(self, active):
        """Learn that the optimiser has made a step; nothing to do by default.

        What changes here and belongs to the weights, so that the best state is kept, must be a
        parameter; a buffer serves training only and is put back when it ends.

        Parameters
        ----------
        active : Tensor of shape (M,) of bool, or None
            Members that made it; None if all did.
        """

    def after_epoch(self, active):
        """Learn that an epoch is over; nothing to do by default.

        Parameters
        ----------
        active : Tensor of shape (M,) of bool
            Members that still train.
        """

    def step_penalty(self):
        """Penalty of what the last batch was evaluated with, added to a member's mean loss.

        Returns
        -------
        Tensor of shape (M,) or None
        """
        return None

    def penalty(self):
        """Penalty of the architecture, added to the sum of a member's losses; None if it has none.

        Returns
        -------
        Tensor of shape (M,) or None
        """
        return None


class MemberLinear(MemberModule):
    """M linear layers side by side.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Widths.
    generators : list of torch.Generator
        One per member.
    bound : float, optional
        Bound of the uniform draw of the weights; that of torch's ``Linear`` by default. Biases
        start at zero if it is given, else as torch's ``Linear``.
    """

    def __init__(self, n_inputs, n_outputs, generators, bound=None):
        super().__init__()
        default = kaiming_bound(n_inputs)
        bias_bound = default if bound is None else 0.0
        self.weight = uniform(
            generators, n_inputs, n_outputs, bound=default if bound is None else bound
        )
        self.bias = uniform(generators, 1, n_outputs, bound=bias_bound)

    def forward(self, x):
        """Map ``(M, n, n_inputs)`` to ``(M, n, n_outputs)``."""
        return torch.baddbmm(self.bias, x, self.weight)
