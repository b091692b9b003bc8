"""Finished procedures on disk: a killed fit goes on, and results of something else are refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Lasso, Ridge

from skmtl import TaskGrouper
from skmtl.grouping._cache import GroupCache
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
    Slow(), 2, gains="exhaustive", compare=False, cache_dir=folder, random_state=0
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
    fresh = TaskGrouper(Ridge(), 2, gains="exhaustive", compare=False, random_state=0).fit(*table())
    assert out.decode().strip() == str(fresh.groups_)
    pd.testing.assert_frame_equal(pd.read_pickle(str(log) + ".gains"), fresh.gains_)


def test_ours_go_on_as_well(tmp_path, monkeypatch):
    X, y = table()
    estimator = shared_bottom(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    model = TaskGrouper(
        estimator, 2, gains="exhaustive", max_members=2, cache_dir=tmp_path, random_state=0
    )
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
    fresh = TaskGrouper(estimator, 2, gains="exhaustive", random_state=0).fit(X, y)
    pd.testing.assert_frame_equal(model.gains_, fresh.gains_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "holds results of other data"),
        ({"estimator": Ridge(2.0)}, "another estimator, or other settings of it"),
        ({"estimator": Lasso()}, "another estimator"),
        ({"cv": 3}, "other validation rows"),
        ({"n_repeats": 2}, "other settings"),
        ({"scoring": "r2"}, "other settings"),
        ({"random_state": 1}, "other validation rows"),
    ],
)
def test_results_of_something_else_are_refused(tmp_path, change, message):
    settings = {"estimator": Ridge(), "max_groups": 2, "gains": "hoa", "random_state": 0}
    settings["cache_dir"] = tmp_path
    TaskGrouper(**settings).fit(*table())
    seed = change.pop("seed", 0)
    with pytest.raises(ValueError, match=message):
        TaskGrouper(**{**settings, **change}).fit(*table(seed))


def test_another_method_or_limit_may_use_the_same_folder(tmp_path):
    settings = {"max_groups": 2, "cache_dir": str(tmp_path), "random_state": 0}
    TaskGrouper(Ridge(), gains="hoa", **settings).fit(*table())
    n_files = len(list(tmp_path.glob("group_*.json")))
    assert n_files == 10
    TaskGrouper(Ridge(), gains="exhaustive", **settings).fit(*table())
    assert len(list(tmp_path.glob("group_*.json"))) == 15


def test_a_folder_that_does_not_say_what_it_holds_is_refused(tmp_path):
    (tmp_path / "group_00.json").write_text("[0]")
    with pytest.raises(ValueError, match="does not say what"):
        GroupCache(tmp_path, dict.fromkeys(("data", "estimator", "splits", "settings"), ""))
