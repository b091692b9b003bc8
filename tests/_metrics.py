"""Estimators and tables that tests of metrics share."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import (
    average_precision_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from skmtl.metrics import (
    mt_accuracy_scorer,
    mt_average_precision_score,
    mt_average_precision_scorer,
    mt_log_loss,
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_r2_scorer,
    mt_roc_auc_score,
    mt_roc_auc_scorer,
    mt_root_mean_squared_error,
    neg_mt_log_loss_scorer,
    neg_mt_mae_scorer,
    neg_mt_mse_scorer,
    neg_mt_rmse_scorer,
)

REGRESSION = {
    mt_mean_squared_error: mean_squared_error,
    mt_root_mean_squared_error: root_mean_squared_error,
    mt_mean_absolute_error: mean_absolute_error,
    mt_r2_score: r2_score,
}

PROBABILITY = {
    mt_roc_auc_score: roc_auc_score,
    mt_average_precision_score: average_precision_score,
    mt_log_loss: log_loss,
}

SCORERS = {
    "r2": mt_r2_scorer,
    "mse": neg_mt_mse_scorer,
    "rmse": neg_mt_rmse_scorer,
    "mae": neg_mt_mae_scorer,
}

CLASS_SCORERS = {
    "accuracy": mt_accuracy_scorer,
    "auc": mt_roc_auc_scorer,
    "precision": mt_average_precision_scorer,
    "log_loss": neg_mt_log_loss_scorer,
}


def with_gaps(y, random_state=0):
    """The same labels, some of them missing; three of each task remain."""
    gaps = np.random.default_rng(random_state).random(np.shape(y)) < 0.3
    gaps[:3] = False
    if isinstance(y, pd.DataFrame):
        return y.mask(gaps)
    return np.where(gaps, np.nan, y)


class MeanOfTask(RegressorMixin, BaseEstimator):
    """In long form the mean of a task plus `bias`, in wide form that of each column."""

    def __init__(self, task_id=None, bias=0.0):
        self.task_id = task_id
        self.bias = bias

    def fit(self, X, y, sample_weight=None):
        if self.task_id is None:
            self.means_ = np.atleast_1d(np.nanmean(np.asarray(y, dtype=float), axis=0))
            self.columns_ = y.columns if isinstance(y, pd.DataFrame) else None
        else:
            self.means_ = pd.DataFrame(np.asarray(y)).groupby(np.asarray(self._ids(X))).mean()
        return self

    def _ids(self, X):
        return X[self.task_id] if isinstance(X, pd.DataFrame) else X[:, self.task_id]

    def predict(self, X):
        if self.task_id is not None:
            means = self.means_.loc[np.asarray(self._ids(X))].to_numpy() + self.bias
            return means[:, 0] if means.shape[1] == 1 else means
        table = np.tile(self.means_ + self.bias, (len(X), 1))
        if self.columns_ is not None:
            return pd.DataFrame(table, columns=self.columns_)
        return table if table.shape[1] > 1 else table[:, 0]


class SharesOfTask(ClassifierMixin, BaseEstimator):
    """Classes as often as in the rows of a task, tilted by a feature; none of other tasks."""

    def __init__(self, task_id=None):
        self.task_id = task_id

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.shares_ = pd.crosstab(X[self.task_id], np.asarray(y), normalize="index")
        return self

    def predict_proba(self, X):
        shares = self.shares_.loc[X[self.task_id], self.classes_].to_numpy()
        tilted = shares * np.exp(X[["x"]].to_numpy() * np.arange(len(self.classes_)))
        return tilted / tilted.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def by_task(function, X, y, y_pred, weights=None):
    """A function of scikit-learn, school by school."""
    scores = {}
    for school in sorted(X["school"].unique()):
        rows = (X["school"] == school).to_numpy()
        options = {} if weights is None else {"sample_weight": weights[rows]}
        scores[school] = function(y[rows], y_pred[rows], **options)
    return pd.Series(scores)


def wide_classes(n_rows=60):
    generator = np.random.default_rng(5)
    X = generator.normal(size=(n_rows, 3))
    colour = np.array(["blue", "green", "red"])[np.digitize(X[:, 0], [-0.4, 0.4])]
    ripe = np.where(X[:, 1] + generator.normal(size=n_rows) > 0, "yes", "no")
    return X, pd.DataFrame({"colour": colour, "ripe": ripe})
