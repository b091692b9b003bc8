"""Classification in long form: labels, sets of classes by task, probabilities, weights of classes.

What is the same for numbers is tested with them.
"""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skmtl import MultiTaskHypernetClassifier
from skmtl.exceptions import ValidationWarning
from tests._asserts import says
from tests._tables import (
    FEATURES,
    FULL_BATCH,
    LEARNS,
    METADATA,
    assert_same_model,
    double_precision,
    make_schools,
    member_of,
    metadata_table,
    quick_classifier,
)


def make_classes(n_classes=2, by_school=False, **settings):
    """Return schools whose pupils are of classes "a", "b", ...; with `by_school`, three in each.

    Which three depends on the school; all pupils of the first one are of one class.
    """
    X, y = make_schools(**settings)
    school = X["school"].str[-2:].astype(int)
    if not by_school:
        ranks = y.rank(method="first") - 1
        codes = (ranks * n_classes // len(y)).astype(int)
        return X, codes.map(lambda code: chr(ord("a") + code)).rename("class")
    within = y.groupby(X["school"]).rank(method="first") - 1
    codes = (within * 3 // y.groupby(X["school"]).transform("size")).astype(int)
    codes = (codes + school) % n_classes
    codes[school == 0] = 0
    return X, codes.map(lambda code: chr(ord("a") + code)).rename("class")


@pytest.fixture
def two():
    return make_classes()


@pytest.fixture
def three():
    return make_classes(3)


@pytest.fixture(scope="module")
def fitted():
    """Return the default model of three classes."""
    return quick_classifier().fit(*make_classes(3))


@pytest.fixture
def by_school():
    return make_classes(6, by_school=True)


def possible(X, y):
    """Which classes, in order, each row's school has; all six if there is but one."""
    classes = np.unique(y)
    of_school = {
        school: np.isin(classes, labels) if labels.nunique() > 1 else np.ones(len(classes), bool)
        for school, labels in y.groupby(X["school"])
    }
    return np.stack([of_school[school] for school in X["school"]])


# quality


@pytest.mark.parametrize("n_classes", [2, 4])
def test_an_easy_problem(n_classes):
    X, y = make_classes(n_classes, n_rows=40)
    train = X.groupby("school").cumcount() < 30
    model = quick_classifier(**LEARNS).fit(X[train], y[train])
    held, labels = X[~train], y[~train]
    probabilities = model.predict_proba(held)
    assert model.score(held, labels) > (0.9 if n_classes == 2 else 0.85)
    assert log_loss(labels, probabilities) < 0.4 * np.log(n_classes)
    # as often right as its probabilities state
    sure = probabilities.max(1)
    right = model.predict(held) == labels
    assert abs(sure.mean() - right.mean()) < 0.06


def test_a_task_never_seen_is_classified_by_its_metadata():
    X, y = make_classes(n_schools=40, n_rows=15)
    new = X["school"] >= "school 32"
    model = quick_classifier(**LEARNS).fit(X[~new], y[~new])
    assert model.score(X[new], y[new]) > 0.8


def test_twenty_classes():
    X, y = make_classes(20, n_rows=40, noise=0.01)
    model = quick_classifier(**{**LEARNS, "max_iter": 60}).fit(X, y)
    assert len(model.classes_) == 20
    assert model.predict_proba(X).shape == (len(X), 20)
    # where neighbours are mistaken for each other, most of it is learned
    assert model.score(X, y) > 0.4
    distance = y.map(ord) - pd.Series(model.predict(X)).map(ord)
    assert (distance.abs() <= 2).mean() > 0.9


# labels


LABELS = {
    "string": lambda codes: np.array(["no", "perhaps", "yes"])[codes],
    "object": lambda codes: np.array(["no", "perhaps", "yes"], dtype=object)[codes],
    "text series": lambda codes: pd.Series(["no", "perhaps", "yes"])[codes].reset_index(drop=True),
    "string dtype": lambda codes: pd.Series(np.array(["n", "p", "y"])[codes], dtype="string"),
    "category": lambda codes: pd.Series(
        pd.Categorical(np.array(["n", "p", "y"])[codes], categories=["y", "unused", "n", "p"])
    ),
    "list": lambda codes: [["no", "perhaps", "yes"][code] for code in codes],
    "integer": lambda codes: codes - 7,
    "small integer": lambda codes: codes.astype(np.int8),
    "unsigned": lambda codes: codes.astype(np.uint8),
    "large integer": lambda codes: codes + 2**53,
    "nullable integer": lambda codes: pd.Series(codes).astype("Int64"),
    "category of integers": lambda codes: pd.Series(codes).astype("category"),
    "float": lambda codes: codes * 2.0,
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(three, fitted, kind):
    X, y = three
    codes = y.map(ord).to_numpy() - ord("a")
    labels = LABELS[kind](codes)
    expected = fitted
    model = quick_classifier().fit(X, labels)
    assert_same_model(model, expected)
    assert_array_equal(model.classes_, np.unique(np.asarray(labels)))
    assert len(model.classes_) == 3
    actual = model.predict(X)
    assert type(actual) is np.ndarray
    assert actual.shape == (len(X),)
    assert actual.dtype == model.classes_.dtype
    assert_array_equal(
        model.classes_.searchsorted(actual), expected.classes_.searchsorted(expected.predict(X))
    )
    assert model.score(X, labels) == expected.score(X, y)
    if kind in ("integer", "small integer", "unsigned", "large integer"):
        assert model.classes_.dtype == labels.dtype


@pytest.mark.parametrize("kind", ["bool", "boolean", "list", "integer", "float"])
def test_two_labels_of_every_kind(two, kind):
    X, y = two
    truth = (y == "b").to_numpy()
    labels = {
        "bool": truth,
        "boolean": pd.Series(truth).astype("boolean"),
        "list": truth.tolist(),
        "integer": np.where(truth, 1, -1),
        "float": np.where(truth, 0.0, -1.0),
    }[kind]
    model, expected = quick_classifier().fit(X, labels), quick_classifier().fit(X, y)
    assert_same_model(model, expected)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(model.predict(X) == model.classes_[1], expected.predict(X) == "b")
    if kind in ("bool", "list"):
        assert model.predict(X).dtype == bool
        assert model.classes_.tolist() == [False, True]


def test_labels_as_a_column_are_flattened_with_a_warning(three):
    X, y = three
    with pytest.warns(UserWarning, match="column-vector"):
        model = quick_classifier().fit(X, y.to_frame())
    assert_same_model(model, quick_classifier().fit(X, y))


def test_several_columns_of_labels_in_long_form(three):
    X, y = three
    with says(ValueError, "2 columns", "long form", "task_id"):
        quick_classifier().fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT], ids=repr)
@pytest.mark.parametrize("row", [0, 7])
@pytest.mark.parametrize("kind", ["string", "integer", "series"])
def test_missing_labels(three, nothing, row, kind):
    X, y = three
    labels = y.to_numpy(dtype=object) if kind != "integer" else y.map(ord).to_numpy(dtype=object)
    labels[row] = nothing
    if kind == "series":
        labels = pd.Series(labels)
    with says(ValueError, "NaN|missing"):
        quick_classifier().fit(X, labels)


@pytest.mark.parametrize("dtype", ["float64", "Int64", "category", "string", "boolean"])
def test_missing_labels_of_every_type(three, dtype):
    X, y = three
    labels = {
        "float64": lambda: y.map(ord).astype(float),
        "Int64": lambda: y.map(ord).astype("Int64"),
        "boolean": lambda: (y == "a").astype("boolean"),
    }.get(dtype, lambda: y.astype(dtype))()
    labels[7] = None if dtype != "float64" else np.nan
    assert labels.isna().sum() == 1
    with says(ValueError, "NaN|missing"):
        quick_classifier().fit(X, labels)


@pytest.mark.parametrize("row", [0, 7])
def test_labels_of_several_types(three, row):
    X, y = three
    labels = y.to_numpy(dtype=object)
    labels[row] = 3
    with says(ValueError, "int", "str"):
        quick_classifier().fit(X, labels)


def test_labels_that_are_no_classes(three):
    X, y = three
    with says(ValueError, "continuous"):
        quick_classifier().fit(X, make_schools()[1])
    with says(ValueError, "infinity"):
        quick_classifier().fit(X, np.where(y == "a", np.inf, 0))


@pytest.mark.parametrize("labels", [["x"] * 240, np.zeros(240), [True] * 240])
def test_one_class_only(two, labels):
    X, _ = two
    model = quick_classifier().fit(X, labels)
    assert_array_equal(model.predict(X), labels)
    assert_array_equal(model.predict_proba(X), np.ones((240, 1)))
    assert model.classes_.tolist() == [labels[0]]
    assert model.score(X, labels) == 1
    assert len(model.decision_function(X)) == 240


# classes of each task


def test_probabilities_of_classes_that_a_task_does_not_have_are_zero(by_school):
    X, y = by_school
    model = quick_classifier(n_members=2, **LEARNS).fit(X, y)
    actual, mask = model.predict_proba(X), possible(X, y)
    assert (actual[~mask] == 0).all()
    assert (actual[mask] > 0).all()
    assert_allclose(actual.sum(1), 1, rtol=1e-12)
    labels_of_school = y.groupby(X["school"]).unique()
    for school, label in zip(X["school"], model.predict(X), strict=True):
        assert label in labels_of_school[school] or school == "school 00"
    assert model.score(X, y) > 0.7


def test_classes_by_task(by_school):
    X, y = by_school
    model = quick_classifier().fit(X, y)
    assert model.classes_.tolist() == list("abcdef")
    assert list(model.classes_per_task_) == model.tasks_.tolist()
    for school, labels in y.groupby(X["school"]):
        expected = sorted(labels.unique()) if labels.nunique() > 1 else list("abcdef")
        assert model.classes_per_task_[school].tolist() == expected


def test_a_task_with_one_class_can_have_all(by_school):
    X, y = by_school
    model = quick_classifier(**LEARNS).fit(X, y)
    rows = X["school"] == "school 00"
    assert y[rows].unique().tolist() == ["a"]
    actual = model.predict_proba(X[rows])
    assert (actual > 0).all()
    assert model.score(X[rows], y[rows]) == 1


def test_classes_of_a_task_are_those_of_rows_with_weight(by_school):
    X, y = by_school
    drop = (X["school"] == "school 03") & (y == y[X["school"] == "school 03"].iloc[0])
    model = quick_classifier().fit(X, y, sample_weight=np.where(drop, 0, 1))
    fewer = quick_classifier().fit(X[~drop], y[~drop])
    assert_same_model(model, fewer)
    assert len(model.classes_per_task_["school 03"]) == 2
    assert_array_equal(model.predict_proba(X), fewer.predict_proba(X))


def test_all_classes_for_all_tasks(by_school):
    X, y = by_school
    model = quick_classifier(task_classes="all", **LEARNS).fit(X, y)
    assert (model.predict_proba(X) > 0).all()
    assert all(classes.tolist() == list("abcdef") for classes in model.classes_per_task_.values())
    # nothing to tell apart where all tasks have all classes
    X, y = make_classes(3, n_rows=40)
    full = y.groupby(X["school"]).transform("nunique") == 3
    X, y = X[full], y[full]
    assert_same_model(quick_classifier(task_classes="all").fit(X, y), quick_classifier().fit(X, y))


def test_what_a_task_can_be_makes_a_difference(by_school):
    X, y = by_school
    seen = quick_classifier(**LEARNS).fit(X, y)
    every = quick_classifier(task_classes="all", **LEARNS).fit(X, y)
    mask = possible(X, y)
    assert every.predict_proba(X)[~mask].max() > 0.01
    assert seen.predict_proba(X)[~mask].max() == 0


def test_a_task_never_seen_can_have_all_classes(by_school):
    X, y = by_school
    known = X["school"] < "school 10"
    model = quick_classifier(**LEARNS).fit(X[known], y[known])
    actual = model.predict_proba(X)
    assert (actual[~known] > 0).all()
    assert_allclose(actual.sum(1), 1, rtol=1e-12)
    assert (actual[known][~possible(X[known], y[known])] == 0).all()


@pytest.mark.parametrize("n_members", [1, 2])
def test_unseen_tasks_on_average(by_school, n_members):
    X, y = by_school
    X = X.drop(columns=METADATA)
    model = quick_classifier(metadata=None, unseen_tasks="average", n_members=n_members).fit(X, y)
    half_new = X.assign(school=X["school"].where(X.index % 2 == 0, "new"))
    actual = model.predict_proba(half_new)
    assert (actual[1::2] > 0).all()
    assert_allclose(actual[::2], model.predict_proba(X)[::2], rtol=1e-12)
    assert_allclose(actual.sum(1), 1, rtol=1e-12)
    with says(ValueError, r"1 task\(s\) were not seen", "'new'"):
        model.set_params(unseen_tasks="error").predict_proba(half_new)


def test_the_loss_is_that_of_the_possible_classes(by_school):
    X, y = by_school
    held = X.groupby("school").cumcount() >= 14
    with double_precision():
        model = quick_classifier(**LEARNS)
        model.fit(X[~held], y[~held], X_val=X[held], y_val=y[held])
    actual = model.predict_proba(X[held])[np.arange(held.sum()), y[held].map(ord) - ord("a")]
    assert model.history_["valid_loss"].min() == pytest.approx(-np.log(actual).mean(), rel=1e-9)


def test_the_loss_of_two_classes_is_that_of_their_probabilities(two):
    X, y = two
    held = X.index % 3 == 0
    with double_precision():
        model = quick_classifier(**LEARNS)
        model.fit(X[~held], y[~held], X_val=X[held], y_val=y[held])
    expected = log_loss(y[held], model.predict_proba(X[held]))
    assert model.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-9)


