"""Each loss predicts the documented quantity, in the units of the labels."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import (
    d2_pinball_score,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)

from tests._losses import LOSSES, counts_of, fast_model
from tests._tables import FULL_BATCH, LEARNS, assert_same_model, double_precision, make_schools


@pytest.fixture
def schools():
    return make_schools()


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_quantiles_cover_their_share(quantile):
    X, y = make_schools(n_schools=8, n_rows=150, noise=1.0)
    train = X.groupby("school").cumcount() < 100
    model = fast_model(loss="pinball", quantile=quantile, **LEARNS)
    model.fit(X[train], y[train])
    held, labels = X[~train], y[~train]
    actual = model.predict(held)
    assert np.mean(labels <= actual) == pytest.approx(quantile, abs=0.05)
    # in every school, and close to what is true
    shares = (labels <= actual).groupby(held["school"]).mean()
    assert (abs(shares - quantile) < 0.15).all()
    truth = labels.mean() + stats.norm.ppf(quantile) - actual.mean()
    assert abs(truth) < 0.15
    assert d2_pinball_score(labels, actual, alpha=quantile) > 0.5


def test_quantiles_in_order():
    X, y = make_schools(n_rows=40, noise=1.0)
    actual = [
        fast_model(loss="pinball", quantile=q, **LEARNS).fit(X, y).predict(X)
        for q in (0.1, 0.5, 0.9)
    ]
    assert np.mean(actual[0] < actual[1]) > 0.98
    assert np.mean(actual[1] < actual[2]) > 0.98


def test_quantile_of_one_half_is_the_median(schools):
    X, y = schools
    # half the loss takes half the steps' gradients, which Adam scales away but for its eps
    with double_precision():
        settings = {"embedding_alpha": 0.0, **FULL_BATCH}
        median = fast_model(loss="pinball", quantile=0.5, **settings).fit(X, y)
        absolute = fast_model(loss="absolute_error", **settings).fit(X, y)
    assert_allclose(median.predict(X), absolute.predict(X), atol=1e-4)
    assert_allclose(2 * median.history_["train_loss"], absolute.history_["train_loss"], rtol=1e-4)


def test_the_quantile_is_ignored_by_the_other_losses(schools):
    X, y = schools
    for loss in ("squared_error", "absolute_error", "huber"):
        assert_same_model(
            fast_model(loss=loss, quantile=0.9).fit(X, y), fast_model(loss=loss).fit(X, y)
        )


def test_counts():
    X, _ = make_schools(n_rows=60)
    y, rate = counts_of(X)
    train = X.groupby("school").cumcount() < 40
    actual, errors = {}, {}
    for loss in ("poisson", "squared_error"):
        model = fast_model(loss=loss, **LEARNS).fit(X[train], y[train])
        actual[loss] = model.predict(X[~train]).clip(1e-3)
        errors[loss] = mean_poisson_deviance(y[~train], actual[loss])
    assert (fast_model(loss="poisson").fit(X, y).predict(X) > 0).all()
    best = mean_poisson_deviance(y[~train], rate[~train])
    mean = mean_poisson_deviance(y[~train], np.full((~train).sum(), y[train].mean()))
    assert errors["poisson"] < errors["squared_error"] + 0.01
    assert errors["poisson"] < best + 0.2 * (mean - best)
    # the mean, not its logarithm: nothing has to be put right afterwards
    assert actual["poisson"].mean() == pytest.approx(rate[~train].mean(), rel=0.12)
    assert r2_score(rate[~train], actual["poisson"]) > 0.8


def test_no_counts_at_all(schools):
    X, y = schools
    actual = fast_model(loss="poisson", **LEARNS).fit(X, 0 * y).predict(X)
    assert (actual > 0).all()
    assert actual.mean() < 0.2
    rare = (np.arange(len(y)) % 40 == 0).astype(float)
    actual = fast_model(loss="poisson", **LEARNS).fit(X, rare).predict(X)
    assert actual.mean() == pytest.approx(rare.mean(), rel=0.5)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "pinball"])
def test_labels_far_out(loss):
    X, y = make_schools(n_rows=30)
    train = X.groupby("school").cumcount() < 20
    generator = np.random.default_rng(0)
    broken = y + np.where(generator.random(len(y)) < 0.05, 1e4, 0)
    errors = {}
    for name in (loss, "squared_error"):
        model = fast_model(loss=name, **LEARNS).fit(X[train], broken[train])
        errors[name] = mean_absolute_error(y[~train], model.predict(X[~train]))
    clean = fast_model(loss=loss, **LEARNS).fit(X[train], y[train])
    # Huber's loss lets each pull as hard as one at the threshold does, 1.35 times as hard as others
    assert errors[loss] < 8 * mean_absolute_error(y[~train], clean.predict(X[~train])) < 2
    assert errors["squared_error"] > 100 * errors[loss]


def test_half_of_the_labels_are_equal():
    # quartiles that coincide are no scale
    X, y = make_schools()
    y = y.where(y > y.quantile(0.8), 0.0)
    for loss in ("absolute_error", "huber", "pinball"):
        model = fast_model(loss=loss, **LEARNS).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
        assert mean_absolute_error(y, model.predict(X)) < 1.1 * mean_absolute_error(y, 0 * y)


@pytest.mark.parametrize("loss", LOSSES)
def test_labels_that_are_all_equal(schools, loss):
    X, y = schools
    model = fast_model(loss=loss, **LEARNS).fit(X, 0 * y + 7)
    assert_allclose(model.predict(X), 7, rtol=0.15)


def test_each_is_the_best_by_its_measure():
    # labels that are skewed, so that mean, median and quantile differ
    X, _ = make_schools(n_schools=6, n_rows=200)
    y = pd.Series(np.random.default_rng(0).exponential(1 + X["size"] / 2))
    train = X.groupby("school").cumcount() < 130
    measures = {
        "squared_error": mean_squared_error,
        "absolute_error": mean_absolute_error,
        "poisson": mean_poisson_deviance,
        "pinball": lambda y, actual: mean_pinball_loss(y, actual, alpha=0.9),
    }
    actual = {
        loss: fast_model(loss=loss, quantile=0.9, **{**LEARNS, "early_stopping": "refit"})
        .fit(X[train], y[train])
        .predict(X[~train])
        .clip(1e-3)
        for loss in measures
    }
    for loss_name, measure in measures.items():
        errors = {loss: measure(y[~train], values) for loss, values in actual.items()}
        # two of them are for the mean
        assert errors[loss_name] < 1.02 * min(errors.values())
        assert errors[loss_name] < 0.99 * max(errors.values())


def test_huber_lies_between_mean_and_median():
    X, _ = make_schools(n_schools=6, n_rows=100)
    y = pd.Series(np.random.default_rng(0).exponential(size=len(X)))
    means = {
        loss: fast_model(loss=loss, **LEARNS).fit(X, y).predict(X).mean()
        for loss in ("absolute_error", "huber", "squared_error")
    }
    assert means["absolute_error"] == pytest.approx(np.log(2), abs=0.15)
    assert means["squared_error"] == pytest.approx(1, abs=0.15)
    assert means["absolute_error"] < means["huber"] < means["squared_error"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_validation_loss_is_that_of_the_predictions(schools, loss, n_outputs):
    X, y = schools
    Y = np.column_stack([y + 3, 20 - 2 * y])[:, :n_outputs].clip(0)
    held = X.index % 3 == 0
    model = fast_model(loss=loss, quantile=0.8, **LEARNS)
    with double_precision():
        model.fit(X[~held], Y[~held].squeeze(), X_val=X[held], y_val=Y[held].squeeze())
    actual, labels, trained = model.predict(X[held]).reshape(-1, n_outputs), Y[held], Y[~held]
    if loss == "squared_error":
        losses = (actual - labels) ** 2 / trained.var(axis=0)
    elif loss == "poisson":
        losses = (actual - labels * np.log(actual / trained.mean(0))) / trained.mean(0)
    else:
        low, high = np.quantile(trained, [0.25, 0.75], axis=0, method="inverted_cdf")
        error = (labels - actual) / ((high - low) / (2 * stats.norm.ppf(0.75)))
        losses = {
            "absolute_error": abs(error),
            "huber": np.where(abs(error) < 1.35, error**2 / 2, 1.35 * (abs(error) - 1.35 / 2)),
            "pinball": np.maximum(0.8 * error, -0.2 * error),
        }[loss]
    assert model.history_["valid_loss"].min() == pytest.approx(losses.mean(), rel=1e-6)


UNITS = [1e-6, 1e6]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_unit_of_the_labels_does_not_matter(schools, loss, unit):
    X, y = schools
    y = y.clip(0)
    with double_precision():
        model = fast_model(loss=loss, **FULL_BATCH).fit(X, y)
        other = fast_model(loss=loss, **FULL_BATCH).fit(X, unit * y)
    assert_allclose(other.predict(X) / unit, model.predict(X), rtol=1e-6, atol=1e-8)
    assert_allclose(other.history_["train_loss"], model.history_["train_loss"], rtol=1e-7)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "poisson"])
def test_where_the_labels_begin_does_not_matter(schools, loss):
    X, y = schools
    with double_precision():
        model = fast_model(loss=loss, **FULL_BATCH).fit(X, y)
        other = fast_model(loss=loss, **FULL_BATCH).fit(X, y - 1e3)
    assert_allclose(other.predict(X) + 1e3, model.predict(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_the_sign_of_the_labels_does_not_matter_but_for_quartiles(schools, loss):
    X, y = schools
    # an odd number of labels, whose median is one of them
    X, y = X[:-1], y[:-1]
    with double_precision():
        settings = {"linear_skip": False, **FULL_BATCH}
        model = fast_model(loss=loss, **settings).fit(X, y)
        other = fast_model(loss=loss, **settings).fit(X, -y)
    assert model._targets.parts[0].shift == pytest.approx(-other._targets.parts[0].shift)
    sizes = [m._targets.parts[0].size.item() for m in (model, other)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)
