"""Blocks whose process is killed are done again, with the same result."""

import os
import signal
import time
from concurrent.futures import BrokenExecutor
from threading import Timer

import numpy as np
import pytest

from skmtl import MultiTaskRegressor, TaskGrouper
from skmtl.datasets import make_cubic
from skmtl.exceptions import RetryWarning
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.model_selection._retries import with_retries

CUBIC = make_cubic(n_tasks=4, n_rows=12, random_state=0)


class Fatal:
    """A scorer that kills its process, as often as a folder has files."""

    def __init__(self, folder):
        self.folder, self.process = folder, os.getpid()

    def __call__(self, model, X, y):
        if os.getpid() != self.process:
            for name in os.listdir(self.folder):
                os.remove(os.path.join(self.folder, name))
                os.kill(os.getpid(), signal.SIGKILL)
        return -float(np.mean((model.predict(X) - y) ** 2))


def search(folder, **settings):
    model = MultiTaskRegressor(task_id="task", max_iter=2, random_state=0)
    grid = {"hidden_layer_sizes": [(2,), (3,), (4,)]}
    grid = {f"architecture__{name}": values for name, values in grid.items()}
    model.set_params(architecture=architecture())
    return BatchedGridSearchCV(model, grid, cv=2, n_jobs=2, scoring=Fatal(folder), **settings)


def architecture():
    from skmtl.architectures import SharedBottom

    return SharedBottom()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_worker_of_a_search(tmp_path):
    X, y = CUBIC.data[["x", "task"]], CUBIC.target
    expected = search(tmp_path).fit(X, y).cv_results_["mean_test_score"]
    (tmp_path / "once").touch()
    with pytest.warns(RetryWarning, match="a worker process was killed"):
        found = search(tmp_path).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, expected)
    (tmp_path / "again").touch()
    with pytest.raises(RuntimeError, match="killed again and again.*checkpoint_dir"):
        search(tmp_path, n_retries=0).fit(X, y)


def test_only_what_is_left_starts_again():
    started, broken = [], iter([2, 0, 9])

    def start(blocks):
        started.append(list(blocks))
        stop = next(broken)
        for number, block in enumerate(blocks):
            if number == stop:
                raise BrokenExecutor
            yield 10 * block

    with pytest.warns(RetryWarning) as record:
        pairs = list(with_retries(start, range(4), 2))
    assert pairs == [(k, 10 * k) for k in range(4)]
    assert started == [[0, 1, 2, 3], [2, 3], [2, 3]]
    assert len(record) == 2
    broken = iter([0, 0])
    with pytest.warns(RetryWarning), pytest.raises(RuntimeError, match="with 4 blocks left"):
        list(with_retries(start, range(4), 1))


def test_other_errors_are_not_retried():
    def start(blocks):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(with_retries(start, [1], 2))


@pytest.mark.slow
def test_a_killed_worker_of_a_dask_cluster():
    distributed = pytest.importorskip("distributed")
    from joblib import parallel_config

    model = MultiTaskRegressor(task_id="task", max_iter=150, early_stopping=False, random_state=0)
    grid = {"alpha": list(np.geomspace(1e-5, 1, 12))}
    X, y = CUBIC.data[["x", "task"]], CUBIC.target
    expected = BatchedGridSearchCV(model, grid, cv=3, max_members=4, n_jobs=1).fit(X, y)
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        parallel_config("dask"),
    ):
        processes = list(client.run(os.getpid).values())
        timer = Timer(2.0, os.kill, (processes[0], signal.SIGKILL))
        timer.start()
        started = time.monotonic()
        found = BatchedGridSearchCV(model, grid, cv=3, max_members=4).fit(X, y)
        # it was killed in the middle
        assert time.monotonic() - started > 2
        assert processes[0] not in client.run(os.getpid).values()
    scores = [s.cv_results_["mean_test_score"] for s in (found, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_groups(monkeypatch):
    from skmtl.grouping import _trainer

    calls = []

    def counted(start, blocks, n_retries):
        calls.append(n_retries)
        return with_retries(start, blocks, n_retries)

    monkeypatch.setattr(_trainer, "with_retries", counted)
    X, Y = np.random.default_rng(0).normal(size=(2, 30, 3))
    from sklearn.linear_model import Ridge

    model = TaskGrouper(Ridge(), max_groups=2, n_jobs=2, random_state=0).fit(X, Y)
    alone = TaskGrouper(Ridge(), max_groups=2, random_state=0).fit(X, Y)
    assert calls
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))
