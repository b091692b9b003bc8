"""Equal rows: merged for training, and counted one by one when validation rows are drawn.

Expected values are counted by hand in the table before rows are merged.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from skmtl._data.rows import TrainingRows, row_counts
from skmtl.exceptions import ValidationWarning
from tests._tables import QUICK, assert_same_model, make_schools, quick_classifier, quick_model

STOPS_EARLY = {"max_iter": 60, "learning_rate_init": 0.05, "n_iter_no_change": 3}


def make_rows(tasks, features, targets, weights=None, copies=None):
    """Rows of one feature and one target, each of which represents itself."""
    ones = np.ones(len(tasks))
    return TrainingRows(
        np.asarray(features, dtype=float).reshape(-1, 1),
        np.asarray(tasks, dtype=np.int64),
        np.asarray(targets, dtype=float).reshape(-1, 1),
        ones if weights is None else np.asarray(weights, dtype=float),
        ones.astype(np.int64) if copies is None else np.asarray(copies),
    )


def totals(table, name):
    """Weights or copies of every distinct row."""
    frame = pd.DataFrame(
        {
            "task": table.tasks,
            "x": table.features[:, 0],
            "y": table.targets[:, 0],
            "value": getattr(table, name).astype(float),
        }
    )
    return frame.groupby(["task", "x", "y"])["value"].sum()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def answers(n_tasks=20, n_rows=100, seed=0):
    """Answers to few questions: x is 0, 1 or 2, and y is yes or no; many rows are equal."""
    random = np.random.default_rng(seed)
    task = np.repeat(np.arange(n_tasks), n_rows)
    x = random.integers(0, 3, len(task))
    y = random.random(len(task)) < (x + task % 3) / 6 + 0.1
    X = pd.DataFrame({"x": x, "school": [f"school {number:02d}" for number in task]})
    return X, pd.Series(np.where(y, "yes", "no"))


class Spy(Callback):
    """Remembers what there was to train on and to validate with."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        train, valid = X
        table = train.table
        self.n_labels_ = net.n_labels_.tolist()
        self.train_ = {
            "features": table.features[train.rows[0]].numpy(),
            "targets": table.targets[train.rows[0]].numpy(),
            "weights": table.weights[train.rows[0]].numpy(),
        }
        if valid is not None:
            self.valid_ = {
                "tasks": table.tasks[valid.rows[0]].numpy(),
                "features": table.features[valid.rows[0]].numpy(),
                "weights": table.weights[valid.rows[0]].numpy(),
            }


def seen_by(model, X, y, **kwargs):
    """What a callback saw of a fit."""
    return model.set_params(callbacks=[Spy()]).fit(X, y, **kwargs).callbacks_[0]


# the split


def test_equal_rows_are_counted_one_by_one():
    random = np.random.default_rng(0)
    tasks = np.repeat(np.arange(20), 100)
    original = make_rows(tasks, random.integers(0, 3, 2_000), random.integers(0, 2, 2_000))
    merged = original.canonical()
    assert len(merged) <= 20 * 6
    for fraction in (0.2, 0.29):
        train, valid = merged.split(fraction, generator())
        n_aside = np.bincount(valid.tasks, weights=valid.copies)
        assert_array_equal(n_aside, np.full(20, round(100 * fraction)))
        assert train.copies.sum() + valid.copies.sum() == 2_000
        assert (train.copies > 0).all()
        assert (valid.copies > 0).all()


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1), st.integers(1, 4)),
        min_size=1,
        max_size=60,
    ),
    percent=st.integers(0, 99),
    counts=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=60)
