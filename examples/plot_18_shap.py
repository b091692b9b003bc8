"""
SHAP values say what a school adds to a prediction
==================================================

Why is this pupil predicted to score higher than that one? SHAP values divide a prediction among the
columns, the school included. This page needs ``pip install shap``.
"""

# %%
# Pupils of 160 schools. ``minority``, ``female`` and ``ses`` describe a pupil, the other columns
# the school.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.ensemble import HistGradientBoostingRegressor

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school

pupils = load_high_school()
X, y = pupils.data, pupils.target
model = MultiTaskHypernetRegressor(
    task_id="school", metadata=pupils.metadata, max_iter=20, random_state=0
).fit(X, y)

# %%
# SHAP computes with numbers, and mixes the columns of different rows. Ids are coded for it, and
# decoded before the model sees them; pupils of one school with the metadata of another are allowed.

codes = {school: code for code, school in enumerate(model.tasks_)}
schools = np.array(model.tasks_, dtype=object)
coded = X.assign(school=X["school"].map(codes)).astype(float)


def predict(values):
    """Return predictions for rows of numbers."""
    rows = pd.DataFrame(values, columns=X.columns)
    return model.predict(rows.assign(school=schools[rows["school"].astype(int)]))


background = coded.sample(30, random_state=0)
explained = coded.sample(25, random_state=1)
values = shap.PermutationExplainer(predict, background, seed=0)(explained, silent=True)
pd.Series(values.values[0], index=X.columns).round(2)

# %%
# The values of a pupil add up to the difference of its prediction from the mean prediction.

gap = values.values.sum(axis=1) + values.base_values - model.predict(X.loc[explained.index])
print(f"largest difference: {np.abs(gap).max():.1e}")

# %%
# Boosting with the school as a category, explained in the same way:

boosting = HistGradientBoostingRegressor(
    categorical_features=[X.columns.get_loc("school")], random_state=0
).fit(coded.to_numpy(), y)
others = shap.PermutationExplainer(boosting.predict, background.to_numpy(), seed=0)(
    explained.to_numpy(), silent=True
)
means = pd.DataFrame(
    {
        "hypernetwork": np.abs(values.values).mean(axis=0),
        "boosting": np.abs(others.values).mean(axis=0),
    },
    index=X.columns,
)
means.round(2)

# %%
# Which columns matter to each.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
means.sort_values("hypernetwork").plot.barh(ax=axes)
axes.set(xlabel="mean absolute SHAP value, points of the test", title="What decides a prediction")
plt.show()
