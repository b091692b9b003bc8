"""
The allocation matrix shows which tasks are alike
=================================================

``GumbelMatrixRegressor`` learns which components of a network each task uses. Tasks that learn to
use the same components are alike; the model has no information about which tasks are related.
"""

# %%
# Three families of three tasks. Tasks of a family differ only by noise; the model sees the id of
# each task, but not its family.

from skmtl.datasets import make_related_tasks

families = make_related_tasks(
    9, relatedness=1.0, n_groups=3, n_rows=150, n_features=8, n_sines=2, random_state=0
)
print(families.task_groups)

# %%
# Two layers of six components each. The budget allows a task to use half of them.

from skmtl import GumbelMatrixRegressor

model = GumbelMatrixRegressor(
    task_id="task",
    layers=(16, 16),
    n_components=6,
    budget=0.5,
    budget_penalty=0.1,
    learning_rate_init=5e-3,
    max_iter=120,
    random_state=0,
)
model.fit(families.data, families.target)
model.allocations_[0]

# %%
# The left figure has a row for each task and a column for each component. The right one shows the
# share of components that two tasks have in common: families appear as blocks.

import matplotlib.pyplot as plt

from skmtl.display import AllocationDisplay, TaskSimilarityDisplay

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", width_ratios=[3, 2])
AllocationDisplay.from_estimator(model, ax=axes[0])
TaskSimilarityDisplay.from_estimator(model, ax=axes[1])
plt.show()
