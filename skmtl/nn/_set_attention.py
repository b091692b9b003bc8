"""Attention over the tasks of a group: the network of MTG-Net, batched.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", section 3.3; details as in the published code.
"""

import torch
from torch import nn

from skmtl.nn._members import MemberLinear, MemberModule, member_generators, uniform

# divisor of the scores before the softmax, as in the published code
_TEMPERATURE = 0.2


class SetAttention(MemberModule):
    """Map groups of tasks to one output per task in them, initially 0 with `zero_start`.

    Embeddings of tasks are learned or computed from `n_metadata` metadata; all layers have their
    width.
    """

    def __init__(self, n_tasks, embedding_dim, n_layers, seeds, n_metadata=0, zero_start=False):
        super().__init__()
        generators = member_generators(seeds, "initialisation")
        width = embedding_dim
        if n_metadata:
            self.embeddings = None
            self.hidden = MemberLinear(n_metadata, width, generators)
            self.embed = MemberLinear(width, width, generators)
        else:
            self.embeddings = uniform(generators, n_tasks, width, bound=3**0.5)
        self.layers = nn.ModuleList(_Layer(width, generators) for _ in range(n_layers))
        self.head = MemberLinear(width, 1, generators)
        if zero_start:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def encode(self, groups, metadata=None):
        """Encode tasks in groups (n, T): (M, n, T, embedding_dim), undefined for other tasks."""
        embeddings = self.embeddings
        if embeddings is None:
            metadata = metadata.expand(self.n_members, -1, -1)
            embeddings = self.embed(torch.relu(self.hidden(metadata)))
        x = embeddings.unsqueeze(1).expand(-1, len(groups), -1, -1)
        for layer in self.layers:
            x = layer(x, groups)
        return x

    def forward(self, groups, metadata=None):
        """Return the outputs (M, n, n_tasks) for groups (n, n_tasks) of bool."""
        x = self.encode(groups, metadata)
        return self.head(x.flatten(1, 2)).view(x.shape[:3])


class _Layer(MemberModule):
    """Self-attention within a group, then a feed-forward network, both with skip connections."""

    def __init__(self, width, generators):
        super().__init__()
        self.query, self.key, self.value, self.first, self.second = (
            MemberLinear(width, width, generators) for _ in range(5)
        )
        shape = len(generators), 1, 1, width
        ones, zeros = torch.ones(shape), torch.zeros(shape)
        self.scale_1, self.scale_2 = nn.Parameter(ones.clone()), nn.Parameter(ones.clone())
        self.bias_1, self.bias_2 = nn.Parameter(zeros.clone()), nn.Parameter(zeros.clone())

    def forward(self, x, groups):
        flat = x.flatten(1, 2)
        query, key, value = (f(flat).view(x.shape) for f in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) / (x.shape[-1] ** 0.5 * _TEMPERATURE)
        shares = scores.masked_fill(~groups.unsqueeze(1), -torch.inf).softmax(dim=3)
        x = _normalised(x + shares @ value) * self.scale_1 + self.bias_1
        flat = x.flatten(1, 2)
        more = self.second(torch.relu(self.first(flat))).view(x.shape)
        return _normalised(x + more) * self.scale_2 + self.bias_2


def _normalised(x):
    return nn.functional.layer_norm(x, x.shape[-1:])
