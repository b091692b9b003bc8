"""Pinned predictions of every estimator and architecture, compared bitwise.

The table CASES names small fits; pins.json holds their results. A change that only moves or
renames things changes `architecture` and the builders here, and never pins.json.
Rewrite it, only where numbers are meant to change, with ``python -m tests.test_pins --write``
from the root of the repository; ``--write PREFIX`` writes only the cases whose names start with it.
"""

import hashlib
import json
import os
import platform
import sys
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
import sklearn
import torch
from sklearn.model_selection import KFold
from torch import nn

import skmtl
import skmtl.architectures
from skmtl import ParetoHypernet, TaskGrouper
from skmtl.grouping import MTGNet, estimate_gains
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.training import _device
from skmtl.weighting import ITMTL, Affinity

PINS = Path(__file__).with_name("pins.json")
# stored values of an array, for machines that round differently
STORED = 40

# Settings of every fit. Tables are small, so that all fits take seconds.
COMMON = {
    "max_iter": 4,
    "batch_size": 16,
    "learning_rate_init": 1e-2,
    "random_state": 0,
    "device": "cpu",
}
# Settings of each architecture: small, with intervals short enough to take effect.
ARCHITECTURES = {
    "CrossStitch": {"hidden_layer_sizes": (8, 8)},
    "IndependentTasks": {"hidden_layer_sizes": (8, 8)},
    "MaximumRoaming": {"hidden_layer_sizes": (8, 8), "roaming_interval": 3, "active_fraction": 0.5},
    "MultiGateMixtureOfExperts": {
        "hidden_layer_sizes": (8,),
        "head_layer_sizes": (4,),
        "n_experts": 3,
    },
    "MultilinearRelation": {"hidden_layer_sizes": (8, 8), "relation_interval": 4},
    "ProgressiveLayeredExtraction": {"hidden_layer_sizes": (8,), "head_layer_sizes": (4,)},
    "SharedBottom": {"hidden_layer_sizes": (8, 8)},
    "SingleTask": {"hidden_layer_sizes": (8, 8)},
    "Sluice": {"hidden_layer_sizes": (8, 8)},
    "TensorFactorized": {"hidden_layer_sizes": (8, 8), "rank": 3},
    "MultiTaskHypernet": {
        "hidden_layer_sizes": (8, 8),
        "embedding_dim": 4,
        "activation": "silu",
        "alpha": 1e-4,
    },
    "GumbelMatrix": {"layers": ((8, 8), 8), "n_components": 3},
}
BASELINES = [name for name in ARCHITECTURES if name not in ("MultiTaskHypernet", "GumbelMatrix")]


# names of the package: only this part depends on them

# architectures whose name has changed since their pins were written
NAMES = {
    "IndependentTasks": "IndependentNetworks",
    "MultiGateMixtureOfExperts": "MultiGateMixture",
    "ProgressiveLayeredExtraction": "ProgressiveExtraction",
    "SingleTask": "SingleNetwork",
    "TensorFactorized": "TensorFactorization",
}
GENERIC = {*skmtl.MultiTaskRegressor().get_params(), *skmtl.MultiTaskClassifier().get_params()}


def architecture(name, kind, **params):
    """Return an estimator of an architecture; `kind` is "regressor" or "classifier".

    Only this function knows the names of estimators and to which class a parameter belongs.
    """
    params = {**COMMON, **ARCHITECTURES[name], **params}
    if name in ("MultiTaskHypernet", "GumbelMatrix"):
        return getattr(skmtl, name + kind.capitalize())(**params)
    settings = {p: v for p, v in params.items() if p in GENERIC}
    of_method = {p: v for p, v in params.items() if p not in GENERIC}
    method = getattr(skmtl.architectures, NAMES.get(name, name))(**of_method)
    return getattr(skmtl, f"MultiTask{kind.capitalize()}")(method, **settings)


def pareto(**params):
    """Return a `ParetoHypernet`."""
    return ParetoHypernet(**{**COMMON, "hidden_layer_sizes": (6,), "n_preferences": 3, **params})


# tables

