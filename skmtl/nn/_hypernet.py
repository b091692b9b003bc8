"""The multi-task hypernetwork: one shared network writes a small network for every task.

Source: "Multi-task learning with hypernetworks and task metadata", section 2.
"""

import copy
import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from skmtl.nn._contractions import NarrowLayer, applied
from skmtl.nn._generators import CompressedGenerator, FullGenerator
from skmtl.nn._members import (
    FEW_ROWS,
    MemberActivation,
    MemberLinear,
    MemberModule,
    keep_first,
    member_generators,
    per_member,
    take_members,
    trained_shares,
    uniform,
    variance_bound,
)


class TaskHypernetwork(MemberModule):
    """M hypernetworks, batched, which write a network for every task.

    They read learned `embeddings` (M, T, embedding_dim), of one initial draw for all tasks as in
    the paper, or one for each with `embeddings_apart`, and metadata. An extractor of
    `hypernet_layers`, `hypernet_width` wide with ReLU, comes before the weight generators, unless
    it has no layers; these have three factors with `compression`, and `init` as in
    `CompressedGenerator`. Biases are a row of the generated weights for `target_bias` "folded" (the
    paper's text), or come from a linear map of their own for "plain" (its code). The `activation`
    is of the tasks' networks, and may be a list of one for each member. With `linear_skip`, a
    generated linear model, zero at the start, is added: intercepts and slopes linear in metadata
    and in how far the embedding has moved from its initial draw, as in a mixed model with cross-
    level interactions. `embedding_alpha` pulls embeddings to their mean, `interaction_alpha` slopes
    that are linear in metadata to zero; both may differ by member. `origin` (M, 1, embedding_dim)
    is the initial draw, or zeros; `trained` (M, T) marks the tasks that count in the mean
    embedding, which `centre` replaces where it is that of other tasks.
    """

    resumed_buffers = ("origin",)
    gradient_form = "slots"
    # hand-written backward passes manage their own memory, which vmap does not know
    batched_passes = False
    # number of hooks that read written networks: these are then written out for few rows, too
    readers = 0

    def __init__(
        self,
        n_tasks,
        n_features,
        n_metadata=0,
        n_outputs=1,
        *,
        seeds,
        embedding_dim=10,
        hidden_layer_sizes=(32, 32, 32),
        hypernet_layers=1,
        hypernet_width=32,
        activation="relu",
        compression=True,
        target_bias="folded",
        init="kaiming",
        linear_skip=True,
        embedding_alpha=0.0,
        interaction_alpha=0.0,
        embeddings_apart=False,
    ):
        super().__init__()
        generators = member_generators(seeds, "initialisation")
        n_members = len(generators)
        self.activation = MemberActivation(activation, n_members)
        self.n_outputs = n_outputs
        draw = uniform(generators, 1, embedding_dim, bound=math.sqrt(3.0)).detach()
        self.embeddings = nn.Parameter(draw.repeat(1, n_tasks, 1))
        self.register_buffer("origin", torch.zeros_like(draw) if embeddings_apart else draw.clone())
        n_inputs = embedding_dim + n_metadata
        widths = [n_inputs] + [hypernet_width] * hypernet_layers
        he = init == "hyperfan"  # keeps the unit variance that the generators count on
        self.extractor = nn.ModuleList(
            MemberLinear(a, b, generators, bound=variance_bound(2.0 / max(a, 1)) if he else None)
            for a, b in pairwise(widths)
        )
        self.shapes = list(pairwise([n_features, *hidden_layer_sizes, n_outputs]))
        generator = CompressedGenerator if compression else FullGenerator
        folded = target_bias == "folded"
        last = len(self.shapes) - 1
        relu = [name == "relu" for name in self.activation.each]
        self.layers = nn.ModuleList(
            generator(
                widths[-1],
                a,
                b,
                folded,
                generators,
                init,
                relu if n < last else [False] * len(relu),
            )
            for n, (a, b) in enumerate(self.shapes)
        )
        self.target_biases = nn.ModuleList()
        if not folded:
            bound = 0.0 if he else None
            self.target_biases.extend(
                MemberLinear(widths[-1], b, generators, bound) for _, b in self.shapes
            )
        self.skip = None
        if linear_skip:
            self.skip = MemberLinear(n_inputs, (n_features + 1) * n_outputs, generators, bound=0.0)
            if not embeddings_apart:
                self._open_intercepts(generators)
        if embeddings_apart:
            # the last draw, task by task: nothing else depends on the number of tasks
            draws = uniform(generators, n_tasks, embedding_dim, bound=math.sqrt(3.0))
            self.embeddings = nn.Parameter(draws.detach())
        self.register_buffer("trained", torch.ones(n_members, n_tasks, dtype=torch.bool))
        self.register_buffer("centre", None)
        # (M, T, d, d) of the loss on the rows that embeddings were learned from, see `curvatures`
        self.register_buffer("curvature", None)
        self.register_buffer("embedding_alpha", per_member(embedding_alpha, draw, 2))
        self.pulled = bool((self.embedding_alpha > 0).any())
        self.register_buffer("interaction_alpha", per_member(interaction_alpha, draw, 3))
        slopes = self.skip is not None and n_metadata and n_features
        self.shrunk = bool(slopes and (self.interaction_alpha > 0).any())

    @torch.no_grad()
    def _open_intercepts(self, generators):
        """Make the linear path's intercepts depend on embeddings from the first step on.

        Tasks differ first of all in level. Weights of length 0.3 let embeddings learn levels at
        once and leave to the metadata what they explain; the path is zero at the start whatever
        they are.
        """
        embedding_dim = self.embeddings.shape[2]
        if not embedding_dim:
            return
        direction = uniform(generators, embedding_dim, self.n_outputs, bound=1.0)
        weight = self.skip.weight.unflatten(2, (-1, self.n_outputs))
        weight[:, :embedding_dim, -1] = 0.3 * direction / direction.norm(dim=1, keepdim=True)

    def keep_tasks(self, n_tasks):
        keep_first(self, n_tasks, "embeddings", "trained", "curvature")

    def mark_trained(self, trained):
        self.trained = trained

    def decayed_parameters(self):
        return [name for name in super().decayed_parameters() if name != "embeddings"]

    def shared_parameters(self):
        return [name for name in super().shared_parameters() if name != "embeddings"]

    def mean_embedding(self):
        """Return the mean embedding of the trained tasks, shape ``(M, 1, embedding_dim)``."""
        if self.centre is not None:
            return self.centre
        return trained_shares(self.trained, self.embeddings).unsqueeze(1) @ self.embeddings

    def prepare_predictions(self):
        self.centre = self.mean_embedding()

    def penalty(self):
        """Return the penalties of embeddings apart from their mean and of interactions, or None."""
        terms = []
        if self.pulled:
            distance = self.embedding_alpha * (self.embeddings - self.mean_embedding()).square()
            terms.append((distance.sum(2) * self.trained).sum(1))
        if self.shrunk:
            terms.append((self.interaction_alpha * self.interactions().square()).sum((1, 2, 3)))
        return sum(terms) if terms else None

    def interactions(self):
        """Return slopes of the linear path by metadata: (M, n_metadata, n_features, n_outputs)."""
        weights = self.skip.weight[:, self.origin.shape[2] :]
        # the last ones are intercepts, which may depend on metadata freely
        return weights.unflatten(2, (-1, self.n_outputs))[:, :, :-1]

    def use_smooth_operations(self):
        self.readers += 1
        for layer in self.layers:
            layer.by_hand = False

    def reads_by_row(self, n_rows, n_tasks):
        """Tell whether rows are so few that no task's network is written out."""
        return n_rows <= FEW_ROWS * n_tasks and not self.readers

    @torch.no_grad()
    def for_new_tasks(self, n_tasks, noise):
        """Copy the module to train only embeddings of new tasks, with `pulls` to the mean one."""
        module = copy.deepcopy(self).requires_grad_(False)
        module.curvature, module.centre = None, self.mean_embedding().clone().to(self.embeddings)
        module.embeddings = nn.Parameter(module.centre.repeat(1, n_tasks, 1))
        module.trained = self.trained.new_ones(self.n_members, n_tasks)
        module.pulled, module.shrunk = True, False
        module.embedding_alpha = self.pulls(noise)[0].to(self.embeddings)
        return module

    def add_tasks(self, module):
        """Append the embeddings of a module `for_new_tasks`; they do not count in the mean."""
        embeddings = [self.embeddings.data, module.embeddings.data]
        self.embeddings = nn.Parameter(torch.cat(embeddings, dim=1))
        self.trained = torch.cat([self.trained, torch.zeros_like(module.trained)], dim=1)
        if self.curvatures() is not None:
            self.curvature = torch.cat([self.curvature, module.curvature], dim=1)

    # what `skmtl.training._embeddings` uses: lists have an entry for each table of embeddings

    def tables(self):
        """Return the tables of embeddings, (M, T, d)."""
        return [self.embeddings]

    def curvatures(self):
        """Return the curvature of the loss in each embedding (M, T, d, d), or None if unknown."""
        # models of earlier versions have no such buffer
        curvature = self._buffers.get("curvature")
        return None if curvature is None else [curvature]

    def has_several_tasks(self):
        """Return whether every member was trained on several tasks."""
        return bool((self.trained.sum(1) > 1).all())

    def means(self):
        """Return the embedding (M, 1, d) of an unseen task, by table."""
        return [self.mean_embedding()]

    @torch.no_grad()
    def pulls(self, noise):
        """Return the pull (M, 1, d) on an embedding of which nothing is known, by table.

        It is the `noise` (M,), the squared error that remains, over the variance of the embeddings.
        """
        square = (self.embeddings - self.mean_embedding()).square() * self.trained.unsqueeze(2)
        variance = square.sum(1, keepdim=True) / self.trained.sum(1).clamp(min=1).view(-1, 1, 1)
        return [noise.to(variance).view(-1, 1, 1) / variance.clamp(min=1e-6)]

    @torch.no_grad()
    def set_embeddings(self, numbers, vectors, curvatures):
        """Replace embeddings at `numbers` (U,) and their curvatures, by table.

        The embedding of unseen tasks stays what it is.
        """
        if self.centre is None:
            # as exact as predictions
            self.centre = trained_shares(self.trained, vectors[0]).unsqueeze(1) @ (
                self.embeddings.double()
            )
        (at,) = numbers
        self.embeddings[:, at] = vectors[0].to(self.embeddings)
        self.curvature[:, at] = curvatures[0].to(self.curvature)

    def keep_curvatures(self, values):
        """Keep what `curvatures` returns, by table."""
        self.curvature = values[0].to(self.embeddings)

    def of_rows(self, x, vectors, metadata=None):
        """Evaluate rows (M, n, d), each with its embedding of every table, (M, n, d_e)."""
        z = torch.cat(vectors if metadata is None else [*vectors, metadata], dim=2)
        return self._evaluate_rows(x, *self._read(z))

    def representations(self, tasks, metadata=None):
        """Join embeddings, the mean one of unseen tasks, and metadata (M, S, n_metadata)."""
        z = take_members(self.embeddings, tasks if self.training else tasks.clamp(min=0))
        if not self.training and bool((tasks < 0).any()):
            z = torch.where(tasks.unsqueeze(-1) < 0, self.mean_embedding(), z)
        return z if metadata is None else torch.cat([z, metadata], dim=2)

    def forward(self, x, tasks, slots, metadata=None, shared_rows=False):
        """Evaluate every block of rows with the network of its task."""
        z = self.representations(tasks, metadata)
        h, moved = self._read(z)
        n_blocks, length = x.shape[1:3]
        if self.reads_by_row(n_blocks * length, tasks.shape[1]):
            slots = slots.repeat_interleave(length, dim=1) if length > 1 else slots
            y = self._by_row(x.flatten(1, 2), h, moved, slots)
            return y.unflatten(1, (n_blocks, length))
        return self._by_block(x.flatten(0, 1), h, moved, slots).unflatten(0, x.shape[:2])

    def _read(self, z):
        """Return what the generators and the linear path read of representations."""
        h, n_learned = z, self.origin.shape[2]
        for layer in self.extractor:
            h = F.relu(layer(h))
        if self.skip is None:
            return h, None
        return h, torch.cat([z[..., :n_learned] - self.origin, z[..., n_learned:]], dim=2)

    def evaluate(self, x, embeddings, metadata=None):
        """Evaluate rows x (M, n, d), each by the network of an embedding (M, n, embedding_dim).

        Returns the first output (M, n) and its derivatives by the embedding, as that.
        """
        z = embeddings.detach().requires_grad_()
        h, moved = self._read(z if metadata is None else torch.cat([z, metadata], dim=2))
        rows = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        y = self._by_row(x, h, moved, rows)[..., 0]
        (slopes,) = torch.autograd.grad(y.sum(), z)
        return y.detach(), slopes

    def _by_block(self, x, h, moved, slots):
        """Write networks from h (M, S, width) and `moved`, and multiply blocks (M * K, b, d)."""
        y = x
        last = len(self.shapes) - 1
        for n, (layer, shape) in enumerate(zip(self.layers, self.shapes, strict=True)):
            weights = layer(h)
            if self.target_biases:
                weights = torch.cat([weights, self.target_biases[n](h)], dim=2)
            y = _apply_layer(y, take_members(weights, slots), shape)
            if n < last:
                y = self.activation(y)
        if moved is not None:
            shape = x.shape[-1], self.n_outputs
            y = y + _apply_layer(x, take_members(self.skip(moved), slots), shape)
        return y

    def _by_row(self, x, h, moved, slots):
        """Evaluate rows (M, n, d), each as the only one of its task, if tasks have few."""
        if x.shape[1] > 1 or h.shape[1] > 1:
            moved = None if moved is None else take_members(moved, slots)
            h = take_members(h, slots)
        return self._evaluate_rows(x, h, moved)

    def _evaluate_rows(self, x, h, moved):
        y = x
        last = len(self.shapes) - 1
        for n, layer in enumerate(self.layers):
            y = layer.evaluate(h, y)
            if self.target_biases:
                y = y + self.target_biases[n](h)
            if n < last:
                y = self.activation(y)
        if moved is not None:
            weight, bias = (w.unflatten(2, (-1, self.n_outputs)) for w in self.skip.parameters())
            y = y + applied(NarrowLayer, moved, x, bias.squeeze(1), weight)
        return y


def _apply_layer(x, weights, shape):
    """Multiply blocks (M * K, b, d_in) with their layers (M, K, (d_in + 1) * d_out), bias last."""
    d_in, d_out = shape
    # split, not sliced: the gradient is then written once
    weights, bias = weights.view(-1, d_in + 1, d_out).split([d_in, 1], dim=1)
    return torch.baddbmm(bias, x, weights)
