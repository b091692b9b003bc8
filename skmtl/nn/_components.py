"""Components of modular layers: small networks, a subset of which each task uses.

A layer evaluates all its components in training, but only those in use in prediction.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.func import functional_call

from skmtl.nn._members import ACTIVATIONS, MemberModule, kaiming_bound, uniform

IDENTITY = "identity"


class DenseComponents(MemberModule):
    """C networks of dense layers of equal widths; the last layer is linear with `linear_output`."""

    def __init__(self, n_components, widths, generators, activation, linear_output):
        super().__init__()
        self.activation, self.linear_output = activation, linear_output
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n, (a, b) in enumerate(pairwise(widths)):
            # the first layers form one wide layer, since all components read the same rows
            shape = (a, n_components, b) if n == 0 else (n_components, a, b)
            self.weights.append(uniform(generators, *shape, bound=kaiming_bound(a)))
            self.biases.append(uniform(generators, n_components, b, bound=kaiming_bound(a)))
        self.cost = n_components * sum(a * b for a, b in pairwise(widths))

    def _activate(self, y, n):
        if n == len(self.weights) - 1 and self.linear_output:
            return y
        return ACTIVATIONS[self.activation](y)

    def forward(self, x):
        """Map rows ``(M, n, d)`` to the output of every component, ``(M, C, n, w)``."""
        first = self.weights[0]
        y = torch.baddbmm(self.biases[0].flatten(1).unsqueeze(1), x, first.flatten(2))
        y = self._activate(y.unflatten(2, first.shape[2:]).transpose(1, 2), 0)
        for n in range(1, len(self.weights)):
            weight, bias = self.weights[n].flatten(0, 1), self.biases[n].flatten(0, 1)
            y = torch.baddbmm(bias.unsqueeze(1), y.flatten(0, 1), weight)
            y = self._activate(y.unflatten(0, (len(first), first.shape[2])), n)
        return y

    def sum_of(self, x, member, chosen):
        """Sum the outputs of chosen components of one member for rows ``(n, d)``."""
        first = self.weights[0][member][:, chosen]
        y = torch.addmm(self.biases[0][member][chosen].flatten(), x, first.flatten(1))
        y = self._activate(y.unflatten(1, first.shape[1:]).transpose(0, 1), 0)
        for n in range(1, len(self.weights)):
            weight, bias = self.weights[n][member][chosen], self.biases[n][member][chosen]
            y = self._activate(torch.baddbmm(bias.unsqueeze(1), y, weight), n)
        return y.sum(0)


class IdentityComponent(nn.Module):
    """A component that returns its input."""

    cost = 0

    def forward(self, x):
        """Map rows ``(M, n, d)`` to ``(M, 1, n, d)``."""
        return x.unsqueeze(1)

    def sum_of(self, x, member, chosen):
        return x


class BuiltComponent(MemberModule):
    """A component made of any torch modules, one per member, evaluated one after another.

    `build` takes the width d of its input and returns a module that maps (n, d) to (n, w).
    """

    def __init__(self, build, n_inputs, generators):
        super().__init__()
        modules = []
        for generator in generators:
            # torch's modules draw their weights from the global generator, which is restored
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
                modules.append(build(n_inputs))
        self._check(modules[0], build)
        self._names = [name for name, _ in modules[0].named_parameters()]
        for n, name in enumerate(self._names):
            stacked = torch.stack([dict(m.named_parameters())[name].detach() for m in modules])
            # the name is kept: weight decay ignores parameters with "bias" in theirs
            self.register_parameter(f"p{n}_{name.replace('.', '_')}", nn.Parameter(stacked))
        # in a tuple, so that its parameters are not registered with those of the stack
        self._skeleton = (modules[0],)
        with torch.no_grad():
            example = modules[0](torch.zeros(2, n_inputs))
        if example.ndim != 2 or len(example) != 2:
            raise ValueError(
                f"the component {build!r} must map (n, {n_inputs}) to (n, width), but 2 rows "
                f"became {tuple(example.shape)}; end it with torch.nn.Flatten()."
            )
        self.width = example.shape[1]
        self.cost = sum(p[0].numel() for p in self.parameters())

    @staticmethod
    def _check(module, build):
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"the component {build!r} must return a torch.nn.Module, got {module!r}."
            )
        if any(True for _ in module.buffers()):
            raise ValueError(
                f"the component {build!r} has buffers, as batch normalisation does, and those "
                "would mix tasks; use torch.nn.GroupNorm or torch.nn.LayerNorm instead."
            )
        if any(isinstance(part, nn.modules.dropout._DropoutNd) for part in module.modules()):
            raise ValueError(
                f"the component {build!r} has dropout, whose noise would depend on other members; "
                "use alpha= for regularisation instead."
            )

    def _of_member(self, x, member):
        values = (parameter[member] for parameter in self.parameters())
        named = dict(zip(self._names, values, strict=True))
        return functional_call(self._skeleton[0], named, (x,))

    def forward(self, x):
        """Map rows ``(M, n, d)`` to ``(M, 1, n, w)``."""
        return torch.stack([self._of_member(rows, m) for m, rows in enumerate(x)]).unsqueeze(1)

    def sum_of(self, x, member, chosen):
        return self._of_member(x, member)


class ModularLayer(MemberModule):
    """Average the outputs of the components that a task uses.

    Each of the `components` is a tuple of the widths of its dense layers, "identity", or a
    callable, see `BuiltComponent`; with `n_outputs`, a linear layer follows the dense ones. Error
    messages contain the `name`. `width` is the number of outputs, and `cost` the approximate number
    of multiplications per row.
    """

    def __init__(self, components, n_inputs, generators, activation, n_outputs=None, name="layer"):
        super().__init__()
        self.groups, self.columns, widths = nn.ModuleList(), [], {}
        dense = {}
        for column, component in enumerate(components):
            if isinstance(component, tuple):
                dense.setdefault(component, []).append(column)
                continue
            if isinstance(component, str):
                group, widths[column] = IdentityComponent(), n_inputs
            else:
                group = BuiltComponent(component, n_inputs, generators)
                widths[column] = group.width
            self.groups.append(group)
            self.columns.append([column])
        linear = n_outputs is not None
        for sizes, columns in dense.items():
            sizes = (n_inputs, *sizes, n_outputs) if linear else (n_inputs, *sizes)
            group = DenseComponents(len(columns), sizes, generators, activation, linear)
            self.groups.append(group)
            self.columns.append(columns)
            widths |= dict.fromkeys(columns, sizes[-1])
        widths = [widths[column] for column in range(len(components))]
        if len(set(widths)) > 1 or n_outputs not in (None, widths[0]):
            wanted = "" if not linear else f"; without heads all need {n_outputs}"
            raise ValueError(
                f"the components of {name} disagree on the width of their outputs: {widths}"
                f"{wanted}. Their outputs are averaged, so all need the same width; an "
                f"identity component has that of its input, {n_inputs}."
            )
        self.width, self.n_components = widths[0], len(components)
        self.cost = sum(group.cost for group in self.groups)

    def forward(self, h, weights):
        """Average the outputs for h (M, K or 1, b, d) by the weights (M, K, C) of every block."""
        shared = h.shape[1] < weights.shape[1]
        rows, result = h.flatten(1, 2), None
        for group, columns in zip(self.groups, self.columns, strict=True):
            part = weights if len(columns) == self.n_components else weights[:, :, columns]
            y = group(rows)
            if shared:
                y = torch.bmm(part, y.flatten(2)).unflatten(2, y.shape[2:])
            else:
                y = y.unflatten(2, h.shape[1:3])
                y = (y * part.transpose(1, 2)[..., None, None]).sum(1)
            result = y if result is None else result + y
        return result

    def of_pattern(self, x, member, active):
        """Evaluate rows (n, d) of one member by the active components (list of C bool) only."""
        result, n_active = None, sum(active)
        for group, columns in zip(self.groups, self.columns, strict=True):
            chosen = [n for n, column in enumerate(columns) if active[column]]
            if not chosen:
                continue
            y = group.sum_of(x, member, slice(None) if len(chosen) == len(columns) else chosen)
            result = y if result is None else result + y
        if result is None:
            return x.new_zeros(len(x), self.width)
        return result / n_active
