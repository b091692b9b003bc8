"""
Rows with missing labels need not be dropped
============================================

In wide form every column of y is a task, and missing labels are NaN. Most libraries need complete
rows: with four columns and two fifths of the labels missing, an eighth of the rows is left. skmtl
uses every label that is present.
"""

# %%
# Pupils of the STAR project, with scores in mathematics and reading in several grades. We hide an
# increasing share of the labels of the training rows at random.

import numpy as np
from sklearn.model_selection import train_test_split

from skmtl.datasets import load_star

star = load_star()
star.target.notna().mean().round(2)

# %%
# This example uses pupils with complete labels only, so that we know what we hide.

complete = star.target.notna().all(axis=1)
X, Y = star.data[complete], star.target[complete]
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, random_state=0, train_size=600)
print(X_train.shape, Y_train.shape)

# %%
# Three ways to deal with missing labels: keep them missing, drop the row, or fit a ridge regression
# to each column on the rows that have its label.

import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl import MultiTaskHypernetRegressor
from skmtl.metrics import mt_r2_score

encoded = make_column_transformer(
    (
        make_pipeline(SimpleImputer(), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    remainder=OneHotEncoder(handle_unknown="ignore"),
)


def ridge_by_column(labels):
    """Predict each column by a ridge regression on the rows that have its label."""
    predicted = {}
    for name, column in labels.items():
        known = column.notna()
        single = make_pipeline(encoded, RidgeCV(np.logspace(1, 4, 7)))
        predicted[name] = single.fit(X_train[known], column[known]).predict(X_test)
    return pd.DataFrame(predicted, index=X_test.index)


model = MultiTaskHypernetRegressor(max_iter=60, random_state=0)
rng = np.random.default_rng(0)
order = rng.random(Y_train.shape)
shares, kept, dropped, ridge, left = [0.0, 0.1, 0.2, 0.3, 0.4], [], [], [], []
for share in shares:
    hidden = Y_train.mask(order < share)
    whole = hidden.notna().all(axis=1)
    left.append(int(whole.sum()))
    ridge.append(mt_r2_score(Y_test, ridge_by_column(hidden)))
    kept.append(mt_r2_score(Y_test, model.fit(X_train, hidden).predict(X_test)))
    if whole.sum() > 20:
        predicted = model.fit(X_train[whole], hidden[whole]).predict(X_test)
        dropped.append(mt_r2_score(Y_test, predicted))
    else:
        dropped.append(np.nan)

# %%
# Scores fall slowly when every label is used. A ridge regression for each column uses them as well,
# and is slightly better where many are missing: this table is nearly linear.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(shares, kept, "o-", label="missing labels stay missing")
axes.plot(shares, ridge, "^:", label="ridge for each column")
axes.plot(shares, dropped, "s--", label="complete rows only")
for share, score, rows in zip(shares, dropped, left, strict=True):
    if np.isfinite(score):
        axes.annotate(f"{rows} rows", (share, score), xytext=(6, -12), textcoords="offset points")
axes.set(
    xlabel="share of missing labels",
    ylabel="R2 for other pupils, mean of the columns",
    title="STAR project, 600 pupils for training",
)
axes.legend()
plt.show()
