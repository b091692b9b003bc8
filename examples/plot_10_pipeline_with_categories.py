"""
Other encodings are steps of a pipeline
=======================================

Columns of strings need no pipeline: the estimators encode them. Pipelines with a different encoding
work as usual; just make sure that the task id reaches the estimator under its name.
"""

# %%
# Radon in houses, by county of Minnesota: here the floor is given as text.

from skmtl.datasets import load_radon

radon = load_radon()
X = radon.data.copy()
floor = next(column for column in X if column not in (radon.task_id, *(radon.metadata or [])))
X[floor] = X[floor].map({0: "basement", 1: "first floor"})
X.head()

# %%
# The table as it is
# ------------------
# For most tables, nothing else is needed.

from sklearn.model_selection import cross_val_score

from skmtl import MultiTaskHypernetRegressor
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

folds = TaskKFold(radon.task_id, n_splits=3, shuffle=True, random_state=0)
model = MultiTaskHypernetRegressor(
    task_id=radon.task_id,
    metadata=radon.metadata,
    unseen_tasks="average",
    max_iter=40,
    random_state=0,
)
print(cross_val_score(model, X, radon.target, cv=folds).round(3))

# %%
# A different encoding
# --------------------
# ``set_output(transform="pandas")`` keeps the names of columns, and
# ``verbose_feature_names_out=False`` keeps them without prefixes.

from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

encode = make_column_transformer(
    (OneHotEncoder(drop="if_binary", sparse_output=False), [floor]),
    remainder="passthrough",
    verbose_feature_names_out=False,
).set_output(transform="pandas")
pipeline = make_pipeline(encode, model)

# %%
# The pipeline can be searched and cross-validated like any other. Parameters are prefixed with the
# name of their step.

search = BatchedGridSearchCV(
    pipeline, {"multitaskhypernetregressor__alpha": [1e-4, 1.0, 100.0]}, cv=folds
)
search.fit(X, radon.target)
print(search.best_params_, round(search.best_score_, 3))
print(cross_val_score(search.best_estimator_, X, radon.target, cv=folds).round(3))

# %%
# Predictions for the two floors, county by county.

import matplotlib.pyplot as plt

counties = X.drop_duplicates(radon.task_id)
size = X[radon.task_id].value_counts().loc[counties[radon.task_id]]
predicted = {
    word: search.predict(counties.assign(**{floor: word})) for word in ("basement", "first floor")
}
figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
points = axes.scatter(predicted["first floor"], predicted["basement"], s=8 + 2 * size, alpha=0.6)
low, high = axes.get_xlim()
axes.axline((low, low), slope=1, color="0.6", linewidth=1)
axes.set(
    xlabel="predicted log radon, first floor",
    ylabel="predicted log radon, basement",
    title="Each dot is a county; size shows the number of houses",
)
plt.show()