# probabilities, decisions and predictions


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_decisions_probabilities_and_predictions_agree(n_classes, n_members):
    X, y = make_classes(n_classes)
    model = quick_classifier(n_members=n_members, **LEARNS).fit(X, y)
    decisions, probabilities = model.decision_function(X), model.predict_proba(X)
    assert probabilities.dtype == decisions.dtype == np.float64
    assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
    assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(X))
    if n_classes == 2:
        assert decisions.shape == (len(X),)
        assert_array_equal(model.classes_[(decisions > 0).astype(int)], model.predict(X))
        assert_allclose(expit(decisions), probabilities[:, 1], rtol=1e-9)
    else:
        assert decisions.shape == (len(X), 3)
        assert_array_equal(model.classes_[decisions.argmax(1)], model.predict(X))
        assert_allclose(softmax(decisions, axis=1), probabilities, rtol=1e-9)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_decisions_where_probabilities_are_zero_and_one(n_classes, n_members):
    X, y = make_classes(n_classes)
    model = quick_classifier(n_members=n_members, task_classes="all", **LEARNS).fit(X, y)
    far = X.assign(status=X["status"] * 1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decisions, probabilities = model.decision_function(far), model.predict_proba(far)
        labels = model.predict(far)
    assert np.isfinite(probabilities).all()
    assert (probabilities.max(1) == 1).any()
    assert_allclose(probabilities.sum(1), 1, rtol=1e-12)
    assert np.isfinite(decisions).all()
    if n_classes == 2:
        assert_array_equal(model.classes_[(decisions > 0).astype(int)], labels)
        # rows differ although their probabilities do not
        saturated = probabilities[:, 1] == 1
        assert len(np.unique(decisions[saturated])) > 0.9 * saturated.sum()
    else:
        assert_array_equal(model.classes_[probabilities.argmax(1)], labels)
        assert_array_equal(model.classes_[decisions.argmax(1)], labels)


def test_decisions_on_classes_that_a_task_does_not_have(by_school):
    X, y = by_school
    model = quick_classifier(n_members=2).fit(X, y)
    decisions, mask = model.decision_function(X), possible(X, y)
    assert_array_equal(decisions[~mask], -1000)
    assert_array_equal(np.exp(decisions) == 0, ~mask)
    assert_allclose(np.exp(decisions), model.predict_proba(X), rtol=1e-12)
    far = X.assign(**{name: 1e5 * X[name] for name in X if X[name].dtype == np.float64})
    decisions = model.decision_function(far)
    assert np.isfinite(decisions).all()
    for row, allowed in zip(decisions, mask, strict=True):
        assert row[~allowed].max(initial=-np.inf) < row[allowed].min()


@pytest.mark.parametrize("kind", ["two", "three", "by_school"])
def test_members_are_averaged_as_probabilities(request, kind):
    X, y = request.getfixturevalue(kind)
    settings = {**LEARNS, "max_iter": 6}
    model = quick_classifier(n_members=3, **settings).fit(X, y)
    members = [member_of(model, number).predict_proba(X) for number in range(3)]
    assert np.std(members, axis=0).max() > 0.01
    assert_allclose(model.predict_proba(X), np.mean(members, axis=0), rtol=1e-9)
    alone = quick_classifier(**settings).fit(X, y)
    assert_allclose(members[0], alone.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["two", "three", "by_school"])
def test_a_member_does_not_depend_on_how_many_there_are(request, kind):
    X, y = request.getfixturevalue(kind)
    alone = quick_classifier(batch_size="auto").fit(X, y)
    first = member_of(quick_classifier(batch_size="auto", n_members=3).fit(X, y), 0)
    for name, value in alone.module_.named_parameters():
        actual = dict(first.module_.named_parameters())[name]
        assert_array_equal(actual.detach(), value.detach(), err_msg=name)


def test_predictions_do_not_depend_on_other_rows(by_school):
    X, y = by_school
    model = quick_classifier(n_members=2).fit(X, y)
    alone = np.concatenate([model.predict_proba(X.iloc[[row]]) for row in range(8)])
    assert_allclose(model.predict_proba(X)[:8], alone, rtol=1e-11)
    order = np.random.default_rng(0).permutation(len(X))
    assert_array_equal(model.predict_proba(X.iloc[order]), model.predict_proba(X)[order])


def test_a_model_that_is_not_fitted(two):
    X, y = two
    model = quick_classifier()
    for call in (model.predict, lambda X: model.score(X, y), lambda X: model.classes_):
        with says(NotFittedError, "not fitted yet"):
            call(X)
    # as every classifier of scikit-learn's has them before fit
    for method in ("predict_proba", "decision_function"):
        assert hasattr(model, method)
        with says(NotFittedError, "not fitted yet"):
            getattr(model, method)(X)
    assert is_classifier(model)


# weights


@pytest.mark.parametrize("kind", ["two", "three", "by_school"])
@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_of_classes(request, kind, weighted):
    X, y = request.getfixturevalue(kind)
    weights = np.random.default_rng(0).uniform(0.5, 3, len(X)) if weighted else None
    model = quick_classifier(class_weight="balanced").fit(X, y, sample_weight=weights)
    sample_weight = np.ones(len(X)) if weights is None else weights
    totals = pd.Series(sample_weight).groupby(y.to_numpy()).sum()
    factors = sample_weight.sum() / (len(totals) * totals)
    by_row = sample_weight * y.map(factors).to_numpy()
    if not weighted:
        assert_allclose(by_row, compute_sample_weight("balanced", y))
    expected = quick_classifier().fit(X, y, sample_weight=by_row)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("class_weight", [{"a": 1, "b": 4.0}, {"b": 4}, {"a": 0.25, "b": 1}, {}])
def test_given_weights_of_classes(two, class_weight):
    X, y = two
    weights = np.random.default_rng(0).uniform(0.5, 3, len(X))
    model = quick_classifier(class_weight=class_weight).fit(X, y, sample_weight=weights)
    by_row = weights * y.map(lambda label: class_weight.get(label, 1))
    assert_same_model(quick_classifier().fit(X, y, sample_weight=by_row), model)


def test_weights_of_classes_hold_for_validation_rows(two):
    X, y = two
    held = X.index % 3 == 0
    with double_precision():
        model = quick_classifier(class_weight={"b": 4.0}, **LEARNS)
        model.fit(X[~held], y[~held], X_val=X[held], y_val=y[held])
    weights = np.where(y[held] == "b", 4.0, 1.0)
    expected = log_loss(y[held], model.predict_proba(X[held]), sample_weight=weights)
    assert model.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-9)


