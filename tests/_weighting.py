"""What the tests of task weighting share: Gramians, and properties that many methods have."""

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from skmtl import weighting
from skmtl.weighting._base import select

METHODS = {
    "equal": weighting.EqualWeights(),
    "fixed": weighting.FixedWeights([2.0]),
    "uncertainty": weighting.UncertaintyWeighting(),
    "dwa": weighting.DynamicWeightAverage(),
    "random": weighting.RandomLossWeighting(),
    "imtl-l": weighting.IMTLL(),
    "chebyshev": weighting.SmoothChebyshev(),
    "famo": weighting.FAMO(),
    "mgda": weighting.MGDA(),
    "mgda, l2": weighting.MGDA(normalization="l2"),
    "mgda, loss+": weighting.MGDA(normalization="loss+"),
    "pcgrad": weighting.PCGrad(),
    "cagrad": weighting.CAGrad(),
    "upgrad": weighting.UPGrad(),
    "imtl-g": weighting.IMTLG(),
    "nash-mtl": weighting.NashMTL(),
    "aligned-mtl": weighting.AlignedMTL(),
    "fairgrad": weighting.FairGrad(alpha=2.0),
    "gradvac": weighting.GradVac(),
    "gradnorm": weighting.GradNorm(),
    "it-mtl": weighting.ITMTL(["equal", "tasks", "cagrad", "dwa"]),
    "composed": weighting.Composition(weighting.UncertaintyWeighting(), weighting.PCGrad()),
}
GRADIENT_METHODS = [name for name, method in METHODS.items() if "gramian" in method.needs]


# of properties of single methods
seeds = st.integers(0, 10**6)
quick = settings(max_examples=15, deadline=None)


def gradients(n_members=1, n_tasks=4, length=6, seed=0):
    """Random gradients, some of which conflict."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_members, n_tasks, length, generator=generator, dtype=torch.float64)


def gramian_of(g):
    return g @ g.mT


def opposite_halves(cosine, ratio=1.0):
    """Two gradients with this cosine, the second `ratio` times as long."""
    sine = (1 - cosine**2) ** 0.5
    return torch.tensor([[[1.0, 0.0], [ratio * cosine, ratio * sine]]], dtype=torch.float64)


def weigh(method, g, **options):
    """Weights of gradients whose losses are 1."""
    return method.weights(torch.ones(g.shape[:2], dtype=g.dtype), gramian_of(g), **options)


def learned(method, losses, n_steps=3000):
    """Weights after many steps with the same losses."""
    state = method.init_state(*losses.shape)
    for _ in range(n_steps):
        weights = method.weights(losses, state=state)
    return weights


def losses_for(n_members=1, n_tasks=4, seed=0):
    generator = torch.Generator().manual_seed(seed + 100)
    return torch.rand(n_members, n_tasks, generator=generator, dtype=torch.float64) + 0.1


def seeded(n_members, seed=0):
    return [torch.Generator().manual_seed(seed + m) for m in range(n_members)]


def run(method, batches, seeds):
    """Weights of some steps, an epoch being two of them.

    Parameters
    ----------
    batches : list of (losses, gramian)
    seeds : list of M ints
    """
    state = method.init_state(*batches[0][0].shape)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    actual = []
    for n, (losses, gramian) in enumerate(batches):
        actual.append(method.weights(losses, gramian, state, generators))
        if "losses after the step" in method.needs:
            # tasks with more weight improve more
            method.end_step(losses, losses * (1 - 0.1 * torch.tanh(actual[-1])), state)
        if n % 2:
            method.end_epoch(state)
    return torch.stack(actual), state


def batches_of(n_members=3, n_tasks=5, n_steps=6, absent=0.3, seed=0):
    """Random batches in which tasks may be absent."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for step in range(n_steps):
        losses = losses_for(n_members, n_tasks, seed + step)
        g = gradients(n_members, n_tasks, seed=seed + step)
        gone = torch.rand(n_members, n_tasks, generator=generator) < absent
        batches.append((losses.masked_fill(gone, torch.nan), gramian_of(g * ~gone.unsqueeze(2))))
    return batches


def projections(weights, g):
    """Inner products of the step with every gradient, shape (M, T)."""
    step = (weights.unsqueeze(2) * g).sum(1, keepdim=True)
    return (step @ g.mT).squeeze(1)


def by_torchjd(method, g):
    """Weights that a method of TorchJD gives, member by member, scaled to mean 1."""
    rows = torch.stack([method(gramian_of(one)) for one in g])
    return rows / rows.mean(1, keepdim=True)


def assert_close(actual, expected, rtol=1e-7, atol=1e-9):
    np.testing.assert_allclose(
        torch.as_tensor(actual).numpy(), torch.as_tensor(expected).numpy(), rtol=rtol, atol=atol
    )


def part_of(state, members, n_tasks=None):
    return select(state, members, n_tasks)
