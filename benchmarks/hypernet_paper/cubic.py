"""The paper's Cubic by the protocol of its published code, with controls and rivals."""

import copy
from itertools import product

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK
from common.summaries import standard_error
from hypernet_paper.data import fetch
from hypernet_paper.reports import describe, run_jobs, target
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from skmtl import MultiTaskHypernetRegressor

N_TASKS, N_TRAIN, N_VALID = 20, 8, 2
METADATA = ["a", "b", "c", "d"]
# of the published code: mean squared errors that the paper prints as root mean squared ones
PAPER = {"with metadata": 0.0231, "without metadata": 0.1222}
BATCH_SIZE = 64  # as in the paper

# settings from which the validation rows choose, one of the dicts for all seeds
HYPERNET_GRID = [
    {
        "hypernet_layers": layers,
        "linear_skip": skip,
        "learning_rate_init": 5e-3,
        "batch_size": BATCH_SIZE,
    }
    for layers, skip in product((0, 1), (False, True))
]
PLAIN_GRID = [
    {"linear_skip": skip, "learning_rate_init": rate, "batch_size": BATCH_SIZE}
    for skip, rate in product((False, True), (5e-4, 1.5e-3, 5e-3))
]
MLP_GRID = [{"learning_rate_init": rate} for rate in (5e-4, 1.5e-3, 5e-3)]


def split_rows(tasks, kept, generator):
    """Draw training and validation rows of tasks.

    Returns
    -------
    train, valid : ndarray of row numbers
    """
    train, valid = [], []
    for task in kept:
        rows = generator.permutation(np.flatnonzero(tasks == task))
        train.append(rows[:N_TRAIN])
        valid.append(rows[N_TRAIN : N_TRAIN + N_VALID])
    return np.concatenate(train), np.concatenate(valid)


def shuffle_columns(X, generator):
    """Shuffle each column on its own between the tasks."""
    X = X.copy()
    tasks = X["task"].unique()
    for column in METADATA:
        values = X.groupby("task")[column].first().loc[tasks].to_numpy()
        X[column] = X["task"].map(dict(zip(tasks, generator.permutation(values), strict=True)))
    return X


class EarlyStoppedMLP:
    """scikit-learn's network, stopped and rewound by given validation rows as ours is."""

    def __init__(self, learning_rate_init, random_state, max_iter=1000, patience=50, tol=1e-4):
        self.network = MLPRegressor(
            hidden_layer_sizes=(32, 32, 32),
            learning_rate_init=learning_rate_init,
            batch_size=BATCH_SIZE,
            random_state=random_state,
        )
        self.max_iter, self.patience, self.tol = max_iter, patience, tol

    def fit(self, X, y, X_val, y_val):
        """Train, an epoch at a time."""
        self.x_scaler = StandardScaler().fit(X)
        self.mean, self.scale = np.mean(y), np.std(y)
        scaled, scaled_val = self.x_scaler.transform(X), self.x_scaler.transform(X_val)
        y, y_val = (y - self.mean) / self.scale, (y_val - self.mean) / self.scale
        self.best_loss, reference, waiting = np.inf, np.inf, 0
        for _ in range(self.max_iter):
            self.network.partial_fit(scaled, y)
            loss = np.mean((self.network.predict(scaled_val) - y_val) ** 2)
            if loss < self.best_loss:
                self.best_loss, best = loss, copy.deepcopy(self.network)
            waiting = 0 if loss < reference - self.tol else waiting + 1
            reference = min(reference, loss) if waiting == 0 else reference
            if waiting >= self.patience:
                break
        self.network = best
        return self

    def predict(self, X):
        """Predict in the units of y."""
        return self.network.predict(self.x_scaler.transform(X)) * self.scale + self.mean


def fit_cubic(method, settings, X, y, train, valid, seed):
    """Fit one model of Cubic.

    Returns
    -------
    model : with a method ``predict``
    columns : list of str
        Columns that it reads.
    valid_loss : float
        In squared standard deviations of y.
    """
    y = y.to_numpy()
    settings = {**settings, **FEW_EPOCHS}
    if method == "MLPRegressor, metadata as features":
        columns = ["x", *METADATA]
        data = X[columns].to_numpy()
        model = EarlyStoppedMLP(**settings, random_state=seed)
        model.fit(data[train], y[train], data[valid], y[valid])
        return model, columns, model.best_loss
    if method == "plain network, metadata as features":
        columns = ["x", *METADATA]
        # a hypernetwork that writes one network is that network
        model = MultiTaskHypernetRegressor(compression=False, random_state=seed, **settings)
    elif method == "without metadata":
        columns = ["x", "task"]
        model = MultiTaskHypernetRegressor(
            "task", unseen_tasks="average", random_state=seed, **settings
        )
    else:
        columns = ["x", "task", *METADATA]
        model = MultiTaskHypernetRegressor("task", METADATA, random_state=seed, **settings)
    X = X[columns]
    model.fit(X.iloc[train], y[train], X_val=X.iloc[valid], y_val=y[valid])
    return model, columns, model.history_["valid_loss"].min()


