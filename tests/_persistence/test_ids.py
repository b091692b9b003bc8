"""Task ids, categories and labels of every kind come back as they were."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import skmtl
from skmtl import MultiTaskClassifier, MultiTaskRegressor

QUICK = {"task_id": "task", "max_iter": 2, "random_state": 0}
DAYS = pd.date_range("2024-03-30", periods=4)
IDS = {
    "str": ["a", "b", "ä ", ""],
    "object": pd.Series(["a", "b", "c", "d"], dtype=object),
    "string": pd.Series(["a", "b", "c", "d"], dtype="string"),
    "pyarrow": pd.Series(["a", "b", "c", "d"], dtype="string[pyarrow]"),
    "bytes": [b"a", b"b", b"\x00", b"\xff"],
    "int": [3, -1, 2**62, 0],
    "uint8": np.array([3, 1, 255, 0], dtype="uint8"),
    "float": [3.5, -0.0, 1e300, 0.1],
    "float32": np.array([3.5, 1e-40, 0.1, 7], dtype="float32"),
    "Int64": pd.Series([3, 1, 2, 0], dtype="Int64"),
    "arrow int": pd.Series([3, 1, 2, 0], dtype="int64[pyarrow]"),
    "bool": [True, False, True, False],
    "boolean": pd.Series([True, False, True, False], dtype="boolean"),
    "mixed": pd.Series([1, "a", 2.5, True], dtype=object),
    "huge": pd.Series([10**30, 2, 3, 4], dtype=object),
    "dates": DAYS,
    "dates in seconds": DAYS.as_unit("s"),
    "date objects": pd.Series([date(2024, 1, d) for d in (1, 2, 3, 4)], dtype=object),
    "zone": DAYS.tz_localize("Europe/Berlin"),
    "zoneinfo": DAYS.tz_localize(ZoneInfo("America/New_York")),
    "UTC": DAYS.tz_localize("UTC"),
    "offset": DAYS.tz_localize(timezone(timedelta(hours=5, minutes=30))),
    "datetime objects": pd.Series(
        [datetime(2024, 1, d, 2, 30, tzinfo=UTC) for d in (1, 2, 3, 4)], dtype=object
    ),
    "zones, mixed": pd.Series(
        [
            datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
            pd.Timestamp("2024-10-27 02:30", tz="Asia/Tokyo"),
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
            pd.Timestamp("2024-01-05", tz="UTC"),
        ],
        dtype=object,
    ),
    "durations": pd.to_timedelta([1, 2, 3, 4], unit="h"),
    "periods": pd.period_range("2024-01", periods=4, freq="M"),
    "category": pd.Series(["a", "b", "c", "d"], dtype="category"),
    "category of dates": pd.Series(DAYS.tz_localize("Europe/Berlin")).astype("category"),
    "intervals": pd.Series(pd.interval_range(0, 4)),
    "tuples": pd.Series([("a", 1), ("b", 2.5), ("c", True), ("d", date(2024, 1, 1))], dtype=object),
    "decimals": pd.Series([Decimal("1.10"), Decimal("1.2"), Decimal(3), Decimal(4)], dtype=object),
    "uuids": pd.Series([UUID(int=k) for k in range(4)], dtype=object),
}


def table(ids):
    rng = np.random.default_rng(0)
    ids = pd.Series(ids).repeat(8).reset_index(drop=True)
    return pd.DataFrame({"x": rng.normal(size=32), "task": ids}), rng.normal(size=32)


def assert_same_index(ours, theirs):
    pd.testing.assert_index_equal(ours, theirs, exact=True)
    assert [type(label) for label in ours] == [type(label) for label in theirs]
    assert list(map(repr, ours)) == list(map(repr, theirs))


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_ids(ids, tmp_path):
    X, y = table(ids)
    model = MultiTaskRegressor(**QUICK).fit(X, y)
    model.save(tmp_path / "model")
    loaded = skmtl.load(tmp_path / "model")
    assert_same_index(model.tasks_, loaded.tasks_)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))
    pd.testing.assert_frame_equal(model.task_weights_, loaded.task_weights_)


def test_levels(tmp_path):
    X, y = table(["a", "b", "c", "d"])
    X["day"] = pd.Series(DAYS.tz_localize("Europe/Berlin")).repeat(8).to_numpy()
    X["number"] = np.tile([1.5, 2.0], 16)
    model = MultiTaskRegressor(**QUICK | {"task_id": ["task", "day", "number"]}).fit(X, y)
    model.save(tmp_path / "model")
    loaded = skmtl.load(tmp_path / "model")
    assert_same_index(model.tasks_, loaded.tasks_)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


@pytest.mark.parametrize(
    "name", ["str", "object", "string", "pyarrow", "int", "Int64", "bool", "boolean", "category"]
)
def test_labels(name, tmp_path):
    X, _ = table(["a", "b", "c", "d"])
    labels = pd.Series(IDS[name]).sample(32, replace=True, random_state=0).reset_index(drop=True)
    model = MultiTaskClassifier(**QUICK).fit(X, labels)
    model.save(tmp_path / "model")
    loaded = skmtl.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "name", [name for name in IDS if name not in ("intervals", "tuples", "uuids", "zones, mixed")]
)
def test_features(name, tmp_path):
    X, y = table(["a", "b", "c", "d"])
    values = pd.Series(IDS[name]).sample(32, replace=True, random_state=0).reset_index(drop=True)
    X["more"] = values.where(np.arange(32) % 9 > 0)
    model = MultiTaskRegressor(**QUICK, categorical_features=["more"]).fit(X, y)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(skmtl.load(tmp_path / "model").predict(X), model.predict(X))