def test_balanced_weights_help_rare_classes():
    X, y = make_schools(n_rows=40, noise=2.0)
    y = np.where(y > y.quantile(0.93), "rare", "common")
    train = X.groupby("school").cumcount() < 25
    scores = [
        balanced_accuracy_score(
            y[~train],
            quick_classifier(class_weight=weight, **LEARNS)
            .fit(X[train], y[train])
            .predict(X[~train]),
        )
        for weight in (None, "balanced")
    ]
    assert scores[1] > scores[0] + 0.05


@pytest.mark.parametrize(
    "class_weight", [{"c": 2.0}, {"a": "much"}, {"a": -1.0}, {"a": np.nan}, {"a": 0, "b": 0}]
)
def test_weights_of_classes_that_cannot_be(two, class_weight):
    # a class that is not there is an error in scikit-learn, too
    with says(ValueError, "class|weight"):
        quick_classifier(class_weight=class_weight).fit(*two)


def test_a_class_without_weight_is_no_class_to_learn(three):
    X, y = three
    model = quick_classifier(class_weight={"a": 0}, **LEARNS).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert np.isfinite(model.predict_proba(X)).all()
    assert (model.predict(X) == "a").mean() < 0.1


def test_a_weight_of_two_is_the_row_twice(by_school):
    X, y = by_school
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    settings = {"class_weight": "balanced"}
    weighted = quick_classifier(**settings).fit(X, y, sample_weight=weights)
    repeated = quick_classifier(**settings).fit(X.iloc[rows], y.iloc[rows])
    assert_same_model(weighted, repeated)
    assert weighted.classes_per_task_.keys() == repeated.classes_per_task_.keys()


