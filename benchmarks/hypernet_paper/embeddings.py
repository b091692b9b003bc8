"""Tables 4 and 5 and figure 7 of the hypernetwork paper: hidden metadata in the embeddings."""

import warnings

import numpy as np
import pandas as pd
from common.cli import QUICK
from common.saving import save
from common.summaries import standard_error, verdict
from hypernet_paper.data import load
from hypernet_paper.methods import METHODS, model_of
from hypernet_paper.tables import OURS, chosen_settings
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from skmtl.model_selection import fit_many

# means over the metadata of a data set, and the least that a working model reaches
PAPER = {"Cubic": 0.59, "Chlorophyll": -0.14, "Algorithms": -0.04, "Robot Arm": 0.44}
LEAST = {"Cubic": 0.45, "Robot Arm": 0.3}


def hidden_columns(data_home, n_seeds, data_names):
    """Train without one column of metadata and predict it from the embeddings, for every column.

    The control has random embeddings that were never trained.
    """
    rows = []
    for name in data_names:
        data = load(name, data_home)
        # embeddings that start alike, as in the paper: what tells tasks apart is learned
        settings = {**chosen_settings(name, "with metadata"), "embedding_init": "common"}
        truth = data.X.groupby(data.task_id)[data.metadata].first()
        for column in data.metadata[: 1 if QUICK else None]:
            X = data.X.drop(columns=column)
            models, untrained, tables = [], [], []
            for seed in range(n_seeds):
                train, valid, _ = data.split(seed)
                table = X.iloc[train], data.y.iloc[train], None, X.iloc[valid], data.y.iloc[valid]
                some = {**settings, "random_state": seed}
                model = model_of(data, METHODS[OURS], True, some)
                model.metadata = [other for other in data.metadata if other != column]
                models.append(model)
                tables.append(table)
                rng = np.random.default_rng(seed)
                untrained.append(rng.uniform(-1, 1, (len(truth), model.embedding_dim)))
            fit_many(models, tables)
            for seed, model in enumerate(models):
                embeddings = model.task_embeddings_.loc[truth.index].to_numpy()
                row = {"data": name, "fact": column, "seed": seed}
                row["r2"] = reconstructed(embeddings, truth[column], seed)
                row["r2_untrained"] = reconstructed(untrained[seed], truth[column], seed)
                rows.append(row)
            print(
                f"{name}, {column}: {np.mean([r['r2'] for r in rows[-n_seeds:]]):.2f}", flush=True
            )
    rows = pd.DataFrame(rows)
    by_fact = rows.groupby(["data", "fact"], sort=False)[["r2", "r2_untrained"]]
    table5 = by_fact.agg(["mean", standard_error])
    table5.columns = ["_".join(column) for column in table5.columns]
    lines = []
    for name, part in rows.groupby("data", sort=False):
        of_seeds = part.groupby("seed")[["r2", "r2_untrained"]].mean()
        means = part.groupby("fact")["r2"].mean()
        line = {"data": name, "seeds": n_seeds, "mean_r2": means.mean()}
        line["standard_error"] = standard_error(of_seeds["r2"])
        line |= {"best_fact": means.idxmax(), "best_r2": means.max()}
        line |= {"untrained": of_seeds["r2_untrained"].mean(), "paper_mean_r2": PAPER[name]}
        if name in LEAST:
            good = line["mean_r2"] >= LEAST[name] and line["untrained"] <= 0
            line |= {"at_least": LEAST[name], "result": verdict(good)}
        lines.append(line)
    save(table5.reset_index(), "table5")
    save(pd.DataFrame(lines), "table4")
    print(pd.DataFrame(lines).to_string(index=False, float_format="%.3f", na_rep=""))
    correlations(data_home, data_names)


def reconstructed(embeddings, column, seed):
    """Return R2 of a forest's predictions for tasks held out, ten folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forest = RandomForestRegressor(random_state=seed)
        folds = KFold(10, shuffle=True, random_state=seed)
        return r2_score(column, cross_val_predict(forest, embeddings, column, cv=folds))


def correlations(data_home, data_names):
    """Save Kendall's rank correlation between columns of metadata, figure 7."""
    lines = []
    for name in data_names:
        data = load(name, data_home)
        table = data.X.groupby(data.task_id)[data.metadata].first().corr("kendall")
        for position, first in enumerate(data.metadata):
            for second in data.metadata[position + 1 :]:
                line = {"data": name, "first": first, "second": second}
                lines.append({**line, "kendall": table.loc[first, second]})
    save(pd.DataFrame(lines), "figure7")
