"""Members, blocks, threads and processes of batched searches."""

import os
from pathlib import Path

import joblib
import pytest
import torch
from joblib.parallel import LokyBackend
from numpy.testing import assert_allclose
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV

from skmtl.exceptions import DivergenceError
from skmtl.model_selection import BatchedGridSearchCV, _memory
from skmtl.model_selection._memory import MEMBERS_PER_CORE, MEMBERS_PER_GPU
from skmtl.training._optimizer import MemberAdam
from tests._search import (
    DIVERGES,
    IN_ONE_RUN,
    RATES,
    STOPS_EARLY,
    assert_same_results,
    brief_model,
)
from tests._tables import assert_same_model


def test_members_per_run(schools, in_double, groups_trained):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    reference = GridSearchCV(brief_model(), grid, cv=3).fit(*schools)
    for max_members, expected in [(1, 1), (4, 3), ("auto", 9)]:
        groups_trained.clear()
        search = BatchedGridSearchCV(brief_model(), grid, cv=3, max_members=max_members)
        assert_same_results(search.fit(*schools), reference)
        assert max(n for _, n in groups_trained) <= expected
        assert sum(n for _, n in groups_trained) == 9
    groups_trained.clear()
    search.set_params(estimator__n_members=2, max_members=5).fit(*schools)
    assert {members for _, members in groups_trained} <= {2, 4}
    # a fit is not divided
    groups_trained.clear()
    search.set_params(estimator__n_members=2, max_members=1).fit(*schools)
    assert groups_trained == [(1, 2)] * 9


def test_memory_bounds_the_members(schools, in_double, groups_trained, monkeypatch):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    reference = GridSearchCV(brief_model(), grid, cv=3).fit(*schools)
    for free, most in [(0, 1), (10**15, 9)]:
        groups_trained.clear()
        monkeypatch.setattr(_memory, "free_memory", lambda device, free=free: free)
        search = BatchedGridSearchCV(brief_model(), grid, cv=3, n_jobs=1)
        assert_same_results(search.fit(*schools), reference)
        assert max(members for _, members in groups_trained) <= most
        assert sum(members for _, members in groups_trained) == 9


def test_free_memory():
    free = _memory.free_memory(torch.device("cpu"))
    assert 2**20 < free < 2**50


def test_members_that_have_stopped_leave(schools, groups_trained, monkeypatch):
    trained, epochs = [], []

    def step(optimizer, **arguments):
        trained.append(len(optimizer.buffer))
        return stepped(optimizer, **arguments)

    def score(model, X, y):
        assert len(model.history_) == model.n_iter_
        epochs.append(model.n_iter_)
        return 0.0

    stepped = MemberAdam.step
    monkeypatch.setattr(MemberAdam, "step", step)
    # with the first three no epoch improves by more than tol
    grid = {"learning_rate_init": [1e-9, 2e-9, 3e-9, 1e-3]}
    settings = {"max_iter": 60, "n_iter_no_change": 2, "tol": 1e-4, "interaction_alpha": 0.0}
    model = brief_model(early_stopping=True, **settings)
    BatchedGridSearchCV(model, grid, cv=2, scoring=score, refit=False).fit(*schools)
    assert groups_trained == [(8, 8)]
    assert sorted(epochs)[:6] == [3] * 6
    assert min(sorted(epochs)[6:]) > 10
    n_batches = 2  # of 20 rows, in batches of 16
    # nobody trains on, but for those that wait until half of a run have stopped
    assert sum(epochs) <= sum(trained) / n_batches <= sum(epochs) + max(epochs)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_are_as_many_as_those_of_torch(schools, in_double, groups_trained, n_threads):
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2]}
    torch.set_num_threads(n_threads)
    search = BatchedGridSearchCV(brief_model(), grid, cv=2).fit(*schools)
    assert torch.get_num_threads() == n_threads
    assert sorted(groups_trained) == [(6 // n_threads, 6 // n_threads)] * n_threads
    assert_same_results(search, GridSearchCV(brief_model(), grid, cv=2).fit(*schools))


def test_progress_is_for_terminals(schools, capsys):
    BatchedGridSearchCV(brief_model(), RATES, cv=2, verbose=1).fit(*schools)
    assert capsys.readouterr() == ("", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(schools, in_double, groups_trained):
    torch.set_num_threads(4)
    X, y = schools
    model = brief_model(device="cuda", **STOPS_EARLY)
    reference = GridSearchCV(model, IN_ONE_RUN, cv=3).fit(X, y)
    search = BatchedGridSearchCV(model, IN_ONE_RUN, cv=3).fit(X, y)
    assert groups_trained == [(12, 12)]
    assert_same_results(search, reference, atol=1e-6)


def mean_error_and_process():
    """A scorer that other processes need not import."""

    def score(model, X, y):
        return {"mae": -mean_absolute_error(y, model.predict(X)), "process": os.getpid()}

    return score


def assert_spread(backend, X, y, **changes):
    """The scores are those of one process, but two others have worked."""
    grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2], "embedding_dim": [2, 3]}
    settings = {"cv": 2, "scoring": mean_error_and_process(), "refit": "mae"}
    alone = BatchedGridSearchCV(brief_model(), grid, **settings).fit(X, y)
    with joblib.parallel_config(backend=backend):
        search = BatchedGridSearchCV(brief_model(), grid, **settings, **changes).fit(X, y)
    processes = set()
    for k in range(2):
        name = f"split{k}_test_mae"
        assert_allclose(search.cv_results_[name], alone.cv_results_[name], rtol=0, atol=1e-5)
        processes |= set(search.cv_results_[f"split{k}_test_process"])
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert search.best_params_ == alone.best_params_
    assert_same_model(search.best_estimator_, alone.best_estimator_)


@pytest.mark.parametrize("generates", [True, False], ids=["generator", "list"])
def test_processes(schools, generates, monkeypatch):
    monkeypatch.setattr(LokyBackend, "supports_return_generator", generates)
    assert_spread("loky", *schools, n_jobs=2)


@pytest.mark.slow
def test_dask_cluster(schools):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert_spread("dask", *schools)


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_errors_from_other_processes(schools):
    grid = {"learning_rate_init": [1e-3, DIVERGES]}
    search = BatchedGridSearchCV(brief_model(), grid, cv=2, n_jobs=2)
    with pytest.warns(FitFailedWarning, match="DivergenceError"):
        search.fit(*schools)
    with pytest.raises(DivergenceError, match="member 0 of 1"):
        search.set_params(error_score="raise").fit(*schools)


@pytest.mark.parametrize("source", ["docstring", "docs/searching.rst"])
def test_documentation_of_max_members_is_true(source):
    if source == "docstring":
        text = BatchedGridSearchCV.__doc__
    else:
        text = (Path(__file__).parents[2] / source).read_text(encoding="utf-8")
    text = " ".join(text.split())
    assert f"is {MEMBERS_PER_CORE} for each thread or process on a CPU" in text
    assert f"{MEMBERS_PER_GPU:,} on a GPU" in text
