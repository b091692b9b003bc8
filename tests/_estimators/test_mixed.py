"""Tasks of different kinds in one table: numbers, events and classes, each with its own loss.

The running example is an event, and an amount that there is only where the event happened.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skmtl.metrics import per_task_score
from tests._tables import (
    FULL_BATCH,
    LEARNS,
    assert_same_model,
    double_precision,
    member_of,
    quick_classifier,
    quick_model,
)

KINDS = ["red", "green", "blue"]


# columns start alike, as tasks of long form do, so that the two can be compared
WIDE = {"task_id": None, "metadata": None, "embedding_init": "common", "batch_size": 64}


def wide_model(**changes):
    return quick_model(**{**WIDE, **changes})


def wide_classifier(**changes):
    return quick_classifier(**{**WIDE, **changes})


def make_orders(n_rows=300, random_state=0):
    """Whether somebody buys, for how much if so, and in which colour if known.

    All three follow from the same features.
    """
    generator = np.random.default_rng(random_state)
    X = pd.DataFrame(generator.normal(size=(n_rows, 4)), columns=list("abcd"))
    wish = 2 * X["a"] - X["b"]
    buys = generator.random(n_rows) < expit(3 * wish)
    amount = 50 + 20 * X["a"] + 10 * X["c"] + generator.normal(size=n_rows)
    scores = np.column_stack([wish, -wish, 2 * X["d"]]) + 0.3 * generator.normal(size=(n_rows, 3))
    colour = np.array(KINDS, dtype=object)[scores.argmax(1)]
    colour[generator.random(n_rows) < 0.4] = None
    Y = pd.DataFrame({"buys": buys.astype(int), "amount": amount.where(buys), "colour": colour})
    return X, Y


@pytest.fixture(scope="module")
def orders():
    return make_orders()


@pytest.fixture(scope="module", params=["regressor", "classifier"])
def fitted(request, orders):
    X, Y = orders
    model = wide_model if request.param == "regressor" else wide_classifier
    return model(**LEARNS).fit(X[:200], Y[:200])


# quality


def test_an_event_and_its_amount(orders):
    X, Y = orders
    model = wide_model(**LEARNS).fit(X[:200], Y[:200][["buys", "amount"]])
    held = Y[200:]
    proba = model.predict_proba(X[200:])["buys"][:, 1]
    base = np.full(100, Y["buys"][:200].mean())
    assert log_loss_of(held["buys"], proba) < 0.6 * log_loss_of(held["buys"], base)
    assert roc_auc_score(held["buys"], proba) > 0.9
    happened = held["buys"] == 1
    amounts = model.predict(X[200:])["amount"]
    mean = Y["amount"][:200].mean()
    error = np.mean((held["amount"] - amounts)[happened] ** 2)
    assert error < 0.1 * np.mean((held["amount"] - mean)[happened] ** 2)
    # what the amount would be where the event did not happen
    would_be = 50 + 20 * X["a"][200:] + 10 * X["c"][200:]
    assert r2_score(would_be[~happened], amounts[~happened]) > 0.3


def log_loss_of(labels, probabilities):
    return -np.mean(np.log(np.where(labels == 1, probabilities, 1 - probabilities)))


def test_three_kinds_at_once(orders, fitted):
    X, Y = orders
    held = Y[200:]
    actual = fitted.predict(X[200:])
    assert accuracy_score(held["buys"], actual["buys"]) > 0.8
    assert r2_score(held["amount"].dropna(), actual["amount"][held["amount"].notna()]) > 0.8
    known = held["colour"].notna()
    assert accuracy_score(held["colour"][known], actual["colour"][known]) > 0.75
    chance = held["colour"].value_counts(normalize=True).max()
    assert chance < 0.6
    assert fitted.score(X[200:], held) > 0.8


# what comes back


def test_types_of_tasks(fitted):
    assert fitted.task_types_ == {"buys": "binary", "amount": "regression", "colour": "multiclass"}


def test_predictions_keep_their_types(orders, fitted):
    X, Y = orders
    actual = fitted.predict(X)
    assert actual.columns.equals(Y.columns)
    assert actual.index.equals(X.index)
    assert actual.dtypes.tolist() == [np.dtype(int), np.dtype(float), np.dtype(object)]
    assert set(actual["colour"]) <= set(KINDS)
    assert set(actual["buys"]) == {0, 1}
    assert actual.notna().all(axis=None)


def test_probabilities_are_a_dict_by_task(orders, fitted):
    X, _ = orders
    probabilities = fitted.predict_proba(X)
    assert list(probabilities) == ["buys", "colour"]
    assert probabilities["buys"].shape == (len(X), 2)
    assert probabilities["colour"].shape == (len(X), 3)
    actual = fitted.predict(X)
    for task, proba in probabilities.items():
        assert proba.dtype == np.float64
        assert_allclose(proba.sum(1), 1, rtol=1e-12)
        classes = np.array([0, 1] if task == "buys" else sorted(KINDS), dtype=object)
        assert_array_equal(classes[proba.argmax(1)], actual[task])


def test_decisions_are_a_dict_by_task(orders, fitted):
    X, _ = orders
    decisions, probabilities = fitted.decision_function(X), fitted.predict_proba(X)
    assert list(decisions) == ["buys", "colour"]
    assert_allclose(expit(decisions["buys"]), probabilities["buys"][:, 1], rtol=1e-9)
    assert_allclose(np.exp(decisions["colour"]), probabilities["colour"], rtol=1e-9)


def test_classes_of_a_classifier(fitted):
    if not is_classifier(fitted):
        assert is_regressor(fitted)
        assert not hasattr(fitted, "classes_")
        return
    for classes in (fitted.classes_, fitted.classes_per_task_):
        assert list(classes) == ["buys", "colour"]
        assert classes["buys"].tolist() == [0, 1]
        assert classes["colour"].tolist() == sorted(KINDS)


def test_an_array_of_strings_and_numbers_comes_back_as_objects(orders):
    X, Y = orders
    model = wide_classifier().fit(X, Y.to_numpy(dtype=object))
    actual = model.predict(X)
    assert type(actual) is np.ndarray
    assert actual.dtype == object
    expected = wide_classifier().fit(X, Y).predict(X)
    assert_array_equal(actual[:, 2], expected["colour"])
    assert_allclose(actual[:, 1].astype(float), expected["amount"])
    assert {type(value) for value in actual[:, 1]} == {float}
    assert model.score(X, Y.to_numpy(dtype=object)) == pytest.approx(
        wide_classifier().fit(X, Y).score(X, Y)
    )


def test_an_array_of_numbers_and_events_comes_back_as_numbers(orders):
    X, Y = orders
    actual = wide_model().fit(X, Y[["buys", "amount"]].to_numpy()).predict(X)
    assert actual.dtype == np.float64
    assert set(actual[:, 0]) <= {0.0, 1.0}


@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_numbers_have_no_probabilities(orders, method):
    X, Y = orders
    model = wide_model()
    assert not hasattr(model, method)
    model.fit(X, Y[["amount"]].assign(twice=2 * Y["amount"], a=X["a"]))
    assert not hasattr(model, method)
    assert not hasattr(wide_model().fit(X, X["a"]), method)
    assert not hasattr(wide_model(task_types={"buys": "regression"}), method)
    as_number = wide_model(task_types={"buys": "regression"}).fit(X, Y[["buys", "amount"]])
    assert not hasattr(as_number, method)
    assert as_number.predict(X)["buys"].nunique() > 2
    assert hasattr(wide_model().fit(X, Y[["buys", "amount"]]), method)


def test_a_classifier_needs_a_task_with_classes(orders):
    X, Y = orders
    labels = Y[["amount"]].assign(a=X["a"])
    with pytest.raises(ValueError, match="(?s)continuous.*regressor.*task_types"):
        wide_classifier().fit(X, labels)


# types that are given


def test_types_that_are_given_and_types_that_are_inferred(orders):
    X, Y = orders
    stars = (X["a"] > 0).astype(int) + (X["a"] > 1)
    Y = Y.assign(stars=stars, copied=stars)
    types = {"stars": "classification", "buys": "regression"}
    model = wide_model(task_types=types).fit(X, Y)
    assert model.task_types_ == {
        "buys": "regression",
        "amount": "regression",
        "colour": "multiclass",
        "stars": "multiclass",
        "copied": "regression",
    }
    assert model.predict(X).dtypes["stars"] == np.dtype(int)
    other = wide_classifier(task_types={"stars": "regression"}).fit(X, Y)
    assert other.task_types_["stars"] == "regression"
    assert other.task_types_["copied"] == "multiclass"


def test_saying_what_is_inferred_anyway_changes_nothing(orders):
    X, Y = orders
    model = wide_model().fit(X, Y)
    for types in ({}, model.task_types_, {"colour": "classification", "buys": "classification"}):
        assert_same_model(wide_model(task_types=types).fit(X, Y), model)


def test_regressor_and_classifier_learn_the_same_of_the_same_types(orders):
    X, Y = orders
    first, second = wide_model().fit(X, Y), wide_classifier().fit(X, Y)
    assert_same_model(first, second)
    pd.testing.assert_frame_equal(first.predict(X), second.predict(X))


# losses


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_the_validation_loss_is_the_sum_of_all_kinds(orders, loss):
    X, Y = orders
    train, held = slice(0, 200), slice(200, None)
    model = wide_model(loss=loss, **LEARNS)
    with double_precision():
        model.fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
    actual, probabilities, held = model.predict(X[held]), model.predict_proba(X[held]), Y[held]
    losses = list(-np.log(probabilities["buys"][np.arange(100), held["buys"]]))
    known = np.flatnonzero(held["colour"].notna())
    codes = np.searchsorted(sorted(KINDS), held["colour"].iloc[known].astype(str))
    losses.extend(-np.log(probabilities["colour"][known, codes]))
    trained, labels = Y["amount"][train].dropna(), held["amount"].dropna()
    predicted = actual["amount"][labels.index]
    if loss == "squared_error":
        losses.extend((labels - predicted) ** 2 / trained.var(ddof=0))
    elif loss == "absolute_error":
        low, high = np.quantile(trained, [0.25, 0.75], method="inverted_cdf")
        # the standard deviation of a normal distribution with these quartiles
        losses.extend(abs(labels - predicted) / ((high - low) / 1.3489795))
    else:
        losses.extend((predicted - labels * np.log(predicted / trained.mean())) / trained.mean())
    assert len(losses) == Y.iloc[200:].notna().to_numpy().sum()
    assert model.history_["valid_loss"].min() == pytest.approx(np.mean(losses), rel=1e-6)


def test_a_task_does_not_care_what_kind_its_neighbours_are():
    # full batches, and nothing shared: the pull of the embeddings and their common start aside
    X, Y = make_orders(120)
    with double_precision():
        together = wide_model(**FULL_BATCH).fit(X, Y)
        shuffled = wide_model(**FULL_BATCH).fit(X, Y[["colour", "buys", "amount"]])
    for task in ("buys", "colour"):
        assert_allclose(shuffled.predict_proba(X)[task], together.predict_proba(X)[task], atol=1e-9)
    assert_allclose(shuffled.predict(X)["amount"], together.predict(X)["amount"], rtol=1e-9)


def test_members_average_probabilities_and_numbers(orders):
    X, Y = orders
    model = wide_model(n_members=3).fit(X, Y)
    members = [member_of(model, number) for number in range(3)]
    numbers = [member.predict(X)["amount"] for member in members]
    assert np.std(numbers, axis=0).min() > 0
    assert_allclose(model.predict(X)["amount"], np.mean(numbers, axis=0), rtol=1e-9)
    for task, actual in model.predict_proba(X).items():
        apart = [member.predict_proba(X)[task] for member in members]
        assert_allclose(actual, np.mean(apart, axis=0), rtol=1e-9)


# rare classes


@pytest.fixture(scope="module")
def rare():
    """An event in one row of fifteen, and one that is common."""
    generator = np.random.default_rng(0)
    X = pd.DataFrame(generator.normal(size=(600, 3)), columns=list("abc"))
    noise = generator.normal(size=600)
    Y = pd.DataFrame(
        {
            "rare": (X["a"] + noise > 2.1).map({True: "yes", False: "no"}),
            "common": (X["a"] - noise > 0).astype(int),
            "amount": X["b"],
        }
    )
    return X, Y


def test_balanced_classes(rare):
    X, Y = rare
    settings = {"early_stopping": True, **LEARNS}
    plain = wide_classifier(**settings).fit(X[:400], Y[:400])
    balanced = wide_classifier(class_weight="balanced", **settings).fit(X[:400], Y[:400])
    scores = [
        balanced_accuracy_score(Y["rare"][400:], model.predict(X[400:])["rare"])
        for model in (plain, balanced)
    ]
    assert scores[1] > scores[0] + 0.1
    assert scores[1] > 0.7


def weights_by_class(Y, weights):
    """Weights of labels from those of classes, a dict by column."""
    result = np.ones(Y.shape)
    for task, by_class in weights.items():
        result[:, list(Y).index(task)] = compute_sample_weight(by_class, Y[task])
    return result


@pytest.mark.parametrize(
    ("class_weight", "by_column"),
    [
        ("balanced", {"rare": "balanced", "common": "balanced"}),
        ({"rare": "balanced"}, {"rare": "balanced"}),
        ({"rare": {"yes": 9.0}}, {"rare": {"yes": 9.0, "no": 1.0}}),
        (
            {"rare": {"yes": 9.0, "no": 0.5}, "common": {1: 3}},
            {"rare": {"yes": 9.0, "no": 0.5}, "common": {0: 1, 1: 3}},
        ),
        ({"rare": None}, {}),
        ({}, {}),
    ],
)
def test_weights_of_classes_are_weights_of_labels(rare, class_weight, by_column):
    X, Y = rare
    model = wide_classifier(class_weight=class_weight).fit(X, Y)
    weights = weights_by_class(Y, by_column)
    assert_same_model(wide_classifier().fit(X, Y, sample_weight=weights), model)


def test_weights_of_classes_multiply_those_of_rows(rare):
    X, Y = rare
    by_row = np.random.default_rng(0).uniform(0.5, 2, len(X))
    class_weight = {"rare": {"yes": 9.0, "no": 0.5}}
    model = wide_classifier(class_weight=class_weight).fit(X, Y, sample_weight=by_row)
    weights = by_row[:, None] * weights_by_class(Y, class_weight)
    assert_same_model(wide_classifier().fit(X, Y, sample_weight=weights), model)


@pytest.mark.parametrize(
    "class_weight",
    [
        {"rare": {"maybe": 2.0}},
        {"other": "balanced"},
        {"rare": "heavy"},
        {"amount": {0: 1.0}},
        {"no": 1.0, "yes": 5.0},
    ],
    ids=str,
)
def test_weights_of_classes_that_cannot_be(rare, class_weight):
    with pytest.raises(ValueError, match="class_weight|maybe"):
        wide_classifier(class_weight=class_weight).fit(*rare)


def test_negative_weights_of_classes(rare):
    with pytest.raises(ValueError, match="class_weight"):
        wide_classifier(class_weight={"rare": {"yes": -1.0}}).fit(*rare)


def test_an_event_that_happens_in_few_rows_is_trained_on(rare):
    X, Y = rare
    Y = Y.assign(rare=np.where(np.arange(600) == 17, "yes", "no"))
    for seed in range(3):
        model = wide_classifier(validation_fraction=0.5, random_state=seed).fit(X, Y)
        assert model.classes_["rare"].tolist() == ["no", "yes"]
        assert (model.predict_proba(X)["rare"] > 0).all()


# tools


def test_scores_by_task(orders, fitted):
    X, Y = orders
    scores = per_task_score(fitted, X[200:], Y[200:])
    assert list(scores.index) == ["buys", "amount", "colour"]
    assert scores.mean() == pytest.approx(fitted.score(X[200:], Y[200:]))


def test_cross_validation_of_mixed_tasks(orders):
    X, Y = orders
    pipeline = make_pipeline(StandardScaler(), wide_classifier(**LEARNS))
    scores = cross_val_score(pipeline, X, Y, cv=KFold(2), error_score="raise")
    assert (scores > 0.75).all()
    scores = cross_val_score(wide_model(**LEARNS), X, Y, cv=2, error_score="raise")
    assert (scores > 0.75).all()


def test_mixed_tasks_give_no_warning(orders):
    X, Y = orders
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = wide_classifier(class_weight="balanced", n_members=2).fit(X, Y)
        model.predict(X), model.predict_proba(X), model.decision_function(X), model.score(X, Y)
