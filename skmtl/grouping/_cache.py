"""Scores of trained groups on disk, so that an interrupted fit continues where it stopped.

Files are named by what the scores depend on, so that fits on other data can share the folder.
"""

import json
import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn
import torch

from skmtl._persistence import set_aside, write_atomically
from skmtl._version import __version__
from skmtl.exceptions import CheckpointWarning
from skmtl.model_selection._pipelines import digest

_VERSIONS = [__version__, sklearn.__version__, str(torch.__version__), np.__version__]


def cache_identity(data, estimator, splits, settings):
    """Return a digest of everything that the scores of groups depend on."""
    parameters = {
        name: value
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] not in ("checkpoint_dir", "verbose")
    }
    parts = [
        joblib.hash((data.X, data.y, data.weights)),
        _digest((type(estimator), parameters)),
        joblib.hash(splits),
        _digest(settings),
        _VERSIONS,
    ]
    return joblib.hash(parts)


def _digest(content):
    """Return a digest, or the printed form of what has none, such as a lambda."""
    value = digest(lambda: joblib.hash(content))
    return value if isinstance(value, str) else repr(content)


class GroupCache:
    """Store the scores of each fit of a group in a file of that group and an identity."""

    def __init__(self, folder, identity):
        self.folder, self.identity = Path(folder), identity
        self.folder.mkdir(parents=True, exist_ok=True)
        self._warned = False

    def _path(self, group):
        # packed, so that the name is short enough for the file system with many tasks
        bits = np.packbits(np.concatenate([group, [True]])).tobytes().hex()
        return self.folder / f"group_{self.identity[:16]}_{bits}.json"

    def get(self, group):
        """Return the scores (T,) of the fits of a group that are known, by their number."""
        path = self._path(group)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._warn(f"{path} cannot be read: {error}")
            return {}
        try:
            scores = self._scores(json.loads(content), group)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            set_aside(path, error)
            return {}
        for values in scores.values():
            if not np.array_equal(np.isfinite(values), group):
                # not what a crash leaves: somebody else writes here
                raise ValueError(
                    f"{path} is complete, but without the score of a task of its group, which no "
                    "fit writes. Delete it, or use another cache_dir."
                )
        return scores

    def _scores(self, stored, group):
        """Return the scores in a file, which must be of this group."""
        if isinstance(stored, list):
            # of one fit, as in earlier versions
            stored = {"identity": self.identity, "scores": {0: stored}}
        if stored["identity"] != self.identity:
            raise ValueError("it belongs to something else")
        scores = {int(n): np.array(values, dtype=float) for n, values in stored["scores"].items()}
        if any(values.shape != group.shape for values in scores.values()):
            raise ValueError("it does not hold one number for each task")
        return scores

    def put(self, group, scores):
        """Add scores of fits of a group, by number; where that fails, a warning says so, once."""
        scores = {**self.get(group), **scores}
        content = {
            "identity": self.identity,
            "scores": {
                str(n): [None if np.isnan(s) else float(s) for s in scores[n]]
                for n in sorted(scores)
            },
        }
        try:
            self._write(self._path(group), content)
        except OSError as error:
            self._warn(f"no scores can be written to {self.folder}: {error}")

    def _warn(self, message):
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{message}. The fit goes on, and what it does now is lost if it is interrupted.",
                CheckpointWarning,
                stacklevel=2,
            )

    def _write(self, path, content):
        # not waiting for the disk: after a power failure, a file that is cut is made again
        write_atomically(path, json.dumps(content).encode(), durable=False)
