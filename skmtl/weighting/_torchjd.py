"""Use methods of the library TorchJD."""

import copy

import numpy as np
import torch

from skmtl.weighting._gradient import GradientWeighting


class TorchJDWeighting(GradientWeighting):
    """Use a method of the library TorchJD that computes weights from a Gramian.

    An estimator also takes such a method directly. Every member has a separate copy of it.

    Parameters
    ----------
    weighting : torchjd.aggregation.Weighting
        A weighting of Gramians, not of matrices: the matrix of gradients is never formed.

    See Also
    --------
    PCGrad : The methods of this package are faster.

    Notes
    -----
    Weights are not scaled: where their sum is 1, a step is as short as that of one task. Tasks
    absent from a batch are removed, so the number of tasks may change from step to step.

    Examples
    --------
    >>> import torch
    >>> from skmtl.weighting import TorchJDWeighting
    >>> TorchJDWeighting(torch.nn.Identity()).needs
    frozenset({'gramian'})
    """

    def __init__(self, weighting):
        self.weighting = weighting

    def _state(self, n_members, n_tasks):
        return {"copies": [copy.deepcopy(self.weighting) for _ in range(n_members)]}

    def _solve(self, group):
        weights = []
        for g, (gramian, member) in enumerate(zip(group.gramian, group.members[:, 0], strict=True)):
            method = group.state["copies"][member]
            generator = None if group.generators is None else group.generators[g]
            seed = torch.randint(2**31 - 1, (1,), generator=generator).item()
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(seed)
                # in torch's default precision, which a method's state may have
                dense = torch.from_numpy(gramian).to(torch.get_default_dtype())
                weights.append(method(dense).double().numpy())
        return np.stack(weights)
