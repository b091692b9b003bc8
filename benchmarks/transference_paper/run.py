"""The paper on transference: its tables 2 and 5 on overlaid digits, and orders of affinity.

All methods train on the same rows and with the same initial weights. ``_sgd`` is the paper's
optimiser, ``_adam`` that of the estimators.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import QUICK, check_names, parser
from common.data import DIGITS, multi_mnist, small_digits
from common.saving import save
from common.summaries import interval, standard_error
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from skmtl import MultiTaskClassifier
from skmtl.architectures import IndependentNetworks, SharedBottom
from skmtl.model_selection import fit_many
from skmtl.weighting import ITMTL, Affinity

# of Adam, and of gradient descent with momentum, as the paper has it
RATES = {"adam": (3e-4, 1e-3, 3e-3, 1e-2), "sgd": (1e-2, 3e-2, 1e-1, 3e-1)}
SINGLE, PAIR = ["equal", "tasks"], ["equal", "pcgrad"]
METHODS = {
    "equal": "equal",
    "uncertainty": "uncertainty",
    "pcgrad": "pcgrad",
    "mgda-ub": "mgda-ub",
    "IT": ITMTL(SINGLE),
    "IT, first order": ITMTL(SINGLE, approximate=1),
    "IT, random candidate": ITMTL(SINGLE, choice="random"),
    "uncertainty + pcgrad": ("uncertainty", "pcgrad"),
    "uncertainty + IT": ("uncertainty", ITMTL(SINGLE)),
    "uncertainty + IT, random candidate": ("uncertainty", ITMTL(SINGLE, choice="random")),
    "uncertainty + IT-pcgrad": ("uncertainty", ITMTL(PAIR)),
    "uncertainty + IT-pcgrad, first order": ("uncertainty", ITMTL(PAIR, approximate=1)),
    "uncertainty + IT-pcgrad, random candidate": ("uncertainty", ITMTL(PAIR, choice="random")),
}
# what a method is compared with besides "equal"
RIVALS = {
    "IT": ["IT, random candidate", "IT, first order"],
    "uncertainty + pcgrad": ["uncertainty"],
    "uncertainty + IT": ["uncertainty", "uncertainty + IT, random candidate"],
    "uncertainty + IT-pcgrad": [
        "uncertainty",
        "uncertainty + pcgrad",
        "uncertainty + IT-pcgrad, random candidate",
        "uncertainty + IT-pcgrad, first order",
    ],
}
SETTINGS = {
    "alpha": 0.0,
    "weight_averaging": 0.0,
    "validation_fraction": 1 / 6,
    "n_iter_no_change": 15,
}
# rows in a batch and epochs: the larger table has more of the former and less of the latter
LOOPS = {"small": (128, 60), "multi_mnist": (256, 40)}


class MomentumSharedBottom(SharedBottom):
    """With gradient descent and momentum 0.9, the paper's optimiser."""

    def loop_settings(self, members):
        """Return the optimiser."""
        return {"solver": "sgd", "momentum": 0.9}


class MomentumIndependentNetworks(IndependentNetworks):
    """With gradient descent and momentum 0.9, the paper's optimiser."""

    def loop_settings(self, members):
        """Return the optimiser."""
        return {"solver": "sgd", "momentum": 0.9}


SIZES = {"hidden_layer_sizes": (64, 64)}
ARCHITECTURES = {
    "adam": (SharedBottom(**SIZES), IndependentNetworks(**SIZES)),
    "sgd": (MomentumSharedBottom(**SIZES), MomentumIndependentNetworks(**SIZES)),
}


def accuracies(model, X, Y):
    """Return the accuracy of each task."""
    predicted = np.asarray(model.predict(X)).astype(int)
    return dict(zip(DIGITS, (predicted == Y.to_numpy()).mean(axis=0), strict=True))


def runs_of(name, solver, tables):
    """Fit every method on every table; return a row per run."""
    shared, apart = ARCHITECTURES[solver]
    batch_size, max_iter = LOOPS[name]
    settings = {**SETTINGS, "batch_size": batch_size, "max_iter": 3 if QUICK else max_iter}

    def fit(architecture, rate, **more):
        models = [
            MultiTaskClassifier(
                architecture, **settings, learning_rate_init=rate, random_state=run, **more
            )
            for run in range(len(tables))
        ]
        return fit_many(models, [(X, Y) for X, Y, _, _ in tables])

    # the rate of the plain method, by its validation loss; all methods share it
    losses = {}
    for rate in RATES[solver]:
        models = fit(shared, rate)
        losses[rate] = np.mean([m.history_["valid_loss"].min() for m in models])
    rate = min(losses, key=losses.get)
    print(name, solver, losses, flush=True)
    rows = []
    methods = {"single-task models": None, **METHODS}
    for method, weighting in methods.items():
        if weighting is None:
            models = fit(apart, rate)
        else:
            models = fit(shared, rate, task_weighting=weighting)
        for run, (model, (_, _, X_test, Y_test)) in enumerate(zip(models, tables, strict=True)):
            row = {"data": name, "method": method, "run": run, **accuracies(model, X_test, Y_test)}
            row |= {"epochs": model.n_iter_, "learning_rate": rate}
            if "IT" in method:
                choices = model.candidate_choices_["candidate"]
                row["share_equal"] = float((choices == "equal").mean())
                row["transference"] = model.candidate_choices_["transference"].mean()
            rows.append(row)
        means = pd.DataFrame(rows[-len(tables) :])[DIGITS].mean()
        print(f"{name}: {method}: {means.round(4).to_dict()}", flush=True)
    return pd.DataFrame(rows)


