"""Generated layers, from representations and a generator's factors, with hand-written gradients.

Large tensors are never kept for the backward pass. Axes in the formulas: n rows, k elements of a
representation, i inputs, o outputs; every tensor has the member axis first.
"""

import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from skmtl.nn._workspace import aligned, member_chunks, product, scratch


class _Nothing:
    """What an operation keeps for a backward pass that does not come."""

    def save_for_backward(self, *tensors):
        """Keep nothing."""


def applied(operation, *tensors):
    """Apply an operation of this module; without gradients in less time than torch takes."""
    if torch.is_grad_enabled():
        return operation.apply(*tensors)
    return operation.forward(_Nothing(), *tensors)


class FullMap(Function):
    """Compute ``full[k, i, o] = A[k, i] B[i, o] C[k, o]``."""

    @staticmethod
    def forward(ctx, A, B, C):
        ctx.save_for_backward(A, B, C)
        return _full(A, B, C, A.new_empty(_shape(A, B)))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        factors = ctx.saved_tensors
        to_factors = [torch.empty_like(factor) for factor in factors]
        _factors_backward(*factors, gradient, *to_factors)
        return tuple(to_factors)


class OuterLayer(Function):
    """Compute ``y[n, o] = sum_ki h[n, k] x[n, i] full[k, i, o] + sum_i x[n, i] D[i, o]``.

    The outer product of h and x of each row is multiplied with the map (M, k, i, o), which is given
    whole or by the factors of `FullMap`: for batches in which few rows share a representation. If x
    has one input less than D, the last input is 1.
    """

    @staticmethod
    def forward(ctx, h, x, D, *full):
        inputs, y = _prepare(ctx, h, x, D, *full)
        for h_, x_, D_, y_, *full_ in _chunks(h, inputs, D, y, *full):
            outer = _scaled(x_, h_.unsqueeze(3))
            constant = product("constant", aligned("x", x_), aligned("D", D_))
            terms = product("terms", outer.flatten(2), _map_of(*full_).flatten(1, 2))
            torch.add(terms, constant, out=y_)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return _map_backward(ctx, gradient, OuterLayer._write)

    @staticmethod
    def _write(h, x, D, slope, map_, to_h, to_x, to_map):
        # recomputed, which is cheaper than keeping it
        outer = _scaled(x, h.unsqueeze(3))
        flat = map_.flatten(1, 2)
        to_outer = scratch("other", outer.shape, x)
        torch.bmm(slope, flat.mT, out=to_outer.flatten(2))
        torch.bmm(outer.flatten(2).mT, slope, out=to_map.flatten(1, 2))
        torch.sum(torch.mul(to_outer, x.unsqueeze(2), out=outer), 3, out=to_h)
        if to_x is not None:
            # element by element: the rounding of a matrix product depends on memory alignment
            torch.sum(to_outer.mul_(h.unsqueeze(3)), 2, out=to_x)
            to_x += product("constant", slope, aligned("D", D).mT)


class NarrowLayer(Function):
    """Compute ``y[n, o] = sum_i x[n, i] (D[i, o] + sum_k h[n, k] full[k, i, o])``.

    The result is that of `OuterLayer`, but the weights of every row are computed: for layers with
    few inputs or few outputs.
    """

    @staticmethod
    def forward(ctx, h, x, D, *full):
        inputs, y = _prepare(ctx, h, x, D, *full)
        for h_, x_, y_, D_, *full_ in _chunks(h, inputs, y, D, *full):
            weights = _weights(aligned("h", h_), D_, _map_of(*full_))
            torch.sum(weights.mul_(x_.unsqueeze(3)), 2, out=y_)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return _map_backward(ctx, gradient, NarrowLayer._write)

    @staticmethod
    def _write(h, x, D, slope, map_, to_h, to_x, to_map):
        h = aligned("h", h)
        slope = slope.unsqueeze(2)
        if to_x is not None:
            torch.sum(_weights(h, D, map_).mul_(slope), 3, out=to_x)
        to_weights = scratch("outer", (*x.shape, D.shape[2]), x)
        torch.mul(x.unsqueeze(3), slope, out=to_weights)
        to_h.copy_(product("products", to_weights.flatten(2), map_.flatten(2).mT))
        torch.bmm(h.mT, to_weights.flatten(2), out=to_map.flatten(2))


