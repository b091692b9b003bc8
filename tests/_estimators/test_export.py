"""Exported networks predict what the model predicts, in onnxruntime and in numpy alone."""

import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import NotFittedError

from skmtl import (
    GumbelMatrixClassifier,
    GumbelMatrixRegressor,
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    architectures,
)
from skmtl.datasets import make_clinic_visits
from tests import _serving

QUICK = {"max_iter": 4, "random_state": 0}
N_TASKS = 7


def rows(n_rows=30, seed=0):
    """Return numbers with gaps, ids, metadata, and numbers to predict."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(N_TASKS), n_rows)
    X = pd.DataFrame({"id": [f"school {t}" for t in task]})
    X["a"], X["b"] = rng.normal(size=(2, len(task)))
    X["c"] = rng.integers(0, 3, len(task))
    X["size"] = rng.normal(100, 20, size=N_TASKS)[task]
    y = np.sin(task) + X["a"] * np.cos(task) + (X["b"] > 0) + rng.normal(0, 0.1, len(task))
    X.loc[::5, "b"] = np.nan
    return X, 50 + 10 * y


def three(y):
    return np.array(["low", "middle", "high"])[np.digitize(y, np.quantile(y, [0.3, 0.6]))]


X, Y = rows()
KNOWN = {"task_id": "id", "metadata": ["size"]}
# of one task each class but one: it is never predicted there
CLASSES = three(Y)
CLASSES[(X["id"] == "school 2") & (CLASSES == "low")] = "high"
BOTH = np.column_stack([Y, Y**2 / 50])
PLAIN = {"task_id": "id"}

MODELS = {
    "boosting": (MultiTaskHypernetRegressor(**KNOWN, base="boosting", **QUICK), Y),
    "auto, members": (MultiTaskHypernetRegressor(**KNOWN, n_members=3, **QUICK), Y),
    "no base": (MultiTaskHypernetRegressor(**KNOWN, base=None, n_members=2, **QUICK), Y),
    "no metadata": (MultiTaskHypernetRegressor(task_id="id", base="linear", **QUICK), Y),
    "plain biases": (
        MultiTaskHypernetRegressor(
            **KNOWN,
            base=None,
            target_bias="plain",
            compression=False,
            linear_skip=False,
            activation="tanh",
            hypernet_layers=1,
            **QUICK,
        ),
        Y,
    ),
    "outputs": (MultiTaskHypernetRegressor(**KNOWN, base="auto", **QUICK), BOTH),
    "counts": (
        MultiTaskHypernetRegressor(**KNOWN, loss="poisson", n_members=2, **QUICK),
        np.floor(Y.clip(lower=0) / 10),
    ),
    "counts, no base": (
        MultiTaskHypernetRegressor(**KNOWN, loss="poisson", base=None, **QUICK),
        np.floor(Y.clip(lower=0) / 10),
    ),
    "two classes": (MultiTaskHypernetClassifier(**KNOWN, n_members=2, **QUICK), Y > 55),
    "three classes": (MultiTaskHypernetClassifier(**KNOWN, n_members=2, **QUICK), CLASSES),
    "classes, no base": (MultiTaskHypernetClassifier(**KNOWN, base=None, **QUICK), CLASSES),
    "gumbel": (GumbelMatrixRegressor(**PLAIN, n_members=2, **QUICK), Y),
    "gumbel, no heads": (
        GumbelMatrixRegressor(
            **PLAIN, components=[[(8, 4)] * 3, [(5,)] * 2], heads="none", **QUICK
        ),
        Y,
    ),
    "gumbel, shared head": (GumbelMatrixClassifier(**KNOWN, heads="shared", **QUICK), CLASSES),
    "shared bottom": (
        MultiTaskClassifier(architectures.SharedBottom(head_layer_sizes=(6,)), **KNOWN, **QUICK),
        CLASSES,
    ),
    "independent": (
        MultiTaskRegressor(architectures.IndependentNetworks(), **KNOWN, base="auto", **QUICK),
        Y,
    ),
    "single": (MultiTaskRegressor(architectures.SingleNetwork(), **KNOWN, **QUICK), Y),
    "relations": (MultiTaskRegressor(architectures.MultilinearRelation(), **PLAIN, **QUICK), Y),
    "tensors": (MultiTaskRegressor(architectures.TensorFactorization(), **KNOWN, **QUICK), Y),
}


@pytest.fixture(scope="module", params=list(MODELS))
def fitted(request):
    model, y = MODELS[request.param]
    return model.fit(X, y)


def answers(model, table):
    if hasattr(model, "classes_"):
        return model.predict_proba(table)
    return model.predict(table).reshape(len(table), -1)


def loaded(path):
    with np.load(path) as file:
        return dict(file)


def positions(arrays, table):
    return pd.Index(arrays["tasks"]).get_indexer(table["id"])


def test_numpy(fitted, tmp_path):
    fitted.export(tmp_path / "model.npz")
    arrays = loaded(tmp_path / "model.npz")
    new, _ = rows(seed=1)
    new["size"] = X["size"]
    expected = answers(fitted, new)
    values = new[list(arrays["columns"])].to_numpy(dtype=np.float64)
    found = _serving.predict(arrays, values, positions(arrays, new))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.ptp(expected))


@pytest.mark.parametrize("chosen", [None, ["school 4"], ["school 5", "school 2"]])
def test_onnx(fitted, chosen, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    fitted.export(str(path), chosen)
    session = runtime.InferenceSession(path)
    texts = session.get_modelmeta().custom_metadata_map
    tasks, columns = (pd.Index(json.loads(texts[n])) for n in ("tasks", "columns"))
    new, _ = rows(seed=1)
    new["size"] = X["size"]
    new = new[new["id"].isin(tasks)]
    expected = answers(fitted, new)
    (found,) = session.run(
        None,
        {
            "features": new[columns].to_numpy(dtype=np.float64),
            "task": tasks.get_indexer(new["id"]),
        },
    )
    found = found.reshape(len(new), -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * Y.std())
    # much closer, in fact
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.ptp(expected))
    if hasattr(fitted, "classes_"):
        labels = np.array(json.loads(texts["classes"]))
        np.testing.assert_array_equal(labels[found.argmax(axis=1)], fitted.predict(new))


def test_models_have_what_is_tested():
    models = {name: model.fit(X, y) for name, (model, y) in MODELS.items() if "base" in name}
    model = MODELS["three classes"][0].fit(X, CLASSES)
    assert not model._targets.allowed.all()
    assert all(model._blend is None for model in models.values())
    model = MODELS["boosting"][0].fit(X, Y)
    assert model.base_weights_["all"] > 0.1


def small(**settings):
    return MultiTaskHypernetRegressor(**{**KNOWN, "base": None, **QUICK, **settings}).fit(X, Y)


def test_trees_without_splits(tmp_path):
    """Trees that are one leaf are beside others in the graph."""
    runtime = pytest.importorskip("onnxruntime")
    model = small(base="boosting")
    model.export(tmp_path / "before.npz")
    trees = model._blend.bases[0].models[0]
    first = int(trees.starts[1])
    trees.nodes = {name: values.copy() for name, values in trees.nodes.items()}
    trees.nodes["is_leaf"][0], trees.nodes["value"][0] = 1, 7.5
    assert first > 1
    model.export(tmp_path / "model.npz")
    model.export(tmp_path / "model.onnx")
    expected, arrays = model.predict(X), loaded(tmp_path / "model.npz")
    values, task = X[["a", "b", "c"]].to_numpy(), positions(arrays, X)
    np.testing.assert_allclose(_serving.predict(arrays, values, task)[:, 0], expected, rtol=1e-9)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"features": values, "task": task})
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_encoded_features(tmp_path):
    visits = make_clinic_visits(n_tasks=6, n_rows=15, random_state=0)
    model = MultiTaskHypernetRegressor(task_id=visits.task_id, metadata=visits.metadata, **QUICK)
    model.fit(visits.data, visits.target).export(tmp_path / "model.npz")
    arrays = loaded(tmp_path / "model.npz")
    assert not len(arrays["columns"])
    task = model.tasks_.get_indexer(visits.data[visits.task_id])
    found = _serving.predict(arrays, model.encode_features(visits.data), task)
    expected = model.predict(visits.data)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9, atol=1e-9 * np.ptp(expected))


@pytest.mark.parametrize(
    "ids",
    [
        lambda task: task + 3,
        lambda task: pd.Timestamp("2026-01-01") + pd.to_timedelta(task, unit="D"),
        lambda task: pd.Categorical([f"t{t}" for t in task]),
        lambda task: pd.array([f"t{t}" for t in task], dtype="str"),
    ],
)
def test_ids(ids, tmp_path):
    """Ids need no pickle; the order of `tasks` is that of positions."""
    table = X.assign(id=ids(np.repeat(np.arange(N_TASKS), 30)))
    model = small().fit(table, Y)
    model.export(tmp_path / "model.npz", model.tasks_[[4, 1]])
    arrays = loaded(tmp_path / "model.npz")
    assert list(arrays["tasks"].astype(str)) == list(np.asarray(model.tasks_[[4, 1]]).astype(str))
    rows = table[table["id"] == model.tasks_[1]]
    values = rows[["a", "b", "c"]].to_numpy()
    found = _serving.predict(arrays, values, np.ones(len(rows), dtype=int))
    np.testing.assert_allclose(found[:, 0], model.predict(rows), rtol=1e-9)


def test_one_task_and_ids_of_two_columns(tmp_path):
    model = MultiTaskHypernetRegressor(**QUICK).fit(X[["a", "c"]], Y)
    model.export(tmp_path / "one.npz")
    values, task = X[["a", "c"]].to_numpy(), np.zeros(len(X), dtype=int)
    found = _serving.predict(loaded(tmp_path / "one.npz"), values, task)
    np.testing.assert_allclose(found[:, 0], model.predict(X[["a", "c"]]), rtol=1e-9)
    model = small(task_id=["id", "c"], metadata=None, unseen_tasks="average")
    model.export(tmp_path / "two.npz", [("school 1", 2), ("school 0", 0)])
    assert loaded(tmp_path / "two.npz")["tasks"].tolist() == [["school 1", "2"], ["school 0", "0"]]


def test_tasks_that_were_added(tmp_path):
    model = small()
    new = X[X["id"] == "school 3"].assign(id="new", size=70.0)
    model.adapt(new, Y[X["id"] == "school 3"])
    model.export(tmp_path / "model.npz", ["new"])
    found = _serving.predict(
        loaded(tmp_path / "model.npz"), new[["a", "b", "c"]].to_numpy(), np.zeros(len(new), int)
    )
    np.testing.assert_allclose(found[:, 0], model.predict(new), rtol=1e-9)


def test_model_is_unchanged_and_files_are_whole(tmp_path):
    model, path = small(), tmp_path / "model.npz"
    before = model.predict(X)
    model.export(path)
    np.testing.assert_array_equal(model.predict(X), before)
    content = path.read_bytes()
    with pytest.raises(ValueError, match="not known: .'nowhere'."):
        model.export(path, ["nowhere"])
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def wide():
    return MultiTaskHypernetRegressor(**QUICK).fit(X[["a", "c"]], BOTH)


def mixed():
    y = pd.DataFrame({"number": Y, "class": CLASSES})
    return MultiTaskHypernetClassifier(**QUICK).fit(X[["a", "c"]], y)


def levels():
    return small(task_id=["id", "c"], metadata=None, task_levels="crossed")


def stitched():
    return MultiTaskRegressor(architectures.CrossStitch(), **PLAIN, **QUICK).fit(X, Y)


def identity_components():
    components = [[(8,)], [(8,), "identity"]]
    return GumbelMatrixRegressor(**PLAIN, components=components, **QUICK).fit(X, Y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wide, "fit it in long form"),
        (mixed, "fit it in long form"),
        (levels, "task_levels='joint'"),
        (stitched, "CrossStitch"),
        (identity_components, "GumbelMatrixRegressor"),
        (lambda: ParetoHypernet(**PLAIN, **QUICK).fit(X.drop(columns="size"), Y), "ParetoHypernet"),
        (lambda: small(base=ExtraTreesRegressor(9)), "ExtraTrees.* base=None"),
    ],
)
def test_refused(make, message, tmp_path):
    model = make()
    if model.base is not None and not isinstance(model.base, str):
        assert model.base_weights_["all"] > 0
    with pytest.raises(ValueError, match=message):
        model.export(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_arguments(tmp_path):
    with pytest.raises(NotFittedError):
        MultiTaskHypernetRegressor().export(tmp_path / "model.npz")
    model = small()
    for name in ("model", "model.pkl"):
        with pytest.raises(ValueError, match=r"\.onnx or \.npz"):
            model.export(tmp_path / name)
    with pytest.raises(ValueError, match="list of task ids"):
        model.export(tmp_path / "model.npz", "school 1")
    with pytest.raises(ValueError, match="nothing to export"):
        model.export(tmp_path / "model.npz", [])


def test_onnx_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"skmtl\[export\]"):
        small().export(tmp_path / "model.onnx")


def test_too_large_for_onnx(monkeypatch, tmp_path):
    monkeypatch.setattr("skmtl._estimators.export_onnx._MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="export fewer tasks"):
        small().export(tmp_path / "model.onnx")


def test_function_of_the_guide():
    """The guide has the same function, of at most 30 lines."""
    source = inspect.getsource(_serving.predict)
    assert len(source.splitlines()) <= 30
    guide = (Path(__file__).parents[2] / "docs" / "serving.rst").read_text(encoding="utf-8")
    lines = [line.strip() for line in guide.splitlines()]
    assert "\n".join(line.strip() for line in source.splitlines()) in "\n".join(lines)
