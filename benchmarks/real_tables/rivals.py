"""What users would pick instead, with its settings tuned on validation rows.

A rival is a function of a `Problem` that returns predictions for its test rows: numbers, or
probabilities of the second class.
"""

import warnings
from functools import partial
from itertools import product

import gpboost
import lightgbm
import numpy as np
import pandas as pd
from real_tables.problem import answer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklego.meta import HierarchicalRegressor
from statsmodels.regression.mixed_linear_model import MixedLM

PENALTIES = np.logspace(-2, 4, 13)
MOST_TREES = 1000
# slopes of a mixed model that may differ between tasks: more are slow and seldom converge
MOST_SLOPES = 3


def chosen(problem, candidates):
    """Predict the test rows by the candidate that is best on validation rows.

    Parameters
    ----------
    problem : Problem
    candidates : list of callables
        Map rows to train on and rows to predict to predictions.
    """
    errors = [problem.error(problem.valid, c(problem.train, problem.valid)) for c in candidates]
    return candidates[int(np.argmin(errors))](problem.known, problem.test)


def _linear(problem, penalty):
    return LogisticRegression(C=1 / penalty, max_iter=500) if problem.classes else Ridge(penalty)


def ridge(problem):
    """Ridge (or logistic) regression with an indicator for each task, or none."""

    def run(penalty, encode, rows, queried):
        X = encode(rows)
        model = (
            LogisticRegression(C=1 / penalty, max_iter=500) if problem.classes else Ridge(penalty)
        )
        return answer(problem, model.fit(X.iloc[rows], problem.y[rows]), X.iloc[queried])

    encodings = problem.standardised, problem.encoded
    return chosen(problem, [partial(run, p, e) for p in PENALTIES for e in encodings])


def ridge_per_task(problem):
    """Ridge (or logistic) regression for each task; the mean of all for tasks never seen."""

    def run(penalty, rows, queried):
        X, ids = problem.standardised(rows)[problem.features], problem.X[problem.task_id].to_numpy()
        fallback = problem.y[rows].mean()
        predicted = np.full(len(queried), fallback)
        for one in np.unique(ids[queried]):
            own, here = rows[ids[rows] == one], ids[queried] == one
            if len(own) == 0 or (problem.classes and len(np.unique(problem.y[own])) < 2):
                continue
            model = _linear(problem, penalty).fit(X.iloc[own], problem.y[own])
            predicted[here] = answer(problem, model, X.iloc[queried[here]])
        return predicted

    return chosen(problem, [partial(run, p) for p in PENALTIES])


def boosting(problem):
    """scikit-learn's gradient boosting: tasks as numbers, as indicators or as categories."""
    Model = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
    ids = problem.X[problem.task_id].astype("category")

    def encode(how, rows):
        if how == "one-hot":
            return problem.encoded(rows)
        X = problem.X.drop(columns=problem.task_id)
        return X if how == "none" else X.assign(**{problem.task_id: ids.cat.codes})

    def settings(how, rate):
        # more categories than this it does not take
        native = [problem.task_id] if how == "category" else None
        return {
            "learning_rate": rate,
            "categorical_features": native,
            "early_stopping": False,
            "random_state": problem.seed,
        }

    hows = ["none", "number", "one-hot"] + ["category"] * (ids.nunique() <= 255)
    best = None
    for how in hows:
        X = encode(how, problem.train)
        for rate in (0.03, 0.1):
            model = Model(max_iter=300, **settings(how, rate))
            model.fit(X.iloc[problem.train], problem.y[problem.train])
            staged = model.staged_predict_proba if problem.classes else model.staged_predict
            for n, predicted in enumerate(staged(X.iloc[problem.valid]), start=1):
                predicted = predicted[:, 1] if problem.classes else predicted
                error = problem.error(problem.valid, predicted)
                if best is None or error < best[0]:
                    best = error, n, how, rate
    _, n, how, rate = best
    X = encode(how, problem.known)
    model = Model(max_iter=n, **settings(how, rate))
    model.fit(X.iloc[problem.known], problem.y[problem.known])
    return answer(problem, model, X.iloc[problem.test])


def _boosted(problem, library, objective, encodings, **extra):
    """LightGBM's or GPBoost's trees: encoding, learning rate, leaves and number chosen."""
    best = None
    for name, encode in encodings.items():
        X = encode(problem.train)
        for rate in (0.03, 0.1):
            for leaves in (7, 31):
                parameters = {
                    "objective": objective,
                    "learning_rate": rate,
                    "num_leaves": leaves,
                    "min_data_in_leaf": 10,
                    "verbose": -1,
                    "num_threads": 1,
                    "seed": problem.seed,
                }
                train = library.Dataset(X.iloc[problem.train], problem.y[problem.train])
                valid = library.Dataset(X.iloc[problem.valid], problem.y[problem.valid])
                model = library.train(
                    parameters,
                    train,
                    MOST_TREES,
                    valid_sets=[valid],
                    callbacks=[library.early_stopping(30, verbose=False)],
                    **extra,
                )
                error = problem.error(problem.valid, model.predict(X.iloc[problem.valid]))
                if best is None or error < best[0]:
                    best = error, parameters, model.best_iteration, name
    _, parameters, n, name = best
    X = encodings[name](problem.known)
    train = library.Dataset(X.iloc[problem.known], problem.y[problem.known])
    return library.train(parameters, train, max(1, n), **extra).predict(X.iloc[problem.test])


