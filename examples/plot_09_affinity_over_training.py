"""
Which tasks help each other? Affinity over training
===================================================

If one task made a step alone, what would the losses of the others do? ``record_affinity`` looks
ahead in this way while the network trains, and leaves training as it is.
"""

# %%
# Two families of two tasks that share one network. Within a family tasks are related, between
# families they have nothing in common.

from skmtl.datasets import make_related_tasks

data = make_related_tasks(
    4, relatedness=0.9, n_groups=2, n_rows=150, n_features=8, n_sines=2, random_state=0
)

# %%
# A look every second step is enough.

from skmtl.baselines import SharedBottomRegressor

model = SharedBottomRegressor(
    task_id="task",
    hidden_layer_sizes=(32,),
    record_affinity=2,
    max_iter=40,
    early_stopping=False,
    random_state=0,
)
model.fit(data.data, data.target)
model.affinity_.round(4)

# %%
# A row is the task that steps, a column the task that is affected: 0.01 means that its loss falls
# by 1%. On the left the mean over training, on the right its course: of related tasks it is large
# in the beginning, when the network learns what they have in common.

import matplotlib.pyplot as plt
import numpy as np

affinity = model.affinity_.to_numpy()
off_diagonal = np.where(np.eye(4, dtype=bool), np.nan, affinity)
limit = np.nanmax(np.abs(off_diagonal))

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
image = axes[0].imshow(off_diagonal, cmap="PuOr", vmin=-limit, vmax=limit)
for (row, column), value in np.ndenumerate(off_diagonal):
    if row != column:
        axes[0].text(column, row, f"{value:.4f}", ha="center", va="center")
axes[0].set(
    xticks=range(4),
    yticks=range(4),
    xlabel="task affected",
    ylabel="task that steps",
    title="Mean over training; 0 and 1 are a family, 2 and 3 another",
)
figure.colorbar(image, ax=axes[0])
history = model.affinity_history_.loc[0]
for first in range(4):
    values = history.xs(first, level="task")
    for second in range(4):
        if first != second:
            same = first // 2 == second // 2
            label = {(0, 1): "within a family", (0, 2): "between families"}.get((first, second))
            axes[1].plot(
                values.index,
                values[second],
                color="C0" if same else "C1",
                linestyle="-" if same else "--",
                label=label,
            )
axes[1].axhline(0, color="0.5", linewidth=1)
axes[1].set(xlabel="epoch", ylabel="affinity", title="Every pair, epoch by epoch")
axes[1].legend()
plt.show()
