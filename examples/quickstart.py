"""Predict scores of pupils in known schools and in unseen schools, and compare with other methods.

Run with ``tox -e quickstart``, or ``python examples/quickstart.py`` where skmtl[examples] is
installed. High School & Beyond: 7,185 pupils of 160 schools, six metadata columns of each school.
"""

import argparse
import itertools
import time

import matplotlib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N_SPLITS = 5
PENALTIES = np.logspace(-1, 4, 11)
# candidates, compared on validation rows, never on test rows
OUR_SETTINGS = [{"hypernet_layers": 0}, {"hypernet_layers": 1}]
BOOSTING_SETTINGS = [
    {"learning_rate": 0.08, "max_iter": 120},
    {"learning_rate": 0.03, "max_iter": 200},
]


def split_known(schools, generator):
    """Hold out a fifth of the pupils of every school."""
    test = np.zeros(len(schools), dtype=bool)
    for rows in schools.groupby(schools).indices.values():
        test[generator.permutation(rows)[: max(1, round(0.2 * len(rows)))]] = True
    return test


def split_unseen(schools, generator):
    """Hold out all pupils of a fifth of the schools."""
    names = generator.permutation(schools.unique())
    return schools.isin(names[: len(names) // 5]).to_numpy()


class PerSchoolRidge:
    """Separate ridge regressions for every school, and one for all unseen schools."""

    def __init__(self, columns):
        self.columns = columns

    def fit(self, X, y):
        """Fit one model per school."""
        ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        self.rest = ridge.fit(X[self.columns], y)
        self.models = {}
        for school, rows in X.groupby("school").indices.items():
            model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
            self.models[school] = model.fit(X.iloc[rows][self.columns], y.iloc[rows])
        return self

    def predict(self, X):
        """Predict every row with the model of its school."""
        prediction = np.empty(len(X))
        for school, rows in X.groupby("school").indices.items():
            model = self.models.get(school, self.rest)
            prediction[rows] = model.predict(X.iloc[rows][self.columns])
        return prediction


class OneHotRidge:
    """Ridge on the features, the metadata and one indicator per school."""

    def fit(self, X, y):
        """Fit the model, and remember the schools."""
        self.schools = pd.Index(X["school"].unique())
        self.model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(self.encode(X), y)
        return self

    def encode(self, X):
        """Add indicators of the known schools; for an unseen school, all are 0."""
        schools = X["school"].to_numpy()[:, None] == self.schools.to_numpy()
        return np.hstack([X.drop(columns="school").to_numpy(float), schools])

    def predict(self, X):
        """Predict rows."""
        return self.model.predict(self.encode(X))


class Boosting(HistGradientBoostingRegressor):
    """Boosting on the features and the metadata, treated alike."""

    def fit(self, X, y):
        """Fit without the id."""
        return super().fit(X.drop(columns="school"), y)

    def predict(self, X):
        """Predict without the id."""
        return super().predict(X.drop(columns="school"))


def fit_boosting(X, y, split, number):
    """Fit the best setting on validation rows that are split off like the test rows."""
    valid = split(X["school"], np.random.default_rng(1000 + number))
    candidates = [
        Boosting(min_samples_leaf=10, max_leaf_nodes=15, random_state=0, **settings)
        for settings in BOOSTING_SETTINGS
    ]
    errors = [
        root_mean_squared_error(y[valid], model.fit(X[~valid], y[~valid]).predict(X[valid]))
        for model in candidates
    ]
    return candidates[int(np.argmin(errors))].fit(X, y)


def fit_ours(X, y, data, number):
    """Fit the setting with the lowest loss on the validation rows of early stopping."""
    models = [
        MultiTaskHypernetRegressor(
            task_id=data.task_id, metadata=data.metadata, random_state=number, **settings
        ).fit(X, y)
        for settings in OUR_SETTINGS
    ]
    return min(models, key=lambda model: model.history_["valid_loss"].min())


METHODS = {
    "mean": lambda X, y, *_: DummyRegressor().fit(X, y),
    "ridge, one-hot schools": lambda X, y, *_: OneHotRidge().fit(X, y),
    "HistGradientBoosting": lambda X, y, data, split, number: fit_boosting(X, y, split, number),
    "ridge per school": lambda X, y, data, *_: PerSchoolRidge(data.feature_names).fit(X, y),
    "MultiTaskHypernetRegressor": lambda X, y, data, split, number: fit_ours(X, y, data, number),
}
SPLITS = {"known schools": split_known, "unseen schools": split_unseen}


def evaluate(data, kind, number, name):
    """Fit one method on one split, and return a row of the table of errors."""
    X, y, split = data.data, data.target, SPLITS[kind]
    test = split(X["school"], np.random.default_rng(number))
    model = METHODS[name](X[~test], y[~test], data, split, number)
    error = root_mean_squared_error(y[test], model.predict(X[test]))
    return {"split": kind, "number": number, "method": name, "rmse": error}


def compare(data):
    """Compute test errors, one row per method, split and kind of split."""
    runs = list(itertools.product(SPLITS, range(N_SPLITS), METHODS))
    errors = Parallel(n_jobs=-1, return_as="generator")(
        delayed(evaluate)(data, *run) for run in runs
    )
    return pd.DataFrame(tqdm(errors, total=len(runs), unit="fit", desc="comparing"))


def report(errors):
    """Print the table, and compare our method with the best rival."""
    means = errors.pivot_table(index="method", columns="split", values="rmse", sort=False)
    print("\nTest RMSE, mean of five splits (points of the mathematics test)\n")
    print(means.round(3).to_string())
    ours = "MultiTaskHypernetRegressor"
    for kind, group in errors.groupby("split", sort=False):
        table = group.pivot(index="number", columns="method", values="rmse")
        rival = table.drop(columns=ours).mean().idxmin()
        difference = table[ours] - table[rival]
        error = difference.std() / np.sqrt(N_SPLITS)
        print(
            f"\n{kind}: {ours} minus {rival}: {difference.mean():+.3f} (standard error {error:.3f})"
        )


def picture(model, data, path):
    """Save a plot of the embeddings in two dimensions, coloured by a metadata column."""
    metadata = data.data.groupby("school")[data.metadata].first().loc[model.tasks_]
    flat = PCA(2).fit_transform(model.task_embeddings_)
    figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
    dots = axes.scatter(
        *flat.T, c=metadata["mean_ses"], cmap="viridis", s=28, edgecolor="0.3", lw=0.4
    )
    figure.colorbar(dots, label="mean socio-economic status of the school")
    axes.set(
        xlabel="first principal component",
        ylabel="second principal component",
        title="Embeddings of 160 schools: what their metadata does not capture",
    )
    figure.savefig(path, dpi=150)


def main():
    """Compare methods, predict a new school, and plot embeddings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--figure", default="school_embeddings.png", help="where to save the figure"
    )
    path = parser.parse_args().figure
    start = time.perf_counter()
    data = load_high_school()
    report(compare(data))

    model = MultiTaskHypernetRegressor(task_id=data.task_id, metadata=data.metadata, random_state=0)
    model.fit(data.data, data.target)
    school = {
        "school": "a school to be opened",
        "size": 800,
        "catholic": 0,
        "academic_track": 0.6,
        "disciplinary_climate": -0.3,
        "high_minority": 0,
        "mean_ses": 0.2,
    }
    pupils = pd.DataFrame(
        [{"minority": 0, "female": 1, "ses": ses, **school} for ses in (-1.0, 0.0, 1.0)]
    )[data.data.columns]
    print("\nPredictions for an invented school (girls, not of a minority), from metadata alone:\n")
    shown = pd.DataFrame({"ses": pupils["ses"], "math_achievement": model.predict(pupils)})
    print(shown.round(2).to_string(index=False))

    picture(model, data, path)
    print(f"\nEmbeddings of the schools: {path}")
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()
