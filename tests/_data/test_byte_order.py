"""Numbers in the byte order of other machines mean the same."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor, TaskGrouper
from skmtl._data.frames import as_pandas, native
from tests._architectures import shared_bottom

SETTINGS = {"max_iter": 2, "base": None, "hold_out_tasks": False, "random_state": 0}
rng = np.random.default_rng(0)
X, y, task = rng.normal(size=(60, 2)), rng.normal(size=60), np.arange(60) % 3


def swapped(values):
    """Return numbers in the other byte order."""
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("S"))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "i4", "i8", "u2", "M8[s]", "m8[s]"])
def test_tables(dtype):
    values = np.arange(6).astype(dtype)
    frame = pd.DataFrame({"a": values, "b": values[::-1]}, index=np.arange(6))
    other = pd.DataFrame({"a": swapped(values), "b": swapped(values[::-1])})
    other = as_pandas(other.set_axis(pd.Index(swapped(np.arange(6)), name="row")))
    assert all(dtype.isnative for dtype in other.dtypes)
    assert other.index.name == "row"
    pd.testing.assert_frame_equal(other, frame, check_names=False)
    pd.testing.assert_series_equal(as_pandas(pd.Series(swapped(values))), pd.Series(values))


def test_nothing_is_copied_without_need():
    frame = pd.DataFrame({"a": [1.0], "b": ["x"], "c": pd.Categorical(["u"])})
    assert as_pandas(frame) is frame
    assert native(y) is y


@pytest.mark.parametrize("metadata", [["z"], "table"])
def test_long_form(metadata):
    frame = pd.DataFrame({"x": X[:, 0], "task": task, "z": task / 2})
    tables = metadata, metadata
    if metadata == "table":
        frame = frame[["x", "task"]]
        known = pd.DataFrame({"z": np.arange(3) / 2}, index=pd.Index(range(3), name="task"))
        index = pd.Index(swapped(np.arange(3)), name="task")
        tables = known, pd.DataFrame({"z": swapped(known["z"])}, index=index)
    other = pd.DataFrame({name: swapped(values) for name, values in frame.items()})
    model, of_other = (MultiTaskHypernetRegressor("task", m, **SETTINGS) for m in tables)
    model.fit(frame, y, sample_weight=np.ones(60))
    of_other.fit(other, pd.Series(swapped(y)), sample_weight=swapped(np.ones(60)))
    assert_array_equal(of_other.predict(other), model.predict(frame))
    assert_array_equal(of_other.predict(frame), model.predict(other))


def test_classes():
    model = MultiTaskHypernetClassifier(**SETTINGS)
    labels = (y > 0).astype(np.int32)
    expected = model.fit(X, labels).predict(X)
    assert_array_equal(model.fit(swapped(X), swapped(labels)).predict(X), expected)


def test_grouper():
    columns = np.column_stack([y, -y, X[:, 0]])
    frame, of_y = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(columns, columns=list("uvw"))
    model = TaskGrouper(shared_bottom(max_iter=2), max_groups=2, random_state=0)
    expected = model.fit(frame, of_y).predict(frame)
    other = frame.apply(swapped)
    predicted = model.fit(other, of_y.apply(swapped)).predict(other)
    assert_array_equal(predicted, expected)