def test_labels_of_rows_without_weight_are_not_looked_at(two):
    X, y = two
    weights = np.where(X.index == 7, 0, 1)
    labels = y.where(X.index != 7, "other")
    model = quick_classifier().fit(X, labels, sample_weight=weights)
    assert model.classes_.tolist() == ["a", "b"]
    assert_same_model(model, quick_classifier().fit(X, y, sample_weight=weights))


@pytest.mark.parametrize("changes", [{"task_sampling": "tasks"}, {"class_weight": "balanced"}])
def test_the_order_of_the_rows_does_not_matter(by_school, changes):
    X, y = by_school
    weights = np.random.default_rng(0).uniform(0.1, 3, len(X))
    model = quick_classifier(**changes).fit(X, y, sample_weight=weights)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(X))
        other = quick_classifier(**changes)
        other.fit(X.iloc[order], y.iloc[order], sample_weight=weights[order])
        assert_same_model(other, model)


def test_the_names_of_two_classes_do_not_matter(two):
    X, y = two
    settings = {**FULL_BATCH, "max_iter": 10}
    with double_precision():
        model = quick_classifier(**settings).fit(X, y)
        renamed = quick_classifier(**settings).fit(X, y.map({"a": "low", "b": "up"}))
    assert_array_equal(model.predict_proba(X), renamed.predict_proba(X))


