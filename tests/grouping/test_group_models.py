"""Models of groups without a grouper, and `BaseGrouper` without gains."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression

from skmtl.grouping._adapters import LongModel, WideModel
from skmtl.grouping._base import BaseGrouper
from skmtl.grouping._data import LongData, WideData
from skmtl.grouping._estimate import known_gains
from skmtl.grouping._group_models import group_models, train_groups
from skmtl.grouping._trainer import GroupTrainer
from tests._grouping import long_table, wide_table


def test_wide_models_predict_the_columns_that_they_serve():
    X, y = wide_table(60, 3)
    pair = WideModel(LinearRegression()).fit(X, y[["a", "b"]])
    rest = WideModel(LinearRegression()).fit(X, y[["a", "c"]] + 5)
    models = group_models([pair, rest], [1, 0, 1], WideData(X, y))
    predicted = models.predict(X)
    assert models.of_task("b") is pair
    np.testing.assert_array_equal(predicted["b"], pair.predict(X)["b"])
    np.testing.assert_array_equal(predicted[["a", "c"]], rest.predict(X))
    scores = models.task_scores(WideData(X, y[["c", "b"]]))
    expected = [-((predicted[task] - y[task]) ** 2).mean() for task in "cb"]
    np.testing.assert_allclose(scores, expected)


def test_long_models_predict_the_rows_that_they_serve():
    X, y = long_table()
    yes = y > 0
    low, high = X["task"].isin(["t0", "t1"]), X["task"].isin(["t2", "t3"])
    models = [
        LongModel(LogisticRegression(), "task", "onehot").fit(X[rows], yes[rows])
        for rows in (low, high)
    ]
    serving = group_models(models, [0, 0, 1, 1], LongData(X, yes, None, "task"))
    assert serving.classes.tolist() == [False, True]
    for rows, model in zip((low, high), models, strict=True):
        np.testing.assert_array_equal(serving.predict(X)[rows], model.predict(X[rows]))
        proba = serving.predict_proba(X)[rows]
        np.testing.assert_array_equal(proba, model.predict_proba(X[rows]))
    with pytest.raises(ValueError, match="not seen in fit, no group serves them: .'new'"):
        serving.predict(X.assign(task="new"))


GROUPS = [("a", "b"), ("c",)]
ASSIGNMENT = pd.Series([GROUPS[0], GROUPS[0], GROUPS[1]], index=list("abc"))


def trained_groups(X, y, compare=True):
    trainer = GroupTrainer(WideModel(LinearRegression()), WideData(X, y), [])
    return train_groups(trainer, GROUPS, ASSIGNMENT, compare)


def test_trained_groups_are_compared_with_single_tasks():
    X, y = wide_table(60, 3)
    table = trained_groups(X, y).compare(WideData(X, y))
    # least squares fits every column alone
    np.testing.assert_allclose(table["chosen"], table["alone"])
    with pytest.raises(ValueError, match="compare=False"):
        trained_groups(X, y, compare=False).compare(WideData(X, y))


class FixedGroups(BaseGrouper):
    """A grouper whose groups are given."""

    scoring = metadata = None

    def _estimator(self):
        return LinearRegression()

    def _data(self, X, y, sample_weight):
        return WideData(X, y, sample_weight)

    def fit(self, X, y):
        self.n_features_in_, self.feature_names_in_ = X.shape[1], X.columns.to_numpy()
        self._models = trained_groups(X, y)
        self.estimators_, self.assignment_ = self._models.estimators, ASSIGNMENT
        nan = np.nan
        table = pd.DataFrame([[nan, 0.1, 0.2], [0.0, nan, nan]], columns=list("cab"))
        gains = known_gains(table, y.columns)
        self.gains_, self.gains_method_, self.gain_model_ = gains.gains, gains.method, gains.model
        self.tasks_, self.seconds_ = y.columns, pd.Series({"gains": 1.0})
        return self


def test_the_base_needs_trained_groups_only():
    X, y = wide_table(60, 3)
    model = FixedGroups()
    with pytest.raises(NotFittedError):
        model.score(X, y)
    assert not hasattr(model, "predict_proba")
    model.fit(X, y)
    np.testing.assert_allclose(model.predict(X), LinearRegression().fit(X, y).predict(X))
    assert 0 < model.score(X, y) < 1
    report = model.report(X, y)
    assert report["estimated"].tolist() == [0.1, 0.2, 0.0]
    assert report["group"].tolist() == ASSIGNMENT.tolist()
    with pytest.raises(ValueError, match="'given' has no model"):
        model.predict_gains([("a", "c")])
    assert_frame_equal(model.predict(X[X.columns[::-1]]), model.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={"w": "q"}))
