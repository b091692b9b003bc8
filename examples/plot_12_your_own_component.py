"""
A component of your own needs one class
=======================================

Two extensions of a few lines each: a component of a modular network, as a function that builds a
torch module, and a task weighting method, as a class with a single method.
"""

# %%
# A component
# -----------
# Two tasks of upright digits and one of rotated digits, which may or may not share components. A
# component maps rows of 64 pixels to feature vectors; this one is a small convolution. The function
# receives the width of the component's input.

import torch

from skmtl import GumbelMatrixClassifier
from skmtl.datasets import make_rotated_digits

digits = make_rotated_digits(angles=(0, 0, 90), n_rows=300, random_state=0)


def convolution(n_features):
    """Apply eight filters of 3 x 3 pixels, and return the maximum of each in every quarter."""
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 8, 8)),
        torch.nn.Conv2d(1, 8, kernel_size=3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(4),
        torch.nn.Flatten(),
    )


model = GumbelMatrixClassifier(
    task_id="task",
    # dense and convolutional components in one layer: all return 32 numbers
    components=[[convolution, convolution, (32,)], [(32,), (32,)]],
    learning_rate_init=5e-3,
    max_iter=30,
    random_state=0,
)
model.fit(digits.data, digits.target)
model.allocations_[0]

# %%
# A weighting method
# ------------------
# Tasks with larger losses get more weight. ``_weights`` receives the losses, with a row for each
# member, and the tasks that have rows in the batch; it returns weights of the same shape.

from skmtl import MultiTaskClassifier
from skmtl.architectures import SharedBottom
from skmtl.weighting import TaskWeighting


class Harder(TaskWeighting):
    """Weight tasks in proportion to their losses, with mean weight 1."""

    def _weights(self, losses, gramian, present, state, generators):
        known = torch.where(present, losses, 0.0)
        return known * present.sum(1, keepdim=True) / known.sum(1, keepdim=True)


weighted = MultiTaskClassifier(
    SharedBottom(hidden_layer_sizes=(32,)),
    task_id="task",
    task_weighting=Harder(),
    max_iter=30,
    random_state=0,
)
weighted.fit(digits.data, digits.target)

# %%
# The weights of the tasks are recorded in every epoch.

import matplotlib.pyplot as plt

from skmtl.display import AllocationDisplay

figure, axes = plt.subplots(2, 1, figsize=(8, 5.5), layout="constrained")
AllocationDisplay.from_estimator(model, ax=axes[0])
axes[0].set_title("components: two convolutions and a dense one, two dense ones")
weighted.task_weights_.loc[0].plot(ax=axes[1])
axes[1].axhline(1, color="0.7", linewidth=1)
axes[1].set(title="weights: the digits of task 2 are rotated", ylabel="weight")
plt.show()
