"""
A grid search is one training run
=================================

Small networks leave most of a processor idle. ``BatchedGridSearchCV`` trains all candidates and all
folds at once, as slices of the same tensors, and gives the results of scikit-learn's
``GridSearchCV``: the same scores on the same folds.
"""

# %%
# Six candidates and three folds make 18 networks.

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic

cubic = make_cubic(n_tasks=20, n_rows=12, random_state=0)
model = MultiTaskHypernetRegressor(
    task_id="task", metadata=cubic.metadata, max_iter=30, early_stopping=False, random_state=0
)
grid = {"learning_rate_init": [5e-4, 1.5e-3, 5e-3], "alpha": [1e-4, 10.0]}

# %%
# Run both searches, and measure their time.

import time

from sklearn.model_selection import GridSearchCV

from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

folds = TaskKFold("task", n_splits=3, shuffle=True, random_state=0)
scoring = "neg_root_mean_squared_error"

start = time.perf_counter()
batched = BatchedGridSearchCV(model, grid, cv=folds, scoring=scoring)
batched.fit(cubic.data, cubic.target)
seconds = {"batched": time.perf_counter() - start}

start = time.perf_counter()
one_by_one = GridSearchCV(model, grid, cv=folds, scoring=scoring)
one_by_one.fit(cubic.data, cubic.target)
seconds["one by one"] = time.perf_counter() - start
print({name: round(value, 1) for name, value in seconds.items()})

# %%
# The results agree, candidate by candidate.

import pandas as pd

columns = ["param_learning_rate_init", "param_alpha", "mean_test_score"]
results = pd.DataFrame(batched.cv_results_)[columns]
results["one by one"] = one_by_one.cv_results_["mean_test_score"]
results.round(4)

# %%
# The scores of the candidates, and the time of both searches.

import matplotlib.pyplot as plt

table = results.pivot(
    index="param_alpha", columns="param_learning_rate_init", values="mean_test_score"
)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", width_ratios=[2, 1])
image = axes[0].imshow(table, cmap="viridis")
axes[0].set(
    xticks=range(3),
    xticklabels=table.columns,
    yticks=range(2),
    yticklabels=table.index,
    xlabel="learning_rate_init",
    ylabel="alpha",
    title="Score of each candidate: minus the error",
)
for (row, column), value in pd.DataFrame(table.to_numpy()).stack().items():
    dark = value < table.to_numpy().mean()
    axes[0].text(column, row, f"{value:.3f}", ha="center", color="w" if dark else "k")
figure.colorbar(image, ax=axes[0])
bars = axes[1].bar(list(seconds), list(seconds.values()), color=["C0", "0.6"])
axes[1].bar_label(bars, fmt="%.1f s")
axes[1].set(ylabel="seconds", title="18 networks and a refit")
plt.show()
