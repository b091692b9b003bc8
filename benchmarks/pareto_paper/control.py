"""Control by preferences, and what preferences cost in prediction and training."""

from functools import partial

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.timing import time_interleaved
from pareto_paper.targets import target
from scipy.stats import spearmanr

from skmtl import MultiTaskRegressor, ParetoHypernet
from skmtl.architectures import SharedBottom


def related_tasks(n_tasks, seed, n_rows=2000):
    """Draw smooth functions of six features, a different one for each task, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n_rows, 6))
    first, second = (rng.normal(size=(6, n_tasks)) / np.sqrt(6) for _ in range(2))
    Y = np.sin(1.5 * X @ first) + np.tanh(2 * X @ second)
    Y += 0.1 * rng.normal(size=Y.shape)
    return X[:n_rows], Y[:n_rows], X[n_rows:], Y[n_rows:]


def sweeps(model, X, Y, weights):
    """Return Spearman's correlation of each task's weight with its loss, the others being equal."""
    n_tasks = Y.shape[1]
    found = []
    for task in range(n_tasks):
        P = np.repeat(((1 - weights) / (n_tasks - 1))[:, None], n_tasks, axis=1)
        P[:, task] = weights
        loss = ((model.predict(X, preference=P)[..., task] - Y[:, task]) ** 2).mean(1)
        found.append(spearmanr(weights, loss).statistic)
    return found


def control_experiment(solvers):
    """Check that more weight on a task means a lower test loss of it."""
    rows = []
    for n_tasks, width in ((2, 4), (3, 6), (20, 16)):
        for seed in range(1 if QUICK else 4):
            X, Y, X_test, Y_test = related_tasks(n_tasks, seed)
            for solver in solvers:
                if solver == "pareto" and n_tasks > 3:
                    continue  # hours: 20 backward passes in each step
                model = ParetoHypernet(
                    solver=solver, hidden_layer_sizes=(width,), random_state=seed
                )
                model.set_params(max_iter=20 if QUICK else 1000).fit(X, Y)
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


def latency_experiment():
    """Time predictions with a preference, and training with all of them."""
    X, Y, X_test, _ = related_tasks(2, 0, n_rows=1000)
    settings = {"random_state": 0, "max_iter": 5 if QUICK else 40, "early_stopping": False}
    plain = MultiTaskRegressor(SharedBottom(), **settings).fit(X, Y)
    model = ParetoHypernet(**settings).fit(X, Y)
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(2), 1000)
    n_repeats = 5 if QUICK else 30

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
        1 if QUICK else 9,
    )
    fits = {
        "plain": MultiTaskRegressor(SharedBottom(), **settings),
        "linear": ParetoHypernet(solver="linear", **settings),
        "pareto": ParetoHypernet(solver="pareto", **settings),
        "pareto, 8 preferences": ParetoHypernet(solver="pareto", n_preferences=8, **settings),
        "chebyshev": ParetoHypernet(solver="chebyshev", **settings),
    }
    seconds = (
        time_interleaved(
            {name: partial(partial, estimator.fit, X, Y) for name, estimator in fits.items()},
            1 if QUICK else 5,
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
