"""Noise of the Gumbel-softmax: of every member its own, whatever its company.

It follows from a member's seed, the number of its step and its own tasks, and needs no state, so
that nothing of a random generator has to be selected, copied or stored with a module.
"""

import numpy as np
import torch

# steps whose noise is drawn at once: making a generator costs more than drawing
STEPS_AHEAD = 16


def noise_of(seeds, chunk, n_tasks, n_components):
    """Noise of some steps of every member, from its seed and their number only.

    Returns
    -------
    Tensor of shape (M, 16, max(n_tasks), C)
        Differences of two Gumbel variables: logistic.
    """
    noise = torch.zeros(len(seeds), STEPS_AHEAD, max(n_tasks), n_components)
    for m, (seed, number, own) in enumerate(zip(seeds, chunk, n_tasks, strict=True)):
        key = np.random.SeedSequence([seed, number]).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(key))
        # of the member's own tasks only: company with more of them changes nothing
        u = torch.rand(STEPS_AHEAD, own, n_components, generator=generator, dtype=torch.float32)
        u = u.double().clamp(1e-12, 1 - 1e-7)
        noise[m, :, :own] = torch.log(u) - torch.log1p(-u)
    return noise
