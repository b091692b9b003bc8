"""Ctrl-C ends training wherever it arrives; callbacks may end it, too."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from skorch.callbacks import Callback, EarlyStopping

from skmtl import MultiTaskHypernetRegressor, TaskGrouper
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV
from skmtl.training._callbacks import ProgressBar
from skmtl.training._interruption import Interrupted, Interruption, check_interruption

CUBIC = make_cubic(n_tasks=5, n_rows=20, random_state=0)
SETTINGS = {"task_id": "task", "random_state": 0, "max_iter": 8, "tol": 0.0}


@pytest.fixture(autouse=True)
def key_is_heard():
    """Have Ctrl-C raise an error, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class CtrlC(Callback):
    """Press Ctrl-C in the third epoch."""

    def __init__(self, place="on_epoch_end"):
        self.place = place

    def _press(self, net, **kwargs):
        if len(net.history) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass

    def __getattribute__(self, name):
        if name.startswith("on_") and name == object.__getattribute__(self, "place"):
            return self._press
        return super().__getattribute__(name)


class Stops(Callback):
    """End training in the third epoch as skorch's callbacks do."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("early_stopping", [False, "refit"])
@pytest.mark.parametrize("place", ["on_epoch_begin", "on_batch_end", "on_epoch_end"])
def test_key_in_a_callback(place, early_stopping):
    model = MultiTaskHypernetRegressor(early_stopping=early_stopping, **SETTINGS)
    model.fit(CUBIC.data, CUBIC.target)
    before, attributes = model.predict(CUBIC.data), set(vars(model))
    model.set_params(callbacks=[CtrlC(place)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(CUBIC.data.assign(more=1.0), CUBIC.target)
    assert set(vars(model)) == attributes
    np.testing.assert_array_equal(model.predict(CUBIC.data), before)


def test_key_in_the_progress_bar(monkeypatch):
    def press(self, net, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ProgressBar, "on_epoch_end", press)
    with pytest.raises(KeyboardInterrupt):
        MultiTaskHypernetRegressor(verbose=1, **SETTINGS).fit(CUBIC.data, CUBIC.target)


def test_key_with_a_handler_of_python():
    def handler(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    try:
        model = MultiTaskHypernetRegressor(callbacks=[CtrlC()], **SETTINGS)
        with pytest.raises(KeyboardInterrupt):
            model.fit(CUBIC.data, CUBIC.target)
    finally:
        signal.signal(signal.SIGINT, before)


def test_callbacks_may_end_training():
    model = MultiTaskHypernetRegressor(callbacks=[Stops()], early_stopping=False, **SETTINGS)
    assert model.fit(CUBIC.data, CUBIC.target).n_iter_ == 3
    stopping = EarlyStopping("train_loss", patience=2, threshold=10.0, threshold_mode="abs")
    model.set_params(callbacks=[stopping])
    assert model.fit(CUBIC.data, CUBIC.target).n_iter_ < 6


def test_interrupted_searches_and_groupers_stay_as_they_were(monkeypatch):
    model = MultiTaskHypernetRegressor(**SETTINGS | {"max_iter": 2})
    search = BatchedGridSearchCV(model, {"alpha": [0, 1e-2]}, cv=2)
    grouper = TaskGrouper(model, 2, gains="hoa", random_state=0)
    for fitted in (search, grouper):
        fitted.fit(CUBIC.data, CUBIC.target)
        before = dict(vars(fitted))
        predicted = fitted.predict(CUBIC.data)
        with monkeypatch.context() as patch:
            patch.setattr("skmtl.model_selection._search.time.time", press_ctrl_c)
            patch.setattr("skmtl.grouping._grouper.train_groups", press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                fitted.fit(CUBIC.data.assign(more=1.0), CUBIC.target)
        assert vars(fitted).keys() == before.keys()
        assert all(vars(fitted)[name] is value for name, value in before.items())
        np.testing.assert_array_equal(fitted.predict(CUBIC.data), predicted)


def press_ctrl_c(*args):
    raise KeyboardInterrupt


def test_threads_end():
    interruption, ended = Interruption(), []

    def work():
        try:
            with interruption.watched():
                while True:
                    check_interruption()
        except Interrupted:
            ended.append(True)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    interruption.stop()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 3
    # nothing of it is left in this thread
    check_interruption()


@pytest.mark.slow
def test_search_in_threads_ends_at_once():
    code = """
import os, signal, threading, time
import torch
torch.set_num_threads(2)
from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV
cubic = make_cubic(n_tasks=20, n_rows=40, random_state=0)
model = MultiTaskHypernetRegressor(task_id="task", max_iter=10**6, n_iter_no_change=10**6)
search = BatchedGridSearchCV(model, {"learning_rate_init": [1e-3, 2e-3, 3e-3, 4e-3]}, cv=4)
threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    search.fit(cubic.data, cubic.target)
except KeyboardInterrupt:
    start = time.process_time()
    time.sleep(2)
    print("seconds of work after it:", time.process_time() - start)
"""
    run = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, timeout=200, check=True)
    assert float(result.stdout.rpartition(":")[2]) < 0.5
