"""Losses with several outputs, members, weights, new tasks and searches."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_poisson_deviance, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from skmtl.exceptions import UnlabelledRowsWarning
from tests._asserts import says
from tests._losses import LOSSES, counts_of, fast_model
from tests._tables import (
    FULL_BATCH,
    LEARNS,
    assert_same_model,
    double_precision,
    make_schools,
    make_wide,
    member_of,
)


@pytest.fixture
def schools():
    return make_schools()


@pytest.mark.parametrize("loss", LOSSES)
def test_several_outputs(schools, loss):
    X, y = schools
    both = np.column_stack([y + 3, 1e4 * (20 - 2 * y)]).clip(0)
    model = fast_model(loss=loss, n_members=2, **LEARNS).fit(X, both)
    actual = model.predict(X)
    assert actual.shape == (len(X), 2)
    assert actual.dtype == np.float64
    assert (r2_score(both, actual, multioutput="raw_values") > 0.7).all()


def test_quantiles_of_several_outputs():
    X, y = make_schools(n_rows=60, noise=1.0)
    other = np.random.default_rng(1).normal(size=len(X))
    model = fast_model(loss="pinball", quantile=0.8, **LEARNS)
    actual = model.fit(X, np.column_stack([y, other])).predict(X)
    assert np.mean(y <= actual[:, 0]) == pytest.approx(0.8, abs=0.06)
    assert np.mean(other <= actual[:, 1]) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("loss", LOSSES)
def test_members_are_averaged_in_the_units_of_the_labels(schools, loss):
    X, y = schools
    model = fast_model(loss=loss, n_members=3).fit(X, y.clip(0))
    members = [member_of(model, number).predict(X) for number in range(3)]
    assert np.std(members, axis=0).min() > 0
    assert_allclose(model.predict(X), np.mean(members, axis=0), rtol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_member_does_not_depend_on_how_many_there_are(schools, loss):
    X, y = schools
    alone = fast_model(loss=loss).fit(X, y.clip(0))
    first = member_of(fast_model(loss=loss, n_members=3).fit(X, y.clip(0)), 0)
    for name, value in alone.module_.named_parameters():
        actual = dict(first.module_.named_parameters())[name]
        assert_array_equal(actual.detach(), value.detach(), err_msg=name)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_weight_of_two_is_the_row_twice(schools, loss):
    X, y = schools
    y = y.clip(0)
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = fast_model(loss=loss).fit(X, y, sample_weight=weights)
    repeated = fast_model(loss=loss).fit(X.iloc[rows], y.iloc[rows])
    assert_same_model(weighted, repeated)
    assert_array_equal(weighted.predict(X), repeated.predict(X))


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_scales_of_weighted_rows_are_those_of_repeated_ones(schools, loss):
    X, y = schools
    weights = np.random.default_rng(0).integers(1, 4, len(X))
    model = fast_model(loss=loss, early_stopping=False).fit(X, y, sample_weight=weights)
    low, middle, high = np.quantile(np.repeat(y, weights), [0.25, 0.5, 0.75], method="inverted_cdf")
    target = model._targets.parts[0]
    assert target.shift.item() == middle
    assert target.size.item() == pytest.approx((high - low) / (2 * stats.norm.ppf(0.75)))


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize("row", [0, 7, 239])
def test_negative_counts(schools, n_outputs, row):
    X, y = schools
    Y = np.tile(y.clip(0).to_numpy()[:, None], n_outputs)
    Y[row, -1] = -2
    with says(ValueError, "negative", "-2", rf"row {row}\b", "poisson"):
        fast_model(loss="poisson").fit(X, Y.squeeze())
    for loss in ("squared_error", "huber"):
        fast_model(loss=loss, max_iter=1).fit(X, Y.squeeze())


def test_negative_counts_without_weight_are_not_looked_at(schools):
    X, y = schools
    y = y.clip(0)
    weights = np.where(X.index == 7, 0, 1)
    model = fast_model(loss="poisson").fit(X, y.where(X.index != 7, -2), sample_weight=weights)
    assert_same_model(model, fast_model(loss="poisson").fit(X, y, sample_weight=weights))


def test_negative_counts_to_validate_or_adapt(schools):
    X, y = schools
    y = y.clip(0)
    broken = y.where(X.index != 7, -2)
    with says(ValueError, "negative", "row 7"):
        fast_model(loss="poisson").fit(X, y, X_val=X, y_val=broken)
    known = X["school"] < "school 10"
    model = fast_model(loss="poisson").fit(X[known], y[known])
    with says(ValueError, "negative", r"row 0\b"):
        model.adapt(X[~known], y[~known].where(np.arange((~known).sum()) > 0, -1))


@pytest.mark.parametrize(
    "changes",
    [{"loss": "hinge"}, {"loss": None}, {"quantile": 0}, {"quantile": 1.0}, {"quantile": "0.5"}],
    ids=str,
)
def test_values_that_a_parameter_cannot_have(schools, changes):
    with says(ValueError, f"'{next(iter(changes))}' parameter"):
        fast_model(**changes).fit(*schools)


@pytest.mark.parametrize("missing", ["steep", "both"])
def test_a_missing_count_of_a_row_far_out(missing):
    # the rate that the network gives the row is beyond all numbers; it has no label there
    generator = np.random.default_rng(0)
    X = pd.DataFrame(generator.uniform(-1, 1, size=(400, 2)), columns=["a", "b"])
    X.loc[0, "a"] = 30.0
    steep = generator.poisson(np.exp(5 * X["a"].clip(-1, 1) - 2.5)).astype(float)
    Y = pd.DataFrame({"steep": steep, "flat": generator.poisson(3, 400).astype(float)})
    Y.loc[0, ["steep"] if missing == "steep" else ["steep", "flat"]] = np.nan
    changes = {"hidden_layer_sizes": (), "learning_rate_init": 0.1, "early_stopping": False}
    model = fast_model(
        task_id=None, metadata=None, loss="poisson", **{**LEARNS, "max_iter": 35, **changes}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnlabelledRowsWarning)
        actual = model.fit(X, Y).predict(X.drop(index=0))
    assert mean_poisson_deviance(steep[1:], actual["steep"]) < 1.5


@pytest.mark.parametrize("loss", LOSSES)
def test_adapt_moves_towards_the_new_task(loss):
    X, y = make_schools(n_schools=24, n_rows=30)
    X = X.drop(columns=["size", "sector"])
    y = (y + 5).clip(0)
    new = X["school"] >= "school 20"
    model = fast_model(loss=loss, metadata=None, unseen_tasks="average", **LEARNS)
    model.fit(X[~new], y[~new])
    few = new & (X.groupby("school").cumcount() < 12)
    held = new & ~few
    known = model.predict(X[~new])
    before = mean_absolute_error(y[held], model.predict(X[held]))
    model.adapt(X[few], y[few])
    after = mean_absolute_error(y[held], model.predict(X[held]))
    assert after < 0.5 * before
    assert_array_equal(model.predict(X[~new]), known)


@pytest.mark.parametrize("unit", [0.05, 50.0])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "pinball"])
def test_adapt_does_not_depend_on_the_unit(loss, unit):
    X, y = make_schools(n_schools=16, n_rows=20)
    y = (y + 5).clip(0)
    new = X["school"] >= "school 12"
    with double_precision():
        settings = {"loss": loss, **FULL_BATCH}
        model, other = (
            fast_model(**settings).fit(X[~new], u * y[~new]).adapt(X[new], u * y[new])
            for u in (1.0, unit)
        )
    assert_allclose(other.predict(X[new]) / unit, model.predict(X[new]), rtol=1e-5)


def test_adapt_to_counts_of_every_size():
    # a few large counts are as informative as many small ones: no penalty towards the mean
    settings = {**LEARNS, "max_iter": 30, "learning_rate_init": 4e-2, "weight_averaging": 0.9}
    errors = {}
    for scale in (1.0, 1000.0):
        X, _ = make_schools(n_schools=30, n_rows=30)
        y, rate = counts_of(X, scale)
        X = X.drop(columns=["size", "sector"])
        new = X["school"] >= "school 24"
        few = new & (X.groupby("school").cumcount() < 3)
        held = new & ~few
        model = fast_model(loss="poisson", metadata=None, **settings).fit(X[~new], y[~new])
        model.adapt(X[few], y[few])
        levels = pd.DataFrame({"predicted": model.predict(X[held]), "rate": rate[held]})
        levels = np.log(levels.groupby(X["school"][held]).mean())
        errors[scale] = np.sqrt(np.mean((levels["predicted"] - levels["rate"]) ** 2))
    assert errors[1000.0] < 0.2 < errors[1.0]


@pytest.mark.parametrize("loss", LOSSES)
def test_warm_start_goes_on(schools, loss):
    X, y = schools
    y = y.clip(0)
    model = fast_model(loss=loss, warm_start=True, early_stopping=False).fit(X, y)
    first = model.history_["train_loss"]
    second = model.fit(X, y).history_["train_loss"]
    assert second.iloc[0] < first.iloc[0]
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "changes",
    [{"loss": "absolute_error"}, {"loss": "poisson"}, {"loss": "pinball", "quantile": 0.9}],
    ids=lambda changes: changes["loss"],
)
def test_warm_start_with_another_loss(schools, changes):
    # either is right, but not to go on with the old loss and say nothing
    X, y = schools
    y = y.clip(0)
    model = fast_model(warm_start=True, **FULL_BATCH).fit(X, y)
    old = fast_model(warm_start=True, **FULL_BATCH).fit(X, y)
    try:
        model.set_params(**changes).fit(X, y)
    except ValueError as error:
        assert "warm_start" in str(error)  # noqa: PT017
    else:
        old.fit(X, y)
        assert not np.allclose(model.predict(X), old.predict(X))


def test_warm_start_with_another_quantile(schools):
    X, y = schools
    settings = {"loss": "pinball", "quantile": 0.1, "warm_start": True, **FULL_BATCH}
    model, old = (fast_model(**settings).fit(X, y) for _ in range(2))
    try:
        model.set_params(quantile=0.9).fit(X, y)
    except ValueError as error:
        assert "warm_start" in str(error)  # noqa: PT017
    else:
        assert np.mean(model.predict(X) > old.fit(X, y).predict(X)) > 0.9


def test_warm_start_with_another_number_of_outputs(schools):
    X, y = schools
    model = fast_model(warm_start=True).fit(X, y)
    before = model.predict(X)
    with says(ValueError, "warm_start"):
        model.fit(X, np.column_stack([y, -y]))
    assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("loss", LOSSES)
def test_one_task_and_wide_form(loss):
    X, Y = make_wide()
    Y = (Y + 20).clip(0)
    model = fast_model(task_id=None, metadata=None, loss=loss, quantile=0.5, **LEARNS)
    assert model.fit(X, Y).score(X, Y) > 0.7
    settings = {**LEARNS, "early_stopping": "refit"}
    one = fast_model(task_id=None, metadata=None, loss=loss, **settings)
    rows = Y["t0"].notna()
    assert one.fit(X[rows], Y["t0"][rows]).score(X[rows], Y["t0"][rows]) > 0.7


def test_grid_search_over_losses(schools):
    X, y = schools
    grid = {"loss": LOSSES[:3]}
    search = GridSearchCV(
        fast_model(), grid, cv=2, scoring="neg_mean_absolute_error", error_score="raise"
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    counts, _ = counts_of(X)
    scores = cross_val_score(
        fast_model(loss="poisson"),
        X,
        counts,
        scoring="neg_mean_poisson_deviance",
        cv=2,
        error_score="raise",
    )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_good_input_gets_no_warning(schools, loss):
    X, y = schools
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        predicted = fast_model(loss=loss, n_members=2).fit(X, y.clip(0)).predict(X)
    assert not [str(w.message) for w in caught]
    assert np.isfinite(predicted).all()
