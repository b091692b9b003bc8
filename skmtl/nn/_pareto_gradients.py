"""Gradients of several losses of every preference's network, with respect to the hypernetwork.

A pass backwards by hand: autograd would take one for each loss, and knows no Gramian.
"""

import torch
from torch import nn


class PreferenceGradients:
    """Networks that a `ParetoNetwork` writes, and the way back from them.

    Parameters
    ----------
    module : ParetoNetwork
    rays : Tensor of shape (M, P, T)
        Preferences as the solver follows them, of sum 1.

    Attributes
    ----------
    written : Tensor of shape (M, P, N)
        The networks; no graph leads back from them.
    """

    @torch.no_grad()
    def __init__(self, module, rays):
        self._module = module
        self._own = module.own_parameters()
        self._told, self._hidden, self._gates, self._coefficients = module.layers(rays, self._own)
        self.written = module.from_coefficients(self._coefficients, self._own)

    @torch.no_grad()
    def differentiate(self, slopes):
        """Go back from L losses.

        The projection has most of the parameters, and its gradients, outer products of coefficients
        and slopes, are not written out if there is one chunk; those of all others are.

        Parameters
        ----------
        slopes : Tensor of shape (M, P, L, N)
            Gradients of the losses of every preference with respect to the network written for it.
        """
        own, module = self._own, self._module
        n_chunks = self._coefficients.shape[2]
        short = n_chunks * own["projection"].shape[3] - slopes.shape[3]
        if short:
            slopes = nn.functional.pad(slopes, (0, short))
        # (M, P, L, chunks, ...) from here on; what losses have in common has an axis of length 1
        self._slopes = slopes.unflatten(3, (n_chunks, -1))
        lead = self._slopes.shape[1:4]

        def through(values, weight):
            # one product for each member
            return (values.flatten(1, 3) @ weight.squeeze(1).mT).unflatten(1, lead)

        slope = through(self._slopes, own["projection"])
        hidden, gates = self._hidden[-1].unsqueeze(2), self._gates.unsqueeze(2)
        chunks = own["chunk_embeddings"].unsqueeze(2)
        inner = through(slope, own["output_weight"])
        to_gates = inner * hidden
        rows = {
            "output_bias": slope.sum(3),
            "output_weight": (hidden * gates).mT @ slope,
            "chunk_weight": chunks.mT @ to_gates,
            "chunk_embeddings": slope + through(to_gates, own["chunk_weight"]),
        }
        back = (inner * gates).sum(3)
        reads = [self._told, *self._hidden]
        for n, (weight, bias) in reversed(list(enumerate(module.layer_names()))):
            # through tanh, then to the weights
            back = back * (1 - self._hidden[n].square())
            rows[bias] = back
            rows[weight] = reads[n].mT.unsqueeze(2) * back.unsqueeze(3)
            back = back @ own[weight].mT if n else None
        self._names = list(rows)
        self._rows = torch.cat([row.flatten(3) for row in rows.values()], dim=3)

    def gramian(self):
        """Inner products of the gradients of every preference's losses, shape (M, P, L, L)."""
        if self._coefficients.shape[2] == 1:
            flat = self._slopes.flatten(3)
            products = self._coefficients.square().sum(3, keepdim=True) * (flat @ flat.mT)
        else:
            flat = (self._coefficients.mT.unsqueeze(2) @ self._slopes).flatten(3)
            products = flat @ flat.mT
        return products + self._rows @ self._rows.mT

    def combine(self, weights):
        """Gradients of the sum of all losses with some weights.

        Parameters
        ----------
        weights : Tensor of shape (M, P, L)

        Returns
        -------
        dict of str to Tensor of shape (M, ...)
            By name of the parameter.
        """
        slope = weights.unsqueeze(2) @ self._slopes.flatten(3)
        slope = slope.squeeze(2).unflatten(2, self._slopes.shape[3:]).flatten(1, 2)
        found = {"projection": self._coefficients.flatten(1, 2).mT @ slope}
        rows = weights.flatten(1).unsqueeze(1) @ self._rows.flatten(1, 2)
        shapes = [self._own[name].shape[2:] for name in self._names]
        pieces = rows.squeeze(1).split([shape.numel() for shape in shapes], dim=1)
        for name, piece, shape in zip(self._names, pieces, shapes, strict=True):
            found[name] = piece.unflatten(1, shape)
        return found
