"""
A new product has the level of its store
========================================

Sales have two ids. As one joint task for every pair, a new product of a known store would be
treated as if nothing were known. With crossed levels, it has the level of its store.
"""

# %%
# Stores differ in level, and products in popularity. Five products are held out.

import numpy as np
import pandas as pd

generator = np.random.default_rng(0)
store, product = generator.integers(0, 20, 2000), generator.integers(0, 30, 2000)
level, popularity = 3 * generator.normal(size=20), generator.normal(size=30)
sales = pd.DataFrame({"store": store, "product": product, "price": generator.normal(size=2000)})
y = level[store] + popularity[product] - sales["price"] + 0.3 * generator.normal(size=2000)
new = sales["product"] >= 25

# %%
# ``task_levels`` says what the columns of ``task_id`` mean.

from skmtl import MultiTaskHypernetRegressor

models = {
    levels: MultiTaskHypernetRegressor(
        ["store", "product"],
        task_levels=levels,
        unseen_tasks="average",
        base=None,
        hold_out_tasks=False,
        max_iter=60,
        random_state=0,
    ).fit(sales[~new], y[~new])
    for levels in ("joint", "crossed")
}
for levels, model in models.items():
    error = np.sqrt(np.mean((model.predict(sales[new]) - y[new]) ** 2))
    print(f"{levels}: RMSE of new products {error:.2f}")

# %%
# Every level has embeddings of its own, and a few rows of the new products are enough to learn
# theirs. All other predictions stay bitwise identical.

crossed = models["crossed"]
print({name: table.shape for name, table in crossed.task_embeddings_.items()})
before = crossed.predict(sales[new])
few = sales[new].groupby("product").head(5).index
crossed.adapt(sales.loc[few], y[few])
rest = sales[new].index.difference(few)

# %%
# Predictions for new products: from their store alone, and after five rows of each.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(8, 3), sharex=True, sharey=True)
predictions = {
    "joint": models["joint"].predict(sales.loc[rest]),
    "crossed": pd.Series(before, sales[new].index)[rest],
    "crossed, adapted": crossed.predict(sales.loc[rest]),
}
for axis, (name, predicted) in zip(axes, predictions.items(), strict=True):
    axis.scatter(y[rest], predicted, s=8)
    axis.axline((0, 0), slope=1, color="0.6", linewidth=1)
    axis.set(title=name, xlabel="sales")
axes[0].set_ylabel("predicted")
figure.tight_layout()
plt.show()
