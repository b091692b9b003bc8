"""Intervals of ours and of rivals: functions of a `Problem` that return bounds of its test rows.

They also return the seconds that fits took, with and without what intervals need.
"""

import time
import warnings

import gpboost
import lightgbm
import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK
from real_tables.rivals import MOST_SLOPES, _independent
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss
from statsmodels.regression.mixed_linear_model import MixedLM

from skmtl import MultiTaskHypernetRegressor

COVERAGE = 0.9
LEVELS = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
WIDTH = norm.ppf(LEVELS[1])
MOST_TREES = 20 if QUICK else 1000


def ours(problem, n_members=1):
    """Return the intervals of our estimator with default settings."""
    model = MultiTaskHypernetRegressor(
        task_id=problem.task_id,
        metadata=problem.metadata,
        unseen_tasks="average",
        intervals=True,
        n_members=n_members,
        random_state=problem.seed,
        **FEW_EPOCHS,
    )
    rows = np.sort(problem.known)
    model.fit(problem.X.iloc[rows], problem.y[rows])
    return model.predict_interval(problem.X.iloc[problem.test], coverage=COVERAGE).T


def _columns(problem, rows):
    """Return scaled columns, and the task as a category that new tasks lack."""
    ids = problem.X[problem.task_id]
    known = pd.Categorical(ids, categories=pd.unique(ids.iloc[rows]))
    return problem.standardised(rows).assign(task=known)


def _boosted(problem, train, valid, objective, **extra):
    """Return the trees with the best number of leaves and of trees on validation rows."""
    X, best = _columns(problem, train), None
    for leaves in (7, 31):
        settings = {
            "objective": objective,
            "learning_rate": 0.05,
            "num_leaves": leaves,
            "min_data_in_leaf": 10,
            "verbose": -1,
            "num_threads": 1,
            "seed": problem.seed,
            **extra,
        }
        data = lightgbm.Dataset(X.iloc[train], problem.y[train])
        model = lightgbm.train(
            settings,
            data,
            MOST_TREES,
            valid_sets=[lightgbm.Dataset(X.iloc[valid], problem.y[valid])],
            callbacks=[lightgbm.early_stopping(30, verbose=False)],
        )
        predicted = model.predict(X.iloc[valid])
        if objective == "quantile":
            error = mean_pinball_loss(problem.y[valid], predicted, alpha=extra["alpha"])
        else:
            error = problem.error(valid, predicted)
        if best is None or error < best[0]:
            best = error, settings, max(1, model.best_iteration)
    return best[1:]


def _trained(problem, rows, settings, n_trees):
    X = _columns(problem, rows)
    model = lightgbm.train(settings, lightgbm.Dataset(X.iloc[rows], problem.y[rows]), n_trees)
    return lambda queried: model.predict(X.iloc[queried])


def split_conformal(problem):
    """Return LightGBM plus and minus a quantile of its errors on rows set aside, as MAPIE does."""
    rng = np.random.default_rng(problem.seed)
    # settings by a part of the training rows, errors by the validation rows
    order = rng.permutation(problem.train)
    inner = order[len(order) // 5 :], order[: len(order) // 5]
    predict = _trained(problem, problem.train, *_boosted(problem, *inner, "l2"))
    errors = np.abs(problem.y[problem.valid] - predict(problem.valid))
    n = len(errors)
    level = min(1.0, np.ceil((n + 1) * COVERAGE) / n)
    half = np.quantile(errors, level, method="higher")
    centre = predict(problem.test)
    return centre - half, centre + half


def quantile_trees(problem):
    """Return two quantiles by LightGBM, each with settings of its own."""
    bounds = []
    for level in LEVELS:
        settings = _boosted(problem, problem.train, problem.valid, "quantile", alpha=level)
        bounds.append(_trained(problem, problem.known, *settings)(problem.test))
    return np.minimum(*bounds), np.maximum(*bounds)


def gp_boost(problem):
    """Return predictive intervals of trees and a random intercept for each task."""
    ids = problem.X[problem.task_id].astype(str).to_numpy()
    X = problem.standardised(problem.known).to_numpy()
    centre, unit = problem.y[problem.train].mean(), problem.y[problem.train].std()
    y, best = (problem.y - centre) / unit, None

    def run(rows, queried, leaves, n_trees):
        model = gpboost.GPModel(group_data=ids[rows], likelihood="gaussian")
        settings = {
            "learning_rate": 0.05,
            "num_leaves": leaves,
            "min_data_in_leaf": 10,
            "verbose": -1,
            "num_threads": 1,
        }
        data = gpboost.Dataset(X[rows], y[rows])
        trees = gpboost.train(settings, data, n_trees, gp_model=model)
        predicted = trees.predict(
            X[queried], group_data_pred=ids[queried], predict_var=True, pred_latent=False
        )
        mean, deviation = predicted["response_mean"], np.sqrt(predicted["response_var"])
        return centre + unit * mean, unit * deviation

    for leaves in (4, 16):
        for n_trees in (10,) if QUICK else (25, 100, 300):
            error = problem.error(
                problem.valid, run(problem.train, problem.valid, leaves, n_trees)[0]
            )
            if best is None or error < best[0]:
                best = error, leaves, n_trees
    mean, deviation = run(problem.known, problem.test, *best[1:])
    return mean - WIDTH * deviation, mean + WIDTH * deviation


def mixed_model(problem):
    """Return predictive intervals of random intercepts, and slopes of up to three columns."""
    ids, rows = problem.X[problem.task_id].to_numpy(), problem.known
    slopes = problem.features if len(problem.features) <= MOST_SLOPES else []
    fixed = problem.standardised(rows).assign(intercept=1.0)
    fixed = fixed.loc[:, _independent(fixed.iloc[rows])]
    random = fixed[["intercept", *(c for c in slopes if c in fixed)]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLM(
            problem.y[rows], fixed.iloc[rows], groups=ids[rows], exog_re=random.iloc[rows]
        )
        fitted = model.fit(reml=True)
    Z, covariance, noise = random.to_numpy(), fitted.cov_re.to_numpy(), fitted.scale
    predicted = fixed.to_numpy() @ fitted.fe_params.to_numpy()
    left_over = problem.y - predicted
    mean = predicted[problem.test].copy()
    variance = np.empty(len(mean))
    for one in np.unique(ids[problem.test]):
        known, here = rows[ids[rows] == one], ids[problem.test] == one
        queried, of_task = Z[problem.test[here]], covariance
        if len(known):
            moved = Z[known] @ covariance
            weights = np.linalg.solve(moved @ Z[known].T + noise * np.eye(len(known)), moved)
            mean[here] += queried @ (weights.T @ left_over[known])
            of_task = covariance - moved.T @ weights
        variance[here] = noise + np.einsum("ij,jk,ik->i", queried, of_task, queried)
    half = WIDTH * np.sqrt(variance)
    return mean - half, mean + half


OURS = "hypernetwork"
METHODS = {
    OURS: ours,
    "split conformal (LightGBM)": split_conformal,
    "quantiles (LightGBM)": quantile_trees,
    "GPBoost": gp_boost,
    "mixed model": mixed_model,
}


def run(problem, method):
    """Return lower and upper bounds of the test rows, and processor seconds."""
    start = time.process_time()
    lower, upper = METHODS[method](problem)
    return lower, upper, time.process_time() - start
