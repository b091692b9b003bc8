"""
A saved model can be trained further, on any device
===================================================

A fitted estimator keeps only what it needs to predict: no training rows and no optimiser. It can be
pickled like any other object, and an estimator fitted on a GPU loads on a machine without one.
"""

# %%
# ``device="auto"`` uses a GPU if there is one; ``device_`` is the device that was used.

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic

cubic = make_cubic(n_tasks=20, n_rows=30, random_state=0)
model = MultiTaskHypernetRegressor(
    task_id="task", metadata=cubic.metadata, learning_rate_init=5e-3, max_iter=150, random_state=0
)
model.fit(cubic.data, cubic.target)
print(model.device_)

# %%
# A notebook shows the parameters, and a summary of the fit below them.

model

# %%
# Save and load
# -------------

import tempfile
from pathlib import Path

import joblib
import numpy as np

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "cubic.joblib"
    joblib.dump(model, path)
    print(f"{path.stat().st_size / 1024:.0f} KiB")
    loaded = joblib.load(path)
print(np.array_equal(loaded.predict(cubic.data), model.predict(cubic.data)))

# %%
# The network is an ordinary torch module, for direct use.

print(type(loaded.module_).__name__, sum(p.numel() for p in loaded.module_.parameters()))

# %%
# Continue training
# -----------------
# With ``warm_start=True`` a loaded model continues from its weights, here on new rows.

loaded.set_params(warm_start=True, max_iter=50)
more = make_cubic(n_tasks=20, n_rows=30, random_state=0, noise=0.05)
loaded.fit(more.data, more.target)

import matplotlib.pyplot as plt

from skmtl.display import LearningCurvesDisplay

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
LearningCurvesDisplay.from_estimator(model, ax=axes[0]).ax_.set(title="first fit", yscale="log")
LearningCurvesDisplay.from_estimator(loaded, ax=axes[1]).ax_.set_title("loaded and trained further")
plt.show()
