"""Trees and target encoding as plain arrays predict as scikit-learn's objects do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import TargetEncoder

from skmtl._estimators.trees import TaskMeans, Trees


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, X[:, 0] * X[:, 1] + (X[:, 2] > 0.3)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "quantile"])
def test_numbers(rows, loss):
    X, y = rows
    y = np.exp(y) if loss == "poisson" else y
    model = HistGradientBoostingRegressor(
        loss=loss, quantile=0.8 if loss == "quantile" else None, max_iter=20
    ).fit(X, y)
    trees = Trees(model, "log" if loss == "poisson" else "identity")
    assert_array_equal(trees.predict(X), model.predict(X))
    assert_array_equal(trees.predict(X[:1]), model.predict(X[:1]))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_classes(rows, n_classes):
    X, y = rows
    labels = np.digitize(y, np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])) * 3
    model = HistGradientBoostingClassifier(max_iter=10).fit(X, labels)
    trees = Trees(model, "classes")
    assert_array_equal(trees.classes_, model.classes_)
    assert_allclose(np.exp(trees.predict(X)), model.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_few_rows_are_predicted_as_among_many(rows, n_outputs):
    X, y = rows
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    if n_outputs == 1:
        trees = Trees(HistGradientBoostingRegressor(max_iter=30).fit(X, y), "identity")
    else:
        model = HistGradientBoostingClassifier(max_iter=10).fit(X, np.digitize(y, [-0.5, 1]))
        trees = Trees(model, "classes")
    many = trees.predict(X)
    for few in ([0], [7, 3], range(20)):
        assert_array_equal(trees.predict(X[few]), many[few])


@pytest.mark.parametrize("kind", ["continuous", "binary", "multiclass"])
def test_means_of_tasks(rows, kind):
    _, y = rows
    tasks = np.random.default_rng(1).integers(0, 9, 300) * 2
    y = {"continuous": y, "binary": (y > 0).astype(int), "multiclass": np.digitize(y, [0, 1])}[kind]
    encoder = TargetEncoder(target_type=kind).fit(tasks[:, None], y)
    asked = np.array([0, 4, 16, 3, -1, 99])
    assert_array_equal(TaskMeans(encoder).transform(asked), encoder.transform(asked[:, None]))


def test_the_first_trees_are_those_of_a_shorter_training(rows):
    X, y = rows
    settings = {"early_stopping": False, "random_state": 0}
    long = HistGradientBoostingRegressor(max_iter=20, **settings).fit(X, y)
    short = HistGradientBoostingRegressor(max_iter=8, **settings).fit(X, y)
    assert_array_equal(Trees(long, "identity", 8).predict(X), short.predict(X))
