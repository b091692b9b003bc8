"""Labels as scikit-learn's tools hand them over: decisions, multi-label frames, rare classes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import StackingClassifier
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

from skmtl import (
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    TaskGrouper,
)
from skmtl.architectures import IndependentNetworks
from skmtl.model_selection import BatchedGridSearchCV

QUICK = {"max_iter": 2, "batch_size": 64, "random_state": 0}
FOLDS = KFold(3)


# tasks that have classes of their own


@pytest.fixture(scope="module")
def classes_by_task():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "task": [0, 1, 2] * 40})
    y = pd.cut(X["a"] + X["task"] / 4, [-np.inf, 0, 0.7, np.inf], labels=list("abc")).astype(str)
    return X, y.where((X["task"] > 0) | (y != "a"), "b")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cls", [MultiTaskHypernetClassifier, MultiTaskClassifier])
def test_tools_that_take_decisions(classes_by_task, cls):
    X, y = classes_by_task
    settings = {"max_iter": 30, "batch_size": 64, "learning_rate_init": 3e-2}
    model = cls(task_id="task", early_stopping=False, random_state=0, **settings)
    score = model.fit(X, y).score(X, y)
    for method in ("sigmoid", "isotonic", "temperature"):
        calibrated = CalibratedClassifierCV(model, cv=FOLDS, method=method).fit(X, y)
        probabilities = calibrated.predict_proba(X)
        assert_allclose(probabilities.sum(1), 1)
        assert calibrated.score(X, y) > score - 0.15
        if method == "temperature":
            assert probabilities[X["task"] == 0, 0].max() < 1e-9
    stack = StackingClassifier([("m", model)], cv=FOLDS, stack_method="decision_function")
    assert stack.fit(X, y).score(X, y) > score - 0.15
    scores = cross_val_score(model, X, y, cv=FOLDS, scoring="top_k_accuracy", error_score="raise")
    assert scores.min() > 0.8


# columns of 0 and 1


@pytest.fixture(scope="module", params=[False, True], ids=["common", "rare"])
def labels(request):
    X, Y = make_multilabel_classification(90, 5, n_classes=3, n_labels=2, random_state=0)
    if request.param:
        # only the last fold has the events of one column
        Y[:, 1] = np.arange(90) >= 85
    return X, Y


SCORINGS = ["accuracy", "f1_macro", "jaccard_samples", "neg_log_loss", "average_precision"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("n_tasks", [2, 3])
def test_frames_are_scored_as_arrays(labels, n_tasks):
    X, Y = labels[0], labels[1][:, :n_tasks]
    model = MultiTaskClassifier(**QUICK)
    frame = pd.DataFrame(Y, columns=list("uvw")[:n_tasks])
    scorings = [*SCORINGS, "roc_auc"] if Y.sum(0).min() > 5 else SCORINGS[:3]
    scores = [
        cross_validate(model, X, y, cv=FOLDS, scoring=scorings, error_score="raise")
        for y in (Y, frame, frame.astype(bool))
    ]
    for scoring in scorings:
        expected = scores[0][f"test_{scoring}"]
        assert np.isfinite(expected).all()
        for actual in scores[1:]:
            assert_array_equal(actual[f"test_{scoring}"], expected)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
def test_predictions_of_folds(labels, method, kind):
    X, Y = labels
    model = MultiTaskClassifier(**QUICK)
    actual = cross_val_predict(model, X, kind(Y), cv=FOLDS, method=method)
    assert actual.shape == Y.shape
    for train, test in FOLDS.split(X):
        expected = getattr(model.fit(X[train], Y[train]), method)(X[test])
        assert_array_equal(actual[test], expected)


def test_columns_of_other_classes_are_a_dict(labels):
    X, Y = labels
    frame = pd.DataFrame({"u": Y[:, 0], "v": np.where(Y[:, 2], "yes", "no")})
    model = MultiTaskClassifier(**QUICK).fit(X, frame)
    assert set(model.predict_proba(X)) == set(model.classes_) == {"u", "v"}
    assert model.predict_proba(X)["u"].shape == (90, 2)


def test_groups_predict_both_classes(labels):
    X, Y = labels
    frame = pd.DataFrame(Y, columns=list("uvw"))
    groups = TaskGrouper(MultiTaskClassifier(**QUICK), 2, gains="auto", compare=False, cv=2)
    for proba in groups.fit(X, frame).predict_proba(X).values():
        assert_allclose(proba.sum(1), 1)
        assert proba.shape == (90, 2)


# types of columns


@pytest.fixture(scope="module")
def rare():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 3))
    Y = pd.DataFrame({"number": X[:, 0], "rare": (np.arange(90) >= 85).astype(int)})
    return X, Y.assign(count=np.where(np.arange(90) < 60, np.arange(90) % 2, rng.poisson(3, 90)))


class Types:
    """A scorer that notes types and returns an error."""

    def __init__(self):
        self.seen = []

    def __call__(self, model, X, y):
        self.seen.append(model.task_types_)
        return -mean_squared_error(y.iloc[:, 0], model.predict(X).iloc[:, 0])


def test_a_search_infers_types_from_all_rows(rare):
    X, Y = rare
    model, note = MultiTaskRegressor(**QUICK, early_stopping=False), Types()
    grid = {"alpha": [1e-4, 1e-2], "task_sampling": ["rows", "tasks"]}
    search = BatchedGridSearchCV(model, grid, cv=FOLDS, scoring=note, error_score="raise")
    search.fit(X, Y)
    expected = {"number": "regression", "rare": "binary", "count": "regression"}
    assert note.seen == [expected] * 12
    assert search.best_estimator_.task_types_ == expected
    # as if they were given
    given = MultiTaskRegressor(**QUICK, early_stopping=False, task_types=expected)
    other = GridSearchCV(given, grid, cv=FOLDS, scoring=Types()).fit(X, Y)
    actual = search.cv_results_["mean_test_score"]
    assert_allclose(actual, other.cv_results_["mean_test_score"], rtol=1e-4)


@pytest.mark.parametrize("cls", [MultiTaskRegressor, MultiTaskClassifier, ParetoHypernet])
@pytest.mark.parametrize("labels", [[0, 0], [1, 1], ["no", "no"], [False, False]], ids=str)
def test_binary_is_accepted_of_one_class(rare, cls, labels):
    X, Y = rare
    Y = Y[["number"]].assign(rare=labels[0], other=Y["rare"])
    model = cls(**QUICK, task_types={"rare": "binary"}).fit(X, Y)
    assert model.task_types_["rare"] == "binary"
    assert set(model.predict(X)["rare"]) == {labels[0]}
    assert_array_equal(model.predict_proba(X)["rare"].max(1), 1)
    assert np.isfinite(model.decision_function(X)["rare"]).all()
    with pytest.raises(ValueError, match="'number' of y is binary, but it has 90 classes"):
        cls(task_types={"number": "binary"}).fit(X, Y)


# a loss for each column


def test_losses_of_columns_are_those_of_models_of_one_column(rare):
    X, Y = rare
    Y = Y[["number", "count"]].abs().assign(third=Y["number"] ** 2)
    settings = {**QUICK, "early_stopping": False, "n_members": 2}
    losses = {"count": "poisson", "third": "absolute_error"}
    # tasks that share nothing
    model = MultiTaskRegressor(IndependentNetworks(), loss=losses, **settings).fit(X, Y)
    actual = model.predict(X)
    for task, loss in {"number": "squared_error", **losses}.items():
        alone = MultiTaskRegressor(IndependentNetworks(), loss=loss, **settings).fit(X, Y)
        assert_allclose(actual[task], alone.predict(X)[task], rtol=1e-4, atol=1e-5)
    assert actual["count"].min() > 0
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict(X), actual)


def test_losses_of_columns_in_searches(rare):
    X, Y = rare
    Y = Y[["number", "count"]]
    grid = {"loss": [{"count": "poisson"}, {"count": "huber"}], "alpha": [1e-4, 1e-2]}
    model = MultiTaskRegressor(**QUICK)
    searches = [
        search(model, grid, cv=FOLDS, error_score="raise").fit(X, Y)
        for search in (BatchedGridSearchCV, GridSearchCV)
    ]
    assert_allclose(*(s.cv_results_["mean_test_score"] for s in searches), rtol=1e-3)


@pytest.mark.parametrize("cls", [MultiTaskRegressor, MultiTaskHypernetRegressor, ParetoHypernet])
def test_a_loss_makes_a_column_one_of_numbers(rare, cls):
    X, Y = rare
    model = cls(loss={"rare": "huber"}, **QUICK).fit(X, Y)
    assert set(model.task_types_.values()) == {"regression"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": {"nubmer": "huber"}}, r"loss names \['nubmer'\], but y has the columns"),
        ({"loss": {"number": "hubert"}}, r"loss must be among.*\{'number': 'hubert'\}"),
        ({"loss": {"number": "poisson"}}, "'number' of y has negative labels"),
        (
            {"loss": {"rare": "huber"}, "task_types": {"rare": "binary"}},
            r"loss names \['rare'\], which are classes according to task_types",
        ),
    ],
    ids=["column", "loss", "labels", "classes"],
)
def test_losses_that_do_not_fit(rare, parameters, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskRegressor(**parameters).fit(*rare)


def test_a_dict_of_losses_is_for_wide_form(rare):
    X, Y = rare
    with pytest.raises(ValueError, match="a dict of losses is for the columns of y in wide form"):
        MultiTaskRegressor(loss={"number": "huber"}).fit(X, Y["number"])
    with pytest.raises(ValueError, match="loss must be among"):
        ParetoHypernet(loss={"count": "poisson"}).fit(X, Y)
