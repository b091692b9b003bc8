"""The paper on transference: its tables 2 and 5 on overlaid digits, and orders of affinity.

Run as a file with the names of experiments, all by default; ``--quick`` takes a minute or two and
writes nothing. The runs of a method train side by side, all methods on the same rows and with the
same initial weights. ``_sgd`` is the paper's optimiser, ``_adam`` that of the estimators.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _common import interval, save, side_by_side, standard_error
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

from skmtl.baselines import IndependentTasksClassifier, SharedBottomClassifier
from skmtl.datasets import make_overlaid_digits
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
TASKS = ["left", "right"]
SETTINGS = {
    "alpha": 0.0,
    "hidden_layer_sizes": (64, 64),
    "weight_averaging": 0.0,
    "validation_fraction": 1 / 6,
    "n_iter_no_change": 15,
}
# rows in a batch and epochs: the larger table has more of the former and less of the latter
LOOPS = {"small": (128, 60), "multi_mnist": (256, 40)}


class SharedBottom(SharedBottomClassifier):
    """With gradient descent and momentum 0.9, the paper's optimiser."""

    def _loop_settings(self):
        return {"solver": "sgd", "momentum": 0.9}


class IndependentTasks(IndependentTasksClassifier):
    """With gradient descent and momentum 0.9, the paper's optimiser."""

    def _loop_settings(self):
        return {"solver": "sgd", "momentum": 0.9}


CLASSES = {
    "adam": (SharedBottomClassifier, IndependentTasksClassifier),
    "sgd": (SharedBottom, IndependentTasks),
}


def small_digits(seed, quick):
    """Training and test rows made of scikit-learn's digits, other ones for every run."""
    bunch = make_overlaid_digits(*((300, 100) if quick else (2000, 1000)), random_state=seed)
    X, Y = bunch.data.to_numpy(), bunch.target
    return X[~bunch.test], Y[~bunch.test], X[bunch.test], Y[bunch.test]


def multi_mnist(folder, quick):
    """Training and test rows of the larger table, the same for every run."""
    arrays = np.load(Path(folder) / "multi_mnist" / "multi_mnist.npz")
    n_rows = 300 if quick else None
    parts = [arrays[name][:n_rows] for name in ("X_train", "Y_train", "X_test", "Y_test")]
    X, Y, X_test, Y_test = (part.astype(float) for part in parts)
    Y, Y_test = (pd.DataFrame(y.astype(int), columns=TASKS) for y in (Y, Y_test))
    return X, Y, X_test, Y_test


def accuracies(model, X, Y):
    """Share of right answers of each task."""
    predicted = np.asarray(model.predict(X)).astype(int)
    return dict(zip(TASKS, (predicted == Y.to_numpy()).mean(axis=0), strict=True))


def runs_of(name, solver, tables, quick):
    """Every method on every table: a row per run."""
    shared, apart = CLASSES[solver]
    batch_size, max_iter = LOOPS[name]
    settings = {**SETTINGS, "batch_size": batch_size, "max_iter": 3 if quick else max_iter}

    def fit(cls, rate, **more):
        models = [
            cls(**settings, learning_rate_init=rate, random_state=run, **more)
            for run in range(len(tables))
        ]
        return side_by_side(models, [(X, Y) for X, Y, _, _ in tables])

    # the rate of the plain method, by its validation loss; all methods share it
    losses = {}
    for rate in RATES[solver]:
        models = fit(shared, rate, head_layer_sizes=())
        losses[rate] = np.mean([m.history_["valid_loss"].min() for m in models])
    rate = min(losses, key=losses.get)
    print(name, solver, losses, flush=True)
    rows = []
    methods = {"single-task models": None, **METHODS}
    for method, weighting in methods.items():
        if weighting is None:
            models = fit(apart, rate)
        else:
            models = fit(
                SharedBottomClassifier, rate, head_layer_sizes=(), task_weighting=weighting
            )
        for run, (model, (_, _, X_test, Y_test)) in enumerate(zip(models, tables, strict=True)):
            row = {"data": name, "method": method, "run": run, **accuracies(model, X_test, Y_test)}
            row |= {"epochs": model.n_iter_, "learning_rate": rate}
            if "IT" in method:
                choices = model.candidate_choices_["candidate"]
                row["share_equal"] = float((choices == "equal").mean())
                row["transference"] = model.candidate_choices_["transference"].mean()
            rows.append(row)
        means = pd.DataFrame(rows[-len(tables) :])[TASKS].mean()
        print(f"{name}: {method}: {means.round(4).to_dict()}", flush=True)
    return pd.DataFrame(rows)


