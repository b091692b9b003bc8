"""
A school never seen
===================

A new school opens: no pupil of it has been tested yet. From the facts about it alone the
hypernetwork writes its network. Then a few pupils are tested, and ``adapt`` learns what the facts
did not tell.
"""

# %%
# A quarter of the schools plays the new ones.

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
# Predictions from facts, against the mean of the other schools, which is all one has without them:

from sklearn.metrics import root_mean_squared_error

X_new, y_new = X[new], y[new]
nothing_known = np.full(len(y_new), y[~new].mean())
print("mean of the other schools:", round(root_mean_squared_error(y_new, nothing_known), 3))
print("from facts               :", round(root_mean_squared_error(y_new, model.predict(X_new)), 3))

# %%
# A few pupils
# ------------
# Every new school tests one pupil, then two, and so on. ``adapt`` learns the embeddings of these
# schools and changes nothing else: what is predicted for the old schools stays the same to the last
# bit. A copy is adapted each time, so that no model has seen more than it should.

import copy

order = X_new.groupby("school").cumcount()
rest = order >= 20
counts, errors = [0, 1, 2, 5, 10, 20], []
for count in counts:
    adapted = copy.deepcopy(model)
    if count:
        some = order < count
        adapted.adapt(X_new[some], y_new[some])
    predicted = adapted.predict(X_new[rest])
    errors.append(root_mean_squared_error(y_new[rest], predicted))

# %%
# A model of the school alone needs many pupils until it is as good as the facts are.

from sklearn.linear_model import Ridge

alone = []
for count in counts[1:]:
    predicted = np.empty(rest.sum())
    for school, rows in X_new[rest].groupby("school").indices.items():
        some = (X_new["school"] == school) & (order < count)
        ridge = Ridge(10.0).fit(X_new[some][pupils.feature_names], y_new[some])
        predicted[rows] = ridge.predict(X_new[rest].iloc[rows][pupils.feature_names])
    alone.append(root_mean_squared_error(y_new[rest], predicted))

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(counts, errors, "o-", label="hypernetwork: facts, then adapt")
axes.plot(counts[1:], alone, "s--", label="ridge of the school alone")
axes.set(
    xlabel="pupils tested in each new school",
    ylabel="error of the scores of other pupils",
    title="Forty schools that were never seen",
)
axes.legend()
plt.show()
