"""Where tensors live, and on how many threads: also where several threads of Python fit at once.

torch counts threads per thread of Python, and new ones start with what was set last.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from skmtl.nn import _workspace
from skmtl.training._device import one_thread, resolve_device
from tests._tables import make_schools, quick_model

SETTING = 3  # threads of torch, neither 1 nor what it starts with here


@pytest.fixture(autouse=True)
def threads_of_torch():
    before = torch.get_num_threads()
    torch.set_num_threads(SETTING)
    yield
    torch.set_num_threads(before)


def in_new_threads(*functions):
    """Run the functions in threads of their own, and return what they return."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(f) for f in functions]]


def setting_everywhere():
    """The setting in this thread and in one that starts now."""
    return {torch.get_num_threads(), *in_new_threads(torch.get_num_threads)}


# devices


def test_devices_that_there_are():
    assert resolve_device("cpu") == torch.device("cpu")
    best = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto") == torch.device(best)


@pytest.mark.parametrize("device", ["meta", "mps", "xpu", "mps:0", "nonsense", "cpu:x", "", "cud"])
def test_devices_that_are_not_known_here(device):
    with pytest.raises(
        ValueError, match=f"device='{device}' is not known.*'auto', 'cpu' or 'cuda'"
    ):
        resolve_device(device)


def test_a_device_that_torch_does_not_see():
    count = torch.cuda.device_count()
    with pytest.raises(ValueError, match=f"torch sees {count} CUDA.*device='auto'.*device='cpu'"):
        resolve_device(f"cuda:{count}")


# threads


def test_torch_has_one_thread_for_a_while():
    with one_thread():
        assert torch.get_num_threads() == 1
    assert setting_everywhere() == {SETTING}
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert setting_everywhere() == {SETTING}


class CountsThreads(Callback):
    """Notes how many threads torch has in each batch."""

    def initialize(self):
        self.counts_ = set()
        return self

    def on_batch_end(self, net, **kwargs):
        self.counts_.add(torch.get_num_threads())


def test_fit_adapt_and_predict_have_one_thread():
    X, y = make_schools()
    old = X["school"] < "school 09"
    model = quick_model(callbacks=[CountsThreads()]).fit(X[old], y[old])
    assert model.callbacks_[0].counts_ == {1}
    assert torch.get_num_threads() == SETTING
    counts = set()
    model.module_.register_forward_hook(lambda *_: counts.add(torch.get_num_threads()))
    model.predict(X[old])
    assert counts == {1}
    counts.clear()
    model.adapt(X[~old], y[~old])
    assert counts == {1}
    assert setting_everywhere() == {SETTING}


def test_a_fit_that_fails_gives_the_setting_back():
    X, y = make_schools()
    with pytest.raises(FloatingPointError):
        quick_model(learning_rate_init=1e25).fit(X, y)
    assert setting_everywhere() == {SETTING}


def test_a_thread_gives_its_buffers_back():
    # one that ends with tensors while the interpreter exits would abort the process
    X, y = make_schools()

    def fits():
        with one_thread():
            quick_model().fit(X, y).predict(X)
            inside = len(_workspace._held.buffers)
        return inside > 0, _workspace._held.buffers, _workspace._held.views

    assert in_new_threads(fits) == [(True, {}, {})]


@pytest.mark.parametrize("used_before", [True, False])
def test_a_thread_that_leaves_does_not_disturb_one_that_stays(used_before):
    both_inside, left = threading.Barrier(2, timeout=60), threading.Event()

    def leaves():
        with one_thread():
            both_inside.wait()
            inside = torch.get_num_threads()
        left.set()
        return inside, torch.get_num_threads()

    def stays():
        if used_before:
            torch.get_num_threads()
        with one_thread():
            both_inside.wait()
            assert left.wait(timeout=60)
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    assert in_new_threads(leaves, stays) == [(1, SETTING)] * 2
    assert setting_everywhere() == {SETTING}


@pytest.mark.parametrize("first_leaves", [True, False])
def test_the_setting_is_what_it_was_before_the_first_came_in(first_leaves):
    first_inside, second_inside, left = (threading.Event() for _ in range(3))

    def first():
        with one_thread():
            first_inside.set()
            assert second_inside.wait(timeout=60)
            assert first_leaves or left.wait(timeout=60)
        left.set()

    def second():
        assert first_inside.wait(timeout=60)
        with one_thread():
            second_inside.set()
            assert not first_leaves or left.wait(timeout=60)
        left.set()

    in_new_threads(first, second)
    assert setting_everywhere() == {SETTING}


def test_one_thread_within_one_thread():
    with one_thread():
        with one_thread():
            pass
        assert torch.get_num_threads() == 1


def test_several_threads_fit_at_once():
    X, y = make_schools()
    start = threading.Barrier(4, timeout=60)
    expected = [quick_model(random_state=seed).fit(X, y).predict(X) for seed in range(4)]

    def fit(seed):
        start.wait()
        model = quick_model(random_state=seed).fit(X, y)
        return model.predict(X), torch.get_num_threads()

    actual = in_new_threads(*[lambda seed=seed: fit(seed) for seed in range(4)])
    for wanted, (predictions, threads) in zip(expected, actual, strict=True):
        assert_array_equal(predictions, wanted)
        assert threads == SETTING
    assert np.ptp([wanted[0] for wanted in expected]) > 0
    assert setting_everywhere() == {SETTING}