# validation rows


def test_validation_labels_that_are_impossible(by_school):
    X, y = by_school
    held = X.groupby("school").cumcount() >= 14
    train = (X[~held], y[~held])
    labels = y[held].copy()
    row = np.flatnonzero(X["school"][held] == "school 04")[1]
    known = set(y[~held][X["school"][~held] == "school 04"])
    other = next(label for label in "abcdef" if label not in known)
    labels.iloc[row] = other
    with says(ValueError, "y_val", f"'{other}'", "'school 04'", "task_classes='all'"):
        quick_classifier().fit(*train, X_val=X[held], y_val=labels)
    quick_classifier(task_classes="all").fit(*train, X_val=X[held], y_val=labels)
    labels.iloc[row] = "z"
    with says(ValueError, "'z'", f"row {row}", "'a', 'b'"):
        quick_classifier().fit(*train, X_val=X[held], y_val=labels)


@pytest.mark.parametrize("nothing", [None, np.nan])
def test_missing_validation_labels(two, nothing):
    X, y = two
    labels = y.to_numpy(dtype=object, copy=True)
    labels[7] = nothing
    with says(ValueError, "NaN|missing"):
        quick_classifier().fit(X, y, X_val=X, y_val=labels)


def test_one_row_of_each_class_of_each_task_is_trained_on():
    X, y = make_schools(n_schools=6, n_rows=30)
    # every school has two classes that are in one row each
    position = X.groupby("school").cumcount()
    y = np.select([position == 0, position == 1, position % 2 == 0], ["w", "x", "y"], "z")
    for seed in range(3):
        model = quick_classifier(validation_fraction=0.9, random_state=seed).fit(X, y)
        assert np.isfinite(model.history_["valid_loss"]).all()
        train = model._plan(X, y).train
        counts = pd.crosstab(train.tasks, train.targets[:, 0])
        assert counts.shape == (6, 4)
        assert (counts >= 1).all(axis=None)
        # floor(0.9 * 30) rows would leave 3, which is less than the classes there are
        assert (counts.sum(axis=1) == 4).all()


