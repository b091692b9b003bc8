"""
Schools differ, and metadata say how
====================================

How much does a model gain from knowing which school a pupil attends, and what the school is like?
We fit one network for all pupils and a hypernetwork that generates a network for each school, and
compare them school by school.

High School & Beyond has 7,185 pupils of 160 schools. Three columns describe the pupil, six the
school.
"""

# %%
# The table
# ---------
# One column says which school a pupil attends. The metadata of the schools are ordinary columns,
# constant within each school.

from skmtl.datasets import load_high_school

pupils = load_high_school()
X, y = pupils.data, pupils.target
X.head()

# %%
# A fifth of the pupils of every school is held out for the comparison.

from skmtl.model_selection import TaskShuffleSplit

train, test = next(TaskShuffleSplit("school", n_splits=1, test_size=0.2, random_state=0).split(X))

# %%
# Two models
# ----------
# The first uses only the columns of the pupil, the second also the school and its metadata.

from skmtl import MultiTaskHypernetRegressor, MultiTaskRegressor
from skmtl.architectures import SingleNetwork

plain = MultiTaskRegressor(SingleNetwork(one_hot=False), max_iter=40, random_state=0)
plain.fit(X.iloc[train][pupils.feature_names], y.iloc[train])

model = MultiTaskHypernetRegressor(
    task_id="school", metadata=pupils.metadata, max_iter=40, random_state=0
)
model.fit(X.iloc[train], y.iloc[train])

# %%
# What a careful reader would try first: ridge regression, with an indicator of each school and the
# metadata. It is hard to beat here.

from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

indicators = make_column_transformer((OneHotEncoder(), ["school"]), remainder="passthrough")
ridge = make_pipeline(indicators, Ridge(10.0)).fit(X.iloc[train], y.iloc[train])
predictions = {
    "one network, pupils only": plain.predict(X.iloc[test][pupils.feature_names]),
    "ridge, schools and metadata": ridge.predict(X.iloc[test]),
    "hypernetwork": model.predict(X.iloc[test]),
}
for name, predicted in predictions.items():
    print(f"{name}: {root_mean_squared_error(y.iloc[test], predicted):.3f}")

# %%
# Which metadata does it use? ``metadata_importance`` shuffles one column at a time between schools.

model.metadata_importance(X.iloc[test], y.iloc[test], random_state=0)

# %%
# School by school
# ----------------
# Each dot is a school; the hypernetwork is better above the line.

import matplotlib.pyplot as plt

from skmtl.display import PerTaskScoreDisplay, TaskEmbeddingDisplay
from skmtl.metrics import per_task_score

errors = "neg_root_mean_squared_error"
ours = per_task_score(model, X.iloc[test], y.iloc[test], scoring=errors)
# the plain model has no schools: its scores are computed on the same groups of rows
groups = X.iloc[test].groupby("school").indices
theirs = ours.copy()
for school, rows in groups.items():
    wrong = plain.predict(X.iloc[test].iloc[rows][pupils.feature_names]) - y.iloc[test].iloc[rows]
    theirs[school] = -((wrong**2).mean() ** 0.5)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
PerTaskScoreDisplay(
    theirs, ours, names=("pupils only", "schools and metadata"), score_name="minus the error"
).plot(ax=axes[0], s=20)
axes[0].set_title(f"{(ours > theirs).sum()} of {len(ours)} schools improve")
TaskEmbeddingDisplay.from_estimator(model, color="mean_ses", ax=axes[1])
axes[1].set_title("What embeddings add to the metadata")
plt.show()
