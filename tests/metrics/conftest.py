"""Tables of labels that tests of metrics share."""

import numpy as np
import pandas as pd
import pytest

from tests._metrics import with_gaps


@pytest.fixture
def numbers():
    """Labels with gaps, predictions, and weights of the rows."""
    generator = np.random.default_rng(0)
    y_pred = generator.normal(size=(40, 5))
    y_true = with_gaps(y_pred + generator.normal(size=y_pred.shape))
    return y_true, y_pred, generator.uniform(0.5, 2, 40)


@pytest.fixture
def classes():
    """Labels of tasks with 2, 3 and 2 classes, some missing, and probabilities by task."""
    generator = np.random.default_rng(1)
    labels = {
        "ripe": np.array([0, 1]),
        "colour": np.array(["blue", "green", "red"]),
        "sold": np.array([False, True]),
    }
    y_true, y_pred = {}, {}
    for task, names in labels.items():
        y_pred[task] = generator.dirichlet(np.ones(len(names)), 40)
        drawn = [generator.choice(len(names), p=p) for p in y_pred[task]]
        y_true[task] = names[drawn].astype(object)
    gaps = generator.random((40, 3)) < 0.2
    return pd.DataFrame(y_true).mask(gaps), y_pred, labels


@pytest.fixture
def long_table():
    """Rows of three tasks with string ids, of 15, 9 and 6 rows."""
    generator = np.random.default_rng(3)
    school = np.repeat(["north", "south", "east"], [15, 9, 6])
    X = pd.DataFrame({"x": generator.normal(size=30), "school": school})
    y = pd.Series(generator.normal(size=30) + X["x"], name="score")
    order = generator.permutation(30)
    return X.iloc[order], y.iloc[order]


@pytest.fixture
def long_classes(long_table):
    """Labels of the same rows: "north" has all three classes, the others two."""
    X, y = long_table
    labels = pd.qcut(y + 2 * X["x"], 3, labels=["a", "b", "c"]).astype(object)
    labels[X["school"] == "south"] = np.where(y[X["school"] == "south"] > 0, "b", "c")
    labels[X["school"] == "east"] = np.where(y[X["school"] == "east"] > 0.2, "a", "c")
    return X, labels


@pytest.fixture
def wide_table():
    """Three columns with gaps, and features."""
    generator = np.random.default_rng(4)
    X = pd.DataFrame(generator.normal(size=(40, 3)), columns=list("xyz"))
    y = pd.DataFrame(generator.normal(size=(40, 3)) + X.to_numpy(), columns=["u", "v", "w"])
    return X, with_gaps(y)