def light_gbm(problem):
    """LightGBM: tasks as categories or as indicators."""
    ids = problem.X[problem.task_id].astype("category")

    def category(rows):
        X = problem.standardised(rows)
        return X.assign(task=pd.Categorical.from_codes(ids.cat.codes, range(ids.nunique())))

    encodings = {"category": category, "one-hot": problem.encoded}
    return _boosted(problem, lightgbm, "binary" if problem.classes else "l2", encodings)


def gp_boost(problem):
    """GPBoost: trees for the columns, a random intercept for each task."""
    ids = problem.X[problem.task_id].astype(str).to_numpy()
    X = problem.standardised(problem.known)
    likelihood = "bernoulli_logit" if problem.classes else "gaussian"
    # its steps are divided by the variance of the errors: on large numbers a thousand trees hardly
    # move, and with errors below half the rate they jump to and fro
    y, centre, unit = problem.y, 0.0, 1.0
    if not problem.classes:
        centre, unit = problem.y[problem.train].mean(), problem.y[problem.train].std()
        y = (problem.y - centre) / unit

    def run(rows, queried, rate, leaves, n):
        model = gpboost.GPModel(group_data=ids[rows], likelihood=likelihood)
        parameters = {
            "learning_rate": rate,
            "num_leaves": leaves,
            "min_data_in_leaf": 10,
            "verbose": -1,
            "num_threads": 1,
        }
        data = gpboost.Dataset(X.iloc[rows].to_numpy(), y[rows])
        trees = gpboost.train(parameters, data, n, gp_model=model)
        found = trees.predict(
            X.iloc[queried].to_numpy(),
            group_data_pred=ids[queried],
            predict_var=False,
            pred_latent=False,
        )
        return centre + unit * found["response_mean"]

    settings = product((0.005, 0.05), (4, 16), (25, 100, 300, 1000))
    candidates = [
        partial(lambda rows, queried, s: run(rows, queried, *s), s=setting) for setting in settings
    ]
    return chosen(problem, candidates)


def mixed_model(problem):
    """Random intercepts, or intercepts and slopes, by restricted maximum likelihood."""
    ids = problem.X[problem.task_id].to_numpy()
    slopes = problem.features if len(problem.features) <= MOST_SLOPES else []

    def run(with_slopes, rows, queried):
        fixed = problem.standardised(rows).assign(intercept=1.0)
        # columns that say nothing beside the others make the matrix singular
        fixed = fixed.loc[:, _independent(fixed.iloc[rows])]
        random = fixed[["intercept", *(c for c in slopes * with_slopes if c in fixed)]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MixedLM(
                problem.y[rows], fixed.iloc[rows], groups=ids[rows], exog_re=random.iloc[rows]
            )
            fitted = model.fit(reml=True)
        predicted = fixed.iloc[queried].to_numpy() @ fitted.fe_params.to_numpy()
        left_over = problem.y[rows] - fixed.iloc[rows].to_numpy() @ fitted.fe_params.to_numpy()
        covariance, Z = fitted.cov_re.to_numpy(), random.to_numpy()
        for one in np.intersect1d(ids[queried], ids[rows]):
            known, here = ids[rows] == one, ids[queried] == one
            # as fitted.random_effects, which needs the inverse of the covariance: it may have none
            moved = Z[rows[known]] @ covariance
            of_rows = moved @ Z[rows[known]].T + fitted.scale * np.eye(known.sum())
            effect = moved.T @ np.linalg.solve(of_rows, left_over[known])
            predicted[here] += Z[queried[here]] @ effect
        return predicted

    return chosen(problem, [partial(run, kind) for kind in ([0, 1] if slopes else [0])])


def _independent(table):
    """Columns that are not linear in those before them, the last one first."""
    kept = ["intercept"]
    for column in table.columns.drop("intercept"):
        if np.linalg.matrix_rank(table[[*kept, column]].to_numpy()) > len(kept):
            kept.append(column)
    return kept


def hierarchical(problem):
    """scikit-lego's ridge regressions of everything and of each task, shrunk together."""

    def run(penalty, rows, queried):
        X = problem.standardised(rows).assign(task=problem.X[problem.task_id].to_numpy())
        model = HierarchicalRegressor(
            Ridge(penalty), groups="task", shrinkage="relative", fallback_method="parent"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X.iloc[rows], problem.y[rows])
            return model.predict(X.iloc[queried])

    return chosen(problem, [partial(run, p) for p in PENALTIES])


def network(problem):
    """scikit-learn's network, with indicators of the tasks or without."""
    Model = MLPClassifier if problem.classes else MLPRegressor

    def run(penalty, encode, rows, queried):
        X = encode(rows)
        y = problem.y[rows]
        shift, scale = (0, 1) if problem.classes else (y.mean(), y.std())
        model = Model(
            hidden_layer_sizes=(32, 32, 32),
            alpha=penalty,
            early_stopping=True,
            random_state=problem.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X.iloc[rows], (y - shift) / scale)
        return shift + scale * answer(problem, model, X.iloc[queried])

    encodings = problem.standardised, problem.encoded
    candidates = [partial(run, p, e) for p in (1e-4, 1e-1, 10.0) for e in encodings]
    return chosen(problem, candidates)


RIVALS = {
    "ridge": ridge,
    "ridge per task": ridge_per_task,
    "boosting (scikit-learn)": boosting,
    "LightGBM": light_gbm,
    "GPBoost": gp_boost,
    "mixed model": mixed_model,
    "hierarchical (scikit-lego)": hierarchical,
    "network (scikit-learn)": network,
}
NUMBERS_ONLY = {"mixed model", "hierarchical (scikit-lego)"}
