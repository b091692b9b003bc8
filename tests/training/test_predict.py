"""Predictions of many rows: the copy of a module in double precision is made once per state."""

import gc
import weakref

import numpy as np
import torch

from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import make_cubic
from skmtl.training import _predict

cubic = make_cubic(n_tasks=4, n_rows=8, random_state=0)


def fitted(**settings):
    settings = {"max_iter": 2, "base": None, "hold_out_tasks": False} | settings
    model = MultiTaskHypernetRegressor(cubic.task_id, cubic.metadata, random_state=0, **settings)
    return model.fit(cubic.data, cubic.target)


def test_one_copy_until_the_module_changes():
    module = fitted().module_
    first = _predict._in_double(module)
    assert first is _predict._in_double(module) is not module
    assert all(p.dtype == torch.float64 for p in first.parameters())
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_changes_of_the_module_count():
    model = fitted()
    before = model.predict(cubic.data)
    with torch.no_grad():
        next(model.module_.parameters()).mul_(2)
    changed = model.predict(cubic.data)
    assert not np.allclose(before, changed)
    # memory of another tensor
    parameter = next(model.module_.parameters())
    parameter.data = parameter.data / 2
    np.testing.assert_array_equal(model.predict(cubic.data), before)


def test_a_model_that_is_fitted_again_predicts_anew():
    model = fitted(warm_start=True)
    first = model.predict(cubic.data)
    second = model.fit(cubic.data, cubic.target).predict(cubic.data)
    assert not np.array_equal(first, second)
    twice = fitted(warm_start=True).fit(cubic.data, cubic.target)
    np.testing.assert_array_equal(twice.predict(cubic.data), second)


def test_copies_do_not_outlive_their_modules():
    module = fitted().module_
    copied = weakref.ref(_predict._in_double(module))
    del module
    gc.collect()
    assert copied() is None
