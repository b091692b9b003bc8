"""Fits that are killed: after a given step of training, without any clean-up, and done again."""

import numpy as np

from skmtl.training._checkpoint import RunCheckpoint


class Killed(BaseException):
    """What no clean-up sees."""


class Steps:
    """Counts steps of training; `kill_at` one, after a checkpoint, if that is not None."""

    def __init__(self, monkeypatch):
        self.count, self.kill_at = 0, None
        after_batch = RunCheckpoint.after_batch

        def counted(checkpoint, sums):
            self.count += 1
            # one a few steps before, which is to be replaced
            if self.kill_at is not None and self.count in (self.kill_at, self.kill_at - 3):
                checkpoint._saved = -np.inf
                after_batch(checkpoint, sums)
            if self.count == self.kill_at:
                raise Killed

        monkeypatch.setattr(RunCheckpoint, "after_batch", counted)
        # runs are worth a file however short they are
        monkeypatch.setattr("skmtl.training._checkpoint._WORTH", 0.0)
        monkeypatch.setattr("skmtl._persistence._checkpoints._WORTH", 0.0)

    def of(self, call, kill_at=None):
        """Return what a call returns, None if it is killed, and the steps that it has made."""
        self.count, self.kill_at = 0, kill_at
        try:
            return call(), self.count
        except Killed:
            return None, self.count


def assert_resumes(monkeypatch, folder, call, shares=(0.0, 0.4, 0.8, 1.0)):
    """Assert that a call of a folder (None: no checkpoints) goes on after being killed.

    It returns arrays, which have to be bitwise equal, and makes no step twice.
    """
    steps = Steps(monkeypatch)
    expected, n_steps = steps.of(lambda: call(None))
    for share in shares:
        kill_at = max(1, round(share * n_steps))
        killed, _ = steps.of(lambda: call(folder), kill_at)
        assert killed is None
        assert list(folder.iterdir())
        result, n_more = steps.of(lambda: call(folder))
        assert n_more == n_steps - kill_at
        for found, wanted in zip(result, expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
        assert not list(folder.iterdir())
