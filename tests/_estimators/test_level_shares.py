"""Shares of the variance with several levels of ids, against the truth they were made with."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor, load

SETTINGS = {"task_levels": "crossed", "base": None, "random_state": 0}


def stores_and_products(seed=0, n_rows=2500):
    """Return a table, labels, and the variances that it was made with."""
    rng = np.random.default_rng(seed)
    store, product = rng.integers(0, 30, n_rows), rng.integers(0, 40, n_rows)
    size, level, slope = rng.normal(size=(3, 30))
    popularity = 1.5 * rng.normal(size=40)
    # uncorrelated with the metadata, so that the two can be told apart
    level -= size * (level @ size) / (size @ size)
    slope = 0.7 * (slope - slope.mean())
    X = pd.DataFrame({"store": store, "product": product, "price": rng.normal(size=n_rows)})
    X["size"] = size[store]
    y = 1.2 * X["size"] + level[store] + (1 + slope[store]) * X["price"] + popularity[product]
    truth = {
        "features": 1.0,
        "metadata": 1.44 * size.var(),
        "task[store]": level.var(ddof=1) + slope.var(ddof=1),
        "task_level[store]": level.var(ddof=1),
        "task_slopes[store]": slope.var(ddof=1),
        "task[product]": popularity.var(ddof=1),
        "noise": 0.25,
    }
    return X, y + 0.5 * rng.normal(size=n_rows), pd.Series(truth)


@pytest.fixture(scope="module")
def table():
    return stores_and_products()


@pytest.fixture(scope="module")
def model(table):
    X, y, _ = table
    settings = {**SETTINGS, "max_iter": 60, "alpha": 1e-4, "activation": "silu"}
    return MultiTaskHypernetRegressor(
        ["store", "product"], {"store": ["size"]}, n_members=2, **settings
    ).fit(X, y)


def test_shares_are_those_planted(table, model):
    _, _, truth = table
    shares = model.variance_shares()
    total = truth[["features", "metadata", "task[store]", "task[product]", "noise"]].sum()
    assert_allclose(shares.loc[truth.index, "share"], truth / total, atol=0.03)
    assert (shares["share_se"].drop("features") > 0).all()


def test_parts_add_up(model):
    shares = model.variance_shares()
    values, part_of = shares["share"], shares["part_of"]
    assert_allclose(values[part_of == "total"].sum(), 1)
    for whole in ("task", "task[store]", "task[product]"):
        assert_allclose(values[part_of == whole].sum(), values[whole])
    ratio = values["task[store]"] / (values["task"] + values["noise"])
    assert_allclose(values["icc[store]"], ratio, rtol=1e-2)
    assert shares.index[-1] == "explained_by_metadata"


def test_shares_of_given_rows(table, model):
    X, _, _ = table
    assert_allclose(model.variance_shares(X)["share"], model.variance_shares()["share"], atol=0.06)
    narrow = model.variance_shares(X.assign(price=0.1 * X["price"]))["share"]
    assert narrow["features"] < 0.02
    assert narrow["task_slopes[store]"] < 0.01


def test_files_keep_them_and_updates_do_not_change_them(table, model, tmp_path):
    X, y, _ = table
    shares = model.variance_shares()
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_frame_equal(loaded.variance_shares(), shares)
    loaded.adapt(X.head(20), y[:20])
    assert_frame_equal(loaded.variance_shares(), shares)


def test_nested_levels():
    rng = np.random.default_rng(0)
    district, school = np.repeat(np.arange(30), 60), np.tile(np.repeat(np.arange(6), 10), 30)
    outer, inner = 2 * rng.normal(size=30), 0.7 * rng.normal(size=(30, 6))
    X = pd.DataFrame({"district": district, "school": school, "x": rng.normal(size=1800)})
    y = outer[district] + inner[district, school] + X["x"] + 0.5 * rng.normal(size=1800)
    model = MultiTaskHypernetRegressor(
        ["district", "school"], **{**SETTINGS, "task_levels": "nested"}, max_iter=60, alpha=1e-4
    ).fit(X, y)
    variances = model.variance_shares()["variance"]
    assert variances["task[district]"] == pytest.approx(outer.var(ddof=1), rel=0.15)
    assert variances["task[school]"] == pytest.approx(inner.var(), rel=0.25)
    assert variances["noise"] == pytest.approx(0.25, rel=0.1)


def test_what_has_no_shares(table):
    X, y, _ = table
    X, y, ids = X.head(300), y[:300], ["store", "product"]
    quick = {**SETTINGS, "max_iter": 2}
    other = MultiTaskHypernetRegressor(ids, loss="absolute_error", **quick).fit(X, y)
    with pytest.raises(ValueError, match="one number per row with loss='squared_error'"):
        other.variance_shares()
    none = MultiTaskHypernetRegressor(ids, embedding_dim={"store": 2, "product": 0}, **quick)
    with pytest.raises(ValueError, match="embedding_dim above 0"):
        none.fit(X, y).variance_shares()
    classes = MultiTaskHypernetClassifier(ids, **quick).fit(X, y > 0)
    assert not hasattr(classes, "variance_shares")
