"""Many small classification tasks: children of 161 communities, characters of 8 alphabets.

All communities have the same two classes; each alphabet has different ones.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK, parser
from common.saving import save
from common.summaries import standard_error
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from tqdm import tqdm

from skmtl import MultiTaskHypernetClassifier
from skmtl.datasets import load_guimmun
from skmtl.model_selection import TaskShuffleSplit

N_COMPONENTS = 48


def community_models(bunch, seed):
    """Return models of the children, by name."""
    id_ = [bunch.task_id]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    onehot = make_column_transformer((encoder, id_), remainder=StandardScaler())
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    ids = make_column_transformer((ordinal, id_), remainder="passthrough")
    without = make_column_transformer(("drop", id_), remainder=StandardScaler())
    return {
        "hypernetwork": MultiTaskHypernetClassifier(
            bunch.task_id, bunch.metadata, random_state=seed, **FEW_EPOCHS
        ),
        "logistic, one-hot communities": make_pipeline(onehot, LogisticRegression(max_iter=1000)),
        "logistic, no communities": make_pipeline(without, LogisticRegression(max_iter=1000)),
        "boosting, communities as numbers": make_pipeline(
            ids, HistGradientBoostingClassifier(random_state=seed)
        ),
    }


def communities(seeds):
    """Yield log loss and area under the ROC curve for new children of known communities."""
    bunch = load_guimmun()
    X, y = bunch.data, bunch.target
    for seed in tqdm(range(seeds), desc="communities", unit="seed"):
        split = TaskShuffleSplit(bunch.task_id, 1, test_size=0.3, random_state=seed).split(X)
        train, test = next(split)
        base = (y.iloc[train].groupby(X[bunch.task_id].iloc[train]).mean(), y.iloc[train].mean())
        counts = y.iloc[train].groupby(X[bunch.task_id].iloc[train]).size()
        # five children of the average community are added to each
        rates = (base[0] * counts + 5 * base[1]) / (counts + 5)
        chances_of = {
            "rate of the community": (X[bunch.task_id].iloc[test].map(rates).to_numpy(), 0.0)
        }
        for name, model in community_models(bunch, seed).items():
            start = time.perf_counter()
            chance = model.fit(X.iloc[train], y.iloc[train]).predict_proba(X.iloc[test])[:, 1]
            chances_of[name] = chance, time.perf_counter() - start
        for name, (chance, seconds) in chances_of.items():
            row = {"seed": seed, "method": name, "seconds": seconds}
            row |= {"log_loss": log_loss(y.iloc[test], chance)}
            yield {**row, "roc_auc": roc_auc_score(y.iloc[test], chance)}


def alphabets(seeds, folder):
    """Yield the mean accuracy over alphabets."""
    file = np.load(Path(folder) / "omniglot_small" / "omniglot_small.npz")
    images, alphabet, letter = read_alphabets(file)
    for seed in tqdm(range(seeds), desc="alphabets", unit="seed"):
        table = pd.DataFrame({"alphabet": alphabet})
        labels = np.char.add(np.char.add(alphabet.astype(str), "/"), letter.astype(str))
        train, test = next(
            TaskShuffleSplit("alphabet", 1, test_size=0.3, random_state=seed).split(table)
        )
        pca = PCA(N_COMPONENTS, random_state=seed).fit(images[train])
        X = pd.DataFrame(pca.transform(images)).set_axis(
            [f"c{k}" for k in range(N_COMPONENTS)], axis=1
        )
        X["alphabet"] = alphabet
        features = X.columns[:-1]
        start = time.perf_counter()
        model = MultiTaskHypernetClassifier("alphabet", random_state=seed, **FEW_EPOCHS)
        model.fit(X.iloc[train], labels[train])
        guesses = {"hypernetwork": model.predict(X.iloc[test])}
        seconds = {"hypernetwork": time.perf_counter() - start}
        chances = model.predict_proba(X.iloc[test])
        foreign = np.char.startswith(
            model.classes_[None, :].astype(str),
            np.char.add(alphabet[test].astype(str), "/")[:, None],
        )
        if chances[~foreign].any():
            raise AssertionError("a class of another alphabet has a probability above 0")
        for name, make in (
            ("logistic per alphabet", lambda: LogisticRegression(max_iter=300)),
            ("nearest neighbour per alphabet", lambda: KNeighborsClassifier(1)),
        ):
            start, guess = time.perf_counter(), np.empty(len(test), dtype=object)
            for one in np.unique(alphabet):
                rows, here = train[alphabet[train] == one], alphabet[test] == one
                rival = make_pipeline(StandardScaler(), make())
                rival.fit(X[features].iloc[rows], labels[rows])
                guess[here] = rival.predict(X[features].iloc[test[here]])
            guesses[name], seconds[name] = guess, time.perf_counter() - start
        for name, guess in guesses.items():
            right = pd.Series(guess == labels[test]).groupby(alphabet[test]).mean()
            row = {"seed": seed, "method": name, "seconds": seconds[name]}
            yield {**row, "accuracy": right.mean()}


def read_alphabets(file):
    """Return images as rows, and the alphabet and letter of each."""
    alphabet = file["alphabet_names"][file["alphabet"]]
    return file["X"].astype(np.float64), alphabet, file["character"]


def summarise(table, name):
    """Save all rows and their means, and print the latter."""
    save(table, name)
    parts = table.drop(columns="seed").groupby("method")
    summary = parts.mean()
    for column in summary.columns.drop("seconds"):
        summary[f"{column}_standard_error"] = parts[column].agg(standard_error)
    save(summary.reset_index(), f"{name}_summary", seeds=str(table["seed"].nunique()))
    print(summary.round(4).to_string())


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--seeds", type=int, default=10)
    parse.add_argument("--data-home", help="folder that holds omniglot_small/omniglot_small.npz")
    arguments = parse.parse_args()
    if QUICK:
        arguments.seeds = 2
    summarise(pd.DataFrame(communities(arguments.seeds)), "communities")
    if arguments.data_home:
        rows = alphabets(min(3, arguments.seeds), arguments.data_home)
        summarise(pd.DataFrame(rows), "alphabets")


if __name__ == "__main__":
    main()
