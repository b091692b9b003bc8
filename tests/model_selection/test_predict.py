"""Cross-validated predictions by any method."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold
from sklearn.model_selection import cross_val_predict as predict_of_sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.model_selection import TaskKFold, cross_val_predict

CUBIC = make_cubic(n_tasks=4, n_rows=15, random_state=0)
MODEL = MultiTaskHypernetRegressor(
    task_id="task", intervals="known", preset="fast", max_iter=2, random_state=0
)


def test_intervals_are_predicted_for_rows_that_were_not_trained_on():
    X, y = CUBIC.data, CUBIC.target
    cv = TaskKFold("task", 2, shuffle=True, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(), MODEL)
    predicted = cross_val_predict(
        pipeline, X, y, cv=cv, method="predict_interval", method_params={"coverage": 0.8}
    )
    assert predicted.shape == (60, 2)
    for train, test in cv.split(X):
        fitted = MODEL.fit(X.iloc[train], y.iloc[train])
        assert_array_equal(predicted[test], fitted.predict_interval(X.iloc[test], coverage=0.8))


def test_predictions_are_those_of_scikit_learn():
    X, y, cv = CUBIC.data, CUBIC.target, KFold(2, shuffle=True, random_state=0)
    predicted = cross_val_predict(MODEL, X, y, cv=cv)
    assert_array_equal(predicted, predict_of_sklearn(MODEL, X, y, cv=cv))


def test_a_method_that_is_missing_is_named():
    with pytest.raises(AttributeError, match="no method 'predict_set'"):
        cross_val_predict(MODEL, CUBIC.data, np.asarray(CUBIC.target), method="predict_set", cv=2)
