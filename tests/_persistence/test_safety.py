"""Loading runs no code: names in a file mean classes of this package, or what the caller passes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import skmtl
from skmtl import MultiTaskRegressor, TaskGrouper
from skmtl._persistence import _file
from skmtl._persistence._registry import is_own, known_classes
from skmtl.architectures import Architecture, SharedBottom
from skmtl.datasets import make_cubic
from skmtl.exceptions import ModelFileError
from skmtl.nn import SharedBottomNetwork
from skmtl.weighting import TaskWeighting

QUICK = {"task_id": "task", "max_iter": 2, "random_state": 0}


def cubic():
    tables = make_cubic(n_tasks=3, n_rows=8, random_state=0)
    return tables.data, tables.target


def write(path, document, arrays=None):
    """Write a document that a stranger has put together, with a correct digest."""
    texts = {"format": "skmtl model", "format_version": "1", "skmtl_version": "0.1"}
    path.write_bytes(_file.pack(arrays or {}, texts | {"model": json.dumps(document)}))
    return path


def test_classes_are_of_this_package():
    classes = known_classes()
    assert len(classes) > 80
    assert all(is_own(cls) for cls in classes.values())
    # and can be named: two of one name would raise an error
    assert classes["architectures.SharedBottom"] is SharedBottom


@pytest.mark.parametrize(
    "node",
    [
        {"kind": "object", "class": "os.system", "state": {}},
        {"kind": "object", "class": "builtins.eval", "state": {}},
        {"kind": "object", "class": "persistence.Reader", "state": {}},
        {"kind": "object", "trusted": "os.system", "state": {}},
        {"kind": "object", "trusted": "subprocess.Popen", "state": {"args": ["true"]}},
        {"kind": "object", "layer": "Module", "state": {}},
        {"kind": "function", "trusted": "builtins.exec"},
        {"kind": "reduce", "value": ["os.system", "true"]},
        {"kind": "array", "dtype": "O", "array": "a0"},
        {"kind": "array", "dtype": "float64", "array": "absent"},
        {"kind": "same", "id": 5},
        {"kind": "tuple", "id": 0, "items": [{"kind": "same", "id": 0}]},
        {"kind": "datetime", "value": "never", "zone": "../../etc/passwd", "fold": 0},
        {"kind": "foreign", "skops": "a0", "of": "x"},
        {"no": "kind"},
        {"kind": ["list"]},
        {"kind": "dict", "items": [[[1], 2]]},
    ],
)
def test_strange_documents(node, tmp_path):
    arrays = {"a0": np.zeros(4, dtype=np.uint8)}
    model = {"kind": "object", "class": "estimators.MultiTaskRegressor", "state": {"alpha": node}}
    for document in (node, model):
        with pytest.raises(ModelFileError):
            skmtl.load(write(tmp_path / "file", document, arrays))


@pytest.mark.parametrize("document", [[1, 2], "text", None, {"kind": "tuple", "items": []}])
def test_documents_that_are_no_model(document, tmp_path):
    with pytest.raises(ModelFileError, match="holds no model"):
        skmtl.load(write(tmp_path / "file", document))


def test_deep_documents(tmp_path):
    texts = {"format": "skmtl model", "format_version": "1", "model": "[" * 10**5 + "]" * 10**5}
    (tmp_path / "file").write_bytes(_file.pack({}, texts))
    with pytest.raises(ModelFileError):
        skmtl.load(tmp_path / "file")


def test_loading_imports_nothing_and_opens_one_file(tmp_path):
    X, y = cubic()
    MultiTaskRegressor(**QUICK).fit(X, y).save(tmp_path / "file")
    skmtl.load(tmp_path / "file")
    events = []
    names = ("open", "import", "exec", "compile", "subprocess.Popen", "os.system", "socket.connect")

    def hook(event, args):
        if watching and event in names:
            events.append((event, args[0]))

    watching = False
    sys.addaudithook(hook)
    watching = True
    skmtl.load(tmp_path / "file")
    watching = False
    assert [(event, Path(name).name) for event, name in events] == [("open", "file")]


class OneLayer(Architecture):
    def __init__(self, width=4):
        self.width = width

    def build(self, shape, seeds, members):
        return OneLayerNetwork(
            shape.n_tasks,
            shape.n_inputs,
            shape.n_outputs,
            seeds=seeds,
            hidden_layer_sizes=(self.width,),
            head_layer_sizes=(),
            activation="relu",
        )


class OneLayerNetwork(SharedBottomNetwork):
    pass


class Inverse(TaskWeighting):
    def _weights(self, losses, gramian, present, state, generators):
        return 1 / losses.detach().clamp(min=1e-3)


class Watcher(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.n_epochs = getattr(self, "n_epochs", 0) + 1


def test_classes_of_the_caller(tmp_path):
    X, y = cubic()
    model = MultiTaskRegressor(OneLayer(width=3), task_weighting=Inverse(), **QUICK).fit(X, y)
    model.save(tmp_path / "file")
    with pytest.raises(ModelFileError, match=r"OneLayer, .* trusted=\[OneLayer\]"):
        skmtl.load(tmp_path / "file")
    with pytest.raises(ModelFileError, match=r"trusted=\[OneLayerNetwork\]"):
        skmtl.load(tmp_path / "file", trusted=[OneLayer, Inverse])
    with pytest.raises(TypeError, match="not their names"):
        skmtl.load(tmp_path / "file", trusted=["OneLayer"])
    loaded = skmtl.load(tmp_path / "file", trusted=[OneLayer, Inverse, OneLayerNetwork])
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))
    assert loaded.architecture.width == 3


def test_callbacks_of_skorch(tmp_path):
    pytest.importorskip("skops")
    X, y = cubic()
    model = MultiTaskRegressor(callbacks=[Watcher()], **QUICK).fit(X, y)
    model.save(tmp_path / "file")
    with pytest.raises(ModelFileError, match=r"trusted=\[Watcher\]"):
        skmtl.load(tmp_path / "file")
    loaded = skmtl.load(tmp_path / "file", trusted=[Watcher])
    assert loaded.callbacks_[0].n_epochs == 2


def test_without_skops(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    X, y = cubic()
    model = MultiTaskRegressor(callbacks=[Watcher()], **QUICK).fit(X, y)
    with pytest.raises(ModelFileError, match=r"callbacks\[0\] .*Watcher.*pip install skmtl"):
        model.save(tmp_path / "file")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"group_cost": lambda group: 1}, "group_cost is .*<lambda>, which has no name"),
        ({"gains": lambda groups: 0}, "gains is .*<lambda>"),
        ({"candidates": [torch.zeros(2, dtype=torch.complex64)]}, r"candidates\[0\] is a tensor"),
        ({"metadata": np.zeros(2, dtype=[("a", "i4")])}, "metadata is an array of the dtype"),
    ],
)
def test_what_cannot_be_saved_is_named(settings, match, tmp_path):
    with pytest.raises(ModelFileError, match=match):
        TaskGrouper(**settings).save(tmp_path / "file")
    assert not list(tmp_path.iterdir())
