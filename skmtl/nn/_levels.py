"""A hypernetwork of tasks with several ids: a table of embeddings for each level.

A task is a combination of ids, of which nothing is kept: its representation is made of the
embeddings of its ids.
"""

import copy

import torch
from torch import nn

from skmtl.nn._hypernet import TaskHypernetwork
from skmtl.nn._members import (
    keep_first,
    member_generators,
    per_member,
    take_members,
    trained_shares,
    uniform,
)

_BOUND = 3.0**0.5
# of the minimisation over outer ids, level by level
_SWEEPS = 20


class LevelHypernetwork(TaskHypernetwork):
    """M hypernetworks that read the embeddings of the ids of L levels.

    Level l has `level_sizes[l]` ids with embeddings of `embedding_dims[l]`, pulled by
    `embedding_alphas[l]` (by member or for all), which start apart if `apart[l]`. Crossed levels:
    a representation joins the embeddings, and those of a level are pulled to their mean. `nested`
    levels, from outer to inner, of one embedding_dim: the embedding of an id is the sum of that of
    its outer id and a deviation, which starts at zero and is pulled to it. `tasks` (M, S, L) are
    ids by level, -1 for an id that is missing or unseen: its embedding is the mean one, and its
    deviation zero. Other arguments are those of `TaskHypernetwork`.
    """

    def __init__(
        self,
        level_sizes,
        n_features,
        n_metadata=0,
        n_outputs=1,
        *,
        seeds,
        embedding_dims,
        embedding_alphas,
        apart,
        nested=False,
        **settings,
    ):
        width = embedding_dims[0] if nested else sum(embedding_dims)
        settings = {**settings, "embedding_alpha": 0.0}
        super().__init__(
            1, n_features, n_metadata, n_outputs, seeds=seeds, embedding_dim=width, **settings
        )
        self.nested, self.dims = nested, tuple(embedding_dims)
        del self.embeddings, self.trained, self.curvature, self.centre
        self._open_each_level()
        generators = member_generators(seeds, "initialisation")
        parts = [self.origin] * len(self.dims) if nested else self.origin.split(self.dims, dim=2)
        starts, origins = [], []
        for level, (size, part) in enumerate(zip(level_sizes, parts, strict=True)):
            start = torch.zeros_like(part) if nested and level else part.clone()
            values = start.repeat(1, size, 1)
            if apart[level] and not (nested and level):
                values = uniform(generators, size, part.shape[2], bound=_BOUND).detach()
                start = torch.zeros_like(part)
            starts.append(nn.Parameter(values))
            origins.append(start)
            trained = torch.ones(self.n_members, size, dtype=torch.bool)
            self.register_buffer(f"trained_{level}", trained)
            self.register_buffer(f"curvature_{level}", None)
            self.register_buffer(f"centre_{level}", None)
            alpha = per_member(embedding_alphas[level], part, 2)
            self.register_buffer(f"embedding_alpha_{level}", alpha)
        self.levels = nn.ParameterList(starts)
        self.register_buffer("origin", origins[0] if nested else torch.cat(origins, dim=2))
        self.pulled = any(bool((self._of("embedding_alpha", n) > 0).any()) for n in self._numbers)

    @property
    def _numbers(self):
        return range(len(self.dims))

    def _of(self, name, level):
        """Return a buffer of one level."""
        return getattr(self, f"{name}_{level}")

    @torch.no_grad()
    def _open_each_level(self):
        """Give the intercepts of every level weights as long as those of a single table."""
        if self.skip is None or self.nested:
            return
        weight = self.skip.weight.unflatten(2, (-1, self.n_outputs))[:, : sum(self.dims), -1]
        for part in weight.split(self.dims, dim=1):
            part *= 0.3 / part.norm(dim=1, keepdim=True).clamp(min=1e-12)

    def keep_tasks(self, n_tasks):
        """Keep the first ids of each level, as many as `n_tasks` says by level.

        One number is that of combinations, of which nothing is kept anyway.
        """
        if isinstance(n_tasks, int):
            return
        for level, size in enumerate(n_tasks):
            self.levels[level] = nn.Parameter(self.levels[level].detach()[:, :size].clone())
            keep_first(self, size, f"trained_{level}", f"curvature_{level}")

    def mark_trained(self, trained):
        for level, mask in enumerate(trained):
            setattr(self, f"trained_{level}", mask)

    def decayed_parameters(self):
        return [name for name in super().decayed_parameters() if not name.startswith("levels.")]

    def shared_parameters(self):
        return [name for name in super().shared_parameters() if not name.startswith("levels.")]

    def penalty(self):
        terms = []
        for level, mean in enumerate(self.means() if self.pulled else ()):
            distance = (self.levels[level] - mean).square() * self._of("embedding_alpha", level)
            terms.append((distance.sum(2) * self._of("trained", level)).sum(1))
        if self.shrunk:
            terms.append((self.interaction_alpha * self.interactions().square()).sum((1, 2, 3)))
        return sum(terms) if terms else None

    def prepare_predictions(self):
        for level, mean in enumerate(self.means()):
            setattr(self, f"centre_{level}", mean)

    def representations(self, tasks, metadata=None):
        vectors = [
            self._gathered(level, tasks[..., level], mean)
            for level, mean in enumerate(self.means())
        ]
        return self._joined(vectors, metadata)

    def _gathered(self, level, ids, mean):
        """Return the embedding of each id (M, S), the mean one for -1."""
        table = self.levels[level]
        if not bool((ids < 0).any()):
            return take_members(table, ids)
        taken = take_members(table, ids.clamp(min=0))
        return torch.where(ids.unsqueeze(2) < 0, mean, taken)

    def _joined(self, vectors, metadata=None):
        z = sum(vectors[1:], vectors[0]) if self.nested else torch.cat(vectors, dim=2)
        return z if metadata is None else torch.cat([z, metadata], dim=2)

    @torch.no_grad()
    def settle(self, parents):
        """Move what the ids within an outer one have in common to its embedding, if nested.

        Their sums, and so all predictions for trained ids, stay the same, and the penalties become
        as small as they can: steps of equal size for all parameters are slow to find which part of
        a sum is common. `parents[l]` (T,) are the outer ids of the ids of level l + 1.
        """
        alphas = [self._of("embedding_alpha", level).double() for level in self._numbers]
        tables = [table.detach().double() for table in self.levels]
        if not self.nested or not all(bool((alpha > 0).all()) for alpha in alphas):
            return
        for _ in range(_SWEEPS):
            for level in reversed(range(1, len(tables))):
                of_parent = parents[level - 1]
                counted = self._of("trained", level).unsqueeze(2)
                inner, outer = tables[level], tables[level - 1]
                sums = torch.zeros_like(outer)
                sums.index_add_(1, of_parent, counted * (inner + outer[:, of_parent]))
                n_inner = torch.zeros_like(outer[..., :1])
                n_inner.index_add_(1, of_parent, counted.to(outer))
                goal = 0.0
                if level == 1:
                    goal = trained_shares(self._of("trained", 0), outer).unsqueeze(1) @ outer
                weight = alphas[level] * n_inner + alphas[level - 1]
                best = (alphas[level] * sums + alphas[level - 1] * goal) / weight
                moved = torch.where(n_inner > 0, best - outer, 0.0)
                tables[level - 1] = outer + moved
                tables[level] = torch.where(counted, inner - moved[:, of_parent], inner)
        for table, values in zip(self.levels, tables, strict=True):
            table.data = values.to(table)

    # what `skmtl.training._embeddings` uses

    def tables(self):
        return list(self.levels)

    def curvatures(self):
        values = [self._of("curvature", level) for level in self._numbers]
        return None if values[0] is None else values

    def has_several_tasks(self):
        counts = torch.stack([self._of("trained", level).sum(1) for level in self._numbers])
        return bool((counts > 1).any(0).all())

    def means(self):
        means = []
        for level, table in enumerate(self.levels):
            centre = self._of("centre", level)
            if self.nested and level:
                centre = torch.zeros_like(table[:, :1])
            elif centre is None:
                centre = trained_shares(self._of("trained", level), table).unsqueeze(1) @ table
            means.append(centre)
        return means

    @torch.no_grad()
    def pulls(self, noise):
        pulls = []
        for level, mean in enumerate(self.means()):
            trained = self._of("trained", level)
            square = (self.levels[level] - mean).square() * trained.unsqueeze(2)
            count = trained.sum(1).clamp(min=1).view(-1, 1, 1)
            variance = (square.sum(1, keepdim=True) / count).clamp(min=1e-6)
            pulls.append(noise.to(variance).view(-1, 1, 1) / variance)
        return pulls

    @torch.no_grad()
    def set_embeddings(self, numbers, vectors, curvatures):
        for level, at in enumerate(numbers):
            if self._of("centre", level) is None and not (self.nested and level):
                shares = trained_shares(self._of("trained", level), vectors[level])
                centre = shares.unsqueeze(1) @ self.levels[level].double()
                setattr(self, f"centre_{level}", centre)
            self.levels[level][:, at] = vectors[level].to(self.levels[level])
            self._of("curvature", level)[:, at] = curvatures[level].to(self.levels[level])

    def keep_curvatures(self, values):
        for level, value in enumerate(values):
            setattr(self, f"curvature_{level}", value.to(self.levels[level]))

    def of_rows(self, x, vectors, metadata=None):
        return self._evaluate_rows(x, *self._read(self._joined(vectors, metadata)))

    @torch.no_grad()
    def with_new_ids(self, counts):
        """Return a copy with further ids of each level, of the mean embedding and no curvature."""
        module = copy.deepcopy(self)
        for level, (count, mean) in enumerate(zip(counts, self.means(), strict=True)):
            table, dim = self.levels[level], self.dims[level]
            new = mean.to(table).repeat(1, count, 1)
            module.levels[level] = nn.Parameter(torch.cat([table.data, new], dim=1))
            trained = self._of("trained", level)
            more = trained.new_zeros(self.n_members, count)
            setattr(module, f"trained_{level}", torch.cat([trained, more], dim=1))
            known = self._of("curvature", level)
            more = known.new_zeros(self.n_members, count, dim, dim)
            setattr(module, f"curvature_{level}", torch.cat([known, more], dim=1))
        return module
