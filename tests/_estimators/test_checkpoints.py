"""Fits that are killed go on, bitwise identical, in every phase; and what checkpoints refuse."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import EpochTimer

from skmtl import (
    GumbelMatrixRegressor,
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
)
from skmtl.architectures import MaximumRoaming, MultilinearRelation, SharedBottom
from skmtl.datasets import make_cubic
from skmtl.exceptions import CheckpointWarning
from skmtl.weighting import ITMTL
from tests._kills import Steps, assert_resumes

ROOT = Path(__file__).parents[2]
CUBIC = make_cubic(n_tasks=9, n_rows=8, random_state=0)
LONG = {"task_id": CUBIC.task_id, "metadata": CUBIC.metadata, "random_state": 0}
# members stop early, at different times, and leave
SOON = {"n_members": 4, "n_iter_no_change": 1, "learning_rate_init": 0.1, "random_state": 0}


def wide_table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    Y = np.tanh(X @ rng.normal(size=(3, 3))) + 0.1 * rng.normal(size=(60, 3))
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return X, Y


def shared_bottom(**settings):
    bottom = SharedBottom(hidden_layer_sizes=(5,))
    return MultiTaskRegressor(bottom, max_iter=10, early_stopping=True, **SOON, **settings)


LONG_FORM = {
    # a refit, a base learner, members that hold out tasks
    "phases": MultiTaskHypernetRegressor(**LONG, max_iter=4, base="boosting", n_members=2),
    "annealed": MultiTaskHypernetRegressor(
        **LONG, max_iter=16, learning_rate="annealed", hold_out_tasks=False
    ),
    "tasks": MultiTaskHypernetRegressor(
        **LONG, max_iter=4, task_sampling="tasks", early_stopping=False
    ),
    "gumbel": GumbelMatrixRegressor(task_id="task", max_iter=8, **SOON),
    "classes": MultiTaskHypernetClassifier(**LONG, max_iter=4, hold_out_tasks=False),
}
WIDE_FORM = {
    "gradnorm": shared_bottom(task_weighting="gradnorm"),
    "dwa": shared_bottom(task_weighting=("dwa", "gradvac")),
    "it-mtl": shared_bottom(task_weighting=ITMTL()),
    "affinity": shared_bottom(record_affinity=2),
    "roaming": MultiTaskRegressor(MaximumRoaming(), max_iter=4, random_state=0),
    "relations": MultiTaskRegressor(
        MultilinearRelation(relation_interval=3), max_iter=4, random_state=0
    ),
    "pareto": ParetoHypernet(max_iter=3, solver="pareto", n_members=2, random_state=0),
}


def outcome(model, X):
    recorded = [model.predict(X), model.history_.to_numpy()]
    for name in ("task_weights_", "affinity_", "candidate_choices_", "allocation_history_"):
        try:
            recorded.append(getattr(model, name).to_numpy())
        except AttributeError:
            continue
    return recorded


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead", "by epoch"])
@pytest.mark.parametrize("name", [*LONG_FORM, *WIDE_FORM])
def test_killed_fits_go_on(name, ahead, tmp_path, monkeypatch):
    if not ahead:
        if name not in ("phases", "gradnorm"):
            pytest.skip("batches do not depend on the method")
        # as for long tables: one epoch is dealt at a time
        monkeypatch.setattr("skmtl.training._batches._NUMBERS_AHEAD", 0)
    if name in LONG_FORM:
        model, X, y = LONG_FORM[name], CUBIC.data, CUBIC.target
        y = y.gt(0).map({True: "yes", False: "no"}) if name == "classes" else y
    else:
        model, (X, y) = WIDE_FORM[name], wide_table()
        y = y[:, :2] if name == "pareto" else y

    def call(folder):
        return outcome(clone(model).set_params(checkpoint_dir=folder).fit(X, y), X)

    assert_resumes(monkeypatch, tmp_path, call)


def test_a_warm_start_goes_on(tmp_path, monkeypatch):
    X, y = wide_table()
    model = shared_bottom(warm_start=True).fit(X, y)

    def call(folder):
        again = clone(model)
        vars(again).update(vars(model))
        return outcome(again.set_params(checkpoint_dir=folder).fit(X, y), X)

    assert_resumes(monkeypatch, tmp_path, call, shares=[0.5])


def test_checkpoints_of_other_calls_are_neither_taken_nor_touched(tmp_path, monkeypatch):
    X, y = wide_table()
    steps, model = Steps(monkeypatch), shared_bottom(checkpoint_dir=tmp_path)
    fresh, n_steps = steps.of(lambda: shared_bottom().fit(X, y).predict(X))
    steps.of(lambda: model.fit(X, y), 7)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    others = [
        (clone(model), X + 1e-6, y),
        (clone(model), X, y * 2),
        (clone(model).set_params(alpha=1e-3), X, y),
        (clone(model).set_params(random_state=1), X, y),
        (clone(model).set_params(architecture=SharedBottom(hidden_layer_sizes=(6,))), X, y),
    ]
    for other, X_other, y_other in others:
        plain = clone(other).set_params(checkpoint_dir=None).fit(X_other, y_other)
        found = other.fit(X_other, y_other).predict(X)
        np.testing.assert_array_equal(found, plain.predict(X))
    monkeypatch.setattr("skmtl._persistence._checkpoints._VERSIONS", ["another"])
    assert steps.of(lambda: clone(model).fit(X, y))[1] == n_steps
    monkeypatch.undo()
    assert file.read_bytes() == content
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), fresh)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["empty", "cut", "altered", "foreign"])
def test_damaged_checkpoints_are_set_aside(tmp_path, monkeypatch, damage):
    X, y = wide_table()
    steps, model = Steps(monkeypatch), shared_bottom(checkpoint_dir=tmp_path)
    fresh, n_steps = steps.of(lambda: shared_bottom().fit(X, y).predict(X))
    steps.of(lambda: model.fit(X, y), 7)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    changed = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    damaged = {"empty": b"", "cut": content[:-9], "altered": changed, "foreign": b"[1, 2]"}
    file.write_bytes(damaged[damage])
    with pytest.warns(CheckpointWarning, match=file.name):
        predicted, n_made = steps.of(lambda: clone(model).fit(X, y).predict(X))
    assert n_made == n_steps
    np.testing.assert_array_equal(predicted, fresh)
    assert [path.name for path in tmp_path.iterdir()] == [f"{file.name}.damaged"]


def test_a_full_disk_is_one_warning(tmp_path, monkeypatch):
    X, y = wide_table()
    monkeypatch.setattr("skmtl.training._checkpoint._FEWEST_SECONDS", 0.0)
    monkeypatch.setattr("skmtl.training._checkpoint._MOST_SECONDS", 0.0)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    fresh = shared_bottom().fit(X, y).predict(X)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.warns(CheckpointWarning, match="No space left") as warned:
            found = shared_bottom(checkpoint_dir=tmp_path).fit(X, y).predict(X)
    assert len(warned) == 1
    np.testing.assert_array_equal(found, fresh)
    assert not list(tmp_path.iterdir())


def test_what_cannot_go_on_is_refused(tmp_path):
    X, y = wide_table()
    with pytest.raises(ValueError, match="needs a random_state"):
        MultiTaskRegressor(checkpoint_dir=tmp_path).fit(X, y)
    with pytest.raises(ValueError, match="callbacks"):
        shared_bottom(checkpoint_dir=tmp_path, callbacks=[EpochTimer()]).fit(X, y)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OSError, match="cannot hold checkpoints"):
        shared_bottom(checkpoint_dir=file).fit(X, y)


def test_a_search_of_scikit_learn_may_share_a_folder(tmp_path):
    X, y = wide_table()
    y = np.nan_to_num(y)
    grid = {"alpha": [1e-4, 1e-2]}
    plain = GridSearchCV(shared_bottom(), grid, cv=2).fit(X, y)
    search = GridSearchCV(shared_bottom(checkpoint_dir=tmp_path), grid, cv=2).fit(X, y)
    scores = [s.cv_results_["mean_test_score"] for s in (plain, search)]
    np.testing.assert_array_equal(*scores)
    assert search.best_estimator_.get_params()["checkpoint_dir"] == tmp_path
    assert not list(tmp_path.iterdir())


SCRIPT = """
import sys
import numpy as np
import skmtl.training._checkpoint as checkpoint
from skmtl import MultiTaskHypernetRegressor, TaskGrouper
from skmtl.datasets import make_cubic
from skmtl.model_selection import BatchedGridSearchCV

