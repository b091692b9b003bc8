"""Targets of the first release: the paper's Cubic and High School & Beyond.

The protocol of the code published with the paper, controls that a broken model fails, rivals.
"""

import copy
import warnings
from itertools import product

import numpy as np
import pandas as pd
from _common import QUICK, save, saved, standard_error, verdict
from joblib import Parallel, delayed
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import fetch_cubic, load_high_school

N_TASKS, N_TRAIN, N_VALID = 20, 8, 2
FACTS = ["a", "b", "c", "d"]
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


# -- Cubic ----------------------------------------------------------------------------------------


def split_rows(tasks, kept, generator):
    """Draw the training and validation rows of some tasks.

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


def swap_facts(X, generator):
    """Shuffle each fact on its own between the tasks."""
    X = X.copy()
    tasks = X["task"].unique()
    for fact in FACTS:
        values = X.groupby("task")[fact].first().loc[tasks].to_numpy()
        X[fact] = X["task"].map(dict(zip(tasks, generator.permutation(values), strict=True)))
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
        What it reads.
    valid_loss : float
        In squared standard deviations of y.
    """
    y = y.to_numpy()
    if method == "MLPRegressor, metadata as features":
        columns = ["x", *FACTS]
        data = X[columns].to_numpy()
        model = EarlyStoppedMLP(**settings, random_state=seed)
        model.fit(data[train], y[train], data[valid], y[valid])
        return model, columns, model.best_loss
    if method == "plain network, metadata as features":
        columns = ["x", *FACTS]
        # a hypernetwork that writes one network is that network
        model = MultiTaskHypernetRegressor(compression=False, random_state=seed, **settings)
    elif method == "without metadata":
        columns = ["x", "task"]
        model = MultiTaskHypernetRegressor(
            "task", unseen_tasks="average", random_state=seed, **settings
        )
    else:
        columns = ["x", "task", *FACTS]
        model = MultiTaskHypernetRegressor("task", FACTS, random_state=seed, **settings)
    X = X[columns]
    model.fit(X.iloc[train], y[train], X_val=X.iloc[valid], y_val=y[valid])
    return model, columns, model.history_["valid_loss"].min()


