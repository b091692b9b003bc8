"""Base learners that are blended with the networks."""

import pickle
from threading import Event, active_count, current_thread

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from skmtl import MultiTaskClassifier, MultiTaskHypernetRegressor, MultiTaskRegressor, load
from skmtl._data.numeric_target import NumericTarget
from skmtl._estimators.base_learner import BaseRows, PartBase, base_inputs
from skmtl._estimators.base_models import PENALTIES
from skmtl._estimators.blend import _best_shares
from skmtl._estimators.trees import Line
from skmtl.model_selection import BatchedGridSearchCV

SETTINGS = {"task_id": "task", "random_state": 0, "max_iter": 3}


@pytest.fixture(scope="module")
def table():
    """Steps, of which a network of three epochs knows nothing, and levels of tasks."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": rng.integers(0, 6, 300), "x": rng.uniform(-1, 1, 300)})
    X["z"] = rng.normal(size=300)
    y = 3.0 * (X["x"] > 0.2) + X["task"] + 0.1 * rng.normal(size=300)
    return X, y


class Oracle(RegressorMixin, BaseEstimator):
    """Knows the labels of the first column: shares of the base can be worked out by hand."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return X[:, 0]


def test_the_share_minimises_the_loss_of_held_out_rows(table):
    X, y = table
    X_val, y_val = X.iloc[200:], y.iloc[200:]
    alone = MultiTaskRegressor(**SETTINGS, early_stopping=True)
    alone.fit(X.iloc[:200], y.iloc[:200], X_val=X_val, y_val=y_val)
    blended = clone(alone).set_params(base=LinearRegression(), base_sees_task=False)
    blended.fit(X.iloc[:200], y.iloc[:200], X_val=X_val, y_val=y_val)
    columns = ["x", "z"]
    base = LinearRegression().fit(X[columns].iloc[:200], y.iloc[:200]).predict(X[columns])
    network = alone.predict(X)
    apart = (base - network)[200:]
    share = np.clip(apart @ (y_val - network[200:]) / (apart @ apart), 0, 1)
    assert_allclose(blended.base_weights_, [share], atol=2e-3)
    weight = blended.base_weights_.iloc[0]
    assert_allclose(blended.predict(X), (1 - weight) * network + weight * base, rtol=1e-9)


@pytest.mark.parametrize("early_stopping", [True, "refit"])
def test_boosting_adds_what_the_network_misses(table, early_stopping):
    X, y = table
    without = MultiTaskRegressor(**SETTINGS, early_stopping=early_stopping)
    train, test = X.iloc[:220], X.iloc[220:]
    before = without.fit(train, y.iloc[:220]).score(test, y.iloc[220:])
    blended = clone(without).set_params(base="boosting").fit(train, y.iloc[:220])
    assert blended.score(test, y.iloc[220:]) > max(0.9, before)
    assert blended.base_weights_.item() > 0.5


def test_the_task_is_encoded_unless_it_is_not_wanted(table):
    X, y = table
    shares = {}
    for sees in (True, False):
        model = MultiTaskRegressor(**SETTINGS, base="boosting", base_sees_task=sees).fit(X, y)
        shares[sees] = model
    assert shares[True].score(X, y) > shares[False].score(X, y)
    assert shares[True]._blend.bases[0].encoders[0] is not None
    assert shares[False]._blend.bases[0].encoders == [None]


def test_unseen_tasks_are_the_mean_task(table):
    X, y = table
    model = MultiTaskRegressor(**SETTINGS, base=Ridge(), unseen_tasks="average").fit(X, y)
    new = model.predict(X.assign(task=99))
    assert np.isfinite(new).all()
    assert abs(new.mean() - y.mean()) < 0.5


def test_classes_are_blended_as_logarithms(table):
    X, y = table
    labels = pd.cut(y, [-np.inf, 2, 5, np.inf], labels=["low", "middle", "high"]).astype(str)
    model = MultiTaskClassifier(**SETTINGS, base=LogisticRegression())
    model.set_params(max_iter=15).fit(X, labels)
    weight = model.base_weights_.item()
    assert 0 < weight < 1
    probabilities = model.predict_proba(X)
    assert_allclose(probabilities.sum(1), 1)
    blend, model._blend = model._blend, None
    network = model.predict_proba(X)
    allowed = network > 0
    query = model._tables.prediction_rows(X, "error", model)
    inputs = base_inputs(query.features, query.metadata, query.networks)
    base = np.exp(blend.predict(BaseRows(inputs, query.tasks[query.networks]))[0])
    expected = np.where(allowed, network ** (1 - weight) * base**weight, 0)
    assert_allclose(probabilities, expected / expected.sum(1, keepdims=True), rtol=1e-6, atol=1e-12)
    # what a task does not have stays impossible
    assert_array_equal(probabilities > 0, allowed)


