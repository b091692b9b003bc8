"""Scores of trained groups on disk, so that an interrupted fit continues where it stopped."""

import json
import os
import tempfile
from pathlib import Path

import joblib
import numpy as np

from skmtl.model_selection._pipelines import digest

_DESCRIPTIONS = {
    "data": "other data",
    "estimator": "another estimator, or other settings of it",
    "splits": "other validation rows (cv or random_state)",
    "settings": "other settings (n_repeats, scoring, random_state)",
}


def cache_identity(data, estimator, splits, settings):
    """Return digests of everything that the scores of groups depend on."""
    return {
        "data": joblib.hash((data.X, data.y, data.weights)),
        "estimator": _digest((type(estimator), estimator.get_params())),
        "splits": joblib.hash(splits),
        "settings": _digest(settings),
    }


def _digest(content):
    """Return a digest, or the printed form of what has none, such as a lambda."""
    value = digest(lambda: joblib.hash(content))
    return value if isinstance(value, str) else repr(content)


class GroupCache:
    """Store the scores of each group in a file; refuse a folder of another `cache_identity`."""

    def __init__(self, folder, identity):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "identity.json"
        if not path.exists():
            if any(self.folder.glob("group_*.json")):
                name = repr(str(folder))
                raise ValueError(f"cache_dir={name} does not say what its results belong to.")
            self._write(path, identity)
            return
        stored = json.loads(path.read_text())
        differ = [text for key, text in _DESCRIPTIONS.items() if stored.get(key) != identity[key]]
        if differ:
            raise ValueError(
                f"cache_dir={str(folder)!r} holds results of {', and of '.join(differ)}. Use "
                "another folder, or delete this one."
            )

    def _path(self, group):
        # packed, so that the name is short enough for the file system with many tasks
        bits = np.packbits(np.concatenate([group, [True]])).tobytes().hex()
        return self.folder / f"group_{bits}.json"

    def get(self, group):
        """Return the scores of a group, or None if it has not been trained."""
        try:
            scores = json.loads(self._path(group).read_text())
        except FileNotFoundError:
            return None
        return np.array(scores, dtype=np.float64)

    def put(self, group, scores):
        """Store the scores of a group."""
        self._write(self._path(group), [None if np.isnan(s) else float(s) for s in scores])

    def _write(self, path, content):
        # atomic: a process that is killed leaves no half-written result
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(content, file)
        os.replace(name, path)