def test_classes_that_leave_nothing_for_validation_are_said_so():
    X, y = make_schools(n_schools=6, n_rows=6)
    y = X.groupby("school").cumcount()
    with pytest.warns(ValidationWarning):
        quick_classifier().fit(X, y)


# new tasks


@pytest.fixture
def halves(by_school):
    """Rows of eight schools, and of four that are new."""
    X, y = by_school
    old = X["school"] < "school 08"
    return (X[old], y[old]), (X[~old], y[~old])


@pytest.mark.parametrize("changes", [{}, {"n_members": 2}, {"metadata": None}])
def test_adapt_to_tasks_with_other_classes(halves, changes):
    (X, y), (X_new, y_new) = halves
    model = quick_classifier(**{**LEARNS, **changes}).fit(X, y)
    before = model.predict_proba(X), model.decision_function(X), model.predict(X)
    by_task = dict(model.classes_per_task_)
    model.adapt(X_new, y_new)
    for then, now in zip(
        before, (model.predict_proba(X), model.decision_function(X), model.predict(X)), strict=True
    ):
        assert_array_equal(now, then)
    actual, mask = model.predict_proba(X_new), possible(X_new, y_new)
    full = possible(pd.concat([X, X_new]), pd.concat([y, y_new]))[len(X) :]
    assert mask.shape[1] < 6 or (mask == full).all()
    assert (actual[~full] == 0).all()
    assert_allclose(actual.sum(1), 1, rtol=1e-12)
    assert model.score(X_new, y_new) > 0.36
    assert model.tasks_.tolist() == sorted({*X["school"], *X_new["school"]})
    for task, classes in model.classes_per_task_.items():
        rows = X_new["school"] == task
        expected = by_task.get(task, np.unique(y_new[rows]) if rows.any() else None)
        assert_array_equal(classes, expected)


def test_adapt_learns(halves):
    (X, y), (X_new, y_new) = halves
    few = X_new.groupby("school").cumcount() < 10
    model = quick_classifier(task_classes="all", **LEARNS).fit(X, y)
    X_few, y_few, held, labels = X_new[few], y_new[few], X_new[~few], y_new[~few]
    before = log_loss(labels, model.predict_proba(held), labels=model.classes_)
    model.adapt(X_few, y_few)
    assert log_loss(labels, model.predict_proba(held), labels=model.classes_) < before


def test_adapt_in_two_steps(halves):
    (X, y), (X_new, y_new) = halves
    once = quick_classifier().fit(X, y).adapt(X_new, y_new)
    twice = quick_classifier().fit(X, y)
    for half in (X_new["school"] < "school 10", X_new["school"] >= "school 10"):
        twice.adapt(X_new[half], y_new[half])
    assert twice.tasks_.equals(once.tasks_)
    for task, classes in once.classes_per_task_.items():
        assert_array_equal(twice.classes_per_task_[task], classes)
    again = pickle.loads(pickle.dumps(twice))
    assert_array_equal(again.predict_proba(X_new), twice.predict_proba(X_new))


