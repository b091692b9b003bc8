"""Random loss weighting: draw the weights at every step."""

import torch

from skmtl.weighting._base import TaskWeighting, register


@register("random")
class RandomLossWeighting(TaskWeighting):
    """Draw random weights at every step: the baseline that other methods should beat.

    In the paper it is as good as several other methods, as its noise helps to escape poor minima.

    See Also
    --------
    EqualWeights : The other baseline.

    Notes
    -----
    ``w = T softmax(z)`` with z of T independent standard normal numbers, algorithm 2 of [1]_.
    Departure: the factor T, the number of tasks in the batch, so that the mean weight is 1.

    References
    ----------
    .. [1] Lin et al., "Reasonable effectiveness of random weighting: a litmus test for multi-task
       learning", TMLR 2022, section 3.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import RandomLossWeighting
    >>> generators = [torch.Generator().manual_seed(0)]
    >>> RandomLossWeighting().weights(torch.ones(1, 3), generators=generators).sum()
    tensor(3.)
    """

    def _weights(self, losses, gramian, present, state, generators):
        weights = torch.zeros_like(losses)
        for m, tasks in enumerate(present):
            n_present = int(tasks.sum())
            # draw for present tasks only, so that a member does not depend on the others
            if n_present:
                generator = None if generators is None else generators[m]
                z = torch.randn(n_present, generator=generator, dtype=torch.float64)
                weights[m, tasks] = n_present * z.softmax(0).to(losses.device)
        return weights
