"""Gradient descent with momentum over the member axis."""

import torch

from skmtl.training._optimizer import MemberAdam


class MemberSGD(MemberAdam):
    """Gradient descent with momentum on one ``(M, P)`` buffer.

    Parameters
    ----------
    module, lr, weight_decay, averaging, clip_norm
        As `MemberAdam` takes them; the decay is decoupled, too.
    momentum : float, default=0.0
        Share of the last step's direction that is kept.

    Notes
    -----
    ``v = momentum * v + g`` and ``w = w - lr * v``, as torch's SGD.
    """

    def __init__(self, module, *args, momentum=0.0, **settings):
        super().__init__(module, *args, **settings)
        self.param_groups[0]["momentum"] = momentum

    def _rate(self, lr):
        return -lr if self._factors is None else -lr * self._factors

    def _move(self, gradient, lr):
        self.mean.mul_(self.param_groups[0]["momentum"]).add_(gradient)
        self.buffer.addcmul_(self.mean, self._rate(lr))

    def _moved(self, start, gradient, lr):
        mean = self.mean * self.param_groups[0]["momentum"] + gradient
        return torch.addcmul(start, mean, self._rate(lr))