def test_adapt_of_a_copy_leaves_the_original_alone(halves):
    (X, y), (X_new, y_new) = halves
    model = quick_classifier().fit(X, y)
    before = model.predict_proba(X_new)
    copy.deepcopy(model).adapt(X_new, y_new)
    assert len(model.classes_per_task_) == 8
    assert_array_equal(model.predict_proba(X_new), before)


def test_adapt_with_labels_that_do_not_fit(halves):
    (X, y), (X_new, y_new) = halves
    model = quick_classifier().fit(X, y)
    before = model.predict_proba(X)
    labels = y_new.copy()
    labels.iloc[7] = "z"
    with says(ValueError, "'z'", "row 7", "'a'"):
        model.adapt(X_new, labels)
    labels = y_new.to_numpy(dtype=object)
    labels[7] = None
    with says(ValueError, "NaN|missing"):
        model.adapt(X_new, labels)
    assert_array_equal(model.predict_proba(X), before)
    assert len(model.classes_per_task_) == len(model.tasks_) == 8


def test_adapt_does_not_look_at_labels_of_rows_without_weight(halves):
    (X, y), (X_new, y_new) = halves
    weights = np.ones(len(X_new))
    weights[7] = 0
    labels = y_new.copy()
    labels.iloc[7] = "z"
    model = quick_classifier().fit(X, y).adapt(X_new, labels, sample_weight=weights)
    other = quick_classifier().fit(X, y).adapt(X_new, y_new, sample_weight=weights)
    assert_same_model(model, other)


# going on


def test_warm_start_goes_on(by_school):
    X, y = by_school
    model = quick_classifier(warm_start=True, early_stopping=False).fit(X, y)
    first = model.history_["train_loss"]
    second = model.fit(X, y).history_["train_loss"]
    assert second.iloc[0] < first.iloc[0]
    assert second.iloc[-1] < first.iloc[-1]


def test_warm_start_with_other_classes_is_refused(by_school):
    X, y = by_school
    model = quick_classifier(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with says(ValueError, "warm_start", "classes"):
        model.fit(X, y.replace("a", "z"))
    assert_array_equal(model.predict_proba(X), before)


def test_warm_start_with_other_classes_of_a_task(by_school):
    X, y = by_school
    model = quick_classifier(warm_start=True, early_stopping=False).fit(X, y)
    labels = y.copy()
    rows = np.flatnonzero(X["school"] == "school 04")
    labels.iloc[rows[:3]] = next(c for c in "abcdef" if c not in set(y.iloc[rows]))
    # either is right: a label that the model takes for impossible is not
    try:
        model.fit(X, labels)
    except ValueError as error:
        assert "school 04" in str(error) or "warm_start" in str(error)  # noqa: PT017
    else:
        assert model.history_["train_loss"].max() < 100
        assert set(labels.iloc[rows]) <= set(model.classes_per_task_["school 04"])


# scikit-learn's tools


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "balanced_accuracy"])
def test_scores_of_strings(two, scoring):
    model = quick_classifier(**LEARNS)
    scores = cross_val_score(model, *two, scoring=scoring, cv=2, error_score="raise")
    assert (scores > (-0.4 if scoring == "neg_log_loss" else 0.8)).all()


@pytest.mark.parametrize("scoring", ["f1", "average_precision", "neg_brier_score"])
def test_scores_of_events(two, scoring):
    X, y = two
    model = quick_classifier(**LEARNS)
    scores = cross_val_score(model, X, y == "b", scoring=scoring, cv=2, error_score="raise")
    assert (scores > (-0.2 if scoring == "neg_brier_score" else 0.8)).all()


@pytest.mark.parametrize("scoring", ["roc_auc_ovr", "roc_auc_ovo_weighted", "neg_log_loss"])
def test_scores_of_several_classes(three, scoring):
    X, y = three
    scores = cross_val_score(quick_classifier(), X, y, scoring=scoring, cv=2, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_cross_val_predict(two, method):
    X, y = two
    actual = cross_val_predict(quick_classifier(**LEARNS), X, y, cv=2, method=method)
    assert len(actual) == len(y)
    if method == "predict":
        assert accuracy_score(y, actual) > 0.8
    else:
        assert roc_auc_score(y, actual if actual.ndim == 1 else actual[:, 1]) > 0.9


def test_grid_search_in_two_processes(three):
    grid = {"class_weight": [None, "balanced"]}
    settings = {"cv": StratifiedKFold(2), "error_score": "raise", "scoring": "neg_log_loss"}
    search = GridSearchCV(quick_classifier(), grid, n_jobs=2, **settings).fit(*three)
    here = GridSearchCV(quick_classifier(), grid, **settings).fit(*three)
    assert_array_equal(search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])
    assert_array_equal(search.predict_proba(three[0]), here.predict_proba(three[0]))
    assert search.classes_.tolist() == ["a", "b", "c"]


