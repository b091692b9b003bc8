"""
How certain is the model? The spread of an ensemble
===================================================

``n_members=8`` trains eight networks in one run, in less than twice the time of one. They disagree
where the training rows carry little information. The spread describes the *models*: it does not
include the noise of the labels, so intervals for labels have to add the error on validation rows.
"""

# %%
# Four curves, each observed on part of its range.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
tables = []
for task, (low, high) in enumerate([(-1, 0.2), (-0.3, 1), (-1, 1), (-0.5, 0.5)]):
    x = rng.uniform(low, high, 40)
    y = np.sin(3 * x + task) + 0.5 * task * x + 0.1 * rng.normal(size=40)
    tables.append(pd.DataFrame({"x": x, "curve": f"curve {task + 1}", "y": y}))
data = pd.concat(tables, ignore_index=True)

# %%
# The ensemble.

from skmtl import MultiTaskHypernetRegressor

model = MultiTaskHypernetRegressor(
    task_id="curve", n_members=8, learning_rate_init=5e-3, max_iter=300, random_state=0
)
model.fit(data[["x", "curve"]], data["y"])
model.summary()

# %%
# ``predict(return_std=True)`` returns the mean and the spread of the members.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), sharey=True, layout="constrained")
x = np.linspace(-1, 1, 101)
for ax, curve in zip(axes, model.tasks_, strict=True):
    mean, spread = model.predict(pd.DataFrame({"x": x, "curve": curve}), return_std=True)
    seen = data[data["curve"] == curve]
    ax.fill_between(
        x, mean - 2 * spread, mean + 2 * spread, alpha=0.3, label="2 standard deviations"
    )
    ax.plot(x, mean, label="mean of 8 networks")
    ax.plot(seen["x"], seen["y"], "k.", markersize=4, label="training rows")
    ax.set(title=curve, xlabel="x")
axes[0].set_ylabel("y")
axes[0].legend(fontsize="small")
plt.show()
