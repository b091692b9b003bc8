"""Shares of the variance of y with several levels of ids: of features, metadata, levels, noise."""

import numpy as np
import pandas as pd

from skmtl._estimators.level_effects import average_networks
from skmtl._estimators.share_table import share_table

# most rows that are crossed with combinations of metadata
_ROWS = 256


def level_shares(estimator, sums, X=None):
    """Return the table of `MultiTaskHypernetRegressor.variance_shares`, with rows by level."""
    features, metadata = _population(estimator, sums, X)
    names = [str(name) for name in estimator._tables.names]
    values, errors = [], []
    for m, (outputs, alongs) in enumerate(average_networks(estimator, sums, features, metadata)):
        noise = sums.noise[m] * float(estimator._targets.parts[0].size[0]) ** 2
        # rows in the first axis, combinations of metadata in the second
        of_member = {
            "features": (outputs.mean(axis=1).var(), 0.0),
            "metadata": (outputs.var(axis=1).mean(), 0.0),
            "noise": (noise, noise * np.sqrt(2 / sums.free[m])),
        }
        for name, level, along in zip(names, sums.members[m], alongs, strict=True):
            total = np.einsum("kci,ij,kcj->kc", along, level.covariance, along).mean()
            mean = along.mean(axis=0)
            intercept = np.einsum("ci,ij,cj->c", mean, level.covariance, mean).mean()
            # relative errors of variances that are known the better the less effects are shrunk
            error = np.sqrt(2 / max(level.n_ids - 1, 1)) / max(level.known, 0.05)
            parts = ("task", total), ("task_level", intercept), ("task_slopes", total - intercept)
            of_member |= {f"{part}[{name}]": (value, value * error) for part, value in parts}
        values.append({name: value for name, (value, _) in of_member.items()})
        errors.append({name: error for name, (_, error) in of_member.items()})
    table, errors = pd.DataFrame(values), pd.DataFrame(errors)
    of_levels = [f"task[{name}]" for name in names]
    table["task"] = table[of_levels].sum(axis=1)
    errors["task"] = np.sqrt((errors[of_levels] ** 2).sum(axis=1))
    between = ["metadata"] if sums.metadata is not None else []
    part_of = {name: "total" for name in ("features", *between, "task")}
    ratios = {"icc": (["task"], ["noise"])}
    for name in names:
        part_of[f"task[{name}]"] = "task"
        part_of |= {f"{part}[{name}]": f"task[{name}]" for part in ("task_level", "task_slopes")}
        others = [other for other in of_levels if other != f"task[{name}]"]
        ratios[f"icc[{name}]"] = ([f"task[{name}]"], [*others, "noise"])
    part_of["noise"] = "total"
    if between:
        ratios["explained_by_metadata"] = (["metadata"], ["task"])
    return share_table(table, errors, part_of, ratios)


def _population(estimator, sums, X):
    """Return encoded features (k, d), and metadata (c, d_m) of combinations of ids or None."""
    if X is None:
        return sums.made_up, sums.metadata
    query = estimator._tables.prediction_rows(X, "average", estimator)
    features, metadata = query.features, query.metadata
    generator = np.random.default_rng(0)
    if len(features) > _ROWS:
        features = features[np.sort(generator.choice(len(features), _ROWS, replace=False))]
    if metadata is not None and len(metadata) > len(sums.metadata):
        chosen = generator.choice(len(metadata), len(sums.metadata), replace=False)
        metadata = metadata[np.sort(chosen)]
    return features, metadata
