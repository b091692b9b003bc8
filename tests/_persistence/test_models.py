"""Every model predicts bitwise the same after it was saved and loaded."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

import skmtl
from skmtl import (
    GumbelMatrixClassifier,
    GumbelMatrixRegressor,
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    TaskGrouper,
    architectures,
)
from skmtl.callbacks import TaskLossRecorder
from skmtl.datasets import make_clinic_visits, make_related_tasks
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.weighting import ITMTL, MGDA, Composition, FixedWeights

QUICK = {"max_iter": 2, "random_state": 0}
ARCHITECTURES = [
    value
    for value in map(vars(architectures).get, architectures.__all__)
    if isinstance(value, type)
    and issubclass(value, architectures.Architecture)
    and value is not architectures.Architecture
]


def clinics():
    """Return words, dates, categories and gaps, in features and in metadata."""
    visits = make_clinic_visits(n_tasks=12, n_rows=12, random_state=0)
    return visits.data, visits.target, {"task_id": visits.task_id, "metadata": visits.metadata}


def wide():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    y = pd.DataFrame({"sum": X.sum(axis=1), "sign": np.where(X["a"] > 0, "up", "down")})
    y["three"] = np.digitize(X["b"], [-0.5, 0.5])
    y.loc[:5, "sum"] = np.nan
    return X, y


def reloaded(model, path):
    model.save(path)
    return skmtl.load(path)


def assert_same(model, loaded, X, *methods):
    for method in ("predict", *methods):
        ours, theirs = getattr(model, method)(X), getattr(loaded, method)(X)
        if isinstance(ours, dict):
            assert list(ours) == list(theirs)
            ours, theirs = (np.hstack(list(values.values())) for values in (ours, theirs))
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
        assert type(ours) is type(theirs)
    without_address = re.compile(" at 0x[0-9a-f]+")
    assert without_address.sub("", repr(model)) == without_address.sub("", repr(loaded))
    assert model.tasks_.equals(loaded.tasks_)
    assert model.tasks_.dtype == loaded.tasks_.dtype


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda cls: cls.__name__)
def test_architectures(architecture, tmp_path):
    X, y, columns = clinics()
    model = MultiTaskRegressor(architecture(), **columns, **QUICK).fit(X, y)
    assert_same(model, reloaded(model, tmp_path / "model"), X)


@pytest.mark.parametrize(
    "model",
    [
        MultiTaskHypernetRegressor(loss="poisson", n_members=2, base="boosting"),
        MultiTaskHypernetRegressor(compression=False, hypernet_layers=1, activation="identity"),
        MultiTaskHypernetRegressor(task_weighting="pcgrad", record_affinity=True),
        MultiTaskHypernetRegressor(task_weighting=Composition(FixedWeights([1.0] * 12), MGDA())),
        MultiTaskHypernetRegressor(task_weighting=ITMTL(), callbacks=[TaskLossRecorder()]),
        GumbelMatrixRegressor(),
    ],
)
def test_settings(model, tmp_path):
    X, y, columns = clinics()
    model.set_params(**QUICK, **columns)
    model.fit(X, y.clip(lower=0).round())
    loaded = reloaded(model, tmp_path / "model")
    assert_same(model, loaded, X)
    pd.testing.assert_frame_equal(model.history_, loaded.history_)
    pd.testing.assert_frame_equal(model.task_weights_, loaded.task_weights_)
    pd.testing.assert_frame_equal(model.summary(), loaded.summary())
    if model.record_affinity:
        pd.testing.assert_frame_equal(model.affinity_history_, loaded.affinity_history_)
    for ours, theirs in zip(model.callbacks_, loaded.callbacks_, strict=True):
        pd.testing.assert_frame_equal(ours.table_, theirs.table_)


@pytest.mark.parametrize(
    "model",
    [
        MultiTaskHypernetClassifier(base="boosting"),
        GumbelMatrixClassifier(),
        MultiTaskClassifier(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_classifiers(model, tmp_path):
    X, y, columns = clinics()
    labels = np.array(["low", "middle", "high"])[np.digitize(y, y.quantile([0.3, 0.6]))]
    model.set_params(class_weight="balanced", **columns, **QUICK).fit(X, labels)
    assert_same(model, reloaded(model, tmp_path / "model"), X, "predict_proba", "decision_function")


@pytest.mark.parametrize("estimator", [MultiTaskHypernetRegressor, MultiTaskClassifier])
def test_wide_form(estimator, tmp_path):
    X, y = wide()
    model = estimator(**QUICK).fit(X, y)
    assert_same(model, reloaded(model, tmp_path / "model"), X, "predict_proba")


def test_metadata_table(tmp_path):
    import polars

    X, y, columns = clinics()
    table = X.groupby("clinic")[columns["metadata"]].first()
    features = X.drop(columns=columns["metadata"])
    model = MultiTaskHypernetRegressor(task_id="clinic", metadata=table, **QUICK).fit(features, y)
    assert_same(model, reloaded(model, tmp_path / "model"), features)
    model.metadata = polars.from_pandas(table.reset_index())
    model.fit(features, y)
    loaded = reloaded(model, tmp_path / "model")
    np.testing.assert_array_equal(model.predict(features), loaded.predict(features))
    assert isinstance(loaded.metadata, pd.DataFrame)


def test_preferences(tmp_path):
    X, y = wide()
    model = ParetoHypernet(hidden_layer_sizes=(4,), **QUICK).fit(X, y[["sum", "three"]])
    loaded = reloaded(model, tmp_path / "model")
    assert_same(model, loaded, X)
    for preference in ([0.2, 0.8], [[0.2, 0.8], [1, 0]]):
        ours, theirs = (m.predict(X, preference=preference) for m in (model, loaded))
        np.testing.assert_array_equal(ours, theirs)
    serving = model.with_preference({"sum": 0.3, "three": 0.7})
    assert_same(serving, reloaded(serving, tmp_path / "serving"), X)


def network(n_features, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 4), torch.nn.Tanh(), torch.nn.Linear(4, n_outputs)
    )


def test_a_network_of_the_caller(tmp_path):
    X, y = wide()
    model = ParetoHypernet(network=network, **QUICK).fit(X, y[["sum", "three"]])
    model.save(tmp_path / "model")
    with pytest.raises(skmtl.exceptions.ModelFileError, match=r"trusted=\[network\]"):
        skmtl.load(tmp_path / "model")
    assert_same(model, skmtl.load(tmp_path / "model", trusted=[network]), X)


@pytest.mark.parametrize("gains", ["hoa", "mtgnet", "tag", "random"])
def test_grouper(gains, tmp_path):
    tasks = make_related_tasks(4, 1.0, 20, n_sines=0, n_groups=2, n_rows=30, random_state=0)
    inner = MultiTaskRegressor(task_id="task", **QUICK)
    model = TaskGrouper(inner, max_groups=2, gains=gains, random_state=0)
    model.fit(tasks.data, tasks.target)
    loaded = reloaded(model, tmp_path / "model")
    assert_same(model, loaded, tasks.data)
    assert model.groups_ == loaded.groups_
    pd.testing.assert_frame_equal(model.gains_, loaded.gains_)
    pd.testing.assert_frame_equal(
        model.report(tasks.data, tasks.target), loaded.report(tasks.data, tasks.target)
    )
    if gains == "mtgnet":
        pd.testing.assert_frame_equal(
            model.predict_gains([(0, 1, 2)]), loaded.predict_gains([(0, 1, 2)])
        )


def test_grouper_of_scikit_learn(tmp_path):
    pytest.importorskip("skops")
    tasks = make_related_tasks(4, 1.0, 20, n_sines=0, n_groups=2, n_rows=30, random_state=0)
    model = TaskGrouper(LinearRegression(), max_groups=2, gains="hoa", task_id="task")
    model.fit(tasks.data, tasks.target)
    assert_same(model, reloaded(model, tmp_path / "model"), tasks.data)
    X, y = wide()
    y = pd.DataFrame({"one": X["a"] > 0, "two": X["c"] > 0, "three": X["b"] > 0})
    model = TaskGrouper(MultiOutputClassifier(LogisticRegression()), max_groups=2, gains="hoa")
    model.fit(X, y)
    assert_same(model, reloaded(model, tmp_path / "model"), X, "predict_proba")


def test_best_model_of_a_search(tmp_path):
    X, y, columns = clinics()
    search = BatchedGridSearchCV(
        MultiTaskHypernetRegressor(**columns, **QUICK), {"alpha": [0, 1e-3]}, cv=2
    ).fit(X, y)
    assert_same(search.best_estimator_, reloaded(search.best_estimator_, tmp_path / "m"), X)


def test_fresh_process(tmp_path):
    X, y, columns = clinics()
    model = MultiTaskHypernetRegressor(**columns, **QUICK).fit(X, y)
    model.save(tmp_path / "model")
    X.to_pickle(tmp_path / "X")
    code = (
        "import sys, numpy as np, pandas as pd, skmtl; folder = sys.argv[1];"
        "model = skmtl.load(folder + '/model');"
        "np.save(folder + '/predicted.npy', model.predict(pd.read_pickle(folder + '/X')))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "predicted.npy"), model.predict(X))


def test_training_goes_on(tmp_path):
    X, y, columns = clinics()
    old = X["clinic"] != X["clinic"].iloc[0]
    model = MultiTaskHypernetRegressor(warm_start=True, **columns, **QUICK).fit(X[old], y[old])
    loaded = reloaded(model, tmp_path / "model")
    assert_same(model.fit(X[old], y[old]), loaded.fit(X[old], y[old]), X)
    assert_same(model.adapt(X[~old], y[~old]), loaded.adapt(X[~old], y[~old]), X)
    # with a task more than `fit` has seen
    assert_same(model, reloaded(model, tmp_path / "model"), X)


def test_models_without_fit(tmp_path):
    architecture = architectures.CrossStitch(self_weight=0.5)
    model = MultiTaskRegressor(architecture, task_id=("a", 3), alpha=0)
    loaded = reloaded(model, tmp_path / "model")
    assert repr(loaded) == repr(model)
    assert loaded.task_id == ("a", 3)


@pytest.mark.parametrize("form", ["long", "wide"])
def test_no_training_rows(form, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    y = pd.Series(rng.normal(size=400), name="y")
    # without trees, which grow with the rows
    settings = {"max_iter": 3, "random_state": 0, "base": None}
    if form == "long":
        settings["task_id"] = "task"
        X["task"] = np.repeat(["one", "two"], 200)
    else:
        y = pd.concat([y, y**2], axis=1, keys=["one", "two"])
    sizes = []
    for rows in (slice(None), slice(100, 300)):
        model = MultiTaskHypernetRegressor(**settings).fit(X[rows], y[rows])
        model.save(tmp_path / "model")
        sizes.append((tmp_path / "model").stat().st_size)
    assert abs(sizes[0] - sizes[1]) < 100
    content = (tmp_path / "model").read_bytes()
    values = np.concatenate([X[list("abc")].to_numpy().ravel(), y.to_numpy().ravel()])
    for kind in (np.float64, np.float32):
        assert not any(value.tobytes() in content for value in values.astype(kind))