def test_both_sides_together_are_the_table(rows, percent, counts, seed):
    tasks, features, targets, weights = np.array(rows).T
    # whole weights that count rows, or others
    weights, copies = (weights, weights) if counts else (weights / 3, np.ones_like(weights))
    original = make_rows(tasks, features, targets, weights, copies)
    merged = original.canonical()
    assert len(merged) == len(totals(merged, "copies"))
    pd.testing.assert_series_equal(totals(merged, "copies"), totals(original, "copies"))
    pd.testing.assert_series_equal(totals(merged, "weights"), totals(original, "weights"))
    train, valid = merged.split(percent / 100, generator(seed))
    sizes = np.bincount(tasks, weights=copies).astype(int)
    expected = percent * sizes // 100
    n_aside = np.bincount(valid.tasks, weights=valid.copies, minlength=len(expected))
    # tasks too small for a row of their own give some together; one row is never set aside
    small = (expected == 0) & (sizes > 1)
    assert_array_equal(n_aside[~small], expected[~small])
    assert (n_aside[small] <= 1).all()
    assert n_aside[small].sum() == percent * sizes[small].sum() // 100
    both = TrainingRows.concatenate(train, valid)
    pd.testing.assert_series_equal(totals(both, "copies"), totals(original, "copies"))
    pd.testing.assert_series_equal(totals(both, "weights"), totals(original, "weights"))
    # each side has its share of the weight of a row
    for part in (train, valid):
        share = totals(part, "weights") / totals(part, "copies")
        whole = totals(original, "weights") / totals(original, "copies")
        assert_allclose(share, whole[share.index], rtol=1e-12)


def test_copies_of_a_row_are_drawn_one_by_one():
    # half of 40 equal rows and of 40 others: about 20 of each, not all of one
    merged = make_rows(np.zeros(80), np.repeat([0, 1], 40), np.zeros(80)).canonical()
    drawn = [merged.split(0.5, generator(seed))[1].copies.tolist() for seed in range(40)]
    drawn = np.array(drawn)
    assert drawn.shape == (40, 2)
    assert (drawn.sum(axis=1) == 40).all()
    assert 8 < drawn.min() < drawn.max() < 32
    assert abs(drawn[:, 0].mean() - 20) < 2


def test_without_equal_rows_those_with_the_smallest_draws_are_set_aside():
    random = np.random.default_rng(0)
    tasks = np.sort(random.integers(0, 5, 90))
    table = make_rows(tasks, random.normal(size=90), random.normal(size=90)).canonical()
    assert (table.copies == 1).all()
    draw = torch.rand(90, generator=generator(3), dtype=torch.float64).numpy()
    expected = []
    for task in range(5):
        rows = np.flatnonzero(table.tasks == task)
        expected += rows[np.argsort(draw[rows])][: len(rows) * 3 // 10].tolist()
    train, valid = table.split(0.3, generator(3))
    assert_array_equal(valid.features, table.features[sorted(expected)])
    rest = np.setdiff1d(np.arange(90), expected)
    assert_array_equal(train.features, table.features[rest])
    for part in (train, valid):
        assert (part.weights == 1).all()
        assert (part.copies == 1).all()


def test_the_number_of_labels_is_that_of_the_table():
    merged = make_rows([0, 0, 0, 1], [1, 1, 2, 1], [0, 0, 0, 0]).canonical()
    assert len(merged) == 3
    assert merged.n_labels == 4
    train, valid = merged.split(0.4, generator())
    assert (train.n_labels, valid.n_labels) == (3, 1)


# which weights count rows


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, [1, 1, 1]),
        ([1, 1, 1], [1, 1, 1]),
        ([2, 1, 3], [2, 1, 3]),
        ([2.0, 1.0, 3.0], [2, 1, 3]),
        ([20, 20, 20], [20, 20, 20]),
        ([40, 1, 1], [40, 1, 1]),
        ([21, 20, 20], [1, 1, 1]),
        ([1000, 2000, 3000], [1, 1, 1]),
        ([2.5, 1, 3], [1, 1, 1]),
        ([0.5, 0.5, 0.5], [1, 1, 1]),
        ([[2, 2], [1, 1], [3, 3]], [1, 1, 1]),
    ],
)
def test_whole_weights_that_are_not_large_count_rows(weights, expected):
    counts = row_counts(weights, 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == expected


def test_a_weight_of_two_is_the_row_twice_where_many_rows_are_equal():
    X, y = answers(n_tasks=6, n_rows=60)
    weights = np.random.default_rng(0).integers(1, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    weighted, repeated = (
        quick_classifier(metadata=None, **STOPS_EARLY).fit(*table, **kwargs)
        for table, kwargs in [
            ((X, y), {"sample_weight": weights}),
            ((X.iloc[rows], y.iloc[rows]), {}),
        ]
    )
    assert weighted.n_iter_ < 60
    assert_same_model(weighted, repeated)
    assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))
    assert weighted.history_.equals(repeated.history_)