def test_counts_are_blended_as_logarithms(table):
    X, y = table
    counts = np.round(np.exp(y / 3))
    model = MultiTaskRegressor(**SETTINGS, base="boosting", loss="poisson").fit(X, counts)
    assert (model.predict(X) > 0).all()
    assert model.score(X, counts) > 0.5


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "pinball"])
def test_losses_follow(table, loss):
    X, y = table
    model = MultiTaskRegressor(**SETTINGS, base="boosting", loss=loss, quantile=0.9).fit(X, y)
    below = np.mean(y <= model.predict(X))
    assert (below > 0.7) if loss == "pinball" else (0.25 < below < 0.75)


@pytest.mark.parametrize(
    ("loss", "name"), [("squared_error",) * 2, ("absolute_error",) * 2, ("pinball", "quantile")]
)
def test_boosting_without_weights_is_that_with_weights_of_one(loss, name):
    # more values than bins
    rng = np.random.default_rng(0)
    X, ones = rng.normal(size=(300, 2)), np.ones(300)
    y = X[:, :1] + 0.3 * rng.normal(size=(300, 1))
    rows = BaseRows(X, None, y, ones)
    fitted = PartBase(NumericTarget(loss, 0.8), "boosting").fit(rows)
    model = HistGradientBoostingRegressor(
        loss=name,
        quantile=0.8 if name == "quantile" else None,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        early_stopping=False,
        random_state=0,
    )
    expected = model.fit(X, y[:, 0], sample_weight=ones).predict(X)
    assert_array_equal(fitted.predict(rows)[:, 0], expected)


def test_wide_form_has_a_base_for_every_column():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    y = pd.DataFrame({"steps": 5.0 * (X["a"] > 0), "class": (X["b"] > 0).astype(int)})
    y["one"] = "always"
    y.loc[:40, "steps"] = np.nan
    model = MultiTaskClassifier(max_iter=3, random_state=0, base="boosting").fit(X, y)
    assert model.base_weights_.index.tolist() == ["steps", "class", "one"]
    assert (model.base_weights_[["steps", "class"]] > 0.5).all()
    assert model.base_weights_["one"] == 0
    assert model.score(X, y) > 0.9


def test_several_outputs(table):
    X, y = table
    Y = np.column_stack([y, -2 * y])
    model = MultiTaskRegressor(**SETTINGS, base=Ridge()).fit(X, Y)
    assert model.predict(X).shape == (300, 2)
    assert model.score(X, Y) > 0.5


def test_members_share_the_base(table):
    X, y = table
    model = MultiTaskRegressor(**SETTINGS, base="boosting", n_members=3).fit(X, y)
    members = model.predict_members(X)
    assert members.shape == (3, 300)
    assert_allclose(members.mean(0), model.predict(X))


def test_a_search_gives_what_separate_fits_give(table):
    X, y = table
    model = MultiTaskRegressor(**SETTINGS, base="boosting")
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    batched = BatchedGridSearchCV(model, grid, cv=2).fit(X, y)
    alone = GridSearchCV(model, grid, cv=2).fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in (batched, alone)]
    assert_allclose(*scores, rtol=1e-3)


def test_pickles_hold_no_rows(table):
    X, y = table
    model = MultiTaskRegressor(**SETTINGS, base="boosting").fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    # many more rows, hardly more bytes
    many = pd.concat([X] * 10, ignore_index=True)
    many["z"] = np.random.default_rng(1).normal(size=len(many))
    wide = MultiTaskRegressor(**SETTINGS, base=Ridge()).fit(many, np.tile(y, 10))
    assert len(pickle.dumps(wide)) < 1.2 * len(
        pickle.dumps(MultiTaskRegressor(**SETTINGS, base=Ridge()).fit(X, y))
    )


