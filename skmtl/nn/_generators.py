"""Weight generators: linear maps from a task's representation to one layer of its network.

Source: "Multi-task learning with hypernetworks and task metadata", section 2.1, weight compression.
"""

import torch

from skmtl.nn._contractions import FactorLayer, FullMap, NarrowLayer, OuterLayer, applied
from skmtl.nn._members import MemberModule, kaiming_bound, uniform, variance_bound


def _hyperfan_variance(rows, relu):
    """Return the variance of generated weights (M, 1, 1) with which a layer preserves variance.

    Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks", section 4: 1 /
    fan-in (with a folded bias), twice that before a ReLU; separate biases start at zero. `relu` has
    a flag for each member.
    """
    return torch.tensor([2.0 if flag else 1.0 for flag in relu]).view(-1, 1, 1) / max(rows, 1)


def _is_narrow(D, h):
    """Return whether the weights of a row are about as many as the elements of h times x."""
    return min(D.shape[1:]) < h.shape[2]


class CompressedGenerator(MemberModule):
    """One layer, W_t[i, o] = sum_k h_t[k] A[k, i] B[i, o] C[k, o] + D[i, o], with h_t of `width`.

    A `folded` bias is one more row of A, B and D. The init "kaiming" draws every factor as torch
    draws a linear layer of its shape; "hyperfan" has no constant term, and the product of its
    factors has the variance that the layer needs. `relu` marks the members in which a ReLU follows.
    """

    # whether to use hand-written backward passes, which cannot be differentiated again
    by_hand = True

    def __init__(self, width, n_inputs, n_outputs, folded, generators, init, relu):
        super().__init__()
        rows = n_inputs + folded
        if init == "kaiming":
            bound_a = bound_c = kaiming_bound(width)
            bound_b = bound_d = kaiming_bound(rows)
        else:
            # a representation has unit variance, and the sum over k has `width` such terms
            bound_a = bound_c = variance_bound(max(width, 1) ** -0.5)
            bound_b = variance_bound(_hyperfan_variance(rows, relu))
            bound_d = 0.0
        self.A = uniform(generators, width, rows, bound=bound_a)
        self.B = uniform(generators, rows, n_outputs, bound=bound_b)
        self.C = uniform(generators, width, n_outputs, bound=bound_c)
        self.D = uniform(generators, rows, n_outputs, bound=bound_d)

    def forward(self, h):
        """Map ``(M, S, width)`` to the layer's weights, ``(M, S, rows * n_outputs)``."""
        # the full map, built once a step: cheaper than a product per task unless tasks are few
        if self.by_hand:
            full = FullMap.apply(self.A, self.B, self.C)
        else:
            full = self.A.unsqueeze(3) * self.C.unsqueeze(2) * self.B.unsqueeze(1)
        return torch.baddbmm(self.D.flatten(1).unsqueeze(1), h, full.flatten(2))

    def evaluate(self, h, x):
        """Apply the layer to rows x (M, n, n_inputs) with h (M, n, width), not forming weights."""
        # elements computed, in multiples of n * width: about 5 (inputs + outputs), or 5 inputs and
        # 8 maps. The choice depends on the shapes of one member only.
        if _is_narrow(self.D, h):
            layer = NarrowLayer
        else:
            layer = FactorLayer if 5 * x.shape[1] <= 8 * self.B.shape[1] else OuterLayer
        return applied(layer, h, x, self.D, self.A, self.B, self.C)


class FullGenerator(MemberModule):
    """One layer from an uncompressed linear map, W_t = h_t W + D, see `CompressedGenerator`."""

    def __init__(self, width, n_inputs, n_outputs, folded, generators, init, relu):
        super().__init__()
        self.folded = folded
        rows = n_inputs + folded
        if init == "kaiming":
            # the initial scale of the compressed form, so that the two can be compared
            bound = kaiming_bound(width) * kaiming_bound(rows)
            bound_d = kaiming_bound(rows)
        else:
            bound = variance_bound(_hyperfan_variance(rows, relu) / max(width, 1))
            bound_d = 0.0
        self.W = uniform(generators, width, rows * n_outputs, bound=bound)
        self.D = uniform(generators, 1, rows * n_outputs, bound=bound_d)

    def forward(self, h):
        return torch.baddbmm(self.D, h, self.W)

    def evaluate(self, h, x):
        rows = x.shape[2] + self.folded
        constant = self.D.view(len(x), rows, -1)
        full = self.W.unflatten(2, (rows, -1))
        layer = NarrowLayer if _is_narrow(constant, h) else OuterLayer
        return applied(layer, h, x, constant, full)
