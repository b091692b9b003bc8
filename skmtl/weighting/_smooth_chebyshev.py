"""Smooth Chebyshev scalarisation: give the largest losses the most weight."""

import numpy as np
import torch

from skmtl.weighting._base import TaskWeighting, mean_one, register


@register("chebyshev")
class SmoothChebyshev(TaskWeighting):
    """Minimise a smooth form of the largest loss.

    Unlike weighted sums it can reach every Pareto optimal model, also on a concave front.

    Parameters
    ----------
    smoothness : float, default=0.1
        The smaller, the closer to the largest loss alone.
    preference : array-like of shape (T,) or None, default=None
        Factors of the losses before they are compared; None is 1 / T for all.
    ideal : array-like of shape (T,) or float, default=0.0
        Smallest losses that can be reached; they are subtracted from the losses.

    See Also
    --------
    FixedWeights : A weighted sum.

    Notes
    -----
    Training minimises ``mu log(sum_t exp(p_t (L_t - z_t) / mu))`` with the mean loss L_t, the
    preference p_t, the ideal loss z_t and the smoothness mu, equation 8 of [1]_. So w_t is its
    derivative, ``p_t softmax_t(p_t (L_t - z_t) / mu)``. Departure: weights are scaled to mean 1, so
    that learning rate and penalties have the same meaning as with equal weights.

    References
    ----------
    .. [1] Lin et al., "Smooth Tchebycheff scalarization for multi-objective optimization",
       ICML 2024, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import SmoothChebyshev
    >>> SmoothChebyshev(smoothness=0.5).weights(torch.tensor([[1.0, 2.0]]))
    tensor([[0.5379, 1.4621]])
    """

    def __init__(self, smoothness=0.1, preference=None, ideal=0.0):
        self.smoothness = smoothness
        self.preference = preference
        self.ideal = ideal

    def _check_parameters(self, n_tasks):
        if not self.smoothness > 0:
            raise ValueError(f"smoothness must be above 0, got {self.smoothness!r}.")
        for name in ("preference", "ideal"):
            value = getattr(self, name)
            if value is not None and np.ndim(value) and len(value) > n_tasks:
                raise ValueError(f"{name} has {len(value)} numbers for {n_tasks} tasks.")
        if self.preference is not None and not (np.asarray(self.preference) > 0).all():
            raise ValueError(f"preference must be above 0, got {self.preference!r}.")

    def _state(self, n_members, n_tasks):
        if self.preference is None and not np.ndim(self.ideal):
            return None
        values = {}
        for name, default in (("preference", 1 / n_tasks), ("ideal", 0.0)):
            row = torch.full((n_tasks,), default, dtype=torch.float64)
            given = getattr(self, name)
            if given is not None:
                given = torch.as_tensor(np.asarray(given, dtype=float))
                row[: len(given) if given.ndim else n_tasks] = given
            values[name] = row.repeat(n_members, 1)
        return values

    def _weights(self, losses, gramian, present, state, generators):
        if state is None:
            preference = 1 / present.sum(1, keepdim=True).clamp(min=1)
            ideal = self.ideal
        else:
            preference, ideal = state["preference"], state["ideal"]
        logits = preference * (losses - ideal) / self.smoothness
        softmax = logits.masked_fill(~present, -torch.inf).softmax(1).nan_to_num(0.0)
        return mean_one(preference * softmax, present)
