"""Trade-offs of `ParetoHypernet`: the concave front, control by preferences, real tables, latency.

Experiments are chosen by name: ``python benchmarks/paper_pareto.py front control latency``.
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _common import save, saved, standard_error, time_interleaved, verdict
from _pareto_tables import ENSEMBLE, FROM_FILES, OURS, POINTS, TABLES, run
from scipy.stats import spearmanr
from torch.func import functional_call, jacrev, vmap

from skmtl import ParetoHypernet
from skmtl.baselines import SharedBottomRegressor
from skmtl.datasets import make_concave_front
from skmtl.metrics import hypervolume
from skmtl.training import get_solver
from skmtl.weighting._preferences import of_equal_size

# experiments write a table of fits and, here, a line for each target
TARGETS = []


def target(experiment, what, bound, got, holds, note=""):
    """Keep one line of the table of targets, and print it."""
    TARGETS.append(
        {
            "experiment": experiment,
            "what": what,
            "target": bound,
            "got": got,
            "result": verdict(holds),
            "note": note,
        }
    )
    print(TARGETS[-1], flush=True)


# the concave front: solvers on a generator p -> x


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
        # `weight_scale="sum_abs"`: the shortest vectors, near the ends, would hardly be heard
        weights = torch.from_numpy(of_equal_size(weights))
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
    """Largest and mean distance between neighbours along a front of two losses."""
    points = points[np.lexsort((-points[:, 1], points[:, 0]))]
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return float(gaps.max()), float(gaps.mean())


def front_experiment(quick):
    """The Pareto solver covers a concave front, weighted sums its ends only."""
    rows = []
    n_steps = 300 if quick else 16000
    # from one end to the other; limits as those of a user
    angles = np.linspace(0, np.pi / 2, 100)
    # rays evenly spaced in angle, as the figure shows them; as preferences their reciprocals
    p = np.column_stack([np.sin(angles), np.cos(angles)]).clip(1e-9)
    for shape in ("straight", "sine"):
        problem = make_concave_front(shape, n_variables=20)
        true = hypervolume(problem.pareto_front, problem.reference_point)
        for solver in ("linear", "pareto", "chebyshev", "epo"):
            for seed in range(1 if quick or solver == "epo" else 3):
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


# control: one weight is swept


def related_tasks(n_tasks, seed, n_rows=2000):
    """Smooth functions of six features, a different one for each task, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n_rows, 6))
    first, second = (rng.normal(size=(6, n_tasks)) / np.sqrt(6) for _ in range(2))
    Y = np.sin(1.5 * X @ first) + np.tanh(2 * X @ second)
    Y += 0.1 * rng.normal(size=Y.shape)
    return X[:n_rows], Y[:n_rows], X[n_rows:], Y[n_rows:]


def sweeps(model, X, Y, weights):
    """Spearman's correlation of each task's weight with its loss, the others being equal."""
    n_tasks = Y.shape[1]
    found = []
    for task in range(n_tasks):
        P = np.repeat(((1 - weights) / (n_tasks - 1))[:, None], n_tasks, axis=1)
        P[:, task] = weights
        loss = ((model.predict(X, preference=P)[..., task] - Y[:, task]) ** 2).mean(1)
        found.append(spearmanr(weights, loss).statistic)
    return found


def control_experiment(quick, solvers):
    """More weight on a task means a lower test loss of it."""
    rows = []
    for n_tasks, width in ((2, 4), (3, 6), (20, 16)):
        for seed in range(1 if quick else 4):
            X, Y, X_test, Y_test = related_tasks(n_tasks, seed)
            for solver in solvers:
                if solver == "pareto" and n_tasks > 3:
                    continue  # hours: 20 backward passes in each step
                model = ParetoHypernet(
                    solver=solver, hidden_layer_sizes=(width,), random_state=seed
                )
                model.set_params(max_iter=20 if quick else 1000).fit(X, Y)
                for task, rho in enumerate(
                    sweeps(model, X_test, Y_test, np.linspace(0.02, 0.9, 15))
                ):
                    rows.append(
                        {
                            "n_tasks": n_tasks,
                            "seed": seed,
                            "solver": solver,
                            "task": task,
                            "spearman": rho,
                            "epochs": model.n_iter_,
                        }
                    )
                print(
                    n_tasks,
                    seed,
                    solver,
                    np.mean([r["spearman"] for r in rows[-n_tasks:]]),
                    flush=True,
                )
    table = pd.DataFrame(rows)
    for solver in solvers:
        own = table[table["solver"] == solver]
        by_size = own.groupby("n_tasks")["spearman"].mean()
        got = by_size.mean()
        each = ", ".join(f"{n} tasks {value:.3f}" for n, value in by_size.items())
        target(
            "control",
            f"{solver}: Spearman of weight and test loss, mean over problems",
            "<= -0.95",
            f"{got:.3f}",
            got <= -0.95,
            each,
        )
    return table


# latency and time of training