def cubic_job(X, y, method, settings, seed, experiment):
    """Fit and score one model on one draw of the rows.

    Parameters
    ----------
    experiment : {"20 tasks", "20 of 100 tasks left out"}
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
        X = swap_facts(X, np.random.default_rng([2025, seed]))
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


def run_jobs(function, jobs, n_jobs):
    """Call a function with every tuple of arguments, in parallel."""
    return pd.DataFrame(Parallel(n_jobs=n_jobs)(delayed(function)(*job) for job in jobs))


def choose(rows, grid):
    """The settings of least mean validation loss over the seeds, and their rows.

    Returns
    -------
    settings : dict
    rows : DataFrame
        One per seed, with the index that they had.
    """
    choices = []
    for settings in grid:
        chosen = rows[(rows[list(settings)] == pd.Series(settings)).all(axis=1)]
        choices.append((chosen["valid_loss"].mean(), settings, chosen))
    return min(choices, key=lambda choice: choice[0])[1:]


def cubic(data_home, seeds, n_jobs):
    """All experiments on Cubic.

    Returns
    -------
    rows : DataFrame
        One per fit.
    summary, targets : list of dict
    """
    bunch = fetch_cubic(data_home=data_home)
    some = (bunch.data["task"] < N_TASKS).to_numpy()
    X, y = bunch.data[some].reset_index(drop=True), bunch.target[some].reset_index(drop=True)
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
    # and the estimator as it comes, nothing chosen
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
    experiment = "20 of 100 tasks left out"
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


def describe(experiment, method, settings, errors, unit="MSE"):
    """One line of the summary: mean and standard error of an error."""
    return {
        "experiment": experiment,
        "method": method,
        "settings": " ".join(f"{k}={v:g}" for k, v in settings.items()),
        "score": unit,
        "n": len(errors),
        "mean": errors.mean(),
        "standard_error": standard_error(errors),
        "median": errors.median(),
    }


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
    name = "Cubic, tasks left out whole: MSE with / without metadata"
    rows.append(target(name, ratio, "at most", 0.5))
    return rows


def target(name, value, sense, bound, note=""):
    """One line of the table of targets."""
    holds = value <= bound if sense == "at most" else value >= bound
    return {
        "target": name,
        "sense": sense,
        "bound": bound,
        "got": value,
        "result": verdict(holds),
        "note": note,
    }


# -- High School & Beyond -------------------------------------------------------------------------


def high_school_test_rows(schools, kind, split):
    """Which rows are test rows: a fifth of every school's pupils, or a fifth of the schools."""
    generator = np.random.default_rng([1982, split, kind == "unseen schools"])
    names = np.unique(schools)
    if kind == "unseen schools":
        return np.isin(schools, generator.permutation(names)[: len(names) // 5])
    test = np.zeros(len(schools), dtype=bool)
    for name in names:
        rows = generator.permutation(np.flatnonzero(schools == name))
        test[rows[: round(0.2 * len(rows))]] = True
    return test


class RidgePerSchool:
    """A ridge regression of its own for every school; the grand mean for others."""

    def __init__(self, school, features):
        self.school, self.features = school, features

    def fit(self, X, y):
        """Fit the schools one after another."""
        y = np.asarray(y)
        self.mean = y.mean()
        self.models = {}
        for name, rows in X.groupby(self.school).indices.items():
            model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
            self.models[name] = model.fit(X.iloc[rows][self.features], y[rows])
        return self

    def predict(self, X):
        """Predict every pupil by the model of the school."""
        y = np.full(len(X), self.mean)
        for name, rows in X.groupby(self.school).indices.items():
            if name in self.models:
                y[rows] = self.models[name].predict(X.iloc[rows][self.features])
        return y


class Mean:
    """The mean of the training rows."""

    def fit(self, X, y):
        """Keep the mean."""
        self.mean = np.mean(y)
        return self

    def predict(self, X):
        """Repeat it."""
        return np.full(len(X), self.mean)


def high_school_model(method, school, facts, features, seed):
    """An untrained model of High School & Beyond, and the columns it reads."""
    everything = [*features, school, *facts]
    if method == "mean":
        return Mean(), everything
    if method == "ridge, one-hot schools and metadata":
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [school]),
            remainder="passthrough",
        )
        ridge = RidgeCV(np.logspace(-1, 4, 11))
        return make_pipeline(encode, StandardScaler(), ridge), everything
    if method == "HistGradientBoosting":
        boosting = HistGradientBoostingRegressor(
            max_iter=120,
            learning_rate=0.08,
            min_samples_leaf=10,
            max_leaf_nodes=15,
            random_state=seed,
        )
        return boosting, [*features, *facts]
    if method == "ridge per school":
        return RidgePerSchool(school, features), everything
    skip = method != "hypernetwork, linear_skip=False"
    return MultiTaskHypernetRegressor(
        school, facts, linear_skip=skip, random_state=seed
    ), everything


HIGH_SCHOOL_METHODS = (
    "hypernetwork",
    "hypernetwork, linear_skip=False",
    "hypernetwork, shuffled metadata",
    "ridge, one-hot schools and metadata",
    "HistGradientBoosting",
    "ridge per school",
    "mean",
)


def high_school_job(bunch, kind, split, method):
    """Fit and score one model on one split."""
    X, y = bunch.data, bunch.target.to_numpy()
    school, facts = bunch.task_id, list(bunch.metadata)
    if "shuffled" in method:
        # schools swap all their facts, in training and test rows alike
        X = X.copy()
        table = X.groupby(school)[facts].first()
        order = np.random.default_rng([1983, split]).permutation(len(table))
        X[facts] = table.iloc[order].set_axis(table.index).loc[X[school]].to_numpy()
    test = high_school_test_rows(X[school].to_numpy(), kind, split)
    model, columns = high_school_model(method, school, facts, list(bunch.feature_names), split)
    X = X[columns]
    model.fit(X[~test], y[~test])
    error = np.sqrt(np.mean((model.predict(X[test]) - y[test]) ** 2))
    return {
        "test rows": kind,
        "method": method,
        "split": split,
        "test_rmse": error,
    }


