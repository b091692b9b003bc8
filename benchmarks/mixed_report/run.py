"""What networks report as mixed models do: variance shares, effects of tasks, standard errors.

Planted draws with known shares and effects, four tables from textbooks beside statsmodels' MixedLM,
and the time and memory of reports for many tasks.
"""

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK, RESULTS, check_names, parser
from common.saving import save
from common.summaries import standard_error, verdict
from planted import FORMULAS, KINDS, draw, mixed_levels, mixed_model, mixed_shares
from real import TABLES, table
from scipy.stats import norm
from tqdm import tqdm

from skmtl import MultiTaskHypernetRegressor

WIDTH = norm.ppf(0.95)
SOURCES = "features", "metadata", "task", "noise"
EXPERIMENTS = ("planted", "real", "many_tasks")


def planted(kind, seed):
    """Return a row of a planted table: shares, their errors, levels and their coverage."""
    drawn = draw(kind, seed)
    metadata = ["w"] if "w" in drawn.X else []
    model = MultiTaskHypernetRegressor(
        task_id="task", metadata=metadata or None, random_state=seed, **FEW_EPOCHS
    )
    start = time.perf_counter()
    model.fit(drawn.X, drawn.y)
    fitted = time.perf_counter()
    shares, effects = model.variance_shares(), model.task_effects()
    reported = time.perf_counter()
    whole = drawn.X.assign(y=drawn.y)
    formula, random = FORMULAS[kind]
    linear = mixed_model(whole, formula, random)
    linear_shares = mixed_shares(linear, whole, formula, metadata)
    row = {"kind": kind, "seed": seed, "fit_seconds": fitted - start}
    row["report_seconds"] = reported - fitted
    for name, truth in drawn.shares.items():
        row[f"{name}_true"] = truth
        row[f"{name}_ours"] = shares.loc[name, "share"]
        row[f"{name}_se"] = shares.loc[name, "share_se"]
        row[f"{name}_mixedlm"] = linear_shares[name]
    level = effects["level"] - effects["level"].mean()
    true = drawn.level - drawn.level.mean()
    best = mixed_levels(linear, whole, metadata)
    row["correlation"] = np.corrcoef(level, true)[0, 1]
    row["with_mixedlm"] = np.corrcoef(level, best)[0, 1]
    row["of_mixedlm"] = np.corrcoef(best, true)[0, 1]
    row["coverage"] = np.mean(np.abs(level - true) < WIDTH * effects["level_se"])
    return row


def summarise(runs):
    """Return means over draws by kind, and a table of what must hold."""
    rows, targets = [], []
    for kind, draws in runs.groupby("kind", sort=False):
        row = {"kind": kind, "draws": len(draws)}
        away = {"ours": [], "mixedlm": []}
        for name in SOURCES:
            if f"{name}_true" not in draws or draws[f"{name}_true"].isna().all():
                continue
            truth = draws[f"{name}_true"].iloc[0]
            row[f"{name}_true"] = truth
            for method, errors in away.items():
                values = draws[f"{name}_{method}"]
                row[f"{name}_{method}"] = values.mean()
                errors.append((values - truth).abs().mean())
                row[f"{name}_{method}_error"] = errors[-1]
            if name == "task":
                row["task_share_se"] = draws["task_se"].mean()
                row["task_deviation"] = draws["task_ours"].std()
        for name in ("correlation", "with_mixedlm", "of_mixedlm", "coverage"):
            row[name] = draws[name].mean()
        row["coverage_se"] = standard_error(draws["coverage"])
        row["report_to_fit"] = (draws["report_seconds"] / draws["fit_seconds"]).mean()
        rows.append(row)
        names = [name for name in SOURCES if f"{name}_true" in row]
        bias = max(abs(row[f"{name}_ours"] - row[f"{name}_true"]) for name in names)
        bound = 0.05 if kind == "nonlinear" else 0.03
        targets.append((kind, "largest error of a mean share", "<=", bound, bias))
        if kind != "nonlinear":
            worse = max(np.subtract(away["ours"], away["mixedlm"]))
            targets.append((kind, "mean error of a share beyond MixedLM's", "<=", 0.02, worse))
            value = row["with_mixedlm"]
            targets.append((kind, "correlation with MixedLM's predictions", ">=", 0.97, value))
            targets.append((kind, "coverage of 90% intervals", ">=", 0.86, row["coverage"]))
            targets.append((kind, "coverage of 90% intervals", "<=", 0.94, row["coverage"]))
        seconds = row["report_to_fit"]
        targets.append((kind, "seconds of reports to those of fit", "<=", 1.0, seconds))
    return pd.DataFrame(rows), checked(targets)