def cubic_job(X, y, method, settings, seed, experiment):
    """Fit and score one model on one draw of the rows.

    Parameters
    ----------
    experiment : {"20 tasks", "20 of 100 tasks held out"}
        The rows of a seed are the same for every method.
    """
    generator = np.random.default_rng([2024, seed])
    tasks = X["task"].to_numpy()
    names = np.unique(tasks)
    if experiment == "20 tasks":
        train, valid = split_rows(tasks, names, generator)
        test = np.setdiff1d(np.arange(len(X)), np.concatenate([train, valid]))
    else:
        names = generator.permutation(names)
        train, valid = split_rows(tasks, names[N_TASKS:], generator)
        test = np.flatnonzero(np.isin(tasks, names[:N_TASKS]))
    if method == "shuffled metadata":
        X = shuffle_columns(X, np.random.default_rng([2025, seed]))
    model, columns, valid_loss = fit_cubic(method, settings, X, y, train, valid, seed)
    test_x = X[columns].iloc[test]
    if isinstance(model, EarlyStoppedMLP):
        test_x = test_x.to_numpy()
    error = np.mean((model.predict(test_x) - y.to_numpy()[test]) ** 2)
    return {
        "experiment": experiment,
        "method": method,
        **settings,
        "seed": seed,
        "valid_loss": valid_loss,
        "test_mse": error,
    }


def choose(rows, grid):
    """Return the settings of least mean validation loss over the seeds, and their rows.

    Returns
    -------
    settings : dict
    rows : DataFrame
        One per seed, with their index in `rows`.
    """
    choices = []
    for settings in grid:
        chosen = rows[(rows[list(settings)] == pd.Series(settings)).all(axis=1)]
        choices.append((chosen["valid_loss"].mean(), settings, chosen))
    return min(choices, key=lambda choice: choice[0])[1:]


def cubic(data_home, seeds, n_jobs):
    """Run all experiments on Cubic.

    Returns
    -------
    rows : DataFrame
        One per fit.
    summary, targets : list of dict
    """
    bunch = fetch("Cubic", data_home)
    first = (bunch.data["task"] < N_TASKS).to_numpy()
    X, y = bunch.data[first].reset_index(drop=True), bunch.target[first].reset_index(drop=True)
    grids = {
        "with metadata": HYPERNET_GRID,
        "without metadata": HYPERNET_GRID,
        "shuffled metadata": HYPERNET_GRID,
        "plain network, metadata as features": PLAIN_GRID,
        "MLPRegressor, metadata as features": MLP_GRID,
    }
    if QUICK:
        grids = {method: grid[:1] for method, grid in grids.items()}
    jobs = [
        (X, y, method, settings, seed, "20 tasks")
        for method, grid in grids.items()
        for settings in grid
        for seed in seeds
    ]
    # and the estimator with its default settings
    jobs += [
        (X, y, method, {}, seed, "20 tasks")
        for method in ("with metadata", "without metadata")
        for seed in seeds
    ]
    rows = run_jobs(cubic_job, jobs, n_jobs)
    rows["chosen"] = False
    kept, summary = {}, []
    untouched = rows["learning_rate_init"].isna()
    for method, grid in grids.items():
        here = rows[(rows["method"] == method) & ~untouched]
        settings, chosen = choose(here, grid)
        rows.loc[chosen.index, "chosen"] = True
        chosen = chosen.set_index("seed").sort_index()
        kept[method] = settings, chosen["test_mse"]
        summary.append(describe("20 tasks", method, settings, chosen["test_mse"]))
    for method in ("with metadata", "without metadata"):
        here = rows[(rows["method"] == method) & untouched].set_index("seed")
        name = f"{method}, defaults"
        summary.append(describe("20 tasks", name, {}, here["test_mse"]))
    experiment = "20 of 100 tasks held out"
    jobs = [
        (bunch.data, bunch.target, method, kept[method][0], seed, experiment)
        for method in ("with metadata", "without metadata")
        for seed in seeds
    ]
    unseen = run_jobs(cubic_job, jobs, n_jobs)
    unseen["chosen"] = True
    errors = {}
    for method, here in unseen.groupby("method"):
        errors[method] = here.set_index("seed")["test_mse"].sort_index()
        summary.append(describe(experiment, method, kept[method][0], errors[method]))
    targets = cubic_targets({method: mse for method, (_, mse) in kept.items()}, errors)
    return pd.concat([rows, unseen], ignore_index=True), summary, targets


def cubic_targets(seen, unseen):
    """Compare with the targets.

    Parameters
    ----------
    seen, unseen : dict of str to Series
        Mean squared error of every seed.
    """
    ours, none = seen["with metadata"], seen["without metadata"]
    rows = [
        target("Cubic, MSE with metadata", ours.mean(), "at most", PAPER["with metadata"]),
        target("Cubic, MSE without metadata", none.mean(), "at most", 0.06),
    ]
    for rival in ("plain network", "MLPRegressor"):
        gain = seen[f"{rival}, metadata as features"] - ours
        rows.append(
            target(
                f"Cubic, paired gain over {rival}, in standard errors",
                gain.mean() / standard_error(gain),
                "at least",
                2,
                note=f"gain {gain.mean():.5f} +- {standard_error(gain):.5f}",
            )
        )
    ratio = seen["shuffled metadata"].mean() / ours.mean()
    rows.append(target("Cubic, MSE with shuffled / true metadata", ratio, "at least", 1.4))
    ratio = unseen["with metadata"].mean() / unseen["without metadata"].mean()
    name = "Cubic, tasks held out: MSE with / without metadata"
    rows.append(target(name, ratio, "at most", 0.5))
    return rows
