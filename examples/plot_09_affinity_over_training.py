"""
Affinities show which tasks help each other
===========================================

How would a gradient step of one task alone change the losses of the others? ``record_affinity``
records this while the network trains, without affecting training.
"""

# %%
# Two families of two tasks that share one network. Tasks of the same family are related, tasks of
# different families are not.

from skmtl.datasets import make_related_tasks

data = make_related_tasks(
    4, relatedness=0.95, n_groups=2, n_rows=150, n_features=8, n_sines=2, random_state=0
)
X, y = data.data, data.target
X["task"] = X["task"].map({0: "a1", 1: "a2", 2: "b1", 3: "b2"})

# %%
# Recording every second step is enough. ``heads_first=False`` excludes the step of a task's own
# last layer, which helps that task whichever task makes the step.

from skmtl import MultiTaskRegressor
from skmtl.architectures import SharedBottom
from skmtl.weighting import Affinity

model = MultiTaskRegressor(
    SharedBottom(hidden_layer_sizes=(4,)),
    task_id="task",
    record_affinity=Affinity(every=2, heads_first=False),
    max_iter=60,
    early_stopping=False,
    random_state=0,
)
model.fit(X, y)
model.affinity_.round(4)

# %%
# Rows are the tasks that make a step, columns the tasks that it affects: 0.01 means that the loss
# decreases by 1%. The right figure shows affinity over the epochs for the task "a1".

import matplotlib.pyplot as plt

from skmtl.display import AffinityDisplay

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
AffinityDisplay.from_estimator(model, ax=axes[0])
AffinityDisplay.from_estimator(model, kind="history", task="a1", ax=axes[1])
plt.show()