def test_pipeline_with_column_transformer(two):
    X, y = two
    X = X.assign(colour=np.where(X["age"] > 13, "red", "blue"))
    columns = ColumnTransformer(
        [
            ("scaled", StandardScaler(), FEATURES),
            ("encoded", OneHotEncoder(sparse_output=False), ["colour"]),
            ("metadata", "passthrough", METADATA),
            ("task", "passthrough", ["school"]),
        ]
    )
    model = quick_classifier(task_id=-1, metadata=[-3, -2], **LEARNS)
    pipeline = make_pipeline(columns, model).fit(X, y)
    assert pipeline.score(X, y) > 0.85
    assert pipeline.classes_.tolist() == ["a", "b"]
    assert_allclose(pipeline.predict_proba(X).sum(1), 1)
    assert_allclose(expit(pipeline.decision_function(X)), pipeline.predict_proba(X)[:, 1])


def test_soft_voting(two):
    models = [
        ("one", quick_classifier(**LEARNS)),
        ("two", quick_classifier(embedding_dim=0, **LEARNS)),
    ]
    assert VotingClassifier(models, voting="soft").fit(*two).score(*two) > 0.8


@pytest.mark.parametrize(
    "meta",
    [
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: TunedThresholdClassifierCV(model, cv=2),
        lambda model: BaggingClassifier(model, 2, random_state=0),
        lambda model: StackingClassifier([("one", model)], cv=2, stack_method="predict_proba"),
    ],
    ids=["calibrated", "threshold", "bagging", "stacking"],
)
def test_meta_estimators_that_ask_for_probabilities(two, meta):
    X, y = two
    # some of them take arrays only
    X, y = X.assign(school=X["school"].str[-2:].astype(int)).to_numpy(float), (y == "b").to_numpy()
    model = meta(quick_classifier(task_id=2, metadata=[3, 4], **LEARNS)).fit(X, y)
    assert model.predict_proba(X).shape == (len(X), 2)
    assert model.score(X, y) > 0.8


def test_permutation_importance(two):
    X, y = two
    model = quick_classifier(embedding_dim=0, **LEARNS).fit(X, y)
    actual = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    importance = dict(zip(X.columns, actual.importances_mean, strict=True))
    assert importance["size"] > 0.1
    assert_allclose(importance["school"], 0, atol=1e-12)


@pytest.mark.parametrize("table", [False, True])
def test_importance_of_metadata(two, table):
    X, y = two
    X = X.assign(luck=X["school"].str[-2:].astype(int) * 7 % 5)
    metadata = [*METADATA, "luck"]
    described = X[["school", *metadata]].drop_duplicates().set_index("school")
    model = quick_classifier(metadata=described if table else metadata, **LEARNS)
    X = X.drop(columns=metadata) if table else X
    model.fit(X, y)
    for scoring in (None, "neg_log_loss", "roc_auc"):
        actual = model.metadata_importance(X, y, scoring=scoring, random_state=0)
        assert sorted(actual.index) == sorted(metadata)
        assert actual.index[0] == "size"
        assert actual["importance_mean"]["size"] > 0.02


def test_metadata_as_a_table(by_school):
    X, y = by_school
    features, table = X.drop(columns=METADATA), metadata_table(X)
    model = quick_classifier(metadata=table).fit(features, y)
    columns = quick_classifier().fit(X, y)
    assert_same_model(model, columns)
    assert_array_equal(model.predict_proba(features), columns.predict_proba(X))


def test_copies_predict_the_same(by_school):
    X, y = by_school
    model = quick_classifier(n_members=2, class_weight="balanced").fit(X, y)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.classes_per_task_.keys() == model.classes_per_task_.keys()
    fresh = clone(model)
    assert not hasattr(fresh, "module_")
    assert_same_model(fresh.fit(X, y), model)


def test_one_task_without_task_id(three):
    X, y = three
    X = X[[*FEATURES, *METADATA]]
    model = MultiTaskHypernetClassifier(hidden_layer_sizes=(8,), random_state=0, **LEARNS)
    model.fit(X, y)
    assert model.score(X, y) > 0.6
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert list(model.classes_per_task_) == [0]


@pytest.mark.parametrize(
    "changes", [{"class_weight": "even"}, {"class_weight": 2}, {"task_classes": "some"}], ids=str
)
def test_values_that_a_parameter_cannot_have(two, changes):
    with says(ValueError, f"'{next(iter(changes))}' parameter"):
        quick_classifier(**changes).fit(*two)


def test_good_input_gets_no_warning(by_school):
    X, y = by_school
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick_classifier(n_members=2, class_weight="balanced").fit(X, y)
        model.predict(X), model.predict_proba(X), model.decision_function(X), model.score(X, y)
        quick_classifier(class_weight="balanced").fit(X, y == "a").decision_function(X)
