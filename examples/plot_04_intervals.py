"""
Intervals hold, for known and for new stores
============================================

``intervals=True`` learns how far off predictions are, from rows and from whole tasks that members
have held out. Each store has intervals of its own width, and a store that was never seen has
wider ones.
"""

# %%
# Sales of fifty stores. Some are steady, others are not; ten of them are opened later.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
size, level = rng.normal(size=50), 0.5 * rng.normal(size=50)
noise = np.exp(rng.uniform(-2.3, 0, 50))
store = np.repeat(np.arange(50), 60)
table = pd.DataFrame({"store": store, "size": size[store], "price": rng.uniform(-1, 1, len(store))})
sales = np.sin(2 * table["price"] + table["size"]) + level[store]
sales = sales + noise[store] * rng.normal(size=len(store))
known, week = store < 40, np.arange(len(store)) % 60
# test weeks differ in number
train, test = week < 20, (week >= 20) & (week < 30 + store % 30)

# %%
# Twenty weeks of forty stores are trained on.

from skmtl import MultiTaskHypernetRegressor

model = MultiTaskHypernetRegressor(
    task_id="store", metadata=["size"], intervals=True, max_iter=200, random_state=0
)
model.fit(table[known & train], sales[known & train])

# %%
# A steady store, a noisy one, and one that was never seen.

import matplotlib.pyplot as plt

steady, noisy = np.argmin(noise[:40]), np.argmax(noise[:40])
price = np.linspace(-1, 1, 101)
figure, axes = plt.subplots(1, 3, figsize=(8, 3), sharey=True, layout="constrained")
stores = {steady: "a steady store", noisy: "a noisy store", 45: "a new store"}
rows = pd.DataFrame({"store": np.repeat(list(stores), 101), "price": np.tile(price, 3)})
rows = rows.assign(size=size[rows["store"]])[["store", "size", "price"]]
# store, price, bound, coverage
bounds = model.predict_interval(rows, coverage=[0.9, 0.5]).reshape(3, 101, 2, 2)
predicted = model.predict(rows).reshape(3, 101)
for k, (ax, one) in enumerate(zip(axes, stores, strict=True)):
    for c, name in enumerate(("90%", "50%")):
        ax.fill_between(price, *bounds[k, :, :, c].T, color="C0", alpha=0.25, label=name)
    ax.plot(price, predicted[k], label="prediction")
    of_store = (store == one) & ~train
    ax.plot(table["price"][of_store], sales[of_store], "k.", markersize=4, label="test weeks")
    ax.set(title=stores[one], xlabel="price")
axes[0].set_ylabel("sales")
axes[0].legend(fontsize="small")

# %%
# Are 90% of the labels inside, store by store? If intervals held for every store, 95% of the stores
# would be between the grey lines. For new stores they hold in the mean of stores: a single one may
# do better or worse.

from skmtl.display import CoverageDisplay

CoverageDisplay.from_estimator(model, table[test], sales[test])

# %%
# The usual alternative is one margin for all rows, learned from rows that were set aside (split
# conformal prediction, here around boosting). Such a margin is too wide for steady stores and too
# narrow for noisy ones and for new ones.

from sklearn.ensemble import HistGradientBoostingRegressor

aside = known & train & (week >= 15)
fitted = HistGradientBoostingRegressor(categorical_features=["store"], random_state=0)
fitted.fit(table[known & (week < 15)], sales[known & (week < 15)])
margin = np.quantile(np.abs(sales[aside] - fitted.predict(table[aside])), 0.9)
lower, upper = model.predict_interval(table, coverage=0.9).T
inside = {
    "one margin": np.abs(sales - fitted.predict(table)) <= margin,
    "intervals=True": (lower <= sales) & (sales <= upper),
}
groups = {
    "known stores": known,
    "the ten noisiest of them": known & np.isin(store, np.argsort(noise[:40])[-10:]),
    "new stores": ~known,
}
pd.DataFrame(
    {
        name: {what: hit[rows & test].mean() for what, hit in inside.items()}
        for name, rows in groups.items()
    }
).T.round(3)

# %%
# The noise of each store, in units of sales, is an attribute.

figure, ax = plt.subplots(figsize=(4, 3.5), layout="constrained")
ax.plot(noise[:40], model.residual_std_, "o", alpha=0.7)
ax.plot([0, 1], [0, 1], color="0.5")
ax.set(xlabel="true noise of a store", ylabel="residual_std_")
plt.show()
