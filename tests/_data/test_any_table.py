"""Tables of columns of any kind: finite predictions, or an error that names the column."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier

from skmtl import (
    GumbelMatrixClassifier,
    GumbelMatrixRegressor,
    MultiTaskClassifier,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
)
from skmtl.architectures import SharedBottom

WORDS = ["red", "green", "blue", "", "a b", "ä"]
NOW = np.datetime64("2024-02-28T23:59:59", "s")


def _days(generator, n, span=4_000):
    return pd.Series(NOW + generator.integers(-span, span, n).astype("timedelta64[D]"))


def _huge(generator, n):
    values = generator.integers(-5, 5, n).astype(object)
    return pd.Series(values * 10 ** int(generator.choice([3, 30, 400])), dtype=object)


def _extreme(generator, n):
    values = generator.normal(size=n)
    values[generator.integers(n)] = generator.choice([1e20, 1e160, 1e300, -1.7e308, 1e-320])
    return pd.Series(values)


def _intervals(generator, n):
    return pd.Series(pd.cut(generator.normal(size=n), [-9, -1, 0, 1, 9]))


def _mixture(generator, n):
    return pd.Series(generator.choice(np.array(["a", 1, 2.5, True, b"x"], dtype=object), n))


KINDS = {
    "float": lambda g, n: pd.Series(g.normal(size=n)),
    "float32": lambda g, n: pd.Series(g.normal(size=n), dtype="float32"),
    "int": lambda g, n: pd.Series(g.integers(-3, 9, n)),
    "Int64": lambda g, n: pd.Series(g.integers(-3, 9, n), dtype="Int64"),
    "bool": lambda g, n: pd.Series(g.random(n) < 0.5),
    "boolean": lambda g, n: pd.Series(g.random(n) < 0.5, dtype="boolean"),
    "objects": lambda g, n: pd.Series(g.integers(0, 9, n), dtype=object),
    "huge": _huge,
    "extreme": _extreme,
    "words": lambda g, n: pd.Series(g.choice(WORDS, n)),
    "object words": lambda g, n: pd.Series(g.choice(WORDS, n), dtype=object),
    "string": lambda g, n: pd.Series(g.choice(WORDS, n), dtype="string"),
    "many words": lambda g, n: pd.Series(g.integers(0, 10**6, n)).map("word {}".format),
    "category": lambda g, n: pd.Series(g.choice(WORDS, n), dtype="category"),
    "category of int": lambda g, n: pd.Series(g.integers(0, 4, n), dtype="category"),
    "category of bool": lambda g, n: pd.Series(g.random(n) < 0.5, dtype="category"),
    "category of dates": lambda g, n: _days(g, n, 2).astype("category"),
    "intervals": _intervals,
    "mixture": _mixture,
    "dates": _days,
    "ancient dates": lambda g, n: _days(g, n, 700_000),
    "aware dates": lambda g, n: _days(g, n).dt.tz_localize("Europe/Berlin", ambiguous="NaT"),
    "date objects": lambda g, n: _days(g, n).dt.date,
    "ISO dates": lambda g, n: _days(g, n).astype(str),
    "periods": lambda g, n: _days(g, n).dt.to_period(g.choice(["D", "M", "Y"])),
    "durations": lambda g, n: pd.Series(g.integers(0, 10**6, n).astype("timedelta64[s]")),
    "constant": lambda g, n: pd.Series(np.full(n, g.choice([0.0, 1e9]))),
    "one word": lambda g, n: pd.Series(["same"] * n),
    "missing": lambda g, n: pd.Series(g.choice([np.nan]) * np.ones(n)),
    "None": lambda g, n: pd.Series([None] * n, dtype=object),
    "dicts": lambda g, n: pd.Series([{"a": 1}] * n),
    "complex": lambda g, n: pd.Series(g.normal(size=n) + 1j),
    "infinite": lambda g, n: pd.Series(np.where(g.random(n) < 0.5, np.inf, 1.0)),
}
try:
    import pyarrow  # noqa: F401
except ImportError:
    pass
else:
    KINDS["string[pyarrow]"] = lambda g, n: pd.Series(g.choice(WORDS, n), dtype="string[pyarrow]")
    KINDS["int64[pyarrow]"] = lambda g, n: pd.Series(g.integers(0, 9, n), dtype="int64[pyarrow]")


def column(kind, generator, n, gaps):
    """Return values of a kind, some of them missing."""
    values = KINDS[kind](generator, n)
    if gaps:
        values = values.mask(pd.Series(generator.random(n) < 0.3))
    return values


@st.composite
def tables(draw):
    """Two tables of the same columns, with tasks and, in the second, categories of their own."""
    kinds = st.sampled_from(sorted(KINDS))
    features = draw(st.lists(kinds, min_size=1, max_size=4))
    metadata = draw(st.lists(kinds, max_size=3))
    then, now = (draw(st.lists(st.booleans(), min_size=7, max_size=7)) for _ in range(2))
    others = draw(st.booleans())
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_tasks = draw(st.integers(1, 5))
    frames = []
    for gaps, n in ((then, draw(st.integers(8, 40))), (now, draw(st.integers(1, 30)))):
        tasks = generator.integers(0, n_tasks + (others and gaps is now), n)
        frame = {"task": [f"t{task}" for task in tasks]}
        for k, kind in enumerate(features):
            frame[f"f{k}"] = column(kind, generator, n, gaps[k])
        for k, kind in enumerate(metadata):
            by_task = column(kind, generator, n_tasks + 1, gaps[4 + k])
            frame[f"m{k}"] = by_task[tasks].reset_index(drop=True)
        frames.append(pd.DataFrame(frame))
    return *frames, [f"m{k}" for k in range(len(metadata))]


SMALL = {"max_iter": 1, "random_state": 0, "unseen_tasks": "average"}
ESTIMATORS = {
    "hypernetwork, numbers": lambda metadata: MultiTaskHypernetRegressor(
        "task", metadata, hidden_layer_sizes=(2,), **SMALL
    ),
    "hypernetwork, classes": lambda metadata: MultiTaskHypernetClassifier(
        "task", metadata, hidden_layer_sizes=(2,), **SMALL
    ),
    "Gumbel-Matrix, numbers": lambda metadata: GumbelMatrixRegressor(
        task_id="task", metadata=metadata, layers=(2,), **SMALL
    ),
    "Gumbel-Matrix, classes": lambda metadata: GumbelMatrixClassifier(
        task_id="task", metadata=metadata, layers=(2,), **SMALL
    ),
    "shared bottom, numbers": lambda metadata: MultiTaskRegressor(
        SharedBottom(hidden_layer_sizes=(2,)), task_id="task", metadata=metadata, **SMALL
    ),
    "shared bottom, classes": lambda metadata: MultiTaskClassifier(
        SharedBottom(hidden_layer_sizes=(2,)), task_id="task", metadata=metadata, **SMALL
    ),
}


def check(case, name):
    """Fit and predict: what is predicted is finite, and an error names a column."""
    train, test, metadata = case
    model = ESTIMATORS[name](metadata)
    y = np.arange(len(train), dtype=float)
    if is_classifier(model):
        y = np.array(["low", "middle", "high"])[np.arange(len(train)) % 3]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        message = ""
        try:
            model.fit(train, y)
            predicted = model.predict_proba(test) if is_classifier(model) else model.predict(test)
        except (ValueError, TypeError) as error:
            message = str(error)
    if message:
        assert any(f"'{column}'" in message for column in train.columns), message
    else:
        assert np.isfinite(predicted).all()
    assert len(caught) <= 2, [str(warning.message) for warning in caught]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=tables(), name=st.sampled_from(["hypernetwork, numbers", "shared bottom, numbers"]))
def test_predictions_are_finite_or_an_error_names_the_column(case, name):
    check(case, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=tables())
def test_many_tables(case, name):
    check(case, name)


@pytest.mark.parametrize("kind", [k for k in sorted(KINDS) if k not in ("dicts", "complex")])
@pytest.mark.parametrize("gaps", [False, True])
def test_every_kind(kind, gaps):
    generator = np.random.default_rng(0)
    train, test = (
        pd.DataFrame({"task": list("abcd") * 10, "x": column(kind, generator, 40, gaps)})
        for _ in range(2)
    )
    check((train, test, []), "hypernetwork, numbers")


def test_dates_of_python():
    days = pd.Series([date(2020, 1, 1 + k % 28) for k in range(40)])
    X = pd.DataFrame({"task": list("abcd") * 10, "day": days})
    check((X, X, []), "hypernetwork, numbers")
