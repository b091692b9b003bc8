"""
One call compares methods on your table
=======================================

``skmtl.compare`` cross-validates a model and what else would do: linear models with indicators of
the groups, with metadata, with both, and gradient boosting; LightGBM, CatBoost and GPBoost, too,
where they are installed. Once rows of known groups are held out, once whole groups.
"""

# %%
# Visits of patients to forty clinics, as they are: strings, dates and missing values.

import skmtl
from skmtl.datasets import make_clinic_visits

visits = make_clinic_visits(random_state=0)
model = skmtl.MultiTaskHypernetRegressor(
    task_id=visits.task_id, metadata=visits.metadata, random_state=0
)
methods = ["linear, task indicators", "linear, metadata", "linear, both", "HistGradientBoosting"]
table = skmtl.compare(model, visits.data, visits.target, cv=3, rivals=methods)
table.round(2)

# %%
# Errors are in units of y, with one standard error over the folds: differences of less than two of
# them say nothing. The networks are fitted in seconds, the others in a fraction of one: if a
# simpler method is as good on your table, take it.

import matplotlib.pyplot as plt

from skmtl.display import ComparisonDisplay

display = ComparisonDisplay(table).plot()
display.ax_.set_title("Cost of a visit, by method")
plt.show()