# bounds that suit fits of a few seconds
checkpoint._FEWEST_SECONDS, checkpoint._MOST_SECONDS, checkpoint._WORTH = 0.05, 0.1, 0.0
what, folder, out = sys.argv[1:]
cubic = make_cubic(n_tasks=5, n_rows=20, random_state=0)
settings = {"task_id": "task", "hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0}
model = MultiTaskHypernetRegressor(**settings, n_iter_no_change=60)
if what == "fit":
    model.set_params(checkpoint_dir=folder, n_members=4, max_iter=200)
elif what == "search":
    grid = {"alpha": [0, 0.1], "hidden_layer_sizes": [(4,), (6,)]}
    model = BatchedGridSearchCV(model, grid, cv=3, max_members=3, checkpoint_dir=folder)
else:
    model = TaskGrouper(
        model.set_params(max_iter=20), 2, gains="hoa", cv=2, max_members=6, cache_dir=folder,
        random_state=0,
    )
X = cubic.data[["task", "x"]]
np.save(out, model.fit(X, cubic.target).predict(X))
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["fit", "search", "groups"])
def test_killed_processes_go_on(what, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def start(name):
        command = [sys.executable, "-W", "ignore", str(script), what]
        command += [str(tmp_path / name), str(tmp_path / f"{name}.npy")]
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})

    began = time.monotonic()
    assert start("whole").wait() == 0
    seconds = time.monotonic() - began
    moments = np.random.default_rng(0).uniform(0.2, 1.0, size=20)
    for number, moment in enumerate(moments):
        name = f"killed{number}"
        process = start(name)
        time.sleep(moment * seconds)
        process.kill()
        process.wait()
        if not (tmp_path / f"{name}.npy").exists():
            assert start(name).wait() == 0
        expected, found = (np.load(tmp_path / f"{n}.npy") for n in ("whole", name))
        np.testing.assert_array_equal(found, expected)
