"""Pickles and files of another version say so, and lack no parameter."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

import skmtl
from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    TaskGrouper,
)
from skmtl._persistence import _versions
from skmtl._version import __version__
from skmtl.architectures import Hypernetwork, SharedBottom
from skmtl.datasets import make_cubic
from skmtl.exceptions import VersionWarning
from skmtl.grouping import HighOrder
from skmtl.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skmtl.weighting import Affinity, FixedWeights

OBJECTS = [
    MultiTaskHypernetRegressor(),
    MultiTaskHypernetClassifier(),
    GumbelMatrixRegressor(),
    ParetoHypernet(),
    TaskGrouper(),
    MultiTaskRegressor(),
    SharedBottom(),
    Hypernetwork(),
    HighOrder(),
    FixedWeights([1.0]),
    Affinity(),
    BatchedGridSearchCV(ParetoHypernet(), {}),
    BatchedRandomizedSearchCV(ParetoHypernet(), {}),
]


def of_version(monkeypatch, item, version):
    with monkeypatch.context() as patch:
        patch.setattr(_versions, "__version__", version)
        return pickle.dumps(item)


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: type(item).__name__)
def test_every_parameter_may_be_new(item, monkeypatch):
    for name in item.get_params(deep=False):
        older = copy.copy(item)
        del vars(older)[name]
        pickled = of_version(monkeypatch, older, "0.0.7")
        match = rf"this {type(item).__name__} comes from 0\.0\.7 .* this is {__version__}.*{name}"
        required = isinstance(item, FixedWeights | BatchedGridSearchCV | BatchedRandomizedSearchCV)
        if required and name in ("values", "estimator", "param_grid", "param_distributions"):
            continue
        with pytest.warns(VersionWarning, match=match):
            loaded = pickle.loads(pickled)
        expected = item._parameters_before.get(name, getattr(item, name))
        assert repr(getattr(loaded, name)) == repr(expected)
        repr(loaded), clone(loaded), loaded.get_params(), loaded._repr_html_()


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: type(item).__name__)
def test_same_version_says_nothing(item, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = pickle.loads(pickle.dumps(item))
        copy.deepcopy(item)
    assert repr(loaded) == repr(item)
    assert not any("version" in name for name in vars(loaded))
    with pytest.warns(VersionWarning, match=r"comes from 99\.1 "):
        pickle.loads(of_version(monkeypatch, item, "99.1"))


def test_pickles_without_a_version(monkeypatch):
    model = MultiTaskHypernetRegressor()
    monkeypatch.setattr(_versions.VersionedState, "__getstate__", lambda self: dict(vars(self)))
    pickled = pickle.dumps(model)
    with pytest.warns(VersionWarning, match="an unknown, earlier version of skmtl"):
        pickle.loads(pickled)


def test_new_parameters_act_as_then(monkeypatch, tmp_path):
    cubic = make_cubic(n_tasks=5, n_rows=20, random_state=0)
    model = MultiTaskHypernetRegressor(task_id="task", max_iter=3, random_state=0)
    model.fit(cubic.data, cubic.target)
    predicted = model.predict(cubic.data)
    del model.interaction_alpha, model.embedding_init
    with pytest.warns(VersionWarning, match="'interaction_alpha': 0.0"):
        loaded = pickle.loads(of_version(monkeypatch, model, "0.0.1"))
    assert (loaded.interaction_alpha, loaded.embedding_init) == (0.0, "common")
    np.testing.assert_array_equal(loaded.predict(cubic.data), predicted)
    loaded.fit(cubic.data, cubic.target)
    # files, too
    model.save(tmp_path / "model")
    with pytest.warns(VersionWarning, match="embedding_init"):
        loaded = skmtl.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(cubic.data), predicted)


def test_parameters_of_nested_objects(monkeypatch):
    model = MultiTaskRegressor(Hypernetwork())
    del model.architecture.interaction_alpha
    with pytest.warns(VersionWarning, match="this Hypernetwork comes from 0.0.1"):
        loaded = pickle.loads(of_version(monkeypatch, model, "0.0.1"))
    assert loaded.get_params()["architecture__interaction_alpha"] == 0.0