TASKS = ["north", "east", "south", "west", "centre"]
METADATA = ["size", "age"]


def long_table(seed=0, n_rows=10, tasks=TASKS):
    """Return rows of five tasks with their metadata, and a numeric target."""
    rng = np.random.default_rng(seed)
    metadata = pd.DataFrame(rng.normal(size=(len(tasks), 2)), index=tasks, columns=METADATA)
    task = np.repeat(np.arange(len(tasks)), n_rows + np.arange(len(tasks)) % 3)
    X = pd.DataFrame(rng.normal(size=(len(task), 3)), columns=list("abc"))
    slopes = np.array([1.0, -0.5, 0.2]) + 0.3 * metadata.to_numpy() @ rng.normal(size=(2, 3))
    y = np.tanh((X.to_numpy() * slopes[task]).sum(1)) + 0.1 * rng.normal(size=len(task))
    X = X.assign(task=np.array(tasks)[task])
    for name in METADATA:
        X[name] = metadata[name].to_numpy()[task]
    return X, pd.Series(5 + 2 * y, name="y")


def plain_table():
    """Return `long_table` without metadata."""
    X, y = long_table()
    return X.drop(columns=METADATA), y


def new_rows():
    """Return rows of two tasks that are not in the tables above."""
    X, y = long_table(7, 6, ["island", "coast"])
    return X, y


