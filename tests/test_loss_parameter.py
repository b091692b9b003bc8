"""`loss=` of the regressors: each learns what it is for, whatever the unit of y.

The losses themselves are tested beside the loop.
"""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import (
    d2_pinball_score,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_score

from skmtl.exceptions import UnlabelledRowsWarning
from tests._tables import (
    FULL_BATCH,
    LEARNS,
    assert_same_model,
    double_precision,
    make_schools,
    make_wide,
    member_of,
    quick_model,
)

LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "pinball"]


def fast_model(**changes):
    """A model that takes fewer steps than most, too few and too large ones for a strong pull."""
    return quick_model(**{"batch_size": 64, "interaction_alpha": 0.0, **changes})


def says(error, *patterns):
    """Expect an error whose message has all of the patterns."""
    return pytest.raises(error, match="(?s)" + "".join(f"(?=.*{p})" for p in patterns))


def counts_of(X, scale=1.0, random_state=0):
    """Counts whose logarithmic rate follows from the facts and the status of a pupil."""
    rate = scale * np.exp(0.3 * (X["size"] - 4) + 0.5 * (2 * X["sector"] - 1) * X["status"])
    return pd.Series(np.random.default_rng(random_state).poisson(rate).astype(float)), rate


@pytest.fixture
def schools():
    return make_schools()


# what each is for


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_quantiles_cover_their_share(quantile):
    X, y = make_schools(n_schools=8, n_rows=150, noise=1.0)
    train = X.groupby("school").cumcount() < 100
    model = fast_model(loss="pinball", quantile=quantile, early_stopping=True, **LEARNS)
    model.fit(X[train], y[train])
    held, labels = X[~train], y[~train]
    found = model.predict(held)
    assert np.mean(labels <= found) == pytest.approx(quantile, abs=0.05)
    # in every school, and close to what is true
    shares = (labels <= found).groupby(held["school"]).mean()
    assert (abs(shares - quantile) < 0.15).all()
    truth = labels.mean() + stats.norm.ppf(quantile) - found.mean()
    assert abs(truth) < 0.15
    assert d2_pinball_score(labels, found, alpha=quantile) > 0.5


def test_quantiles_in_order():
    X, y = make_schools(n_rows=40, noise=1.0)
    found = [
        fast_model(loss="pinball", quantile=q, **LEARNS).fit(X, y).predict(X)
        for q in (0.1, 0.5, 0.9)
    ]
    assert np.mean(found[0] < found[1]) > 0.98
    assert np.mean(found[1] < found[2]) > 0.98


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
    found, errors = {}, {}
    for loss in ("poisson", "squared_error"):
        model = fast_model(loss=loss, **LEARNS).fit(X[train], y[train])
        found[loss] = model.predict(X[~train]).clip(1e-3)
        errors[loss] = mean_poisson_deviance(y[~train], found[loss])
    assert (fast_model(loss="poisson").fit(X, y).predict(X) > 0).all()
    best = mean_poisson_deviance(y[~train], rate[~train])
    mean = mean_poisson_deviance(y[~train], np.full((~train).sum(), y[train].mean()))
    assert errors["poisson"] < errors["squared_error"] + 0.01
    assert errors["poisson"] < best + 0.2 * (mean - best)
    # the mean, not its logarithm: nothing has to be put right afterwards
    assert found["poisson"].mean() == pytest.approx(rate[~train].mean(), rel=0.12)
    assert r2_score(rate[~train], found["poisson"]) > 0.8


def test_no_counts_at_all(schools):
    X, y = schools
    found = fast_model(loss="poisson", **LEARNS).fit(X, 0 * y).predict(X)
    assert (found > 0).all()
    assert found.mean() < 0.2
    rare = (np.arange(len(y)) % 40 == 0).astype(float)
    found = fast_model(loss="poisson", **LEARNS).fit(X, rare).predict(X)
    assert found.mean() == pytest.approx(rare.mean(), rel=0.5)


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


