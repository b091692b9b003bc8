"""The concave front: solvers train a generator that maps preferences to solutions."""

import time

import numpy as np
import pandas as pd
import torch
from common.cli import QUICK
from pareto_paper.targets import target
from torch.func import functional_call, jacrev, vmap

from skmtl.datasets import make_concave_front
from skmtl.metrics import hypervolume
from skmtl.training import get_solver


def train_generator(problem, solver, n_steps, seed, n_variables, n_preferences=8):
    """Train a network with two hidden layers of 50 that maps a ray to a solution.

    Returns
    -------
    callable
        Maps preferences (P, 2) to losses (P, 2).
    """
    torch.manual_seed(seed)
    solver = get_solver(solver, n_reference_vectors=10)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 50),
        torch.nn.Tanh(),
        torch.nn.Linear(50, 50),
        torch.nn.Tanh(),
        torch.nn.Linear(50, n_variables),
    ).double()
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        # it begins at the centre of the problem, where slopes are not zero
        network[-1].weight.mul_(0.1)
        network[-1].bias.zero_()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    # the rate falls to zero, so that the last steps are small
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    generator = np.random.default_rng(seed)

    def inputs_of(rays):
        # solutions change with the root of a ray where it is nearly zero
        return 2 * rays.sqrt() - 1

    def losses_of(parameters, ray):
        return problem.losses(functional_call(network, parameters, (inputs_of(ray),)))

    gradients_of = vmap(jacrev(losses_of), in_dims=(None, 0))
    for _ in range(n_steps):
        # more at the ends, which are slow to be reached
        rays = solver.limited(generator.dirichlet(np.full(2, 0.25), n_preferences))
        tensor = torch.from_numpy(rays)
        found = gradients_of(parameters, tensor)
        rows = torch.cat([g.detach().flatten(2) for g in found.values()], dim=2)
        with torch.no_grad():
            losses = problem.losses(network(inputs_of(tensor))).numpy()
        gramian = (rows @ rows.mT).numpy()
        weights = solver.weights(losses, gramian, rays, None, generator)
        # `weight_scale="sum_abs"`: the shortest vectors, near the ends, would hardly count
        weights *= weights.shape[1] / np.abs(weights).sum(axis=1, keepdims=True)
        weights = torch.from_numpy(weights)
        step = (weights.unsqueeze(2) * rows).sum((0, 1)) / n_preferences
        pieces = step.split([p.numel() for p in parameters.values()])
        for p, piece in zip(parameters.values(), pieces, strict=True):
            p.grad = piece.view_as(p)
        optimizer.step()
        schedule.step()

    def front(preferences):
        rays = torch.from_numpy(solver.rays(preferences))
        with torch.no_grad():
            return problem.losses(network(inputs_of(rays))).numpy()

    return front


def spread_of(points):
    """Return the largest and the mean distance of neighbours along a front of two losses."""
    points = points[np.lexsort((-points[:, 1], points[:, 0]))]
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return float(gaps.max()), float(gaps.mean())


def front_experiment():
    """Check that the Pareto solver covers a concave front, and weighted sums its ends only."""
    rows = []
    n_steps = 300 if QUICK else 16000
    # from one end to the other; limits as those of a user
    angles = np.linspace(0, np.pi / 2, 100)
    # rays evenly spaced in angle, as the figure shows them; as preferences their reciprocals
    p = np.column_stack([np.sin(angles), np.cos(angles)]).clip(1e-9)
    for shape in ("straight", "sine"):
        problem = make_concave_front(shape, n_variables=20)
        true = hypervolume(problem.pareto_front, problem.reference_point)
        for solver in ("linear", "pareto", "chebyshev", "epo"):
            for seed in range(1 if QUICK or solver == "epo" else 3):
                start = time.process_time()
                front = train_generator(
                    problem, solver, n_steps if solver != "epo" else min(n_steps, 3000), seed, 20
                )
                preferences = 1 / p / (1 / p).sum(1, keepdims=True)
                losses = front(preferences)
                largest, mean = spread_of(losses)
                middle = ((losses > 0.2) & (losses < 0.9)).all(axis=1).mean()
                rows.append(
                    {
                        "shape": shape,
                        "solver": solver,
                        "seed": seed,
                        "hypervolume": hypervolume(losses, problem.reference_point),
                        "share_of_true": hypervolume(losses, problem.reference_point) / true,
                        "largest_gap": largest,
                        "mean_gap": mean,
                        "share_between_ends": middle,
                        "seconds": time.process_time() - start,
                    }
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    means = table.groupby(["shape", "solver"]).mean(numeric_only=True)
    for shape in ("straight", "sine"):
        own = table[(table["shape"] == shape) & (table["solver"] == "pareto")]
        share = own["share_of_true"].min()
        gap = (own["largest_gap"] / own["mean_gap"]).max()
        target(
            "front",
            f"{shape}: hypervolume, share of the true front's (least of the seeds)",
            ">= 0.98",
            f"{share:.4f}",
            share >= 0.98,
        )
        target(
            "front",
            f"{shape}: largest gap over mean gap (largest of the seeds)",
            "<= 2",
            f"{gap:.2f}",
            gap <= 2,
        )
        linear = means.loc[(shape, "linear")]
        target(
            "front",
            f"{shape}: linear, share of points between the ends",
            "<= 0.2",
            f"{linear['share_between_ends']:.2f}",
            linear["share_between_ends"] <= 0.2,
            f"hypervolume {linear['share_of_true']:.2f} of the true one's",
        )
    return table