def high_school(n_splits, n_jobs):
    """All experiments on High School & Beyond; settings are the defaults.

    Returns
    -------
    rows : DataFrame
        One per fit.
    summary, targets : list of dict
    """
    bunch = load_high_school()
    kinds = "known schools", "unseen schools"
    jobs = [
        (bunch, kind, split, method)
        for method in HIGH_SCHOOL_METHODS
        for kind in kinds
        for split in range(n_splits)
    ]
    rows = run_jobs(high_school_job, jobs, n_jobs)
    summary, targets = [], []
    for kind in kinds:
        here = rows[rows["test rows"] == kind]
        errors = here.pivot(index="split", columns="method", values="test_rmse")
        for method in HIGH_SCHOOL_METHODS:
            line = describe(f"HSB, {kind}", method, {}, errors[method], "RMSE")
            summary.append(line)
        targets += high_school_targets(kind, errors)
    return rows, summary, targets


def high_school_targets(kind, errors):
    """Compare with the rivals and the control."""
    ours = errors["hypernetwork"]
    rivals = errors[[m for m in HIGH_SCHOOL_METHODS if "hypernetwork" not in m]]
    best = rivals.mean().idxmin()
    excess = ours - rivals[best]
    rows = [
        target(
            f"HSB, {kind}: RMSE above the best rival's ({best})",
            excess.mean(),
            "at most",
            standard_error(excess),
            note="bound: one paired standard error",
        )
    ]
    for control in ("shuffled metadata", "linear_skip=False"):
        loss = errors[f"hypernetwork, {control}"] - ours
        note = f"{(loss > 0).sum()} of {len(loss)} splits worse, "
        note += f"standard error {standard_error(loss):.4f}"
        row = target(f"HSB, {kind}: RMSE lost by {control}", loss.mean(), "at least", 0, note)
        if control == "linear_skip=False" or kind == "known schools":
            row |= {"sense": "", "bound": np.nan, "result": "for information"}
        rows.append(row)
    return rows


def earlier():
    """What the files hold of Cubic: rows, and summary and targets as lists of dict."""
    parts = []
    for name in ("summary", "targets"):
        table = saved(f"paper_hypernet_{name}")
        parts.append(table[table.iloc[:, 0].str.startswith("Cubic")].to_dict("records"))
    return saved("paper_hypernet_cubic"), *parts


def run(data_home, n_seeds, n_splits, n_jobs, resume=False):
    """Run, print and save.

    Parameters
    ----------
    data_home : str or None
    n_seeds : int
        Draws of the rows of Cubic.
    n_splits : int
        Of High School & Beyond.
    n_jobs : int
    resume : bool
        Whether to keep what the files have of Cubic, which takes most of the time.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)
    cubic_rows, summary, targets = earlier() if resume else cubic(data_home, range(n_seeds), n_jobs)
    school_rows, school_summary, school_targets = high_school(n_splits, n_jobs)
    summary, targets = (
        pd.DataFrame(summary + school_summary),
        pd.DataFrame(targets + school_targets),
    )
    for table in (summary, targets):
        print(table.to_string(index=False, float_format="%.4f", na_rep=""), end="\n\n")
    notes = {
        "protocol": f"Cubic: {N_TRAIN} + {N_VALID} rows a task, the rest is test, mean squared "
        f"error of unscaled labels, {n_seeds} paired seeds, settings of least mean "
        "validation loss over the seeds (for tasks left out: those of the 20 tasks); "
        f"HSB: defaults, {n_splits} paired splits, a fifth is test",
    }
    save(cubic_rows, "paper_hypernet_cubic", **notes)
    save(school_rows, "paper_hypernet_high_school", **notes)
    save(summary, "paper_hypernet_summary", **notes)
    save(targets, "paper_hypernet_targets", **notes)
