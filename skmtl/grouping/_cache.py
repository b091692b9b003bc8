"""Finished procedures on disk, so that a fit that was interrupted goes on where it stopped."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

_WHAT = {
    "data": "other data",
    "estimator": "another estimator, or other settings of it",
    "splits": "other validation rows (cv or random_state)",
    "settings": "other settings (n_repeats, scoring, random_state)",
}


class GroupCache:
    """One file for each group, beside one that says what they belong to.

    Parameters
    ----------
    folder : path
    identity : dict of str to str
        Digests of everything that the results depend on.

    Raises
    ------
    ValueError
        If the folder holds results of something else.
    """

    def __init__(self, folder, identity):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "identity.json"
        if not path.exists():
            if any(self.folder.glob("group_*.json")):
                raise ValueError(f"cache_dir={str(folder)!r} does not say what its results are of.")
            self._write(path, identity)
            return
        found = json.loads(path.read_text())
        differ = [what for key, what in _WHAT.items() if found.get(key) != identity[key]]
        if differ:
            raise ValueError(
                f"cache_dir={str(folder)!r} holds results of {', and of '.join(differ)}. Use "
                "another folder, or delete this one."
            )

    def _path(self, group):
        # a name must not be too long for the file system, however many tasks there are
        bits = np.packbits(np.concatenate([group, [True]])).tobytes().hex()
        return self.folder / f"group_{bits}.json"

    def get(self, group):
        """Scores of a group, or None if it has not been trained.

        Returns
        -------
        ndarray of shape (n_tasks,) or None
        """
        try:
            scores = json.loads(self._path(group).read_text())
        except FileNotFoundError:
            return None
        return np.array(scores, dtype=np.float64)

    def put(self, group, scores):
        """Keep the scores of a group."""
        self._write(self._path(group), [None if np.isnan(s) else float(s) for s in scores])

    def _write(self, path, content):
        # all or nothing: a process that is killed leaves no half-written result
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(content, file)
        os.replace(name, path)