def test_whole_weights_make_more_rows_to_set_aside_and_others_do_not():
    X, y = make_schools(n_rows=20)
    plain = seen_by(quick_model(), X, y)
    assert_array_equal(np.bincount(plain.valid_["tasks"]), np.full(12, 4))
    assert plain.n_labels_ == [12 * 16]
    # a row of weight 3 counts as three, of which one may be set aside and two trained on
    whole = seen_by(quick_model(), X, y, sample_weight=np.full(len(X), 3))
    assert whole.n_labels_ == [12 * 48]
    assert len(whole.valid_["tasks"]) + len(whole.train_["weights"]) > len(X)
    for weight in (2.5, 3000):
        other = seen_by(quick_model(), X, y, sample_weight=np.full(len(X), weight))
        assert other.n_labels_ == [12 * 16]
        assert_array_equal(other.valid_["features"], plain.valid_["features"])
        assert_array_equal(other.train_["features"], plain.train_["features"])
        assert_allclose(other.train_["weights"], 1)


def test_weights_of_classes_do_not_count_rows():
    X, y = answers(n_tasks=6, n_rows=60)
    plain = seen_by(quick_classifier(metadata=None), X, y)
    weighted = seen_by(quick_classifier(metadata=None, class_weight={"no": 1, "yes": 3}), X, y)
    assert weighted.n_labels_ == plain.n_labels_
    assert_array_equal(weighted.valid_["tasks"], plain.valid_["tasks"])
    assert_array_equal(weighted.train_["targets"], plain.train_["targets"])
    # but they weigh them
    ratio = weighted.train_["weights"] / plain.train_["weights"]
    classes = plain.train_["targets"][:, 0]
    assert_allclose(ratio[classes == 1], 3 * ratio[classes == 0][0], rtol=1e-6)


def test_rows_of_weight_zero_do_not_decide_whether_weights_count_rows():
    X, y = make_schools()
    rows = X["sector"] == 1
    # a mean of 30 with the other rows dropped, of 15 otherwise
    weighted = quick_model().fit(X, y, sample_weight=np.where(rows, 30, 0))
    dropped = quick_model().fit(X[rows], y[rows], sample_weight=np.full(rows.sum(), 30))
    assert_same_model(weighted, dropped)


# early stopping


@pytest.mark.parametrize("n_tasks", [4, 20])
def test_a_table_of_few_distinct_rows_is_large_enough_for_validation(n_tasks):
    X, y = answers(n_tasks=n_tasks, n_rows=10_000 // n_tasks)
    X = X.assign(x=np.minimum(X["x"], 1))
    assert len(X.assign(y=y).drop_duplicates()) <= 4 * n_tasks
    with warnings.catch_warnings():
        warnings.simplefilter("error", ValidationWarning)
        spy = seen_by(quick_classifier(metadata=None, max_iter=1), X, y)
    assert len(np.unique(spy.valid_["tasks"])) == n_tasks
    # a fifth is set aside of each task, and rows weigh by the copies on each side
    assert spy.n_labels_ == [8_000]
    ratio = spy.valid_["weights"].sum() / spy.train_["weights"].sum()
    assert ratio == pytest.approx(0.25, rel=1e-5)


def test_the_validation_loss_weighs_copies():
    # one question, to which three of four answer yes: the best probability is 3/4
    X = pd.DataFrame({"x": 1.0, "school": np.repeat(["a", "b"], 400)})
    y = np.tile(["yes", "yes", "yes", "no"], 200)
    changes = {**QUICK, "max_iter": 150, "learning_rate_init": 0.05, "weight_averaging": 0.0}
    model = quick_classifier(metadata=None, **changes).fit(X, y)
    assert_allclose(model.predict_proba(X.iloc[[0, -1]])[:, 1], 0.75, atol=0.05)
    assert model.history_["valid_loss"].min() == pytest.approx(0.5623, abs=0.06)
