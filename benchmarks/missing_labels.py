"""Missing labels: training with them, on complete rows only, and one model per column.

Run as a file; needs ``skmtl[examples]``. Errors are root mean squared errors on test rows that have
the label, in standard deviations of the label, mean over labels.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import RESULTS, save, standard_error
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_gcsemv, load_star
from skmtl.metrics import mt_root_mean_squared_error

DATA = {"gcsemv": load_gcsemv, "star": load_star}
# the second was found on validation rows of star, from another split than those of the seeds
SETTINGS = {"defaults": {}, "decay 10, full generators": {"alpha": 10.0, "compression": False}}


def ridge():
    """Ridge regression whose penalty is cross-validated."""
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))


def by_column(make, X, Y, train, test):
    """Predictions of a model of its own for every column."""
    columns = {}
    for name in Y:
        labelled = train[Y[name].iloc[train].notna().to_numpy()]
        columns[name] = make().fit(X.iloc[labelled], Y[name].iloc[labelled]).predict(X.iloc[test])
    return pd.DataFrame(columns)


def contenders(X, Y, train, test, seed):
    """Name, settings and a function that trains and predicts."""
    complete = train[Y.iloc[train].notna().all(axis=1).to_numpy()]
    for name, settings in SETTINGS.items():

        def model(settings=settings):
            return MultiTaskHypernetRegressor(random_state=seed, **settings)

        def wide(rows, model=model):
            return model().fit(X.iloc[rows], Y.iloc[rows]).predict(X.iloc[test])

        yield "with missing labels", name, lambda wide=wide: wide(train)
        yield "complete rows", name, lambda wide=wide: wide(complete)
        yield "a model per column", name, lambda m=model: by_column(m, X, Y, train, test)
    yield "ridge per column", "", lambda: by_column(ridge, X, Y, train, test)
    boosting = HistGradientBoostingRegressor
    yield "boosting per column", "", lambda: by_column(boosting, X, Y, train, test)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--resume", action="store_true", help="keep the rows that the file has")
    arguments = parser.parse_args()
    rows = []
    if arguments.resume:
        rows = pd.read_csv(RESULTS / "missing_labels.csv", comment="#").fillna({"settings": ""})
        rows = rows.to_dict("records")
    done = {(row["data"], row["seed"]) for row in rows}
    for data, load in DATA.items():
        bunch = load()
        X, Y = bunch.data, bunch.target / bunch.target.std()
        for seed in tqdm(range(arguments.seeds), desc=data, unit="seed"):
            if (data, seed) in done:
                continue
            train, test = train_test_split(np.arange(len(X)), test_size=0.3, random_state=seed)
            for method, settings, predict in contenders(X, Y, train, test, seed):
                start = time.perf_counter()
                error = mt_root_mean_squared_error(Y.iloc[test], predict())
                seconds = time.perf_counter() - start
                row = {"data": data, "seed": seed, "method": method, "settings": settings}
                rows.append({**row, "error": error, "seconds": seconds})
            save(pd.DataFrame(rows), "missing_labels")
    table = pd.DataFrame(rows)
    ours = table[table["method"] == "with missing labels"]
    summary = []
    for (data, settings, method), part in table.groupby(["data", "settings", "method"]):
        # rivals without settings of ours are compared with our defaults
        own = ours[(ours["data"] == data) & (ours["settings"] == (settings or "defaults"))]
        gain = part.set_index("seed")["error"] - own.set_index("seed")["error"]
        row = {"data": data, "settings": settings, "method": method}
        row |= {"error": part["error"].mean(), "seconds": part["seconds"].median()}
        row |= {"gain_of_ours": gain.mean(), "standard_error": standard_error(gain)}
        summary.append({**row, "wins_of_ours": int((gain > 0).sum())})
    summary = pd.DataFrame(summary)
    save(summary, "missing_labels_summary", seeds=str(arguments.seeds))
    print(summary.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
