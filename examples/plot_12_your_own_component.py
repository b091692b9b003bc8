"""
Extending skmtl with your own component
=======================================

Two ways to bring something of your own, each a few lines: a component of a modular network, as a
function that builds a torch module, and a way to weigh tasks, as a class with one method.
"""

# %%
# A component
# -----------
# Digits upright and on their side: tasks that may share what comes after the pixels, or not. A
# component gets rows of 64 pixels and gives rows of numbers; this one is a small convolution. It is
# told the width of its input.

import torch

from skmtl import GumbelMatrixClassifier
from skmtl.datasets import make_rotated_digits

digits = make_rotated_digits(angles=(0, 0, 90), n_rows=300, random_state=0)


def convolution(n_features):
    """Eight filters of 3 x 3 pixels over the image, one number each for a quarter of it."""
    return torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 8, 8)),
        torch.nn.Conv2d(1, 8, kernel_size=3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(4),
        torch.nn.Flatten(),
    )


model = GumbelMatrixClassifier(
    task_id="task",
    # dense and convolutional components side by side: all give 32 numbers
    components=[[convolution, convolution, (32,)], [(32,), (32,)]],
    learning_rate_init=5e-3,
    max_iter=30,
    random_state=0,
)
model.fit(digits.data, digits.target)
model.allocations_[0]

# %%
# A way to weigh tasks
# --------------------
# Tasks whose loss is large get more weight. ``_weights`` is told the losses of all members, a row
# for each, and which tasks have rows in the batch; it answers with weights of the same shape.

from skmtl import MultiTaskClassifier
from skmtl.architectures import SharedBottom
from skmtl.weighting import TaskWeighting


class Harder(TaskWeighting):
    """Weights in proportion to the losses, of mean 1."""

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
# What the tasks weigh in each epoch is recorded.

import matplotlib.pyplot as plt

from skmtl.display import AllocationDisplay

figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
AllocationDisplay.from_estimator(model, ax=axes[0])
axes[0].set_title("components: two convolutions and a dense one, two dense ones")
weighted.task_weights_.loc[0].plot(ax=axes[1])
axes[1].axhline(1, color="0.7", linewidth=1)
axes[1].set(title="weights: task 2 is on its side", ylabel="weight")
plt.show()
