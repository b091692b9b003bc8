"""Gradients of several losses of every preference's network with respect to the hypernetwork.

The backward pass is hand-written: autograd would need one for each loss, and has no Gramian.
"""

import torch
from torch import nn


class PreferenceGradients:
    """Gradients of the networks that a `ParetoNetwork` generates for `rays` (M, P, T).

    Attributes
    ----------
    written : Tensor of shape (M, P, N)
        The parameters of the networks, detached from the graph.
    """

    @torch.no_grad()
    def __init__(self, module, rays):
        self._module = module
        self._parameters = module.parameters_by_name()
        self._scaled, self._hidden, self._gates, self._coefficients = module.layers(
            rays, self._parameters
        )
        self.written = module.from_coefficients(self._coefficients, self._parameters)

    @torch.no_grad()
    def differentiate(self, slopes):
        """Backpropagate gradients (M, P, L, N) of L losses with respect to the networks.

        The gradients of the projection are outer products of coefficients and these; they are not
        computed if there is one chunk, since the projection has most of the parameters.
        """
        parameters, module = self._parameters, self._module
        n_chunks = self._coefficients.shape[2]
        short = n_chunks * parameters["projection"].shape[3] - slopes.shape[3]
        if short:
            slopes = nn.functional.pad(slopes, (0, short))
        # (M, P, L, chunks, ...) from here on; L is 1 where all losses have the same values
        self._slopes = slopes.unflatten(3, (n_chunks, -1))
        lead = self._slopes.shape[1:4]

        def through(values, weight):
            # one product for each member
            return (values.flatten(1, 3) @ weight.squeeze(1).mT).unflatten(1, lead)

        slope = through(self._slopes, parameters["projection"])
        hidden, gates = self._hidden[-1].unsqueeze(2), self._gates.unsqueeze(2)
        chunks = parameters["chunk_embeddings"].unsqueeze(2)
        inner = through(slope, parameters["output_weight"])
        to_gates = inner * hidden
        rows = {
            "output_bias": slope.sum(3),
            "output_weight": (hidden * gates).mT @ slope,
            "chunk_weight": chunks.mT @ to_gates,
            "chunk_embeddings": slope + through(to_gates, parameters["chunk_weight"]),
        }
        back = (inner * gates).sum(3)
        reads = [self._scaled, *self._hidden]
        for n, (weight, bias) in reversed(list(enumerate(module.layer_names()))):
            # through tanh, then to the weights
            back = back * (1 - self._hidden[n].square())
            rows[bias] = back
            rows[weight] = reads[n].mT.unsqueeze(2) * back.unsqueeze(3)
            back = back @ parameters[weight].mT if n else None
        self._names = list(rows)
        self._rows = torch.cat([row.flatten(3) for row in rows.values()], dim=3)

    def gramian(self):
        """Compute inner products of the gradients of every preference's losses, (M, P, L, L)."""
        if self._coefficients.shape[2] == 1:
            flat = self._slopes.flatten(3)
            products = self._coefficients.square().sum(3, keepdim=True) * (flat @ flat.mT)
        else:
            flat = (self._coefficients.mT.unsqueeze(2) @ self._slopes).flatten(3)
            products = flat @ flat.mT
        return products + self._rows @ self._rows.mT

    def combine(self, weights):
        """Sum the gradients of all losses with weights (M, P, L); return them by name."""
        slope = weights.unsqueeze(2) @ self._slopes.flatten(3)
        slope = slope.squeeze(2).unflatten(2, self._slopes.shape[3:]).flatten(1, 2)
        gradients = {"projection": self._coefficients.flatten(1, 2).mT @ slope}
        rows = weights.flatten(1).unsqueeze(1) @ self._rows.flatten(1, 2)
        shapes = [self._parameters[name].shape[2:] for name in self._names]
        parts = rows.squeeze(1).split([shape.numel() for shape in shapes], dim=1)
        for name, part, shape in zip(self._names, parts, shapes, strict=True):
            gradients[name] = part.unflatten(1, shape)
        return gradients
