"""Files that are cut, altered, foreign or newer are refused, and a failed write leaves nothing."""

import json
import os
import pickle
import stat

import numpy as np
import pytest
from safetensors.numpy import save as save_tensors

import skmtl
from skmtl import MultiTaskRegressor
from skmtl._persistence import _file, _model
from skmtl._version import __version__
from skmtl.datasets import make_cubic
from skmtl.exceptions import ModelFileError


@pytest.fixture(scope="module")
def model():
    cubic = make_cubic(n_tasks=3, n_rows=8, random_state=0)
    model = MultiTaskRegressor(task_id="task", max_iter=2, random_state=0)
    return model.fit(cubic.data, cubic.target)


@pytest.fixture(scope="module")
def content(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "model"
    model.save(path)
    return path.read_bytes()


def load(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    return skmtl.load(tmp_path / "file")


def repacked(content, document=None, **texts):
    """Return a file with other texts, whose digest is right."""
    metadata = _file.read_metadata(content, "") | texts
    if document is not None:
        metadata["model"] = json.dumps(document)
    return _file.pack(_file.unpack(content, _file.read_metadata(content, ""), ""), metadata)


def test_every_cut_is_refused(content, tmp_path):
    sizes = {0, 1, 7, 8, 9, len(content) - 1, *range(0, len(content), 997)}
    for size in sorted(sizes):
        with pytest.raises(ModelFileError):
            load(content[:size], tmp_path)
    with pytest.raises(ModelFileError, match="damaged"):
        load(content + b" ", tmp_path)


def test_every_altered_byte_is_refused(content, tmp_path):
    rng = np.random.default_rng(0)
    header = int.from_bytes(content[:8], "little")
    places = [*range(9), *rng.integers(8, 8 + header, 150), *rng.integers(header, len(content), 50)]
    for place in places:
        for flip in (1, 128):
            altered = bytearray(content)
            altered[place] ^= flip
            with pytest.raises(ModelFileError):
                load(bytes(altered), tmp_path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "another format"),
        (b"PK\x03\x04 a zip file, for example", "another format"),
        (b"col,umn\n1,2\n3,4\n", "another format"),
        (pickle.dumps({"a": 1}), "is a pickle, which could run code"),
        (b'{"a": {"b": {"c": 1, "d": 2}}}', "another format|damaged"),
        (save_tensors({"a": np.ones(3)}), "damaged|no file of model.save"),
        (save_tensors({"a": np.ones(3)}, metadata={"format": "pt"}), "something else"),
    ],
)
def test_other_files_are_refused(content, match, tmp_path):
    with pytest.raises(ModelFileError, match=match):
        load(content, tmp_path)


def test_newer_format_is_refused_by_name(content, tmp_path):
    newer = repacked(content, format_version="7", skmtl_version="3.1")
    with pytest.raises(
        ModelFileError, match=r"format 7, written by skmtl 3\.1; .* up to 1\. Upgrade"
    ):
        load(newer, tmp_path)
    for version in ("", "one", "0", "-1", "²"):
        with pytest.raises(ModelFileError, match="which format"):
            load(repacked(content, format_version=version), tmp_path)


def test_older_format_is_migrated(model, content, tmp_path, monkeypatch):
    # as if `alpha` had been called `decay` in format 1, and another name in between
    document = json.loads(_file.read_metadata(content, "")["model"])
    document["state"]["decay"] = document["state"].pop("alpha")

    def rename(old, new):
        def migrate(document):
            state = document["state"]
            return document | {"state": {new if k == old else k: v for k, v in state.items()}}

        return migrate

    monkeypatch.setattr(_model, "FORMAT", 3)
    monkeypatch.setattr(
        _model, "_MIGRATIONS", {1: rename("decay", "shrinkage"), 2: rename("shrinkage", "alpha")}
    )
    loaded = load(repacked(content, document), tmp_path)
    assert loaded.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert loaded.alpha == model.alpha


def test_failed_write_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model"]


def test_file_is_on_disk_before_it_gets_its_name(model, tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append("fsync") or fsync(handle))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("rename") or replace(a, b))
    model.save(tmp_path / "model")
    assert calls[:2] == ["fsync", "rename"]
    assert os.listdir(tmp_path) == ["model"]


def test_permissions_are_those_of_other_files(model, tmp_path):
    (tmp_path / "other").write_bytes(b"")
    model.save(tmp_path / "model")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "model")]
    assert modes[0] == modes[1]


def test_missing_files_and_folders(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        skmtl.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="folder .* does not exist"):
        model.save(tmp_path / "no" / "model")
    with pytest.raises(IsADirectoryError):
        model.save(tmp_path)


def test_file_says_what_wrote_it(content):
    metadata = _file.read_metadata(content, "")
    assert metadata["format"] == "skmtl model"
    assert metadata["format_version"] == str(_model.FORMAT)
    assert metadata["skmtl_version"] == __version__
