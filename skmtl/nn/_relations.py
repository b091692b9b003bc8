"""Multilinear relationship networks: a tensor normal prior on the weights of all heads."""

import torch

from skmtl.nn._shared import SharedBottomNetwork

# added to the diagonals of covariances, so that they can be inverted
_JITTER = 1e-3


def mode_product(weights, precisions):
    """Compute ``vec(W)^T (P_1 x P_2 x P_3) vec(W)`` (M,) of W (M, T, i, o), for P of i, o and T."""
    inputs, outputs, tasks = precisions
    mapped = inputs.unsqueeze(1) @ weights @ outputs.unsqueeze(1)
    mapped = (tasks @ mapped.flatten(2)).view_as(weights)
    return (weights * mapped).sum((1, 2, 3))


def unfolded(weights):
    """Unfold the tensor along each of its axes: inputs, outputs, tasks."""
    return (
        weights.permute(0, 2, 3, 1).flatten(2),
        weights.permute(0, 3, 2, 1).flatten(2),
        weights.flatten(2),
    )


def flip_flop(weights, covariances, n_tasks, axes=(0, 1, 2)):
    """Update each covariance of `axes` given the others: one round of the flip-flop algorithm.

    ``Sigma_k = W_(k) (Sigma_i x Sigma_j)^-1 W_(k)^T / (D / D_k) + jitter I``, for inputs, outputs
    and tasks. W (M, T, d_in, d_out) has D elements, which are zero except for `n_tasks` (M,) tasks.
    """
    covariances = list(covariances)
    d_in, d_out = weights.shape[2:]
    counts = (d_out * n_tasks, d_in * n_tasks, n_tasks.new_full(n_tasks.shape, d_in * d_out))
    for axis in axes:
        inputs, outputs, tasks = (torch.linalg.inv(c) for c in covariances)
        # the other two precisions, applied to their axes
        mapped = weights
        if axis != 0:
            mapped = inputs.unsqueeze(1) @ mapped
        if axis != 1:
            mapped = mapped @ outputs.unsqueeze(1)
        if axis != 2:
            mapped = (tasks @ mapped.flatten(2)).view_as(weights)
        product = unfolded(mapped)[axis] @ unfolded(weights)[axis].mT
        jitter = _JITTER * torch.eye(product.shape[1], dtype=product.dtype, device=product.device)
        scaled = product / counts[axis].to(product).clamp(min=1).view(-1, 1, 1)
        covariances[axis] = (scaled + scaled.mT) / 2 + jitter
    return covariances


class RelationNetwork(SharedBottomNetwork):
    """A shared trunk, and heads whose weights have a tensor normal prior that is learned, too.

    Source: Long, Cao, Wang and Yu, "Learning multiple tasks with multilinear relationship
    networks", NIPS 2017, section 4. `relation_alpha` is the strength of the prior. The covariances
    of the `relations`, "tasks" or "all", are buffers that start as identity matrices and are
    updated every `relation_interval` training steps.
    """

    def __init__(self, *args, relation_alpha, relation_interval, relations, **settings):
        super().__init__(*args, **settings)
        n_members = self.n_members
        first = self.heads.layers[0].weight
        alpha = torch.as_tensor(relation_alpha, dtype=first.dtype)
        self.register_buffer("relation_alpha", alpha.expand(n_members).clone())
        self.register_buffer("steps", torch.zeros(n_members, dtype=torch.int64))
        self.relation_interval = relation_interval
        self.axes = (0, 1, 2) if relations == "all" else (2,)
        for n, layer in enumerate(self.heads.layers):
            n_tasks, *widths = layer.weight.shape[1:]
            for axis, size in enumerate([*widths, n_tasks]):
                eye = torch.eye(size, dtype=first.dtype).repeat(n_members, 1, 1)
                self.register_buffer(f"precision_{n}_{axis}", eye)
                self.register_buffer(f"covariance_{n}_{axis}", eye.clone())

    def keep_tasks(self, n_tasks):
        super().keep_tasks(n_tasks)
        for n in range(len(self.heads.layers)):
            for name in (f"precision_{n}_2", f"covariance_{n}_2"):
                setattr(self, name, getattr(self, name)[:, :n_tasks, :n_tasks].clone())

    def _layers(self):
        """Yield index and weights of each layer of the heads; weights of untrained tasks are 0."""
        for n, layer in enumerate(self.heads.layers):
            yield n, layer.weight * self.trained[:, :, None, None]

    def _of_layer(self, kind, n):
        return tuple(getattr(self, f"{kind}_{n}_{axis}") for axis in range(3))

    def penalty(self):
        """Return ``relation_alpha / 2 * vec(W)^T (Sigma_1 x Sigma_2 x Sigma_3)^-1 vec(W)``."""
        total = sum(mode_product(w, self._of_layer("precision", n)) for n, w in self._layers())
        return self.relation_alpha / 2 * total

    @torch.no_grad()
    def after_step(self, active):
        """Update the covariances after every `relation_interval` steps of a member."""
        self.steps = self.steps + (1 if active is None else active)
        due = self.steps % self.relation_interval == 0
        if active is not None:
            due = due & active
        if not bool(due.any()):
            return
        for n, weights in self._layers():
            covariances = flip_flop(
                weights, self._of_layer("covariance", n), self.trained.sum(1), self.axes
            )
            for axis, new in enumerate(covariances):
                for kind, value in (("covariance", new), ("precision", torch.linalg.inv(new))):
                    name = f"{kind}_{n}_{axis}"
                    old = getattr(self, name)
                    setattr(self, name, torch.where(due.view(-1, 1, 1), value, old))