def test_auto_needs_five_hundred_rows(table):
    X, y = table
    few = MultiTaskHypernetRegressor(**SETTINGS).fit(X, y)
    with pytest.raises(AttributeError, match="no base learner"):
        few.base_weights_  # noqa: B018
    many = MultiTaskHypernetRegressor(**SETTINGS).fit(
        pd.concat([X, X.assign(z=X["z"] + 1), X.assign(z=X["z"] - 1)]), np.tile(y, 3)
    )
    assert many.base_weights_.item() > 0
    off = MultiTaskHypernetRegressor(**SETTINGS, early_stopping=False)
    assert off.fit(pd.concat([X, X.assign(z=0.0)]), np.tile(y, 2))._blend is None


@pytest.fixture(scope="module")
def linear():
    """Return tasks that differ by their metadata alone, linearly."""
    rng = np.random.default_rng(3)
    task = np.repeat(np.arange(24), 10)
    metadata = rng.normal(size=(24, 4))
    X = pd.DataFrame(metadata[task], columns=list("abcd")).assign(task=task)
    X["x"] = rng.normal(size=240)
    return X, X["x"] + 2 * X["a"] - X["b"] + 0.3 * rng.normal(size=240)


def test_new_tasks_have_a_linear_base(linear):
    X, y = linear
    known = X["task"] < 18
    settings = SETTINGS | {"metadata": list("abcd"), "max_iter": 10}
    model = MultiTaskHypernetRegressor(**settings).fit(X[known], y[known])
    assert model._blend is None
    assert isinstance(model._new_tasks.blend.bases[0].models[0], Line)
    without = MultiTaskHypernetRegressor(**settings, base=None).fit(X[known], y[known])
    assert_array_equal(model.predict(X[known]), without.predict(X[known]))
    errors = [np.mean((m.predict(X[~known]) - y[~known]) ** 2) for m in (model, without)]
    assert errors[0] < 0.15 < errors[1]


def test_linear_base_is_ridge(linear):
    X, y = linear
    features = X.drop(columns="task")
    model = MultiTaskRegressor(**SETTINGS | {"task_id": None}, base="linear").fit(features, y)
    line = model._blend.bases[0].models[0]
    inputs = StandardScaler().fit_transform(features)
    expected = [Ridge(penalty).fit(inputs, y).coef_ for penalty in PENALTIES]
    differences = [
        np.abs(line.coefficients[:, 0] - coefficients).max() for coefficients in expected
    ]
    # exactly one of them
    assert min(differences) < 1e-6
    assert differences[0] > 0.1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_linear_base_of_classes(linear, n_classes, tmp_path):
    X, y = linear
    labels = np.digitize(y, [0, 1][: n_classes - 1])
    model = MultiTaskClassifier(**SETTINGS, base="linear").fit(X, labels)
    assert model.base_weights_.item() > 0.5
    assert model.score(X, labels) > 0.8
    model.save(tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict_proba(X), model.predict_proba(X))


def test_shares_of_two_bases_are_the_best():
    rng = np.random.default_rng(0)
    labels, ones = rng.normal(size=(4000, 1)), np.ones(4000)
    part = NumericTarget("squared_error", 0.5)
    part.fit_scale(labels, ones)
    network, *bases = (labels + spread * rng.normal(size=(4000, 1)) for spread in (2.0, 1.0, 0.5))
    rows = BaseRows(np.zeros((4000, 1)), None, labels, ones)
    shares = _best_shares(part, [network], [[(values, rows)] for values in bases])
    # independent errors: shares in inverse proportion to their variances
    expected = np.array([1.0, 4.0]) / (0.25 + 1 + 4)
    assert_allclose(shares, expected, atol=0.05)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"base": LogisticRegression()}, "base must be a regressor"),
        ({"base": Ridge(), "early_stopping": False}, "chosen by validation rows"),
        ({"base": "trees"}, "The 'base' parameter"),
    ],
)
def test_bad_input(table, parameters, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskRegressor(**{**SETTINGS, **parameters}).fit(*table)


def test_weights_need_a_base_that_takes_them(table):
    X, y = table
    weights = np.linspace(1, 2, len(y))
    with pytest.raises(ValueError, match="takes no sample_weight"):
        MultiTaskRegressor(**SETTINGS, base=Oracle()).fit(X, y, sample_weight=weights)
    MultiTaskRegressor(**SETTINGS, base=Ridge()).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("base", ["boosting", Ridge()])
def test_files_hold_the_base(table, tmp_path, base):
    X, y = table
    if not isinstance(base, str):
        pytest.importorskip("skops")
    model = MultiTaskRegressor(**SETTINGS, base=base).fit(X, y)
    model.save(tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))


