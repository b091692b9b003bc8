"""Our estimator on raw and on encoded tables, and rivals that take categories and gaps."""

from itertools import product

import numpy as np
import pandas as pd
from catboost import CatBoostRegressor
from common.cli import FEW_EPOCHS, QUICK
from lightgbm import LGBMRegressor, early_stopping
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from skrub import TableVectorizer, tabular_pipeline

from skmtl import MultiTaskHypernetRegressor
from skmtl.model_selection import fit_many

MOST_TREES = 20 if QUICK else 1000
WORDS = make_column_selector(dtype_include=["object", "string", "category"])
DATES = make_column_selector(dtype_include="datetime")
NUMBERS = make_column_selector(dtype_include=["number", "bool"])


def days(table):
    """Return dates as days, NaN where one is missing."""
    return table.apply(
        lambda dates: (dates - pd.Timestamp("2000-01-01")).dt.total_seconds() / 86400
    )


def hand_made(**one_hot):
    """Return what a careful user writes before an estimator that takes numbers only."""
    words = make_pipeline(
        FunctionTransformer(lambda table: table.astype(object).where(table.notna(), "missing")),
        FunctionTransformer(lambda table: table.astype(str)),
        OneHotEncoder(sparse_output=False, **one_hot),
    )
    encoder = ColumnTransformer(
        [
            ("numbers", SimpleImputer(add_indicator=True), NUMBERS),
            ("dates", make_pipeline(FunctionTransformer(days), SimpleImputer()), DATES),
            ("words", words, WORDS),
        ],
        verbose_feature_names_out=False,
    )
    return encoder.set_output(transform="pandas")


ENCODERS = {
    "hand-made pipeline": lambda: hand_made(handle_unknown="ignore"),
    "hand-made pipeline, rare categories joined": lambda: hand_made(
        handle_unknown="infrequent_if_exist", min_frequency=10
    ),
    "skrub before ours": TableVectorizer,
}


def estimator(problem, metadata):
    """Return our estimator with default settings: in wide form the one for wide form."""
    shared = {"random_state": problem.seed, **FEW_EPOCHS}
    return MultiTaskHypernetRegressor(problem.task_id, metadata, unseen_tasks="average", **shared)


def encoded(problem, encoder):
    """Encode features, and metadata as a table of tasks, with what training rows tell."""
    X = encoder().fit(problem.X[problem.features].iloc[problem.known])
    X = X.transform(problem.X[problem.features]).astype(float)
    if not isinstance(problem.metadata, list):
        tasks = problem.metadata
        return X, tasks.assign(subject=(tasks["subject"] == "math").astype(float))
    tasks = problem.X.drop_duplicates(problem.task_id).set_index(problem.task_id)[problem.metadata]
    known = tasks.index.isin(problem.X[problem.task_id].iloc[problem.known])
    table = encoder().fit(tasks[known]).transform(tasks).astype(float)
    # scikit-learn's imputer of metadata fills numbers; skrub leaves gaps to the estimator
    return X.assign(**{problem.task_id: problem.X[problem.task_id]}), table.fillna(table.mean())


def ours(problems, method):
    """Return predictions for test rows of our estimator on several splits; one run trains them."""
    models, tables = [], []
    for problem in problems:
        X, metadata = problem.X, problem.metadata
        if method in ENCODERS:
            X, metadata = encoded(problem, ENCODERS[method])
        models.append(estimator(problem, metadata))
        tables.append((X, problem))
    fits = [(X.iloc[p.known], p.labels(p.known)) for X, p in tables]
    fitted = fit_many(models, fits)
    return [m.predict(X.iloc[p.test]) for m, (X, p) in zip(fitted, tables, strict=True)]


def _columns(problem):
    """Return columns for boosting: categories as such, dates as days; ids of known tasks only."""
    X = problem.X
    if problem.new_tasks:
        X = X.drop(columns=problem.task_id)
    elif problem.task_id:
        X = X.astype({problem.task_id: "category"})
    X = X.assign(**days(X[DATES(X)]))
    return X.astype(dict.fromkeys(WORDS(X), "category"))


def _each_column(boost):
    """Return a method that boosts each column of y by itself."""

    def method(problem):
        X = _columns(problem)
        if not isinstance(problem.y, pd.DataFrame):
            return boost(problem, X, problem.y)
        columns = [boost(problem, X, problem.y[task].to_numpy()) for task in problem.y]
        return np.column_stack(columns)

    return method


def _labelled(rows, y):
    return rows[~np.isnan(y[rows])]


def _light_gbm(problem, X, y):
    """LightGBM: leaves, rows of a category and number of trees are chosen."""
    shared = {"n_jobs": 1, "verbose": -1, "random_state": problem.seed, "learning_rate": 0.05}
    train, valid, known = (_labelled(r, y) for r in (problem.train, problem.valid, problem.known))
    best = None
    for leaves, per_group in product((7, 31), (5, 100)):
        settings = {**shared, "num_leaves": leaves, "min_data_per_group": per_group}
        model = LGBMRegressor(n_estimators=MOST_TREES, **settings)
        stop = early_stopping(30, verbose=False)
        held_out = [(X.iloc[valid], y[valid])]
        model.fit(X.iloc[train], y[train], eval_set=held_out, callbacks=[stop])
        error = model.best_score_["valid_0"]["l2"]
        if best is None or error < best[0]:
            best = error, settings, max(1, model.best_iteration_)
    model = LGBMRegressor(n_estimators=best[2], **best[1])
    return model.fit(X.iloc[known], y[known]).predict(X.iloc[problem.test])


def _cat_boost(problem, X, y):
    """CatBoost: depth and number of trees are chosen."""
    words = WORDS(X)
    text = X[words].astype(object).where(X[words].notna(), "missing").astype(str)
    X = X.assign(**text)
    shared = {"cat_features": words, "thread_count": 1, "verbose": False, "learning_rate": 0.1}
    shared |= {"random_seed": problem.seed, "allow_writing_files": False}
    train, valid, known = (_labelled(r, y) for r in (problem.train, problem.valid, problem.known))
    best = None
    for depth in (4,) if isinstance(problem.y, pd.DataFrame) else (4, 6):
        model = CatBoostRegressor(MOST_TREES, depth=depth, **shared)
        held_out = X.iloc[valid], y[valid]
        model.fit(X.iloc[train], y[train], eval_set=held_out, early_stopping_rounds=30)
        error = model.best_score_["validation"]["RMSE"]
        if best is None or error < best[0]:
            best = error, depth, model.best_iteration_ + 1
    model = CatBoostRegressor(best[2], depth=best[1], **shared)
    return model.fit(X.iloc[known], y[known]).predict(X.iloc[problem.test])


def _skrub(model):
    """Return a method: skrub's pipeline for tables, ids of known tasks as words."""

    def boost(problem, X, y):
        known = _labelled(problem.known, y)
        X = problem.X
        if problem.new_tasks:
            X = X.drop(columns=problem.task_id)
        elif problem.task_id:
            X = X.astype({problem.task_id: "category"})
        pipeline = tabular_pipeline(model)
        return pipeline.fit(X.iloc[known], y[known]).predict(X.iloc[problem.test])

    return _each_column(boost)


OURS = ["ours, raw table", *ENCODERS]
RIVALS = {
    "LightGBM": _each_column(_light_gbm),
    "CatBoost": _each_column(_cat_boost),
    "skrub, boosting": _skrub("regressor"),
    "skrub, ridge": _skrub(Ridge()),
}
