"""Models, grids and comparisons that tests of batched searches share."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skmtl.model_selection import BatchedGridSearchCV
from tests._tables import assert_same_model, quick_model

DIVERGES = 1e25

RATES = {"learning_rate_init": [1e-3, 1e-2]}

# members of one run: these do not change a shape
IN_ONE_RUN = {**RATES, "alpha": [0.0, 0.1]}

# of the candidates some stop early and some do not
STOPS_EARLY = {"max_iter": 8, "n_iter_no_change": 1, "tol": 1e-2}

EARLY = pytest.mark.parametrize(
    "early", [{"early_stopping": False}, STOPS_EARLY], ids=["all epochs", "early stopping"]
)


def brief_model(**changes):
    return quick_model(**{"max_iter": 2, "batch_size": 16, **changes})


def without_stopping(**changes):
    return brief_model(**{"early_stopping": False, **changes})


def scaled(model, **settings):
    """A Pipeline that scales the features of the schools and keeps the names of the columns."""
    scale = make_column_transformer(
        (StandardScaler(), ["status", "age"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    steps = [("scale", scale.set_output(transform="pandas")), ("model", model)]
    return Pipeline(steps, **settings)


def classes_of(y, *shares):
    """Strings: in which of the parts of y a number lies."""
    return pd.Series(np.array(["low", "mid", "top"])[np.searchsorted(y.quantile(shares), y)])


def two_errors(model, X, y):
    predicted = model.predict(X)
    return {"mae": -mean_absolute_error(y, predicted), "mse": -mean_squared_error(y, predicted)}


def assert_same_results(search, reference, atol=1e-9):
    """All columns are equal but the times; those of scores but for rounding."""
    results, expected = search.cv_results_, reference.cv_results_
    assert list(results) == list(expected)
    assert results["params"] == expected["params"]
    for name, values in expected.items():
        got = results[name]
        assert got.shape == values.shape if hasattr(values, "shape") else len(got) == len(values)
        if "_time" in name:
            assert (got >= 0).all()
        elif name.startswith("param_"):
            assert got.dtype == values.dtype
            assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(values))
            assert got.compressed().tolist() == values.compressed().tolist()
        elif name.startswith("rank_"):
            assert_array_equal(got, values)
        elif name != "params":
            assert_allclose(got, values, rtol=0, atol=atol, err_msg=name)
    assert search.n_splits_ == reference.n_splits_
    assert search.multimetric_ == reference.multimetric_
    for name in ("best_index_", "best_params_", "best_score_", "best_estimator_", "scorer_"):
        assert hasattr(search, name) == hasattr(reference, name), name
    if hasattr(search, "best_index_"):
        assert search.best_index_ == reference.best_index_
        assert search.best_params_ == reference.best_params_
    if hasattr(search, "best_score_"):
        assert_allclose(search.best_score_, reference.best_score_, rtol=0, atol=atol)


def compare(model, grid, X, y, *, fit=None, max_members="auto", atol=1e-9, **settings):
    """Search both ways.

    Returns
    -------
    search : BatchedGridSearchCV
        Fitted.
    """
    settings = {"cv": 2, **settings}
    reference = GridSearchCV(model, grid, **settings).fit(X, y, **(fit or {}))
    search = BatchedGridSearchCV(model, grid, max_members=max_members, **settings)
    assert search.fit(X, y, **(fit or {})) is search
    assert_same_results(search, reference, atol)
    if hasattr(search, "best_estimator_"):
        models = [
            getattr(s.best_estimator_, "steps", [(0, s.best_estimator_)])[-1][1]
            for s in (search, reference)
        ]
        assert_same_model(*models)
    return search
