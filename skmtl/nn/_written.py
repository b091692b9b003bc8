"""Networks that another network generates, all parameters in one row.

The built-in one is evaluated for all rows of parameters at once, others in a loop.
"""

import copy

import torch
from torch import nn
from torch.func import functional_call

from skmtl._persistence import saveable
from skmtl.nn._members import member_generators
from skmtl.nn._shared import SharedBottomNetwork


def _on_meta(module):
    """Return a copy of a module with the same structure and shapes, without values."""
    memo = {}
    for tensor in [*module.parameters(), *module.buffers()]:
        empty = tensor.detach().to("meta")
        if isinstance(tensor, nn.Parameter):
            empty = nn.Parameter(empty)
        memo[id(tensor)] = empty
    return copy.deepcopy(module, memo)


def _same_structure(module):
    """Return a copy of a module that shares its tensors; much faster than `copy.deepcopy`."""
    copied = copy.copy(module)
    copied._parameters, copied._buffers = dict(module._parameters), dict(module._buffers)
    copied._modules = {name: _same_structure(part) for name, part in module._modules.items()}
    return copied


def _owner(module, name):
    """Return the submodule that holds a tensor, and the name of the tensor in it."""
    parent, _, attribute = name.rpartition(".")
    return module.get_submodule(parent), attribute


def _flat(parameters, lead):
    """Flatten parameters into one row, keeping the first `lead` axes."""
    return torch.cat([p.detach().flatten(lead) for p in parameters], dim=-1)