def latency_experiment(quick):
    """What a preference costs when predicting, and all of them when training."""
    X, Y, X_test, _ = related_tasks(2, 0, n_rows=1000)
    settings = {"random_state": 0, "max_iter": 5 if quick else 40, "early_stopping": False}
    plain = SharedBottomRegressor(**settings).fit(X, Y)
    model = ParetoHypernet(**settings).fit(X, Y)
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(2), 1000)
    n_repeats = 5 if quick else 30

    def calls(predict, number=10):
        def prepare():
            def run():
                for k in range(number):
                    predict(k)

            return run

        return prepare

    one = (
        time_interleaved(
            {
                "plain": calls(lambda k: plain.predict(X_test)),
                "new preference": calls(lambda k: model.predict(X_test, preference=P[k])),
            },
            n_repeats,
        )
        / 10
    )
    many = time_interleaved(
        {
            "one call": calls(lambda k: model.predict(X_test, preference=P), 1),
            "1000 calls": calls(lambda k: model.predict(X_test, preference=P[k]), 1000),
        },
        1 if quick else 9,
    )
    fits = {
        "plain": SharedBottomRegressor(**settings),
        "linear": ParetoHypernet(solver="linear", **settings),
        "pareto": ParetoHypernet(solver="pareto", **settings),
        "pareto, 8 preferences": ParetoHypernet(solver="pareto", n_preferences=8, **settings),
        "chebyshev": ParetoHypernet(solver="chebyshev", **settings),
    }
    seconds = (
        time_interleaved(
            {name: partial(partial, estimator.fit, X, Y) for name, estimator in fits.items()},
            1 if quick else 5,
        )
        / settings["max_iter"]
    )
    ratio = (one["new preference"] / one["plain"]).median()
    target(
        "latency",
        "prediction of 1000 rows, new preference over plain network",
        "<= 1.5",
        f"{ratio:.2f}",
        ratio <= 1.5,
    )
    ratio = (many["one call"] / many["1000 calls"]).median()
    target(
        "latency",
        "1000 preferences of 1000 rows, one call over 1000 calls",
        "<= 0.2",
        f"{ratio:.3f}",
        ratio <= 0.2,
    )
    for name in list(fits)[1:]:
        ratio = (seconds[name] / seconds["plain"]).median()
        target(
            "latency",
            f"training per epoch, {name}, over plain network",
            "<= 3",
            f"{ratio:.2f}",
            ratio <= 3,
        )
    parts = {"prediction": one, "many": many, "training epoch": seconds}
    tables = [
        part.melt(var_name="contender", value_name="seconds").assign(what=what)
        for what, part in parts.items()
    ]
    return pd.concat(tables, ignore_index=True)


# fronts of tables


def table_experiment(quick, data_home, n_seeds, methods, resume, name):
    """Hypervolumes on test rows, and scores with preferences chosen by validation rows."""
    if data_home is None and name in FROM_FILES:
        print(f"{name} needs --data-home; left out")
        return None
    rows = saved(f"paper_pareto_{name}").to_dict("records") if resume else []
    for seed in range(1 if quick else n_seeds):
        done = {row["method"] for row in rows if row["seed"] == seed}
        for row in run(name, seed, quick, data_home, methods, done):
            rows.append(row)
            print(row, flush=True)
        save(pd.DataFrame(rows), f"paper_pareto_{name}")
    results = pd.DataFrame(rows)
    volumes = results.pivot(index="seed", columns="method", values="hypervolume")
    scores = results.pivot(index="seed", columns="method", values="score")
    even = results.pivot(index="seed", columns="method", values="score_of_equal_preference")
    several = [method for method in volumes if method.startswith("25")]
    for own in (*OURS, ENSEMBLE):
        if own not in volumes:
            continue
        single = volumes.columns.drop([*OURS, ENSEMBLE, *several], errors="ignore")
        for rival in several if own == ENSEMBLE else [*several, *single]:
            share = 0.98 if rival in several else 1.0
            both = volumes[[own, rival]].dropna()
            got = both[own].mean() / both[rival].mean()
            error = standard_error(both[own] - both[rival]) if len(both) > 1 else np.nan
            note = f"difference {(both[own] - both[rival]).mean():.2g} (standard error {error:.2g})"
            what = f"{own}: hypervolume over that of {rival}"
            target(name, what, f">= {share:g}", f"{got:.4f}", got >= share, note)
        if own == ENSEMBLE:
            continue
        rivals = {rival: scores[rival] for rival in POINTS if rival in scores}
        rivals["the same network, equal preference"] = even[own]
        for rival, values in rivals.items():
            gain = scores[own] - values
            error = standard_error(gain) if len(gain) > 1 else np.nan
            what = f"{own}: score with preferences chosen on validation rows, above {rival}"
            note = f"{scores[own].mean():.4f}, standard error of the difference {error:.2g}"
            target(name, what, "> 0", f"{gain.mean():+.4f}", gain.mean() > 0, note)
    return results


EXPERIMENTS = {
    "front": front_experiment,
    "control": control_experiment,
    "latency": latency_experiment,
    **{name: partial(table_experiment, name=name) for name in TABLES},
}


def main():
    """Run experiments and keep their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; all")
    files = ", ".join(FROM_FILES.values())
    parser.add_argument("--data-home", type=Path, help=f"folder that holds {files}")
    parser.add_argument("--seeds", type=int, default=10, help=f"of {', '.join(TABLES)}")
    parser.add_argument("--methods", nargs="+", help="of the tables; all")
    parser.add_argument("--resume", action="store_true", help="keep the rows that tables have")
    parser.add_argument("--solvers", nargs="+", default=["linear", "pareto"], help="of control")
    parser.add_argument("--quick", action="store_true", help="a short run, which writes nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in options.experiments or EXPERIMENTS:
        TARGETS.clear()
        more = []
        if name in TABLES:
            more = [options.data_home, options.seeds, options.methods, options.resume]
        if name == "control":
            more = [options.solvers]
        table = EXPERIMENTS[name](options.quick, *more)
        if table is not None and not options.quick:
            save(table, f"paper_pareto_{name}")
            save(pd.DataFrame(TARGETS), f"paper_pareto_{name}_targets")


if __name__ == "__main__":
    main()
