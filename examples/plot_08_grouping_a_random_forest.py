"""
A random forest need not share all outputs
==========================================

One random forest can predict many columns at once, or each column can have its own forest. Neither
needs to be best: `TaskGrouper` measures how much each column gains in groups with others, selects
the groups, and trains one forest for each. It works with any scikit-learn estimator.
"""

# %%
# Six columns: three of them depend on the same few of twenty features, the other three on different
# features.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n_rows = 260
X = pd.DataFrame(rng.normal(size=(n_rows, 20)), columns=[f"x{k}" for k in range(20)])
first = np.sign(X["x0"]) * np.abs(X["x1"]) + (X["x2"] > 0)
second = np.sign(X["x7"]) * np.abs(X["x8"]) + (X["x9"] > 0)
Y = pd.DataFrame(
    {
        f"{name}{k}": scale * value + rng.normal(size=n_rows)
        for name, value in {"a": first, "b": second}.items()
        for k, scale in enumerate((1.0, 1.5, 2.0))
    }
)
train, test = np.arange(n_rows) < 130, np.arange(n_rows) >= 130

# %%
# Cross-validation measures the gains of single columns and of all pairs; those of larger groups are
# estimated by means of pairs. An integer program then finds the best two groups.

from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from skmtl import TaskGrouper

forest = RandomForestRegressor(30, min_samples_leaf=3, random_state=0)
grouper = TaskGrouper(
    forest, max_groups=2, gains="hoa", cv=KFold(3, shuffle=True, random_state=0), random_state=0
)
grouper.fit(X[train], Y[train])
print(grouper.groups_)

# %%
# ``report`` scores every column on held-out rows: alone, with all others, and in its group:

grouper.report(X[test], Y[test]).round(3)

# %%
# The errors of separate forests, of one forest for all columns, and of two groups:

from sklearn.base import clone

predictions = {
    "one forest each": np.column_stack(
        [clone(forest).fit(X[train], Y.loc[train, name]).predict(X[test]) for name in Y]
    ),
    "one forest for all": clone(forest).fit(X[train], Y[train]).predict(X[test]),
    "two groups": np.asarray(grouper.predict(X[test])),
}
errors = pd.DataFrame(
    {name: ((values - Y[test]) ** 2).mean() for name, values in predictions.items()}
)
errors.assign(mean=errors.mean(axis=1)).round(3)

# %%
# The groups, and the errors relative to a separate forest for each column.

import matplotlib.pyplot as plt

from skmtl.display import TaskGroupsDisplay

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
TaskGroupsDisplay.from_estimator(grouper, ax=axes[0])
relative = errors.div(errors["one forest each"], axis=0).drop(columns="one forest each")
relative.plot.bar(ax=axes[1], color=["0.7", "C0"], rot=0)
axes[1].axhline(1, color="k", linewidth=1)
axes[1].set(ylim=(0.7, 1.6), ylabel="squared error / that of a forest each", title="Test rows")
plt.show()
