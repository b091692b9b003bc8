"""Noise of the Gumbel-softmax, drawn for each member independently of the others.

It is a function of a member's seed, its number of steps and its tasks, without state: no generator
has to be selected, copied or stored with a module.
"""

import numpy as np
import torch

# steps whose noise is drawn at once, since creating a generator costs more than drawing
STEPS_AHEAD = 16


def draw_noise(seeds, chunk, n_tasks, n_components):
    """Draw the logistic noise (M, 16, max(n_tasks), C) of a chunk of 16 steps from the seeds."""
    noise = torch.zeros(len(seeds), STEPS_AHEAD, max(n_tasks), n_components)
    for m, (seed, number, n) in enumerate(zip(seeds, chunk, n_tasks, strict=True)):
        key = np.random.SeedSequence([seed, number]).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(key))
        # for the member's tasks only: the draws do not depend on members with more tasks
        u = torch.rand(STEPS_AHEAD, n, n_components, generator=generator, dtype=torch.float32)
        u = u.double().clamp(1e-12, 1 - 1e-7)
        noise[m, :, :n] = torch.log(u) - torch.log1p(-u)
    return noise