def blas_threads():
    pools = threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


class Watching(Oracle):
    """Notes how many threads BLAS has while it is fitted."""

    seen = []

    def fit(self, X, y):
        self.seen.append(blas_threads())
        return super().fit(X, y)


def test_a_base_leaves_the_threads_of_others_alone(table):
    # a limit of BLAS is one of the process, and fits in parallel would leave it behind
    X, y = table
    before = blas_threads()
    MultiTaskRegressor(**SETTINGS, base=Watching()).fit(X, y)
    assert before
    assert Watching.seen
    assert all(threads == before for threads in [*Watching.seen, blas_threads()])


@pytest.mark.parametrize("n_labels", [1, 4])
def test_columns_with_few_labels(n_labels):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 2)), columns=["p", "q"])
    y = pd.DataFrame({"a": X["p"], "few": np.nan})
    y.loc[: n_labels - 1, "few"] = 1.0 + np.arange(n_labels)
    model = MultiTaskRegressor(max_iter=2, random_state=0, base="boosting").fit(X, y)
    assert np.isfinite(model.predict(X)).all(axis=None)


def test_counts_that_are_all_zero():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"p": rng.normal(size=120)})
    y = pd.DataFrame({"some": rng.poisson(1, 120), "none": 0})
    model = MultiTaskRegressor(max_iter=2, random_state=0, base="boosting", loss="poisson")
    predicted = model.fit(X, y).predict(X)
    assert np.isfinite(predicted).all(axis=None)
    assert predicted["none"].mean() < 0.5 < predicted["some"].mean()


@pytest.mark.parametrize("preset", ["default", "best"])
def test_bases_fitted_alongside_are_the_same(preset, monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": rng.integers(0, 12, 800), "x": rng.uniform(-1, 1, 800)})
    y = 3.0 * (X["x"] > 0.2) + X["task"]
    threads = []

    def fit(self, rows, valid=None, of=PartBase.fit):
        threads.append(current_thread())
        return of(self, rows, valid)

    monkeypatch.setattr(PartBase, "fit", fit)
    model = MultiTaskHypernetRegressor(**SETTINGS, preset=preset, unseen_tasks="average")
    monkeypatch.setattr("joblib.effective_n_jobs", lambda n_jobs: 2)
    alongside = clone(model).fit(X, y)
    assert len(set(threads)) > 1
    threads.clear()
    monkeypatch.setattr("joblib.effective_n_jobs", lambda n_jobs: 1)
    afterwards = clone(model).fit(X, y)
    assert set(threads) == {current_thread()}
    assert_array_equal(alongside.base_weights_, afterwards.base_weights_)
    assert_array_equal(alongside.predict(X), afterwards.predict(X))
    new = X.assign(task=99)
    assert_array_equal(alongside.predict(new), afterwards.predict(new))


def test_no_thread_is_left_where_networks_fail(table, monkeypatch):
    monkeypatch.setattr("joblib.effective_n_jobs", lambda n_jobs: 2)
    n_fits, n_threads = [], active_count()

    def fit(self, rows, valid=None, of=PartBase.fit):
        n_fits.append(1)
        failed.wait(10)
        return of(self, rows, valid)

    failed = Event()

    def fail(*args, **kwargs):
        failed.set()
        raise RuntimeError("networks fail")

    monkeypatch.setattr(PartBase, "fit", fit)
    monkeypatch.setattr("skmtl._estimators.run.train", fail)
    with pytest.raises(RuntimeError, match="networks fail"):
        MultiTaskRegressor(**SETTINGS, base="boosting", n_members=4).fit(*table)
    # of four, the fit that had begun
    assert len(n_fits) <= 2
    assert active_count() == n_threads


def test_bases_of_a_warm_start_have_the_splits_of_its_members(monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"task": rng.integers(0, 6, 700), "x": rng.uniform(-1, 1, 700)})
    y = 3.0 * (X["x"] > 0.2) + X["task"]
    model = MultiTaskHypernetRegressor(
        **SETTINGS, base="boosting", preset="best", n_members=2, warm_start=True
    )
    weights = []
    for n_cores in (1, 2):
        monkeypatch.setattr("joblib.effective_n_jobs", lambda n_jobs, n=n_cores: n)
        weights.append(clone(model).fit(X, y).fit(X, y).base_weights_)
    assert_array_equal(*weights)
