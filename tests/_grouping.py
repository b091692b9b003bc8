"""Tables with families of tasks, and a procedure that measures gains, for tests of grouping."""

import numpy as np
import pandas as pd

from skmtl.grouping import MTGNet

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_iter": 2,
    "batch_size": 64,
    "learning_rate_init": 3e-2,
    "random_state": 0,
}


def wide_table(n=120, n_tasks=4, missing=0.0, seed=0):
    """Two families: tasks of one are noisy copies of each other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    sources = X @ rng.normal(size=(4, 2))
    y = sources[:, np.arange(n_tasks) * 2 // n_tasks] + 0.5 * rng.normal(size=(n, n_tasks))
    frame = pd.DataFrame(y, columns=list("abcdefg")[:n_tasks])
    return pd.DataFrame(X, columns=list("wxyz")), frame.mask(rng.random(frame.shape) < missing)


def long_table(n=40, n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    counts = n + 7 * np.arange(n_tasks)
    task = np.repeat(np.arange(n_tasks), counts)
    X = pd.DataFrame(rng.normal(size=(len(task), 3)), columns=list("uvw"))
    slopes = rng.normal(size=(2, 3))[np.arange(n_tasks) * 2 // n_tasks]
    y = (X.to_numpy() * slopes[task]).sum(1) + 0.3 * rng.normal(size=len(task))
    return X.assign(task=[f"t{k}" for k in task]), pd.Series(y)


def truth(groups, seed=0):
    """Gains that are means over partners, and an interaction of three tasks."""
    rng = np.random.default_rng(seed)
    by_pair = rng.normal(size=(groups.shape[1], groups.shape[1])) * 0.1
    partners = groups[:, None] & ~np.eye(groups.shape[1], dtype=bool)
    values = (partners * by_pair).sum(2) / np.maximum(partners.sum(2), 1)
    values[groups[:, :3].all(axis=1)] -= 0.05
    values[groups.sum(axis=1) == 1] = 0
    return np.where(groups, values, np.nan)


class Procedure:
    """Record the groups that it is called with."""

    def __init__(self):
        self.groups = []

    def __call__(self, groups):
        self.groups += [tuple(np.flatnonzero(group).tolist()) for group in groups]
        return truth(groups)


def fast(**parameters):
    """Return a small MTGNet."""
    return MTGNet(**{"embedding_dim": 8, "max_iter": 10, "n_members": 2, **parameters})
