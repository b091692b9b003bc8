"""Tables with planted effects of tasks, their true variance shares, and the linear mixed model."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

KINDS = ("intercepts", "slopes", "level_2", "nonlinear")
# the formula of fixed effects and that of random ones, in the words of statsmodels
FORMULAS = {
    "intercepts": ("y ~ x", None),
    "slopes": ("y ~ x", "~x"),
    "level_2": ("y ~ x + w", None),
    "nonlinear": ("y ~ x", "~x"),
}


@dataclass
class Planted:
    """A table, its target, true effects of tasks on the level, and true shares."""

    X: pd.DataFrame
    y: pd.Series
    level: np.ndarray
    shares: dict


def draw(kind, seed):
    """Draw a table: 80 tasks of 20 rows, of 40 rows if nonlinear."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    n_tasks, n_rows = 80, 40 if kind == "nonlinear" else 20
    task = np.repeat(np.arange(n_tasks), n_rows)
    x, noise = rng.normal(size=(2, len(task)))
    u, v, w = rng.normal(size=(3, n_tasks))
    X = pd.DataFrame({"task": task, "x": x})
    if kind == "intercepts":
        level = 0.8 * u
        y, variances = x + level[task] + noise, {"features": 1, "task": 0.64, "noise": 1}
    elif kind == "slopes":
        level = u
        y = (1 + 0.5 * v[task]) * x + level[task] + noise
        variances = {"features": 1, "task": 1.25, "noise": 1}
    elif kind == "level_2":
        level = 0.8 * w + 0.6 * u
        X["w"] = w[task]
        y = x + level[task] + noise
        variances = {"features": 1, "metadata": 0.64, "task": 0.36, "noise": 1}
    else:
        # variance of 1.5 sin(2 x) is 1.125 (1 - exp(-8)); x ** 2 - 1 has variance 2
        level = 0.8 * u - 0.5 * v
        y = 1.5 * np.sin(2 * x) + (0.8 * u)[task] + 0.5 * v[task] * (x**2 - 1) + 0.7 * noise
        variances = {"features": 1.125 * (1 - np.exp(-8)), "task": 1.14, "noise": 0.49}
    total = sum(variances.values())
    shares = {name: value / total for name, value in variances.items()}
    return Planted(X, pd.Series(y, name="y"), level, shares)


def mixed_model(table, formula, random, task="task"):
    """Fit the linear mixed model by REML."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return smf.mixedlm(formula, table, groups=table[task], re_formula=random).fit()


def mixed_shares(model, table, formula, metadata=()):
    """Return the variance shares of a fitted mixed model, as Nakagawa et al. (2017) define them."""
    design = pd.DataFrame(model.model.exog, columns=model.model.exog_names)
    own = [name for name in design if name in metadata]
    of_metadata = design[own] @ model.fe_params[own]
    features = design.drop(columns=own) @ model.fe_params.drop(own)
    z = model.model.exog_re
    covariance = np.asarray(model.cov_re)
    variances = {
        "features": np.var(features),
        "metadata": np.var(of_metadata),
        "task": np.einsum("ni,ij,nj->n", z, covariance, z).mean(),
        "noise": model.scale,
    }
    total = sum(variances.values())
    return {name: value / total for name, value in variances.items()}


def mixed_levels(model, table, metadata=()):
    """Return the predicted effect of each task at x = 0, what metadata explain included."""
    levels = np.array([effects.iloc[0] for effects in model.random_effects.values()])
    by_task = table.groupby("task")
    for name in metadata:
        levels = levels + model.fe_params[name] * by_task[name].first().to_numpy()
    return levels
