"""High School & Beyond with default settings, beside simple rivals and controls."""

import numpy as np
from common.cli import FEW_EPOCHS
from common.summaries import standard_error
from hypernet_paper.reports import describe, run_jobs, target
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school


def high_school_test_rows(schools, kind, split):
    """Mark the test rows: a fifth of every school's pupils, or a fifth of the schools."""
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
    """A separate ridge regression for every school; the grand mean for others."""

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


def high_school_model(method, school, metadata, features, seed):
    """Return an untrained model of High School & Beyond, and the columns that it reads."""
    everything = [*features, school, *metadata]
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
        return boosting, [*features, *metadata]
    if method == "ridge per school":
        return RidgePerSchool(school, features), everything
    skip = method != "hypernetwork, linear_skip=False"
    return MultiTaskHypernetRegressor(
        school, metadata, linear_skip=skip, random_state=seed, **FEW_EPOCHS
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
    school, metadata = bunch.task_id, list(bunch.metadata)
    if "shuffled" in method:
        # schools swap all their metadata, in training and in test rows
        X = X.copy()
        table = X.groupby(school)[metadata].first()
        order = np.random.default_rng([1983, split]).permutation(len(table))
        X[metadata] = table.iloc[order].set_axis(table.index).loc[X[school]].to_numpy()
    test = high_school_test_rows(X[school].to_numpy(), kind, split)
    model, columns = high_school_model(method, school, metadata, list(bunch.feature_names), split)
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
    """Run all experiments on High School & Beyond, with default settings.

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
