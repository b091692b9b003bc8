"""
A hypernetwork reports what a mixed model would
===============================================

High School & Beyond: how much of the differences in mathematics lies between schools, what each
school adds, and why two schools differ.
"""

# %%
# Pupils of 160 schools. The school is the task; its sector and the mean socio-economic status of
# its pupils are metadata.

from matplotlib import pyplot as plt

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school
from skmtl.display import (
    ShrinkageDisplay,
    TaskDependenceDisplay,
    TaskEffectsDisplay,
    VarianceSharesDisplay,
)

schools = load_high_school()
X = schools.data[["school", "ses", "minority", "mean_ses", "catholic"]]
y = schools.target
model = MultiTaskHypernetRegressor(
    task_id="school", metadata=["mean_ses", "catholic"], max_iter=30, random_state=0
).fit(X, y)

# %%
# Most of the variance is between pupils of the same school. Metadata explain more than half of
# what is between schools.

shares = model.variance_shares()
VarianceSharesDisplay(shares).plot()
shares.round(3)

# %%
# Effects of schools with 90% intervals, in increasing order.

TaskEffectsDisplay.from_estimator(model)

# %%
# Schools with few pupils are shrunk more than others: their dots are further from the diagonal.

ShrinkageDisplay.from_estimator(model, X, y)

# %%
# The relation with the status of a pupil's family, school by school.

TaskDependenceDisplay.from_estimator(model, X, "ses")

# %%
# Why do the best and the worst school differ? Contributions add up to the difference.

effects = model.task_effects()
best, worst = effects["level"].idxmax(), effects["level"].idxmin()
explained = model.explain_task(best, worst)
fig, ax = plt.subplots(layout="constrained")
ax.barh([name for _, name in explained.index], explained["contribution"])
ax.set(xlabel=f"contribution to the difference of {explained['contribution'].sum():.1f} points")
explained.round(2)

plt.show()
