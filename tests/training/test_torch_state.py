"""What torch is set to elsewhere neither changes a model nor breaks a fit, and comes back."""

import multiprocessing
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch

import skmtl
from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    TaskGrouper,
)
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV, fit_many

CUBIC = make_cubic(n_tasks=6, n_rows=12, random_state=0)
QUICK = {"max_iter": 3, "random_state": 0}
LONG = {"task_id": "task", **QUICK}


def hypernet():
    model = MultiTaskHypernetRegressor(metadata=CUBIC.metadata, **LONG)
    model.fit(CUBIC.data, CUBIC.target)
    return model.predict(CUBIC.data), model.task_embeddings_


def adapted():
    known = (CUBIC.data["task"] < 5).to_numpy()
    model = MultiTaskHypernetRegressor(**LONG).fit(CUBIC.data[known], CUBIC.target[known])
    model.adapt(CUBIC.data[~known], CUBIC.target[~known])
    return (model.predict(CUBIC.data),)


def gumbel():
    model = GumbelMatrixRegressor(**LONG).fit(CUBIC.data, CUBIC.target)
    return model.predict(CUBIC.data), model.task_embeddings_


def weighted():
    model = MultiTaskRegressor(task_weighting="pcgrad", record_affinity=True, **LONG)
    model.fit(CUBIC.data, CUBIC.target)
    return model.predict(CUBIC.data), model.affinity_


def pareto():
    X = CUBIC.data[["x", "a", "b"]]
    Y = np.column_stack([CUBIC.target, CUBIC.data["c"]])
    model = ParetoHypernet(hidden_layer_sizes=(4,), **QUICK).fit(X, Y)
    return (model.predict(X, preference=[0.3, 0.7]),)


def search():
    model = MultiTaskRegressor(**LONG)
    search = BatchedGridSearchCV(model, {"alpha": [0, 1e-2]}, cv=2).fit(CUBIC.data, CUBIC.target)
    return search.cv_results_["mean_test_score"], search.predict(CUBIC.data)


def many():
    models = [MultiTaskRegressor(**LONG).set_params(random_state=seed) for seed in (0, 1)]
    fit_many(models, CUBIC.data, CUBIC.target)
    return tuple(model.predict(CUBIC.data) for model in models)


def grouped():
    model = TaskGrouper(MultiTaskRegressor(**LONG), 2, gains="mtgnet", cv=None, random_state=0)
    model.fit(CUBIC.data, CUBIC.target)
    return model.predict(CUBIC.data), model.gains_


WORK = [hypernet, adapted, gumbel, weighted, pareto, search, many, grouped]


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
        assert torch.get_default_device() == torch.device(device)
    finally:
        torch.set_default_device(None)


STATES = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "default device": lambda: default_device("meta"),
    "device context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@cache
def undisturbed(work):
    return work()


def _pairs():
    """Return all states with one kind of work; others with three, the rest of them when slow."""
    for work in WORK:
        for state in STATES:
            quick = work is hypernet or state in ("float64", "inference mode", "device context")
            marks = () if quick else pytest.mark.slow
            yield pytest.param(work, state, id=f"{work.__name__}-{state}", marks=marks)


@pytest.mark.parametrize(("work", "state"), _pairs())
def test_state_does_not_matter(work, state):
    expected = undisturbed(work)
    with STATES[state]():
        found = work()
        grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert grad == (state not in ("no_grad", "inference mode"))
    assert inference == (state == "inference mode")


@pytest.mark.parametrize("state", STATES)
def test_state_of_prediction_and_files(state, tmp_path):
    model = MultiTaskHypernetRegressor(**LONG).fit(CUBIC.data, CUBIC.target)
    expected = model.predict(CUBIC.data)
    with STATES[state]():
        np.testing.assert_array_equal(model.predict(CUBIC.data), expected)
        model.save(tmp_path / "model")
        loaded = skmtl.load(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict(CUBIC.data), expected)
    loaded.set_params(warm_start=True).fit(CUBIC.data, CUBIC.target)


def test_state_comes_back_after_an_error():
    with default_dtype(torch.float64), pytest.raises(ValueError):
        MultiTaskRegressor(**LONG | {"alpha": -1}).fit(CUBIC.data, CUBIC.target)
    with torch.no_grad():
        with pytest.raises(ValueError):
            MultiTaskRegressor(**LONG | {"alpha": -1}).fit(CUBIC.data, CUBIC.target)
        assert not torch.is_grad_enabled()


def everything(folder):
    """Work on enough numbers for torch to use threads."""
    many = make_cubic(n_tasks=5000, n_rows=2, random_state=0)
    model = MultiTaskHypernetRegressor(**LONG | {"max_iter": 1}).fit(many.data, many.target)
    model.predict(many.data), model.task_embeddings_
    model.save(folder / "model")
    skmtl.load(folder / "model").predict(many.data)
    for work in WORK:
        work()


@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
def test_forked_process_does_not_hang(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        # threads that the child inherits, without their being there
        torch.randn(600, 600) @ torch.randn(600, 600), torch.randn(10**6).exp()
        everything(tmp_path)
        child = multiprocessing.get_context("fork").Process(target=everything, args=(tmp_path,))
        child.start()
        child.join(300)
        alive = child.is_alive()
        if alive:
            child.kill()
            child.join()
        assert not alive
        assert child.exitcode == 0
    finally:
        torch.set_num_threads(before)
