"""
Predictions without this package
================================

A server that predicts needs neither torch nor scikit-learn: ``export`` writes the networks of
tasks, base learners included, as an ONNX graph or as arrays of numpy. The guide, :doc:`/serving`,
has the function that evaluates the arrays.
"""

# %%
# A model of 20 tasks, with metadata.

import json
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import skmtl
from skmtl.datasets import make_cubic

cubic = make_cubic(n_tasks=20, n_rows=30, random_state=0)
model = skmtl.MultiTaskHypernetRegressor(
    task_id="task", metadata=cubic.metadata, max_iter=150, random_state=0
)
model.fit(cubic.data, cubic.target)
folder = Path(tempfile.mkdtemp())

# %%
# Save, load, export
# ------------------
#
# A saved model is complete. An exported one only predicts, for the tasks that it was asked for.

model.save(folder / "cubic.skmtl")
loaded = skmtl.load(folder / "cubic.skmtl")
loaded.export(folder / "cubic.npz", tasks=[3, 7])
{path.name: f"{path.stat().st_size / 1024:.0f} KiB" for path in sorted(folder.iterdir())}


# %%
# One row
# -------
#
# Milliseconds of a call, after the first ones.


def milliseconds(predict, n_calls=200):
    """Return the median time of a call."""
    seconds = []
    for _ in range(n_calls):
        start = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - start)
    return 1e3 * np.median(seconds)


row = cubic.data.head(1)
times = {"skmtl": milliseconds(lambda: loaded.predict(row))}

# %%
# With onnxruntime, if it is installed (``pip install "skmtl[export]"``):

try:
    import onnxruntime

    loaded.export(folder / "cubic.onnx")
    session = onnxruntime.InferenceSession(folder / "cubic.onnx")
    texts = session.get_modelmeta().custom_metadata_map
    tasks, columns = (json.loads(texts[name]) for name in ("tasks", "columns"))

    def inputs(table):
        """Return what the graph reads of a table."""
        return {
            "features": table[columns].to_numpy(dtype=np.float64),
            "task": pd.Index(tasks).get_indexer(table["task"]),
        }

    (predictions,) = session.run(None, inputs(cubic.data))
    print("largest difference:", np.abs(predictions - model.predict(cubic.data)).max())
    one = inputs(row)
    times["onnxruntime"] = milliseconds(lambda: session.run(None, one))
except ImportError:
    print("onnxruntime is not installed")

fig, ax = plt.subplots(figsize=(6, 2), layout="constrained")
ax.barh(list(times), list(times.values()))
ax.set_xlabel("milliseconds for one row")
plt.show()