@saveable
class WrittenNetwork:
    """A network without its parameters; `shapes` has theirs in the order of generation.

    `initial` (M, N) is a well-initialised network for every member, until `start` is called.
    `batched` tells whether many networks are evaluated at once, at little additional cost.
    """

    batched = False

    def start(self):
        """Return the initial parameters and release them."""
        initial, self.initial = self.initial, None
        return initial

    @property
    def size(self):
        """Number of parameters of one network."""
        return sum(shape.numel() for shape in self.shapes.values())

    def _by_name(self, written):
        """Split a tensor of shape (B, N) or (N,) into parameters by name."""
        parts = written.split([shape.numel() for shape in self.shapes.values()], dim=-1)
        return {
            name: part.unflatten(-1, shape) if shape else part.squeeze(-1)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def __call__(
        self, written, trained, training, x, tasks, slots, metadata=None, shared_rows=False
    ):
        """Evaluate B generated networks (B, N) on their blocks: `ModuleInputs` with B members.

        Unseen tasks get the mean of the tasks `trained`, (B, T) of bool.
        """
        raise NotImplementedError

    def plain(self, written, trained):
        """Return a module with these parameters and a member for each network, or None."""
        return None


class WrittenSharedBottom(WrittenNetwork):
    """An encoder for all tasks and a linear head for each, evaluated for B networks at once."""

    batched = True

    def __init__(self, n_tasks, n_features, n_outputs, *, seeds, hidden_layer_sizes, activation):
        network = SharedBottomNetwork(
            n_tasks,
            n_features,
            n_outputs,
            seeds=seeds,
            hidden_layer_sizes=hidden_layer_sizes,
            head_layer_sizes=(),
            activation=activation,
        )
        named = dict(network.named_parameters())
        self.shapes = {name: p.shape[1:] for name, p in named.items()}
        self.initial = _flat(named.values(), 1)
        self.network = _on_meta(network)
        self._owners = {name: _owner(self.network, name) for name in [*self.shapes, "trained"]}

    def __call__(
        self, written, trained, training, x, tasks, slots, metadata=None, shared_rows=False
    ):
        if self.network.training != training:
            self.network.train(training)
        values = {**self._by_name(written), "trained": trained}
        # as torch.func.functional_call, whose checks take longer than the network itself: entries
        # in the dictionary of an instance hide its parameters
        try:
            for name, value in values.items():
                module, attribute = self._owners[name]
                module.__dict__[attribute] = value
            return self.network(x, tasks, slots, metadata, shared_rows)
        finally:
            for module, attribute in self._owners.values():
                module.__dict__.pop(attribute, None)

    def plain(self, written, trained):
        module = _same_structure(self.network)
        for name, values in self._by_name(written.detach()).items():
            part, attribute = _owner(module, name)
            setattr(part, attribute, nn.Parameter(values.contiguous()))
        module.trained = trained.clone()
        return module


class WrittenModule(WrittenNetwork):
    """Any torch module, evaluated network by network.

    `factory` takes n_features and ``n_tasks * n_outputs``, and returns a module that maps ``(n,
    n_features)`` to ``(n, n_tasks * n_outputs)`` or ``(n, n_tasks, n_outputs)``. Anything else, and
    a module that cannot be generated, raises a TypeError or ValueError.
    """

    def __init__(self, factory, n_tasks, n_features, n_outputs, *, seeds):
        self.n_tasks, self.n_outputs = n_tasks, n_outputs
        rows = []
        for generator in member_generators(seeds, "initialisation"):
            # the factory draws from torch's global generator, which is restored
            with torch.random.fork_rng():
                torch.manual_seed(torch.randint(2**31 - 1, (1,), generator=generator).item())
                network = factory(n_features, n_tasks * n_outputs)
            if not isinstance(network, nn.Module):
                raise TypeError(
                    "network must be a factory: called with the numbers of features and of "
                    f"outputs it returns a torch.nn.Module, but it returned {type(network)}."
                )
            named = dict(network.named_parameters())
            if not named:
                raise ValueError("network returned a module without parameters to generate.")
            rows.append(_flat(named.values(), 0))
        self.shapes = {name: p.shape for name, p in named.items()}
        self.initial = torch.stack(rows)
        self._check(network, n_features)
        self.network = network

    def _check(self, network, n_features):
        """Raise an error for a network that cannot be generated or is not deterministic."""
        buffers = {name: b.clone() for name, b in network.named_buffers()}
        x = torch.randn(4, n_features, generator=torch.Generator().manual_seed(0))
        network.train()
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            outputs = network(x)
            changed = [n for n, b in network.named_buffers() if not torch.equal(b, buffers[n])]
            if changed:
                raise ValueError(
                    f"network has a buffer that forward changes, {changed[0]!r}, as BatchNorm's "
                    "running mean does in training. All preferences would share it, although each "
                    "needs a separate one. Use GroupNorm or LayerNorm, or BatchNorm with "
                    "track_running_stats=False."
                )
            again = network(x)
        expected = (4, self.n_tasks, self.n_outputs)
        if tuple(outputs.shape) not in (expected, (4, self.n_tasks * self.n_outputs)):
            raise ValueError(
                f"network maps 4 rows to a tensor of shape {tuple(outputs.shape)}; it must be "
                f"{(4, self.n_tasks * self.n_outputs)} or {expected}: {self.n_tasks} task(s) with "
                f"{self.n_outputs} output(s) each."
            )
        if not torch.equal(outputs, again):
            raise ValueError(
                "network maps the same rows to different outputs in training, as Dropout does. "
                "random_state could not control that; use alpha= and early stopping instead."
            )

    def __call__(
        self, written, trained, training, x, tasks, slots, metadata=None, shared_rows=False
    ):
        self.network.train(training)
        if metadata is not None:
            raise ValueError("network= reads rows only: metadata= needs the built-in network.")
        n_blocks, length = x.shape[1:3]
        rows = x[:, :1] if shared_rows else x
        tasks = tasks.gather(1, slots)
        constants = {
            name: buffer.to(written if buffer.is_floating_point() else written.device)
            for name, buffer in self.network.named_buffers()
        }
        results = []
        for b in range(len(written)):
            values = {**self._by_name(written[b]), **constants}
            outputs = functional_call(self.network, values, (rows[b].flatten(0, 1),))
            outputs = outputs.reshape(rows.shape[1], length, self.n_tasks, self.n_outputs)
            if not training and bool((tasks[b] < 0).any()):
                share = trained[b].to(outputs.dtype) / trained[b].sum()
                mean = (outputs * share[:, None]).sum(2, keepdim=True)
                outputs = torch.cat([outputs, mean], dim=2)
            # block k is evaluated by the head of its task
            outputs = outputs.expand(n_blocks, -1, -1, -1)
            head = tasks[b] % outputs.shape[2]
            head = head.view(-1, 1, 1, 1).expand(-1, length, 1, self.n_outputs)
            results.append(outputs.gather(2, head).squeeze(2))
        return torch.stack(results)