class FactorLayer(Function):
    """Compute the result of `OuterLayer` from the factors, without forming the map.

    ``y[n, o] = sum_k h[n, k] C[k, o] (sum_i x[n, i] A[k, i] B[i, o]) + sum_i x[n, i] D[i, o]``: for
    batches with fewer rows than the map has.
    """

    @staticmethod
    def forward(ctx, h, x, D, A, B, C):
        inputs, y = _prepare(ctx, h, x, D, A, B, C)
        for h_, x_, y_, D_, A_, B_, C_ in _chunks(h, inputs, y, D, A, B, C):
            inner = _inner(_scaled(x_, A_.unsqueeze(1)), aligned("B", B_))
            torch.sum(inner.mul_(h_.unsqueeze(3)).mul_(C_.unsqueeze(1)), 2, out=y_)
            y_ += product("constant", aligned("x", x_), aligned("D", D_))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        h, x, D, A, B, C = ctx.saved_tensors
        needs_x = ctx.needs_input_grad[1]
        to_x = torch.empty_like(x) if needs_x else gradient
        parts = h, D, A, B, C
        to_parts = [torch.empty_like(part) for part in parts]
        for h_, x_, slope, to_x_, *both in _chunks(h, x, gradient, to_x, *parts[1:], *to_parts):
            D_, A_, B_, C_, to_h_, to_d_, to_a_, to_b_, to_c_ = both
            B_, slope = aligned("B", B_), aligned("slope", slope)
            to_d_.copy_(product("constant", aligned("x", x_).mT, slope))
            if needs_x:
                to_x_.copy_(product("constant", slope, aligned("D", D_).mT))
            rows, columns, factor = h_.unsqueeze(3), C_.unsqueeze(1), A_.unsqueeze(1)
            slope = slope.unsqueeze(2)
            # recomputed, which is cheaper than keeping it
            scaled = _scaled(x_, factor)
            terms = _inner(scaled, B_).mul_(slope)
            other = scratch("other", terms.shape, x)
            torch.sum(torch.mul(terms, rows, out=other), 1, out=to_c_)
            torch.sum(terms.mul_(columns), 3, out=to_h_)
            to_inner = torch.mul(rows, slope, out=terms).mul_(columns).flatten(1, 2)
            flat = scaled.flatten(1, 2)
            to_b_.copy_(product("constant", flat.mT, to_inner))
            torch.bmm(to_inner, B_.mT, out=flat)
            other = scratch("other", scaled.shape, x)
            torch.sum(torch.mul(scaled, x_.unsqueeze(2), out=other), 1, out=to_a_)
            if needs_x:
                to_x_ += scaled.mul_(factor).sum(2)
        to_h, *others = to_parts
        return to_h, to_x[..., : ctx.n_inputs] if needs_x else None, *others


def _prepare(ctx, h, x, D, *full):
    """Save tensors; return inputs (M, n, i), padded with ones if need be, and empty y (M, n, o)."""
    inputs = x if x.shape[2] == D.shape[1] else torch.nn.functional.pad(x, (0, 1), value=1.0)
    ctx.n_inputs = x.shape[2]
    ctx.save_for_backward(h, inputs, D, *full)
    return inputs, x.new_empty(*x.shape[:2], D.shape[2])


def _map_backward(ctx, gradient, write):
    """Compute the gradients of h, x (unless None) and the map by `write`, in chunks of members."""
    h, x, D, *full = ctx.saved_tensors
    needs_x = ctx.needs_input_grad[1]
    to_x = torch.empty_like(x) if needs_x else gradient
    to_h, to_d = torch.empty_like(h), torch.empty_like(D)
    to_full = [torch.empty_like(factor) for factor in full]
    whole = h, x, D, gradient, to_h, to_x, to_d, *full, *to_full
    for h_, x_, D_, slope, to_h_, to_x_, to_d_, *both in _chunks(*whole):
        slope = aligned("slope", slope)
        to_d_.copy_(product("constant", aligned("x", x_).mT, slope))
        full_, to_full_ = both[: len(full)], both[len(full) :]
        to_map = _to_map(*to_full_)
        write(h_, x_, D_, slope, _map_of(*full_), to_h_, to_x_ if needs_x else None, to_map)
        if len(full) > 1:
            _factors_backward(*full_, to_map, *to_full_)
    return to_h, to_x[..., : ctx.n_inputs] if needs_x else None, to_d, *to_full


def _chunks(h, x, *others):
    """Split the member axis so that the outer products of a chunk fit into the cache."""
    numbers = h.shape[1] * h.shape[2] * x.shape[2]
    return member_chunks(numbers, h, x, *others)


def _shape(A, B):
    return *A.shape, B.shape[2]


def _full(A, B, C, out):
    return torch.mul(A.unsqueeze(3), C.unsqueeze(2), out=out).mul_(B.unsqueeze(1))


def _map_of(*full):
    """Return the map, given whole or by its factors."""
    if len(full) == 1:
        return full[0]
    A, B, C = full
    return _full(A, B, C, scratch("map", _shape(A, B), A))


def _to_map(*to_full):
    """Return the memory for the map's gradient: scratch memory if it is passed on to factors."""
    if len(to_full) == 1:
        return to_full[0]
    to_a, to_b, _ = to_full
    return scratch("to_map", _shape(to_a, to_b), to_a)


def _weights(h, D, full):
    """Compute ``D[i, o] + sum_k h[n, k] full[k, i, o]``, shape (M, n, i, o)."""
    weights = scratch("inner", (*h.shape[:2], *D.shape[1:]), h)
    torch.bmm(h, full.flatten(2), out=weights.flatten(2))
    # added here: a product with a single column of D would round differently for one member
    return weights.add_(D.unsqueeze(1))


def _factors_backward(A, B, C, gradient, to_a, to_b, to_c):
    """Compute the gradients of the factors of a map from that of the map."""
    product, other = (scratch(name, gradient.shape, gradient) for name in ("terms", "products"))
    torch.mul(gradient, C.unsqueeze(2), out=product)
    torch.sum(torch.mul(product, B.unsqueeze(1), out=other), 3, out=to_a)
    torch.sum(product.mul_(A.unsqueeze(3)), 1, out=to_b)
    torch.mul(gradient, A.unsqueeze(3), out=product)
    torch.sum(product.mul_(B.unsqueeze(1)), 2, out=to_c)


def _inner(scaled, B):
    """Compute ``sum_i scaled[n, k, i] B[i, o]``, shape (M, n, k, o)."""
    inner = scratch("inner", (*scaled.shape[:3], B.shape[2]), B)
    torch.bmm(scaled.flatten(1, 2), B, out=inner.flatten(1, 2))
    return inner


def _scaled(x, factor):
    """Compute ``x[n, i] factor[n, k, i]``, shape (M, n, k, i); axes of the factor may be 1."""
    n_members, n_rows, n_inputs = x.shape
    out = scratch("outer", (n_members, n_rows, factor.shape[2], n_inputs), x)
    return torch.mul(x.unsqueeze(2), factor, out=out)