def summarise(table):
    """Return means by method, and paired differences in points of accuracy."""
    summary, differences = [], []
    for name, part in table.groupby("data", sort=False):
        for method, own in part.groupby("method", sort=False):
            row = {"data": name, "method": method, "runs": len(own)}
            for task in DIGITS:
                row[task] = 100 * own[task].mean()
                row[f"{task}_se"] = 100 * standard_error(own[task])
            for column in ("epochs", "share_equal", "transference"):
                row[column] = own[column].mean()
            summary.append(row)
        by_run = part.assign(both=part[DIGITS].mean(axis=1)).pivot(index="run", columns="method")
        for method in part["method"].unique():
            for rival in ["equal", *RIVALS.get(method, [])]:
                if rival == method:
                    continue
                row = {"data": name, "difference": f"{method} - {rival}"}
                for column in (*DIGITS, "both"):
                    values = 100 * (by_run[column][method] - by_run[column][rival])
                    row[column], row[f"{column}_half_width_95"] = interval(values, 0.95)
                differences.append(row)
    return pd.DataFrame(summary), pd.DataFrame(differences)


def results(name, solver, tables):
    """Yield the tables of one data set, and their names."""
    found = runs_of(name, solver, tables)
    summary, differences = summarise(found)
    for table, file in ((found, ""), (summary, "_summary"), (differences, "_differences")):
        table.insert(1, "solver", solver)
        yield table, f"{name}_{solver}{file}"


def small(solver, options):
    """Run tables 2 and 5 on overlaid small digits."""
    n_runs = 3 if QUICK else 20
    tables = [small_digits(seed) for seed in range(n_runs)]
    yield from results("small", solver, tables)


def larger(solver, options):
    """Run tables 2 and 5 on MultiMNIST."""
    if options.data_home is None:
        print("multi_mnist needs --data-home; it is left out")
        return
    n_runs = 3 if QUICK else 20
    tables = [multi_mnist(options.data_home)] * n_runs
    yield from results("multi_mnist", solver, tables)


def affinity(options):
    """Compare the orders of affinity with the exact values, against the learning rate."""
    X, y = load_digits(return_X_y=True)
    # nine binary tasks, as many as the paper has
    Y = pd.DataFrame({f"is {k}": (y == k).astype(int) for k in range(9)})
    n_rows, n_runs = (300, 2) if QUICK else (None, 5)
    others = ~np.eye(9, dtype=bool)
    rows = []
    for rate in (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1):
        found = {}
        for order in (None, 1, 2):
            models = [
                MultiTaskClassifier(
                    SharedBottom(activation="tanh", **SIZES),
                    record_affinity=Affinity(every=5, approximate=order, heads_first=False),
                    learning_rate_init=rate,
                    weight_averaging=0.0,
                    early_stopping=False,
                    max_iter=2 if QUICK else 20,
                    random_state=run,
                )
                for run in range(n_runs)
            ]
            fit_many(models, [(X[:n_rows], Y[:n_rows])] * n_runs)
            found[order] = np.stack([model.affinity_.to_numpy()[others] for model in models])
        for order in (1, 2):
            ranks = [
                spearmanr(a, b).statistic for a, b in zip(found[None], found[order], strict=True)
            ]
            # of the size of the exact values
            error = np.abs(found[order] - found[None]).mean() / np.abs(found[None]).mean()
            mean, half = interval(ranks, 0.95)
            row = {"learning_rate": rate, "order": order, "runs": n_runs, "spearman": mean}
            row |= {"half_width_95": half, "relative_error": error}
            rows.append(row)
            print(row, flush=True)
    yield pd.DataFrame(rows), "affinity"


EXPERIMENTS = {
    "small_sgd": partial(small, "sgd"),
    "small_adam": partial(small, "adam"),
    "multi_mnist_sgd": partial(larger, "sgd"),
    "multi_mnist_adam": partial(larger, "adam"),
    "affinity": affinity,
}


def main():
    """Run experiments and save them."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; all")
    parse.add_argument("--data-home", help="folder with multi_mnist/multi_mnist.npz")
    options = parse.parse_args()
    for name in check_names(options.experiments, EXPERIMENTS, parse):
        for table, file in EXPERIMENTS[name](options):
            print(table.to_string(index=False), flush=True)
            save(table, file)


if __name__ == "__main__":
    main()