def checked(targets):
    """Return a table of targets with verdicts."""
    table = pd.DataFrame(targets, columns=["what", "measure", "sense", "bound", "value"])
    reached = np.where(
        table["sense"] == "<=", table["value"] <= table["bound"], table["value"] >= table["bound"]
    )
    return table.assign(result=[verdict(ok) for ok in reached])


def real(name):
    """Yield the shares of a real table by both methods."""
    X, y, task, features, metadata, random = table(name)
    model = MultiTaskHypernetRegressor(
        task_id=task, metadata=metadata or None, random_state=0, **FEW_EPOCHS
    )
    shares = model.fit(X, y).variance_shares()
    effects = model.task_effects()
    whole = X.rename(columns={task: "task"}).assign(y=y)
    formula = "y ~ " + " + ".join([*features, *metadata])
    linear = mixed_model(whole, formula, random)
    other = mixed_shares(linear, whole, formula, metadata)
    other["icc"] = other["task"] / (other["task"] + other["noise"])
    for source in (*SOURCES, "icc"):
        yield {
            "data": name,
            "formula": formula + f" + ({(random or '~1')[1:]} | {task})",
            "source": source,
            "ours": shares.loc[source, "share"],
            "standard_error": shares.loc[source, "share_se"],
            "mixedlm": other[source],
            "levels_correlate": np.corrcoef(
                effects["level"] - effects.get("level_by_metadata", 0.0),
                _random_levels(linear, features, X),
            )[0, 1],
        }


def _random_levels(linear, features, X):
    """Return random effects of the linear model at the mean of the first feature."""
    mean = X[features[0]].mean()
    return [own.iloc[0] + mean * own.iloc[1:].sum() for own in linear.random_effects.values()]


def many_tasks(n_tasks):
    """Return the seconds and memory of the reports of a table with many tasks."""
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(n_tasks), 5)
    x = rng.normal(size=len(task))
    y = x + rng.normal(size=n_tasks)[task] + rng.normal(size=len(task))
    X = pd.DataFrame({"task": task, "x": x})
    model = MultiTaskHypernetRegressor(
        task_id="task", max_iter=3, base=None, hold_out_tasks=False, random_state=0
    )
    start = time.perf_counter()
    model.fit(X, y)
    fitted = time.perf_counter()
    model.variance_shares()
    model.task_effects()
    seconds = time.perf_counter() - fitted
    # of the whole process, the fit included
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "tasks": n_tasks,
        "fit_seconds": fitted - start,
        "report_seconds": seconds,
        "peak_gigabytes": peak,
    }


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help="planted, real, many_tasks; default all")
    parse.add_argument("--draws", type=int, default=30)
    parse.add_argument("--resume", action="store_true", help="keep the draws of an earlier run")
    arguments = parse.parse_args()
    names = check_names(arguments.experiments, EXPERIMENTS, parse)
    if QUICK:
        arguments.draws = 1
    if "many_tasks" in names:
        result = many_tasks(200 if QUICK else 10_000)
        targets = [
            ("10,000 tasks", "seconds of the reports", "<=", 30.0, result["report_seconds"]),
            ("10,000 tasks", "gigabytes, with the fit", "<=", 1.0, result["peak_gigabytes"]),
        ]
        save(pd.DataFrame([result]), "many_tasks")
        save(checked(targets), "many_tasks_targets")
        print(checked(targets).to_string())
    if "real" in names:
        rows = [row for name in TABLES for row in real(name)]
        save(pd.DataFrame(rows), "real")
        print(pd.DataFrame(rows).round(3).to_string())
    if "planted" in names:
        path = None if RESULTS is None else RESULTS / "runs.csv"
        rows = []
        if arguments.resume and path is not None and path.exists():
            rows = pd.read_csv(path, comment="#").to_dict("records")
        known = {(row["kind"], row["seed"]) for row in rows}
        for kind in KINDS:
            n_draws = -(-arguments.draws // 3) if kind == "nonlinear" else arguments.draws
            for seed in tqdm(range(n_draws), desc=kind):
                if (kind, seed) not in known:
                    rows.append(planted(kind, seed))
                    save(pd.DataFrame(rows), "runs")
        summary, targets = summarise(pd.DataFrame(rows))
        save(summary, "summary")
        save(targets, "targets")
        print(summary.round(3).T.to_string())
        print(targets.round(3).to_string())


if __name__ == "__main__":
    main()
