"""
A trade-off is chosen after training
====================================

Two tasks share a network that is too small for both. How much should each of them count? With
`ParetoHypernet` this need not be decided before training: one model covers all trade-offs, and a
preference is chosen at prediction time, or found from a limit on a loss.
"""

# %%
# Cost and delay depend on the same two features by different curves, and two hidden units cannot
# fit both.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.uniform(-1, 1, size=(900, 2)), columns=["x0", "x1"])
Y = pd.DataFrame(
    {
        "cost": np.sin(3 * X["x0"]) + X["x1"],
        "delay": np.cos(3 * X["x0"] + 2 * X["x1"]) - X["x1"],
    }
) + 0.05 * rng.normal(size=(900, 2))
train, valid, test = slice(0, 400), slice(400, 600), slice(600, 900)

# %%
# One fit
# -------

from skmtl import ParetoHypernet

model = ParetoHypernet(
    hidden_layer_sizes=(2,), learning_rate_init=5e-3, max_iter=150, random_state=0
)
model.fit(X[train], Y[train])

# %%
# The same model with three preferences. More weight on a task means a lower loss for it.

for preference in ({"cost": 9, "delay": 1}, {"cost": 1, "delay": 1}, {"cost": 1, "delay": 9}):
    errors = ((model.predict(X[test], preference=preference) - Y[test]) ** 2).mean()
    print(preference, errors.round(3).to_dict())

# %%
# A limit instead of weights
# --------------------------
# A common question in practice: how small can the loss of delay be if that of cost stays below a
# limit? Losses are those of `pareto_front`, on validation rows.

front = model.pareto_front(X[valid], Y[valid], preferences=51)
limit = float(front["loss"]["cost"].quantile(0.4))
chosen = model.choose_preference(X[valid], Y[valid], max_loss={"cost": limit}, minimize="delay")
print(f"cost at most {limit:.3f}:", chosen)

# %%
# The front, with the chosen preference.

import matplotlib.pyplot as plt

from skmtl.display import ParetoFrontDisplay

figure, axes = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
ParetoFrontDisplay.from_estimator(model, X[valid], Y[valid], chosen=chosen, ax=axes)
axes.axvline(limit, color="0.6", linestyle=":")
plt.show()