def words(y):
    """Return three classes by value; the first two tasks of the long tables have two of them."""
    labels = np.array(["low", "middle", "high"], dtype=object)[np.digitize(y, [4.0, 5.5])]
    labels[: len(labels) // 3][labels[: len(labels) // 3] == "middle"] = "low"
    return labels


def wide_table(n_rows=30, n_tasks=4, seed=1):
    """Return two families of tasks, with missing labels."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=list("abc"))
    sources = X.to_numpy() @ rng.normal(size=(3, 2))
    Y = np.tanh(sources[:, np.arange(n_tasks) % 2]) + 0.2 * rng.normal(size=(n_rows, n_tasks))
    frame = pd.DataFrame(Y, columns=list("pqrstuv")[:n_tasks])
    return X, frame.mask(rng.random(frame.shape) < 0.15)


def wide_classes():
    """Return columns of two and of three classes, with missing labels."""
    X, Y = wide_table()
    classes = (Y > 0).astype(float) + (Y > 0.5) * (np.arange(4) % 2)
    return X, classes.where(Y.notna())


def mixed_table():
    """Return a numeric column, a binary one and one of three classes."""
    X, Y = wide_table(n_tasks=3)
    colour = np.array(["red", "green", "blue"], dtype=object)[np.digitize(Y["r"], [-0.4, 0.4])]
    colour[Y["r"].isna()] = None
    late = (Y["q"] > 0).astype(float).where(Y["q"].notna())
    return X, pd.DataFrame({"cost": Y["p"], "late": late, "colour": colour})


# results of a fitted model


def results_of(model, X, *names):
    """Return the results of the model's methods for X, by name."""
    return {name: getattr(model, name)(X) for name in names}


def pinned_methods(kind):
    """Return the methods whose results are pinned."""
    return ["predict", "predict_proba"] if kind == "classifier" else ["predict"]


# builders: each returns a dict of pinned results


def long(name, kind, **params):
    X, y = plain_table()
    model = architecture(name, kind, task_id="task", **params)
    model.fit(X, words(y) if kind == "classifier" else y)
    return results_of(model, X, *pinned_methods(kind))


def with_metadata(name, kind, **params):
    """Pin a model with metadata, unseen tasks included."""
    X, y = long_table()
    params = {"n_members": 2, "unseen_tasks": "average", **params}
    model = architecture(name, kind, task_id="task", metadata=METADATA, **params)
    model.fit(X, words(y) if kind == "classifier" else y)
    result = {**results_of(model, X, *pinned_methods(kind)), "unseen": model.predict(new_rows()[0])}
    result.update(results_of(model, X, "predict_members"))
    if kind == "regressor":
        result["spread"] = model.predict(X, return_std=True)[1]
    return result


def wide(name, kind, **params):
    X, Y = wide_classes() if kind == "classifier" else wide_table()
    model = architecture(name, kind, **params).fit(X, Y)
    return results_of(model, X, *pinned_methods(kind))


def mixed(name, kind, **params):
    X, Y = mixed_table()
    model = architecture(name, kind, **params).fit(X, Y)
    return results_of(model, X, "predict", "predict_proba")


def several_outputs(name, **params):
    X, y = plain_table()
    model = architecture(name, "regressor", task_id="task", **params)
    model.fit(X, np.column_stack([y, y**2 + X["a"]]))
    return results_of(model, X, "predict")


def multi_label(name, **params):
    X, Y = wide_table()
    Y = (Y.fillna(0.1).to_numpy() > 0).astype(int)
    model = architecture(name, "classifier", **params).fit(X, Y)
    return results_of(model, X, "predict", "predict_proba", "decision_function")


def history(name, **params):
    """Pin the losses of a training that stops early."""
    X, y = plain_table()
    params = {"max_iter": 30, "n_iter_no_change": 2, "tol": 0.05, **params}
    model = architecture(name, "regressor", task_id="task", **params).fit(X, y)
    losses = model.history_[["train_loss", "valid_loss"]].to_numpy()
    return {"losses": losses, "n_iter": model.n_iter_, **results_of(model, X, "predict")}


def weighted_rows(name, kind, **params):
    X, y = plain_table()
    weights = np.random.default_rng(3).integers(0, 3, len(X)) * 0.5
    model = architecture(name, kind, task_id="task", **params)
    model.fit(X, words(y) if kind == "classifier" else y, sample_weight=weights)
    return results_of(model, X, *pinned_methods(kind))


def weighted_labels(name, **params):
    X, Y = wide_table()
    weights = np.random.default_rng(3).uniform(0.1, 2, Y.shape)
    model = architecture(name, "regressor", **params).fit(X, Y, sample_weight=weights)
    return results_of(model, X, "predict")


def given_validation(name, **params):
    X, y = plain_table()
    model = architecture(name, "regressor", task_id="task", **params)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    return results_of(model, X, "predict")


def warm_start(name, kind, **params):
    X, y = plain_table()
    y = words(y) if kind == "classifier" else y
    model = architecture(name, kind, task_id="task", warm_start=True, **params).fit(X, y)
    first = results_of(model, X, *pinned_methods(kind))
    return {"first": first, "second": results_of(model.fit(X, y), X, *pinned_methods(kind))}


def affinity(name, record, form, **params):
    X, y = plain_table() if form == "long" else wide_table()
    params = {"task_id": "task" if form == "long" else None, "record_affinity": record, **params}
    model = architecture(name, "regressor", **params).fit(X, y)
    return {"affinity": model.affinity_, **results_of(model, X, "predict")}


def hypernet_metadata_table(kind):
    """Pin a model whose metadata are a table with one row per task."""
    X, y = plain_table()
    metadata = pd.concat([long_table()[0], new_rows()[0]]).groupby("task")[METADATA].first()
    model = architecture("MultiTaskHypernet", kind, task_id="task", metadata=metadata)
    model.fit(X, words(y) if kind == "classifier" else y)
    unseen = new_rows()[0].drop(columns=METADATA)
    return {
        **results_of(model, X, *pinned_methods(kind)),
        "unseen": model.predict(unseen),
        "embeddings": model.task_embeddings_,
    }


def hypernet_wide_metadata():
    X, Y = wide_table()
    metadata = pd.DataFrame({"size": [1.0, -2.0, 4.0, 0.5]}, index=Y.columns)
    model = architecture("MultiTaskHypernet", "regressor", metadata=metadata).fit(X, Y)
    return results_of(model, X, "predict")


def hypernet_adapt(kind, metadata, **params):
    X, y = long_table()
    new, new_y = new_rows()
    if kind == "classifier":
        y, new_y = words(y), words(new_y)
    if not metadata:
        X, new = X.drop(columns=METADATA), new.drop(columns=METADATA)
    params = {"task_id": "task", "metadata": METADATA if metadata else None, **params}
    model = architecture("MultiTaskHypernet", kind, **params).fit(X, y)
    model.adapt(new.iloc[::2], new_y[::2])
    old = results_of(model, X, *pinned_methods(kind))
    return {
        **old,
        "adapted": results_of(model, new, *pinned_methods(kind)),
        "embeddings": model.task_embeddings_,
    }


def hypernet_importance():
    X, y = long_table()
    model = architecture("MultiTaskHypernet", "regressor", task_id="task", metadata=METADATA)
    table = model.fit(X, y).metadata_importance(X, y, n_repeats=2, random_state=5)
    return {"names": table.index.tolist(), "importance": table}


def gumbel(kind, form, **params):
    X, y = plain_table() if form == "long" else wide_table()
    if kind == "classifier":
        X, y = (X, words(y)) if form == "long" else wide_classes()
    params = {"task_id": "task" if form == "long" else None, **params}
    model = architecture("GumbelMatrix", kind, **params).fit(X, y)
    return {
        **results_of(model, X, *pinned_methods(kind)),
        "on": model.task_embeddings_,
        "probabilities": np.concatenate(model.allocation_probabilities_, axis=1),
    }


def gumbel_given():
    """Pin allocations that are given for one layer and learned for the other."""
    return gumbel("regressor", "wide", components=[[(5,), (5, 5)], ["identity", (5,)]], n_members=2)


PREFERENCES = [[3, 1, 2, 1], [1, 1, 1, 1], [0, 0, 1, 0]]


def pareto_wide(front=False, **params):
    X, Y = wide_table()
    model = pareto(**params).fit(X, Y)
    result = {
        "predict": model.predict(X),
        "several": model.predict(X, preference=PREFERENCES),
        "scales": model.loss_scales_,
        "view": model.with_preference([1, 2, 3, 4]).predict(X),
    }
    if params.get("n_members", 1) > 1:
        result["members"] = model.predict_members(X, preference=PREFERENCES)
        result["spread"] = model.predict(X, return_std=True, preference=[1, 2, 1, 2])[1]
    if front:
        result["front"] = model.pareto_front(X, Y, preferences=6)
    return result


def pareto_mixed(**params):
    X, Y = mixed_table()
    model = pareto(**params).fit(X, Y)
    result = results_of(model, X, "predict", "predict_proba")
    proba = model.predict_proba(X, preference=[[1, 2, 3], [3, 2, 1]])
    return {**result, "several": proba, "front": model.pareto_front(X, Y, preferences=5)}


def pareto_long(kind, metadata=False, **params):
    X, y = long_table() if metadata else plain_table()
    model = pareto(task_id="task", metadata=METADATA if metadata else None, **params)
    model.fit(X, words(y) if kind == "classifier" else y)
    result = {"several": model.predict(X, preference=[[1, 2, 3, 4, 5], [1, 1, 1, 1, 1]])}
    if kind == "classifier":
        result["proba"] = model.predict_proba(X, preference=[5, 1, 1, 1, 1])
    return result


def task_weighting(name, method, form, **params):
    X, y = plain_table() if form == "long" else wide_table()
    params = {"task_id": "task" if form == "long" else None, "task_weighting": method, **params}
    model = architecture(name, "regressor", **params).fit(X, y)
    return {**results_of(model, X, "predict"), "weights": model.task_weights_}


def chosen_steps(method, **params):
    X, Y = wide_table()
    model = architecture("SharedBottom", "regressor", task_weighting=method, **params).fit(X, Y)
    choices = model.candidate_choices_["candidate"].tolist()
    return {**results_of(model, X, "predict"), "choices": choices}


def search(name, grid, kind="regressor"):
    X, y = plain_table()
    y = words(y) if kind == "classifier" else y
    model = architecture(name, kind, task_id="task")
    folds = KFold(2, shuffle=True, random_state=0)
    # as many members at a time on any machine
    actual = BatchedGridSearchCV(model, grid, cv=folds, max_members=4, error_score="raise")
    actual.fit(X, y)
    return {
        "scores": actual.cv_results_["mean_test_score"],
        "best": actual.best_index_,
        **results_of(actual, X, "predict"),
    }


def group(name, gains, form, kind="regressor", **params):
    if form == "long":
        X, y = plain_table()
        rows = X["task"] != "centre"
        X, y = X[rows], y[rows]
    else:
        X, y = wide_classes() if kind == "classifier" else wide_table()
    if gains == "mtgnet":
        gains = MTGNet(embedding_dim=8, max_iter=5, n_members=2)
    model = architecture(name, kind, task_id="task" if form == "long" else None, max_iter=3)
    params = {"random_state": 0, "max_members": 4, "cv": None, **params}
    grouper = TaskGrouper(model, 2, gains=gains, **params).fit(X, y)
    return {
        "groups": [list(names) for names in grouper.groups_],
        "assignment": [list(names) for names in grouper.assignment_],
        "gains": grouper.gains_,
        **results_of(grouper, X, "predict"),
    }


def gains_of_groups(method):
    """Gains of a procedure that is a formula."""
    pairs = 0.1 * np.random.default_rng(0).normal(size=(5, 5))

    def procedure(groups):
        partners = groups[:, None] & ~np.eye(5, dtype=bool)
        values = (partners * pairs).sum(2) / np.maximum(partners.sum(2), 1)
        return np.where(groups, values, np.nan)

    if method == "mtgnet":
        method = MTGNet(embedding_dim=8, max_iter=8, n_members=2)
    table = estimate_gains(procedure, 5, method, affinity=pairs, random_state=0)
    return {"groups": [list(names) for names in table.index], "gains": table}


# the table of cases


NO_REFIT = {"early_stopping": True, "weight_averaging": 0.0}
# those that there are names for, in writing, since each has its pins
WEIGHTINGS = [
    "equal",
    "uncertainty",
    "dwa",
    "random",
    "imtl-l",
    "chebyshev",
    "famo",
    "mgda",
    "mgda-ub",
    "pcgrad",
    "cagrad",
    "imtl-g",
    "nash-mtl",
    "aligned-mtl",
    "fairgrad",
    "gradvac",
    "gradnorm",
    "it-mtl",
]
OPTIONS = {
    "SharedBottom": [{"head_layer_sizes": (4,)}, {"activation": "tanh"}, {"batch_size": "auto"}],
    "SingleTask": [{"one_hot": True}, {"one_hot": False}],
    "MultilinearRelation": [{"relations": "all"}],
    "TensorFactorized": [{"factorization": "tt"}, {"factorization": "laf"}],
    "MultiTaskHypernet": [
        {"target_bias": "plain"},
        {"init": "hyperfan", "hypernet_layers": 1},
        {"compression": False},
        {"compression": False, "init": "hyperfan", "target_bias": "plain"},
        {"hypernet_layers": 2, "hypernet_width": 6},
        {"linear_skip": False},
        {"embedding_alpha": 0.0, "interaction_alpha": 0.0},
        {"embedding_init": "apart"},
        {"activation": "tanh"},
        {"hidden_layer_sizes": ()},
        {"weight_averaging": 0.0},
        {"batch_size": "auto"},
    ],
}
CLASS_OPTIONS = [
    ("balanced classes", {"class_weight": "balanced"}),
    ("all classes", {"task_classes": "all"}),
]
GUMBEL_OPTIONS = {
    "learned": {"n_members": 1},
    "one task a step": {"task_schedule": "one", "max_iter": 3},
    "sampled, members": {"inference": "sampled", "n_members": 2},
    "budget, members": {"budget": 0.3, "temperature": 0.7, "clip_norm": 1.0, "n_members": 2},
    "separate": {"allocation": "separate", "n_components": 5},
}
PARETO_OPTIONS = {
    "uniform": {"preferences": "uniform"},
    "given": {"preferences": [[0.4, 0.3, 0.2, 0.1], [0.1] * 4], "weight_scale": "sum_abs"},
    "members": {"n_members": 3, "early_stopping": False},
    "huber": {"loss": "huber", "hypernet_layers": 2, "hypernet_width": 8},
    "linear networks": {"network": nn.Linear},
}


def _cases():
    kinds = ("regressor", "classifier")
    cases = {}
    for name in ARCHITECTURES:
        for kind in kinds:
            cases[f"{name}/{kind}/long"] = partial(long, name, kind)
            cases[f"{name}/{kind}/long, metadata, members"] = partial(with_metadata, name, kind)
            cases[f"{name}/{kind}/wide"] = partial(wide, name, kind)
    for name in BASELINES:
        cases[f"{name}/regressor/without refit"] = partial(long, name, "regressor", **NO_REFIT)
    for name, options in OPTIONS.items():
        for changes in options:
            text = ", ".join(f"{key}={value}" for key, value in changes.items())
            cases[f"{name}/regressor/{text}"] = partial(long, name, "regressor", **changes)
    for name in ("SharedBottom", "MultiTaskHypernet", "CrossStitch"):
        for kind in kinds:
            cases[f"{name}/{kind}/mixed"] = partial(mixed, name, kind)
            cases[f"{name}/{kind}/weights of rows"] = partial(weighted_rows, name, kind)
            cases[f"{name}/{kind}/warm start"] = partial(warm_start, name, kind)
        cases[f"{name}/regressor/two outputs"] = partial(several_outputs, name)
        cases[f"{name}/regressor/weights of labels"] = partial(weighted_labels, name)
        cases[f"{name}/regressor/validation rows given"] = partial(given_validation, name)
        cases[f"{name}/regressor/stops early"] = partial(history, name)
        cases[f"{name}/classifier/multi-label"] = partial(multi_label, name)
        for loss in ("absolute_error", "huber", "poisson", "pinball"):
            changes = {"loss": loss, "quantile": 0.8}
            cases[f"{name}/regressor/{loss}"] = partial(long, name, "regressor", **changes)
        cases[f"{name}/regressor/pinball, wide"] = partial(wide, name, "regressor", loss="pinball")
        for sampling in ("tasks", "sqrt"):
            changes = {"task_sampling": sampling}
            cases[f"{name}/regressor/sampling {sampling}"] = partial(
                long, name, "regressor", **changes
            )
        for kind, changes in CLASS_OPTIONS:
            cases[f"{name}/classifier/{kind}"] = partial(long, name, "classifier", **changes)
        for form in ("long", "wide"):
            cases[f"{name}/regressor/affinity, {form}"] = partial(affinity, name, True, form)
        for order in (1, 2):
            record = Affinity(every=2, approximate=order)
            cases[f"{name}/regressor/affinity of order {order}"] = partial(
                affinity, name, record, "wide", n_members=2
            )
    for stop in ("refit", True, False):
        for kind in kinds:
            changes = {"n_members": 3, "early_stopping": stop}
            cases[f"MultiTaskHypernet/{kind}/members, early_stopping={stop}"] = partial(
                with_metadata, "MultiTaskHypernet", kind, **changes
            )
    for kind in kinds:
        cases[f"MultiTaskHypernet/{kind}/metadata in a table"] = partial(
            hypernet_metadata_table, kind
        )
        for metadata in (False, True):
            cases[f"MultiTaskHypernet/{kind}/adapt, metadata={metadata}"] = partial(
                hypernet_adapt, kind, metadata, n_members=2
            )
    cases["MultiTaskHypernet/regressor/adapt, early_stopping=False"] = partial(
        hypernet_adapt, "regressor", False, early_stopping=False
    )
    cases["MultiTaskHypernet/regressor/metadata of columns"] = hypernet_wide_metadata
    cases["MultiTaskHypernet/regressor/importance of metadata"] = hypernet_importance
    for kind in kinds:
        for form in ("long", "wide"):
            for text, changes in GUMBEL_OPTIONS.items():
                cases[f"GumbelMatrix/{kind}/{form}, {text}"] = partial(
                    gumbel, kind, form, **changes
                )
    cases["GumbelMatrix/regressor/given components"] = gumbel_given
    cases["GumbelMatrix/regressor/mixed"] = partial(mixed, "GumbelMatrix", "regressor")
    for solver in ("linear", "pareto", "chebyshev", "epo"):
        cases[f"pareto/{solver}"] = partial(pareto_wide, solver=solver)
        cases[f"pareto/{solver}, front"] = partial(
            pareto_wide, True, solver=solver, n_members=2, max_iter=3
        )
        cases[f"pareto/{solver}, mixed"] = partial(pareto_mixed, solver=solver, max_iter=3)
    for text, changes in PARETO_OPTIONS.items():
        cases[f"pareto/{text}"] = partial(pareto_wide, **changes)
    cases["pareto/long"] = partial(pareto_long, "regressor")
    cases["pareto/long, metadata"] = partial(pareto_long, "regressor", True)
    cases["pareto/long, classes"] = partial(pareto_long, "classifier", task_types="classification")
    few = {"max_iter": 3}
    for method in WEIGHTINGS:
        cases[f"weighting/{method}/SharedBottom, wide"] = partial(
            task_weighting, "SharedBottom", method, "wide", **few
        )
        # which needs a trunk that all tasks of a row share
        if method != "mgda-ub":
            cases[f"weighting/{method}/MultiTaskHypernet, long"] = partial(
                task_weighting, "MultiTaskHypernet", method, "long", **few
            )
    for method in ("uncertainty", "dwa", "pcgrad", "cagrad", "gradnorm", "famo"):
        cases[f"weighting/{method}/GumbelMatrix, members"] = partial(
            task_weighting, "GumbelMatrix", method, "wide", n_members=2, **few
        )
    for name in BASELINES:
        pairs = [("uncertainty", "long"), ("famo", "wide")]
        if name != "IndependentTasks":
            pairs += [("pcgrad", "long"), ("cagrad", "wide")]
        if name in ("SharedBottom", "MultilinearRelation"):
            pairs += [("mgda-ub", "wide")]
        for method, form in pairs:
            cases[f"weighting/{method}/{name}, {form}, 3 epochs"] = partial(
                task_weighting, name, method, form, max_iter=3
            )
    for form in ("wide", "long"):
        cases[f"weighting/uncertainty and pcgrad/MultiTaskHypernet, {form}, members"] = partial(
            task_weighting,
            "MultiTaskHypernet",
            ("uncertainty", "pcgrad"),
            form,
            n_members=2,
            **few,
        )
    for order in (None, 1, 2):
        method = ITMTL(["equal", "tasks", "mgda"], approximate=order)
        cases[f"weighting/ITMTL of order {order}"] = partial(
            chosen_steps, method, n_members=2, **few
        )
    cases["weighting/uncertainty and ITMTL"] = partial(
        chosen_steps, ("uncertainty", ITMTL(["equal", "pcgrad"])), **few
    )
    rates = {"learning_rate_init": [3e-3, 2e-2]}
    for name, own in {
        "MultiTaskHypernet": {"embedding_alpha": [0.1, 3.0]},
        "GumbelMatrix": {"budget": [0.4, 1.0]},
        "SharedBottom": {"architecture__hidden_layer_sizes": [(4,), (6, 6)]},
    }.items():
        cases[f"search/{name}"] = partial(search, name, {**rates, **own})
    cases["search/MultiTaskHypernet, classes"] = partial(
        search, "MultiTaskHypernet", {**rates, "alpha": [1e-4, 1e-1]}, "classifier"
    )
    for method in ("exhaustive", "hoa", "tag", "mtgnet", "random"):
        cases[f"grouper/{method}, wide"] = partial(group, "SharedBottom", method, "wide")
        if method not in ("exhaustive", "mtgnet"):
            cases[f"grouper/{method}, long"] = partial(group, "MultiTaskHypernet", method, "long")
        cases[f"gains/{method}"] = partial(gains_of_groups, method)
    cases["grouper/hoa, classes"] = partial(group, "SharedBottom", "hoa", "wide", "classifier")
    return cases


CASES = _cases()


# how pins are stored and compared


@contextmanager
def double_precision():
    """Train in double precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    _device.DTYPE = torch.float64
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        _device.DTYPE = torch.float32


@pytest.fixture
def in_double():
    with double_precision():
        yield


def fingerprint():
    """Return everything that affects how sums are rounded."""
    name, path = platform.processor(), Path("/proc/cpuinfo")
    if path.exists():
        # of the first processor; in a virtual machine its name alone may say little
        lines = path.read_text().split("\n\n")[0].splitlines()
        fields = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
        keys = ("model name", "cpu family", "model")
        name = " / ".join(fields[key] for key in keys if key in fields) or name
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "processor": name,
        # libraries choose their kernels by these
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
    }


def parts_of(name, value):
    """Yield the numeric arrays and lists of labels of a result, with names."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from parts_of(f"{name}/{key}", item)
    elif isinstance(value, pd.DataFrame) and not all(map(_is_number, value.dtypes)):
        for position, column in enumerate(value):
            yield from parts_of(f"{name}/{column}", value.iloc[:, position])
    elif isinstance(value, (list, tuple)):
        yield name, value
    else:
        array = np.asarray(value)
        yield name, array if _is_number(array.dtype) else array.tolist()


def _is_number(dtype):
    return isinstance(dtype, np.dtype) and dtype.kind in "fiu"


def pinned(value):
    """Return what is stored of an array or a list."""
    if not isinstance(value, np.ndarray):
        return json.loads(json.dumps(value, default=_plain))
    value = np.ascontiguousarray(value)
    if value.dtype.kind == "f":
        # NaN has many bit patterns
        value = np.where(np.isnan(value), np.nan, value)
    elif value.dtype.kind in "iu":
        value = value.astype(np.int64)
    return {
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "sha256": hashlib.sha256(value.tobytes()).hexdigest(),
        "values": value.ravel()[:STORED].tolist(),
    }


def _plain(value):
    """Return a label of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else str(value)


def results(name):
    """Return what is stored of a case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        actual = CASES[name]()
    flat = [part for key, value in actual.items() for part in parts_of(key, value)]
    return {key: pinned(value) for key, value in flat}


def compare(actual, expected, same_machine, where):
    """Compare one array or list with its pin."""
    if not isinstance(expected, dict):
        assert actual == expected, where
        return
    assert (actual["dtype"], actual["shape"]) == (expected["dtype"], expected["shape"]), where
    # Other processors and libraries sum in another order and round differently: results are then
    # correct without being bitwise identical, and only the first values can be compared. A few
    # steps of training in double precision amplify differences of rounding only a little.
    if not same_machine:
        np.testing.assert_allclose(
            actual["values"], expected["values"], rtol=1e-6, atol=1e-9, err_msg=where
        )
    elif actual["sha256"] != expected["sha256"]:
        np.testing.assert_array_equal(actual["values"], expected["values"], err_msg=where)
        raise AssertionError(f"{where}: the first {STORED} values are equal, but not all others")


@pytest.fixture(scope="module")
def pins():
    return json.loads(PINS.read_text())


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("name", CASES)
def test_pinned(name, pins):
    actual, expected = results(name), pins["cases"][name]
    assert list(actual) == list(expected)
    same_machine = fingerprint() == pins["fingerprint"]
    for key, value in actual.items():
        compare(value, expected[key], same_machine, f"{name}: {key}")


def test_every_pin_has_its_case(pins):
    assert set(pins["cases"]) == set(CASES)


def write(prefix=""):
    """Write pins.json; with a prefix, keep the pins of other cases."""
    cases = {}
    if prefix:
        stored = json.loads(PINS.read_text())
        if stored["fingerprint"] != fingerprint():
            sys.exit("pins.json was written on another machine: write all of it, or none.")
        cases = stored["cases"]
    with double_precision():
        cases |= {name: results(name) for name in CASES if name.startswith(prefix)}
    lines = [f"{json.dumps(name)}: {json.dumps(cases[name])}" for name in CASES if name in cases]
    text = f'{{"fingerprint": {json.dumps(fingerprint())},\n"cases": {{\n'
    PINS.write_text(text + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] != "--write" or len(sys.argv) > 3:
        sys.exit(__doc__)
    write(*sys.argv[2:])
