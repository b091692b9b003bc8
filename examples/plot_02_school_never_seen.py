"""
A new school is predicted before its first test
===============================================

A new school opens, and none of its pupils has been tested yet. The hypernetwork generates a network
for it from its metadata alone. Later a few pupils are tested, and ``adapt`` learns what the
metadata did not capture.
"""

# %%
# A quarter of the schools represents new ones.

import numpy as np

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school

pupils = load_high_school()
X, y = pupils.data, pupils.target
schools = np.random.default_rng(0).permutation(X["school"].unique())
new = X["school"].isin(schools[:40])

model = MultiTaskHypernetRegressor(
    task_id="school", metadata=pupils.metadata, max_iter=40, random_state=0
)
model.fit(X[~new], y[~new])

# %%
# Predictions from metadata, compared with the mean of the other schools, which is all that is
# available without metadata:

from sklearn.metrics import root_mean_squared_error

X_new, y_new = X[new], y[new]
nothing_known = np.full(len(y_new), y[~new].mean())
print("mean of the other schools:", round(root_mean_squared_error(y_new, nothing_known), 3))
print("from metadata            :", round(root_mean_squared_error(y_new, model.predict(X_new)), 3))

# %%
# A few pupils
# ------------
# Every new school tests one pupil, then two, and so on. ``adapt`` learns the embeddings of these
# schools and changes nothing else: predictions for the other schools stay bitwise identical. A copy
# is adapted each time, so that no model has seen more rows than it should.

import copy

order = X_new.groupby("school").cumcount()
rest = order >= 20
counts, errors = [0, 1, 2, 5, 10, 20], []
for count in counts:
    adapted = copy.deepcopy(model)
    if count:
        tested = order < count
        adapted.adapt(X_new[tested], y_new[tested])
    predicted = adapted.predict(X_new[rest])
    errors.append(root_mean_squared_error(y_new[rest], predicted))

# %%
# A separate model of each school needs many pupils to match the predictions from metadata. One
# ridge regression of all schools on the same columns matches them at once: these schools differ
# nearly linearly. (Where they do not, as in the next examples, it falls behind.)

from sklearn.linear_model import Ridge

columns = [*pupils.feature_names, *pupils.metadata]
pooled = Ridge(10.0).fit(X.loc[~new, columns], y[~new]).predict(X_new.loc[rest, columns])
pooled = root_mean_squared_error(y_new[rest], pooled)
print("one ridge of all schools, with metadata:", round(pooled, 3))

alone = []
for count in counts[1:]:
    predicted = np.empty(rest.sum())
    for school, rows in X_new[rest].groupby("school").indices.items():
        tested = (X_new["school"] == school) & (order < count)
        ridge = Ridge(10.0).fit(X_new[tested][pupils.feature_names], y_new[tested])
        predicted[rows] = ridge.predict(X_new[rest].iloc[rows][pupils.feature_names])
    alone.append(root_mean_squared_error(y_new[rest], predicted))

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(counts, errors, "o-", label="hypernetwork: metadata, then adapt")
axes.plot(counts[1:], alone, "s--", label="separate ridge of each school")
axes.axhline(pooled, color="0.4", linestyle=":", label="one ridge of all schools, with metadata")
axes.set(
    xlabel="pupils tested in each new school",
    ylabel="error for other pupils",
    title="Metadata stand in for about twenty pupils of a new school",
)
axes.legend()
plt.show()
