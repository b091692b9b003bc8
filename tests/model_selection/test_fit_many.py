"""`fit_many`: every estimator ends as its own ``fit`` would have left it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from skorch.callbacks import Callback

from skmtl import GumbelMatrixRegressor, MultiTaskHypernetRegressor, ParetoHypernet
from skmtl.exceptions import DivergenceError
from skmtl.model_selection import _fits, fit_many
from skmtl.training import MemberNet
from tests._tables import (
    double_precision,
    make_schools,
    make_wide,
    quick_classifier,
    quick_model,
)

DIVERGES = 1e25


@pytest.fixture
def runs(monkeypatch):
    """Numbers of members of the training runs."""
    sizes, fit = [], MemberNet.fit_members

    def counted(net, *args, **kwargs):
        sizes.append(len(net.seeds))
        return fit(net, *args, **kwargs)

    monkeypatch.setattr(MemberNet, "fit_members", counted)
    return sizes


def assert_fitted_alike(models, others, X):
    for model, other in zip(models, others, strict=True):
        assert_allclose(model.predict(X), other.predict(X), rtol=1e-9)
        assert_allclose(model.history_["train_loss"], other.history_["train_loss"], rtol=1e-9)
        assert model.n_iter_ == other.n_iter_
        assert_array_equal(model.feature_names_in_, other.feature_names_in_)
        assert len(model.tasks_) == len(other.tasks_)


def test_one_table_and_settings_that_differ_in_one_run(runs):
    X, y = make_schools()
    settings = [
        {},
        {"random_state": 1},
        {"learning_rate_init": 1e-2},
        {"alpha": 1.0},
        {"weight_averaging": 0.5},
        {"embedding_alpha": 0.0},
    ]
    with double_precision():
        models = [quick_model(early_stopping=False, **each) for each in settings]
        apart = [clone(model).fit(X, y) for model in models]
        runs.clear()
        assert fit_many(models, X, y) == models
        assert runs == [len(models)]
        assert_fitted_alike(models, apart, X)


@pytest.mark.parametrize("early_stopping", [True, "refit"])
def test_a_table_for_each(early_stopping):
    tables = [make_schools(n_schools=n, random_state=n) for n in (8, 10, 12)]
    with double_precision():
        models = [
            quick_model(early_stopping=early_stopping, unseen_tasks="average", random_state=seed)
            for seed in range(3)
        ]
        apart = [clone(m).fit(*table) for m, table in zip(models, tables, strict=True)]
        fit_many(models, tables)
        assert_fitted_alike(models, apart, tables[2][0])


def test_weights_and_validation_rows():
    X, y = make_schools()
    X_val, y_val = make_schools(random_state=1)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    with double_precision():
        models = [quick_model(random_state=seed) for seed in range(2)]
        apart = [clone(m).fit(X, y, weights, X_val, y_val) for m in models]
        together = fit_many([clone(m) for m in models], X, y, weights, X_val, y_val)
        assert_fitted_alike(together, apart, X)
        together = fit_many([clone(m) for m in models], [(X, y, weights, X_val, y_val)] * 2)
        assert_fitted_alike(together, apart, X)


def test_other_shapes_and_classes_are_other_runs(runs):
    X, y = make_schools()
    models = [
        quick_model(),
        quick_model(hidden_layer_sizes=(4, 4)),
        quick_classifier(),
        quick_model(random_state=3),
        GumbelMatrixRegressor("school", max_iter=2, random_state=0),
    ]
    tables = [(X, y), (X, y), (X, y > y.mean()), (X, y), (X.drop(columns=["size", "sector"]), y)]
    with double_precision():
        apart = [clone(m).fit(*table) for m, table in zip(models, tables, strict=True)]
        runs.clear()
        fit_many(models, tables)
        # all but the last refit
        assert sorted(runs) == [1, 1, 1, 1, 1, 2, 2]
        for model, other, (Z, _) in zip(models, apart, tables, strict=True):
            if model is models[2]:
                assert_allclose(model.predict_proba(Z), other.predict_proba(Z), rtol=1e-9)
            else:
                assert_allclose(model.predict(Z), other.predict(Z), rtol=1e-9)


@pytest.mark.parametrize("estimator", [MultiTaskHypernetRegressor, ParetoHypernet])
def test_wide_form_and_members(estimator):
    X, Y = make_wide()
    with double_precision():
        models = [estimator(n_members=2, max_iter=3, random_state=seed) for seed in range(3)]
        apart = [clone(m).fit(X, Y) for m in models]
        fit_many(models, X, Y)
        for model, other in zip(models, apart, strict=True):
            assert_allclose(model.predict(X), other.predict(X), rtol=1e-9)


def test_a_single_estimator_is_bitwise_identical():
    X, y = make_schools()
    model, other = fit_many([quick_model()], X, y)[0], quick_model().fit(X, y)
    assert_array_equal(model.predict(X), other.predict(X))


def test_max_members_splits_a_run(runs):
    X, y = make_schools()
    models = [quick_model(early_stopping=False, random_state=seed) for seed in range(5)]
    fit_many(models, X, y, max_members=2)
    assert runs == [2, 2, 1]


def test_estimators_without_early_stopping_share_their_rows(monkeypatch):
    X, y = make_schools()
    plans, train = [], _fits.train
    monkeypatch.setattr(
        _fits, "train", lambda batch, *a, **k: plans.extend(batch) or train(batch, *a, **k)
    )
    fit_many([quick_model(early_stopping=False, random_state=s) for s in range(3)], X, y)
    assert len({id(plan.train) for plan in plans}) == 1


def test_callbacks_and_warm_starts_train_alone():
    X, y = make_schools()

    class Count(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Count.epochs += 1

    watched = quick_model(callbacks=[Count()], early_stopping=False)
    warm = quick_model(warm_start=True).fit(X, y)
    expected = clone(warm).fit(X, y).fit(X, y).predict(X)
    fit_many([watched, warm, quick_model()], X, y)
    assert Count.epochs == watched.max_iter
    assert_array_equal(warm.predict(X), expected)


def test_one_that_diverges_does_not_harm_the_others():
    X, y = make_schools()
    models = [quick_model(early_stopping=False, random_state=seed) for seed in range(3)]
    models[1].set_params(learning_rate_init=DIVERGES)
    with pytest.raises(DivergenceError):
        fit_many(models, X, y)
    assert not hasattr(models[1], "module_")
    assert not hasattr(models[1], "n_features_in_")
    assert_allclose(
        models[2].predict(X),
        quick_model(early_stopping=False, random_state=2).fit(X, y).predict(X),
        rtol=1e-4,
    )


def test_a_failure_leaves_estimators_as_they_were():
    X, y = make_schools()
    fitted = quick_model().fit(X, y)
    before = fitted.predict(X)
    with pytest.raises(ValueError, match="alpha"):
        fit_many([fitted, quick_model(alpha=-1)], X.rename(columns={"age": "years"}), y)
    assert_array_equal(fitted.predict(X), before)


def test_what_is_refused():
    X, y = make_schools()
    model = quick_model()
    with pytest.raises(TypeError, match="Ridge"):
        fit_many([Ridge()], X, y)
    with pytest.raises(ValueError, match="twice"):
        fit_many([model, model], X, y)
    with pytest.raises(ValueError, match="2 pairs"):
        fit_many([model], [(X, y), (X, y)])
    with pytest.raises(ValueError, match="list of tuples"):
        fit_many([model], X)
    with pytest.raises(ValueError, match="in its tuples"):
        fit_many([model], [(X, y)], X_val=X, y_val=y)
    with pytest.raises(ValueError, match="max_members"):
        fit_many([model], X, y, max_members=0)
    assert fit_many([], X, y) == []
