"""Methods of the hypernetwork paper's table 2, what it tunes, and how settings are chosen.

Grids follow its table 6, apart from rates, which suit averaged weights and early stopping, and
from weight decay, which every method may have here.
"""

import time
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from common.cli import FEW_EPOCHS, QUICK

from skmtl import MultiTaskHypernetRegressor, MultiTaskRegressor
from skmtl.architectures import (
    CrossStitch,
    MaximumRoaming,
    MultilinearRelation,
    SharedBottom,
    SingleNetwork,
    Sluice,
    TensorFactorization,
)
from skmtl.model_selection import fit_many

BATCH_SIZE = 64
# of every method
FIXED = {"validation_fraction": 0.25, "batch_size": BATCH_SIZE}
COMMON = [
    {"learning_rate_init": rate, "alpha": alpha}
    for rate, alpha in product((5e-4, 1.5e-3, 5e-3), (1e-4, 1.0))
]
METADATA = {"with metadata": True, "without metadata": False}


def grid(**values):
    """Return all combinations, as a list of dicts."""
    return [dict(zip(values, one, strict=True)) for one in product(*values.values())]


@dataclass
class Method:
    """An architecture, or None for the hypernetwork's estimator, and settings to choose from."""

    architecture: type | None
    fixed: dict = field(default_factory=dict)
    own: list = field(default_factory=list)


METHODS = {
    "STL-naive": Method(SingleNetwork, {"one_hot": False}),
    "STL": Method(SingleNetwork),
    "Hard sharing": Method(SharedBottom),
    "MRN": Method(MultilinearRelation, own=grid(relation_alpha=(1e-2, 1e-3, 1e-4, 1e-5))),
    "Cross-stitch": Method(CrossStitch, own=grid(self_weight=("balanced", 0.5, 0.9))),
    "Sluice": Method(
        Sluice,
        own=grid(self_weight=("balanced", 0.9), orthogonality_alpha=(1, 0.1, 0.01, 1e-3, 1e-4)),
    ),
    "DMTRL": Method(
        TensorFactorization,
        own=grid(factorization=("tucker", "tt"), rank=(2, 4, 8, 16)),
    ),
    "MR": Method(
        MaximumRoaming,
        own=grid(active_fraction=(0.4, 0.6, 0.8), roaming_interval=(1, 2, 4, 8)),
    ),
    "Hypernetwork": Method(
        None,
        {"linear_skip": False, "interaction_alpha": 0.0},
        own=grid(hypernet_layers=(0, 1, 2), linear_skip=(False, True)),
    ),
}


def model_of(data, method, with_metadata, settings):
    """Return the unfitted estimator of a method."""
    values = {
        "task_id": data.task_id,
        "metadata": data.metadata if with_metadata else None,
        **FIXED,
        **method.fixed,
        **settings,
        **FEW_EPOCHS,
    }
    if values.get("self_weight") == "balanced":
        values["self_weight"] = 1 / data.X[data.task_id].nunique()
    if method.architecture is None:
        return MultiTaskHypernetRegressor(**values)
    names = method.architecture().get_params()
    architecture = method.architecture(**{k: v for k, v in values.items() if k in names})
    return MultiTaskRegressor(architecture, **{k: v for k, v in values.items() if k not in names})


def run(data, name, with_metadata, choices, seeds, refit=True):
    """Fit one method with several settings and seeds, in one training run where shapes allow.

    Parameters
    ----------
    data : PaperData
    name : str
        Of the method.
    with_metadata : bool
    choices : list of dict
    seeds : sequence of int
        Each has its rows.
    refit : bool
        Whether validation rows are trained on once they have said for how long, as by default; if
        not they are kept apart, so that settings can be chosen by them.

    Returns
    -------
    DataFrame
        A row per fit: the settings' number in `choices`, the seed, mean squared errors on
        validation rows and on test rows, the latter as the mean of the tasks' means, too.
    """
    X = data.X if with_metadata else data.X.drop(columns=data.metadata)
    splits = {seed: data.split(seed) for seed in seeds}
    models, tables, keys = [], [], []
    for number, settings in enumerate(choices):
        for seed in seeds:
            train, valid, _ = splits[seed]
            model = model_of(data, METHODS[name], with_metadata, settings)
            models.append(model.set_params(random_state=seed))
            if refit:
                known = np.concatenate([train, valid])
                tables.append((X.iloc[known], data.y.iloc[known]))
            else:
                rows = X.iloc[train], data.y.iloc[train], None, X.iloc[valid], data.y.iloc[valid]
                tables.append(rows)
            keys.append((number, seed))
    start = time.perf_counter()
    fit_many(models, tables)
    seconds = (time.perf_counter() - start) / len(models)
    found = []
    for (number, seed), model in zip(keys, models, strict=True):
        _, valid, test = splits[seed]
        errors = data.errors(test, model.predict(X.iloc[test]))
        by_task = pd.Series(errors).groupby(X[data.task_id].iloc[test].to_numpy())
        row = {"data": data.name, "method": name, "metadata": with_metadata}
        row |= {"choice": number, "seed": seed}
        if not refit:
            row["valid_mse"] = data.errors(valid, model.predict(X.iloc[valid])).mean()
        row |= {"mse": errors.mean(), "rmse": np.sqrt(errors.mean())}
        row |= {"mse_of_tasks": by_task.mean().mean(), "epochs": model.n_iter_}
        found.append({**row, "seconds": seconds})
    return pd.DataFrame(found)


def best(rows, choices):
    """Return the settings of least mean validation error."""
    return choices[rows.groupby("choice")["valid_mse"].mean().idxmin()]


def tune(data, name, with_metadata, seeds):
    """Choose rate and decay, then what is the method's own, by validation rows.

    Returns
    -------
    dict
    """
    common, own = (some[:2] if QUICK else some for some in (COMMON, METHODS[name].own))
    settings = best(run(data, name, with_metadata, common, seeds, refit=False), common)
    if own:
        own = [{**settings, **one} for one in own]
        settings = best(run(data, name, with_metadata, own, seeds, refit=False), own)
    return settings
