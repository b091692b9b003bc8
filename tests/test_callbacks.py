"""What callbacks of this package record."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmtl import MultiTaskHypernetRegressor, ParetoHypernet
from skmtl.callbacks import TaskLossRecorder
from skmtl.datasets import make_cubic


def fitted(**changes):
    cubic = make_cubic(5, 20, random_state=0)
    settings = {"task_id": "task", "max_iter": 12, "random_state": 0, "batch_size": 16, **changes}
    model = MultiTaskHypernetRegressor(callbacks=[TaskLossRecorder()], **settings)
    # uneven, so that means over tasks are not means over rows
    kept = cubic.data["x"].to_numpy() > np.linspace(-1.1, 0.5, 5)[cubic.data["task"]]
    return model.fit(cubic.data[["x", "task"]][kept], cubic.target[kept]), cubic.data[kept]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_members": 3, "n_iter_no_change": 1, "learning_rate_init": 0.05},
        {"early_stopping": False},
        {"task_weighting": "pcgrad"},
    ],
)
def test_losses_of_tasks_add_up_to_that_of_the_history(changes):
    model, _ = fitted(**changes)
    table = model.callbacks_[0].table_
    history = model.history_.set_index(["member", "epoch"]).sort_index()
    assert table.index.equals(history.index)
    # the mean over rows is that over tasks with fixed weights, which are not known here
    wanted = history["valid_loss" if model.early_stopping else "train_loss"]
    counts = np.linalg.lstsq(table.to_numpy(), wanted.to_numpy(), rcond=None)[0]
    assert_allclose(table @ counts, wanted, rtol=1e-4)
    assert_allclose(counts.sum(), 1, rtol=0.02)


def test_validation_losses_are_those_of_the_rows_given():
    cubic = make_cubic(4, 30, random_state=0)
    X, y = cubic.data[["x", "task"]], cubic.target
    train = np.arange(len(X)) % 30 < 20
    model = MultiTaskHypernetRegressor(
        "task",
        max_iter=6,
        weight_averaging=0.0,
        callbacks=[TaskLossRecorder()],
        random_state=0,
        tol=0.0,
    )
    model.fit(X[train], y[train], X_val=X[~train], y_val=y[~train])
    table = model.callbacks_[0].table_
    best = model.history_["valid_loss"].idxmin()
    wrong = (model.predict(X[~train]) - y[~train]) ** 2 / np.var(y[train])
    by_task = wrong.groupby(X[~train]["task"]).mean()
    assert_allclose(table.iloc[best], by_task, rtol=1e-3)


def test_wide_form_knows_missing_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    Y = pd.DataFrame(X @ rng.normal(size=(3, 2)), columns=["heat", "salt"])
    Y.loc[:20, "salt"] = np.nan
    model = MultiTaskHypernetRegressor(max_iter=4, callbacks=[TaskLossRecorder()], random_state=0)
    table = model.fit(X, Y).callbacks_[0].table_
    assert table.shape == (4, 2)
    assert np.isfinite(table).all(axis=None)


def test_preferences_have_no_single_loss():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = ParetoHypernet(max_iter=1, callbacks=[TaskLossRecorder()])
    with pytest.raises(TypeError, match="one for each preference"):
        model.fit(X, X)