def test_each_is_the_best_by_its_own_measure():
    # labels that are skewed, so that mean, median and quantile differ
    X, _ = make_schools(n_schools=6, n_rows=200)
    y = pd.Series(np.random.default_rng(0).exponential(1 + X["size"] / 2))
    train = X.groupby("school").cumcount() < 130
    measures = {
        "squared_error": mean_squared_error,
        "absolute_error": mean_absolute_error,
        "poisson": mean_poisson_deviance,
        "pinball": lambda y, found: mean_pinball_loss(y, found, alpha=0.9),
    }
    found = {
        loss: fast_model(loss=loss, quantile=0.9, **LEARNS)
        .fit(X[train], y[train])
        .predict(X[~train])
        .clip(1e-3)
        for loss in measures
    }
    for own, measure in measures.items():
        errors = {loss: measure(y[~train], values) for loss, values in found.items()}
        # two of them are for the mean
        assert errors[own] < 1.02 * min(errors.values())
        assert errors[own] < 0.99 * max(errors.values())


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


# the history


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_validation_loss_is_that_of_the_predictions(schools, loss, n_outputs):
    X, y = schools
    Y = np.column_stack([y + 3, 20 - 2 * y])[:, :n_outputs].clip(0)
    held = X.index % 3 == 0
    model = fast_model(loss=loss, quantile=0.8, **LEARNS)
    with double_precision():
        model.fit(X[~held], Y[~held].squeeze(), X_val=X[held], y_val=Y[held].squeeze())
    found, labels, own = model.predict(X[held]).reshape(-1, n_outputs), Y[held], Y[~held]
    if loss == "squared_error":
        losses = (found - labels) ** 2 / own.var(axis=0)
    elif loss == "poisson":
        losses = (found - labels * np.log(found / own.mean(0))) / own.mean(0)
    else:
        low, high = np.quantile(own, [0.25, 0.75], axis=0, method="inverted_cdf")
        error = (labels - found) / ((high - low) / (2 * stats.norm.ppf(0.75)))
        losses = {
            "absolute_error": abs(error),
            "huber": np.where(abs(error) < 1.35, error**2 / 2, 1.35 * (abs(error) - 1.35 / 2)),
            "pinball": np.maximum(0.8 * error, -0.2 * error),
        }[loss]
    assert model.history_["valid_loss"].min() == pytest.approx(losses.mean(), rel=1e-6)


# units


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


# several outputs, members, weights


@pytest.mark.parametrize("loss", LOSSES)
def test_several_outputs(schools, loss):
    X, y = schools
    both = np.column_stack([y + 3, 1e4 * (20 - 2 * y)]).clip(0)
    model = fast_model(loss=loss, n_members=2, **LEARNS).fit(X, both)
    found = model.predict(X)
    assert found.shape == (len(X), 2)
    assert found.dtype == np.float64
    assert (r2_score(both, found, multioutput="raw_values") > 0.7).all()


def test_quantiles_of_several_outputs():
    X, y = make_schools(n_rows=60, noise=1.0)
    other = np.random.default_rng(1).normal(size=len(X))
    model = fast_model(loss="pinball", quantile=0.8, **LEARNS)
    found = model.fit(X, np.column_stack([y, other])).predict(X)
    assert np.mean(y <= found[:, 0]) == pytest.approx(0.8, abs=0.06)
    assert np.mean(other <= found[:, 1]) == pytest.approx(0.8, abs=0.06)


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
        own = dict(first.module_.named_parameters())[name]
        assert_array_equal(own.detach(), value.detach(), err_msg=name)


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


# labels that cannot be


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


# features far out


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
        found = model.fit(X, Y).predict(X.drop(index=0))
    assert mean_poisson_deviance(steep[1:], found["steep"]) < 1.5


# new tasks, warm start, tools


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
    # a few large counts say as much as many small ones: they need no pull to the mean
    errors = {}
    for scale in (1.0, 1000.0):
        X, _ = make_schools(n_schools=30, n_rows=30)
        y, rate = counts_of(X, scale)
        X = X.drop(columns=["size", "sector"])
        new = X["school"] >= "school 24"
        few = new & (X.groupby("school").cumcount() < 3)
        held = new & ~few
        model = fast_model(loss="poisson", metadata=None, **LEARNS).fit(X[~new], y[~new])
        model.adapt(X[few], y[few])
        levels = pd.DataFrame({"found": model.predict(X[held]), "rate": rate[held]})
        levels = np.log(levels.groupby(X["school"][held]).mean())
        errors[scale] = np.sqrt(np.mean((levels["found"] - levels["rate"]) ** 2))
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
    one = fast_model(task_id=None, metadata=None, loss=loss, **LEARNS)
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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast_model(loss=loss, n_members=2).fit(X, y.clip(0)).predict(X)
