"""
A table goes in as it is
========================

Strings, dates, booleans and missing values can be passed to ``fit`` unchanged, in features and
metadata. Results are reported in terms of the columns of the table.

Visits of patients to clinics: the cost of a visit depends on the clinic, the patient and the date.
"""

# %%
# The table has five kinds of columns, three of them with missing values.

from skmtl.datasets import make_clinic_visits

visits = make_clinic_visits(random_state=0)
X, y = visits.data, visits.target
X.head()

# %%
# Ten clinics are held out to represent unseen clinics. ``metadata="auto"`` uses the columns that
# are constant within each clinic. A warning that all clinics of a prediction are new is expected.

import warnings

from skmtl import MultiTaskHypernetRegressor
from skmtl.exceptions import UnknownTasksWarning

warnings.simplefilter("ignore", UnknownTasksWarning)

new = X["clinic"] >= "clinic 30"
model = MultiTaskHypernetRegressor("clinic", metadata="auto", max_iter=100, random_state=0)
model.fit(X[~new], y[~new])
print(model.metadata_names_)
print(f"R2 for new clinics: {model.score(X[new], y[new]):.2f}")

# %%
# What boosting with categorical columns makes of the same table, without any preparation:

from sklearn.ensemble import HistGradientBoostingRegressor

dates = {name: X[name].astype("int64") for name in ("date", "opened")}
words = {name: X[name].astype("category") for name in ("drug", "clinic", "region")}
numbers = X.assign(**dates, **words)
boosting = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
boosting.fit(numbers[~new], y[~new])
print(f"R2 for new clinics, boosting: {boosting.score(numbers[new], y[new]):.2f}")

# %%
# A new drug and a clinic about which little is known can be predicted, too.

visit = X[new].head(1).assign(drug="a new drug", beds=None, region="overseas")
print(model.predict(X[new].head(1)), model.predict(visit))

# %%
# Which columns matter
# --------------------
# The decrease of the score when a column of the table is shuffled is its importance, however the
# column is encoded. Features are shuffled between rows, metadata between clinics.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.inspection import permutation_importance

shuffled = permutation_importance(model, X[new], y[new], n_repeats=3, random_state=0)
features = pd.Series(shuffled.importances_mean, index=X.columns)[visits.feature_names]
metadata = model.metadata_importance(X[new], y[new], random_state=0)["importance_mean"]

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name, values in {"features": features, "metadata": metadata}.items():
    values = values.sort_values()
    axes.barh(values.index, values, label=name)
axes.set(xlabel="loss of R2 when the column is shuffled, new clinics")
axes.legend()
plt.show()
