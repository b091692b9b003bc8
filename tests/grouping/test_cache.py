"""Finished fits on disk: a killed fit goes on, results never mix, damage does no harm."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge

from skmtl import GumbelMatrixRegressor, TaskGrouper
from skmtl.exceptions import CheckpointWarning
from skmtl.grouping import _trainer as trainer_module
from tests._architectures import shared_bottom

ROOT = Path(__file__).parents[2]


def table(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    return X, pd.DataFrame(X @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)))


# notes every fit in a file, and takes its time
SCRIPT = """
import sys, time
import numpy as np, pandas as pd
from sklearn.linear_model import Ridge
from skmtl import TaskGrouper

folder, log, pause = sys.argv[1:]

class Slow(Ridge):
    def fit(self, X, y):
        with open(log, "a") as file:
            file.write("fit\\n")
        time.sleep(float(pause))
        return super().fit(X, y)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = pd.DataFrame(X @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)))
model = TaskGrouper(
    Slow(), 2, gains="exhaustive", cv=None, compare=False, cache_dir=folder, random_state=0
).fit(X, y)
model.gains_.to_pickle(log + ".gains")
print(model.groups_)
"""


def test_a_killed_fit_goes_on_with_nothing_repeated(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(folder, pause, name):
        command = [sys.executable, str(script), str(tmp_path / folder), str(tmp_path / name)]
        return subprocess.Popen([*command, str(pause)], env=environment, stdout=subprocess.PIPE)

    process = run("cache", 0.3, "log")
    stop = time.monotonic() + 120
    while time.monotonic() < stop and (not log.exists() or len(log.read_text().splitlines()) < 6):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = len(log.read_text().splitlines())
    finished = len(list((tmp_path / "cache").glob("group_*.json")))
    assert 6 <= begun < 15
    # the one that it was in the middle of is lost
    assert finished == begun - 1
    again = run("cache", 0, "log")
    out, _ = again.communicate()
    n_selected = out.decode().count("(")
    assert len(log.read_text().splitlines()) == begun + (15 - finished) + n_selected
    settings = {"gains": "exhaustive", "cv": None, "compare": False, "random_state": 0}
    fresh = TaskGrouper(Ridge(), 2, **settings).fit(*table())
    assert out.decode().strip() == str(fresh.groups_)
    pd.testing.assert_frame_equal(pd.read_pickle(str(log) + ".gains"), fresh.gains_)


def test_ours_go_on_as_well(tmp_path, monkeypatch):
    X, y = table()
    estimator = shared_bottom(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    settings = {"gains": "exhaustive", "cv": None, "random_state": 0}
    model = TaskGrouper(estimator, 2, max_members=2, cache_dir=tmp_path, **settings)
    blocks = []
    import skmtl.grouping._trainer as trainer

    run = trainer._run_together

    def interrupted(estimator, fits, settings, n_workers):
        if len(blocks) == 3:
            raise KeyboardInterrupt
        blocks.append([tuple(fit.group) for fit in fits])
        return run(estimator, fits, settings, n_workers)

    monkeypatch.setattr(trainer, "_run_together", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    before = {group for block in blocks for group in block}
    assert len(before) == 6
    blocks.clear()
    monkeypatch.setattr(
        trainer,
        "_run_together",
        lambda *args: blocks.append([tuple(fit.group) for fit in args[1]]) or run(*args),
    )
    model.fit(X, y)
    assert not before & {g for block in blocks[:5] for g in block}
    monkeypatch.setattr(trainer, "_run_together", run)
    fresh = TaskGrouper(estimator, 2, **settings).fit(X, y)
    pd.testing.assert_frame_equal(model.gains_, fresh.gains_)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"estimator": Ridge(2.0)},
        {"estimator": Lasso()},
        {"cv": 3},
        {"n_repeats": 2},
        {"scoring": "r2"},
        {"random_state": 1},
    ],
)
def test_fits_that_differ_share_a_folder_without_mixing(tmp_path, change):
    settings = {"estimator": Ridge(), "max_groups": 2, "gains": "exhaustive", "random_state": 0}
    TaskGrouper(**settings, cache_dir=tmp_path).fit(*table())
    names = {path.name for path in tmp_path.iterdir()}
    seed = change.pop("seed", 0)
    settings |= change
    shared = TaskGrouper(**settings, cache_dir=tmp_path).fit(*table(seed))
    fresh = TaskGrouper(**settings).fit(*table(seed))
    pd.testing.assert_frame_equal(shared.gains_, fresh.gains_, check_exact=True)
    assert len(list(tmp_path.iterdir())) == 2 * len(names)


@pytest.mark.parametrize(
    "content",
    [b"", b"[-1.0, nu", b"[-1.0]", b'{"a": 1}', b"\xff\xfe\x00"],
)
def test_damaged_files_are_named_set_aside_and_made_again(tmp_path, content):
    settings = {"max_groups": 2, "gains": "exhaustive", "cache_dir": tmp_path, "random_state": 0}
    model = TaskGrouper(Ridge(), **settings).fit(*table())
    names = {path.name for path in tmp_path.iterdir()}
    victim = sorted(tmp_path.glob("group_*.json"))[1]
    sound = victim.read_bytes()
    for damage in (content, sound.replace(b'"identity": "', b'"identity": "0')):
        victim.write_bytes(damage)
        with pytest.warns(CheckpointWarning, match=victim.name):
            again = TaskGrouper(Ridge(), **settings).fit(*table())
        pd.testing.assert_frame_equal(again.gains_, model.gains_, check_exact=True)
        assert victim.read_bytes() == sound
        aside = victim.with_name(victim.name + ".damaged")
        assert aside.read_bytes() == damage
        aside.unlink()
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_file_that_lacks_a_score_is_an_error(tmp_path):
    settings = {"max_groups": 2, "gains": "exhaustive", "cache_dir": tmp_path, "random_state": 0}
    TaskGrouper(Ridge(), **settings).fit(*table())
    victim = sorted(tmp_path.glob("group_*.json"))[1]
    victim.write_text("[null, null, null, null]")
    with pytest.raises(ValueError, match=victim.name):
        TaskGrouper(Ridge(), **settings).fit(*table())


def test_a_full_disk_is_one_warning(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    settings = {"max_groups": 2, "gains": "exhaustive", "random_state": 0}
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.warns(CheckpointWarning, match="No space left") as warned:
            model = TaskGrouper(Ridge(), cache_dir=tmp_path, **settings).fit(*table())
    assert len([w for w in warned if w.category is CheckpointWarning]) == 1
    assert not list(tmp_path.iterdir())
    fresh = TaskGrouper(Ridge(), **settings).fit(*table())
    pd.testing.assert_frame_equal(model.gains_, fresh.gains_)


def test_networks_that_cannot_be_identified_do_without_checkpoints(tmp_path):
    class Nameless(torch.nn.Linear):
        """A class that no other process can import."""

    def layer(n_inputs):
        return Nameless(n_inputs, 3)

    X, y = table()
    model = GumbelMatrixRegressor(components=[[layer, layer]], max_iter=1, random_state=0)
    settings = {"gains": "random", "compare": False, "random_state": 0}
    TaskGrouper(model, 2, cache_dir=tmp_path, **settings).fit(X, y)
    with pytest.raises(ValueError, match="cannot: .*Nameless"):
        model.set_params(checkpoint_dir=tmp_path).fit(X, y)


class Killed(BaseException):
    """What no clean-up sees."""


def test_every_fit_of_cross_validation_is_kept(tmp_path, monkeypatch):
    X, y = table()
    estimator = shared_bottom(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    settings = {"gains": "hoa", "cv": 5, "max_members": 3, "compare": False, "random_state": 0}
    # of the gains; those of the check come on top
    n_fits, run, done = 5 * 10, trainer_module._run_together, []

    def killed(estimator, fits, settings, n_workers):
        if len(done) > 0.8 * n_fits:
            raise Killed
        done.extend(fits)
        return run(estimator, fits, settings, n_workers)

    def counted(estimator, fits, settings, n_workers):
        done.extend(fit for fit in fits if fit.train is not None)
        return run(estimator, fits, settings, n_workers)

    monkeypatch.setattr(trainer_module, "_run_together", killed)
    with pytest.raises(Killed):
        TaskGrouper(estimator, 2, cache_dir=tmp_path, **settings).fit(X, y)
    kept = len(done)
    done.clear()
    monkeypatch.setattr(trainer_module, "_run_together", counted)
    model = TaskGrouper(estimator, 2, cache_dir=tmp_path, **settings).fit(X, y)
    n_again = len(done)
    done.clear()
    fresh = TaskGrouper(estimator, 2, **settings).fit(X, y)
    assert n_again == len(done) - kept
    assert len(done) > n_fits
    pd.testing.assert_frame_equal(model.gains_, fresh.gains_, check_exact=True)
    np.testing.assert_array_equal(model.predict(X), fresh.predict(X))


def test_another_method_or_limit_may_use_the_same_folder(tmp_path):
    settings = {"max_groups": 2, "cv": None, "cache_dir": str(tmp_path), "random_state": 0}
    TaskGrouper(Ridge(), gains="hoa", **settings).fit(*table())
    n_files = len(list(tmp_path.glob("group_*.json")))
    assert n_files == 10
    TaskGrouper(Ridge(), gains="exhaustive", **settings).fit(*table())
    assert len(list(tmp_path.glob("group_*.json"))) == 15