def summarise(table):
    """Mean and standard error by method, and paired differences in points of accuracy."""
    summary, differences = [], []
    for name, part in table.groupby("data", sort=False):
        for method, own in part.groupby("method", sort=False):
            row = {"data": name, "method": method, "runs": len(own)}
            for task in TASKS:
                row[task] = 100 * own[task].mean()
                row[f"{task}_se"] = 100 * standard_error(own[task])
            for column in ("epochs", "share_equal", "transference"):
                row[column] = own[column].mean()
            summary.append(row)
        by_run = part.assign(both=part[TASKS].mean(axis=1)).pivot(index="run", columns="method")
        for method in part["method"].unique():
            for rival in ["equal", *RIVALS.get(method, [])]:
                if rival == method:
                    continue
                row = {"data": name, "difference": f"{method} - {rival}"}
                for column in (*TASKS, "both"):
                    values = 100 * (by_run[column][method] - by_run[column][rival])
                    row[column], row[f"{column}_half_width_95"] = interval(values, 0.95)
                differences.append(row)
    return pd.DataFrame(summary), pd.DataFrame(differences)


def results(name, solver, tables, quick):
    """Tables of one data set, and their names."""
    found = runs_of(name, solver, tables, quick)
    summary, differences = summarise(found)
    for table, file in ((found, ""), (summary, "_summary"), (differences, "_differences")):
        table.insert(1, "solver", solver)
        yield table, f"paper_transference_{name}_{solver}{file}"


def small(solver, options):
    """Tables 2 and 5 in small: methods on overlaid digits of scikit-learn."""
    n_runs = 3 if options.quick else 20
    tables = [small_digits(seed, options.quick) for seed in range(n_runs)]
    yield from results("small", solver, tables, options.quick)


def larger(solver, options):
    """The same on MultiMNIST."""
    if options.data_home is None:
        print("multi_mnist is left out: no --data-home")
        return
    n_runs = 3 if options.quick else 20
    tables = [multi_mnist(options.data_home, options.quick)] * n_runs
    yield from results("multi_mnist", solver, tables, options.quick)


def affinity(options):
    """Agreement of the orders of affinity with the exact one, against the learning rate."""
    X, y = load_digits(return_X_y=True)
    # nine binary tasks, as many as the paper has
    Y = pd.DataFrame({f"is {k}": (y == k).astype(int) for k in range(9)})
    n_rows, n_runs = (300, 2) if options.quick else (None, 5)
    others = ~np.eye(9, dtype=bool)
    rows = []
    for rate in (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1):
        found = {}
        for order in (None, 1, 2):
            models = [
                SharedBottomClassifier(
                    hidden_layer_sizes=(64, 64),
                    head_layer_sizes=(),
                    activation="tanh",
                    record_affinity=Affinity(every=5, approximate=order, heads_first=False),
                    learning_rate_init=rate,
                    weight_averaging=0.0,
                    early_stopping=False,
                    max_iter=2 if options.quick else 20,
                    random_state=run,
                )
                for run in range(n_runs)
            ]
            side_by_side(models, [(X[:n_rows], Y[:n_rows])] * n_runs)
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
    yield pd.DataFrame(rows), "paper_transference_affinity"


EXPERIMENTS = {
    "small_sgd": partial(small, "sgd"),
    "small_adam": partial(small, "adam"),
    "multi_mnist_sgd": partial(larger, "sgd"),
    "multi_mnist_adam": partial(larger, "adam"),
    "affinity": affinity,
}


def main():
    """Run the experiments that are asked for, and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=", ".join(EXPERIMENTS))
    parser.add_argument("--data-home", help="folder with multi_mnist/; without it it is left out")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    unknown = set(options.experiments) - set(EXPERIMENTS)
    if unknown:
        parser.error(f"unknown: {sorted(unknown)}; there are {', '.join(EXPERIMENTS)}")
    for name in options.experiments or EXPERIMENTS:
        for table, file in EXPERIMENTS[name](options):
            print(table.to_string(index=False), flush=True)
            save(table, file)


if __name__ == "__main__":
    main()
