"""
A panel of sales is split by time, and gains a store
====================================================

Weekly sales of thirty stores: what matters is the weeks to come, and a store that opens next month.
Rows that are split at random would answer another question.
"""

# %%
# Sales depend on the price, on the season, and on the store. ``size`` and ``city`` describe stores.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
stores = pd.DataFrame(
    {"size": rng.normal(size=33), "city": rng.choice(["north", "south"], 33)},
    index=pd.Index([f"store {k:02}" for k in range(33)], name="store"),
)
level, response = rng.normal(0, 0.5, 33), 1 + 0.5 * np.tanh(stores["size"].to_numpy())
weeks = pd.date_range("2023-01-02", periods=78, freq="W-MON")
number, week = np.repeat(np.arange(33), 78), np.tile(np.arange(78), 33)
sales = pd.DataFrame(
    {
        "store": stores.index[number],
        "week": weeks[week],
        "price": rng.uniform(-1, 1, 33 * 78),
        "season": np.sin(2 * np.pi * week / 52),
    }
).join(stores, on="store")
y = pd.Series(
    level[number]
    + stores["size"].to_numpy()[number]
    - response[number] * sales["price"].to_numpy()
    + np.where(stores["city"].to_numpy() == "south", 1.0, 0.3)[number] * sales["season"].to_numpy()
    + rng.normal(0, 0.4, len(sales)),
    name="sales",
)
# three stores open later
opened = number < 30
X_known, y_known = sales[opened].reset_index(drop=True), y[opened].reset_index(drop=True)
X_known.head()

# %%
# The next weeks
# --------------
# ``TaskTimeSeriesSplit`` trains on the weeks before a date and tests on the quarter after it, for
# all stores alike. The baselines get indicators of the stores, or the store as a category.

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmtl import MultiTaskHypernetRegressor
from skmtl.model_selection import TaskTimeSeriesSplit

quarters = TaskTimeSeriesSplit("store", time="week", cut="dates", n_splits=2, test_size=13)
columns = ["price", "season", "size"]
coded = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["store", "city"]), ("passthrough", columns)
)
category = make_column_transformer(
    ("passthrough", ["store", "city", *columns]), verbose_feature_names_out=False
).set_output(transform="pandas")
models = {
    "hypernetwork": MultiTaskHypernetRegressor(
        "store", metadata=["size", "city"], max_iter=20, random_state=0
    ),
    "ridge": make_pipeline(coded, Ridge()),
    "boosting": make_pipeline(
        category, HistGradientBoostingRegressor(categorical_features=[0, 1], random_state=0)
    ),
}
later = {}
for name, model in models.items():
    error = "neg_root_mean_squared_error"
    scores = cross_val_score(model, X_known, y_known, cv=quarters, scoring=error)
    later[name] = -scores.mean()
    print(f"{name}: {later[name]:.3f}")

# %%
# A new store
# -----------
# Three stores open. Before their first week, their size and city are all that is known; then a week
# of sales arrives, and another one. ``partial_fit`` updates the embedding of a store in
# milliseconds, and the rest of the model stays as it was.

import warnings

from sklearn.metrics import root_mean_squared_error

from skmtl.exceptions import UnknownTasksWarning

warnings.simplefilter("ignore", UnknownTasksWarning)
X_new, y_new = sales[~opened].reset_index(drop=True), y[~opened].reset_index(drop=True)
order = X_new.groupby("store").cumcount()
rest = order >= 26
model = models["hypernetwork"].fit(X_known, y_known)
ages, errors = [0, 1, 2, 4, 8, 16, 26], []
for before, age in zip([0, *ages[:-1]], ages, strict=True):
    arrived = (order >= before) & (order < age)
    if arrived.any():
        model.partial_fit(X_new[arrived], y_new[arrived])
    errors.append(root_mean_squared_error(y_new[rest], model.predict(X_new[rest])))

# %%
# The ridge regression is fitted again with each week instead. It knows the size of the store from
# the beginning as well, but not that prices matter more in large stores. The first weeks of a
# store say less about it than its metadata do; after some more, updates pay.

refitted = []
for age in ages:
    X_all = pd.concat([X_known, X_new[order < age]])
    ridge = models["ridge"].fit(X_all, pd.concat([y_known, y_new[order < age]]))
    refitted.append(root_mean_squared_error(y_new[rest], ridge.predict(X_new[rest])))

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(ages, errors, "o-", label="hypernetwork, updated")
axes.plot(ages, refitted, "s--", label="ridge, fitted again")
axes.axhline(0.4, color="0.6", linestyle=":", label="noise")
axes.set(
    xlabel="weeks since a store opened",
    ylabel="error in its second half-year and later",
    title="A store is predicted before it opens",
    ylim=(0, None),
)
axes.legend()
plt.show()
