"""An ONNX graph of the arrays of `export`, in double precision as predictions are."""

import importlib
import json

import numpy as np

from skmtl._version import __version__

# TreeEnsemble came with version 5 of ai.onnx.ml
_OPSET, _ML_OPSET, _IR_VERSION = 18, 5, 10
# protobuf, and so a file of ONNX, holds less than two gigabytes
_MOST_BYTES = 2**31 - 2**20
_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def onnx_bytes(arrays):
    """Return the content of an ONNX file that predicts as the arrays of `serving_arrays` do."""
    size = sum(values.nbytes for values in arrays.values())
    if size > _MOST_BYTES:
        raise ValueError(
            f"the networks of {len(arrays['tasks'])} tasks take {size / 1e9:.1f} GB, and a file of "
            "ONNX holds less than 2: export fewer tasks, by tasks=, or use .npz."
        )
    return _Graph().of(arrays).SerializeToString()


def _import_onnx():
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError(
            "Writing ONNX needs the package 'onnx', which is not installed. Install it with: "
            'pip install "skmtl[export]"; or export to a file that ends in .npz.'
        ) from error


class _Graph:
    """Nodes and constants of a graph: a call adds a node, and returns the name of its output."""

    def __init__(self):
        self.onnx = _import_onnx()
        self.nodes, self.constants = [], []

    def __call__(self, operator, *inputs, domain="", **attributes):
        inputs = [v if isinstance(v, str) else self.constant(v) for v in inputs]
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, inputs, [name], name, domain=domain, **attributes)
        )
        return name

    def constant(self, values):
        """Return the name of an array, with whole numbers as int64."""
        values = np.asarray(values)
        if values.dtype.kind in "iu":
            values = values.astype(np.int64)
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def of(self, arrays):
        """Return the model that `arrays` are."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        n_columns = len(arrays["columns"]) or len(arrays["center"])
        x = self._scaled(arrays)
        base = self._base(arrays, x)
        members = [
            self._blended(arrays, self._network(arrays, x, m), base)
            for m in range(len(arrays["activation"]))
        ]
        total = members[0]
        for values in members[1:]:
            total = self("Add", total, values)
        answer = self("Div", total, float(len(members))) if len(members) > 1 else total
        classes = "classes" in arrays
        shape = ["rows", len(arrays["classes"]) if classes else len(arrays["size"])]
        if not classes and shape[1] == 1:
            answer, shape = self("Squeeze", answer, [1]), ["rows"]
        output = "probabilities" if classes else "predictions"
        self.nodes.append(helper.make_node("Identity", [answer], [output]))
        graph = helper.make_graph(
            self.nodes,
            "skmtl",
            [
                helper.make_tensor_value_info("features", types.DOUBLE, ["rows", n_columns]),
                helper.make_tensor_value_info("task", types.INT64, ["rows"]),
            ],
            [helper.make_tensor_value_info(output, types.DOUBLE, shape)],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="skmtl",
            producer_version=__version__,
            ir_version=_IR_VERSION,
            opset_imports=[
                helper.make_opsetid("", _OPSET),
                helper.make_opsetid("ai.onnx.ml", _ML_OPSET),
            ],
        )
        texts = {name: arrays[name] for name in ("tasks", "classes", "columns") if name in arrays}
        texts = {name: json.dumps(v.tolist(), default=str) for name, v in texts.items()}
        helper.set_model_props(model, texts)
        self.onnx.checker.check_model(model)
        return model

    def _double(self, values):
        return self("Cast", values, to=self.onnx.TensorProto.DOUBLE)

    def _scaled(self, arrays):
        """Return scaled features; missing ones are the mean, and may have indicators."""
        x = "features"
        if len(arrays["gaps"]):
            missing = self("IsNaN", self("Gather", x, arrays["gaps"], axis=1))
            x = self("Concat", x, self._double(missing), axis=1)
        x = self("Div", self("Sub", x, arrays["center"]), arrays["scale"])
        return self("Where", self("IsNaN", x), 0.0, x)

    def _network(self, arrays, x, m):
        """Return the outputs (n, o) of the networks of member m."""
        n_layers = sum(name.startswith("weight_") and name[7:].isdecimal() for name in arrays)
        y = x
        for n in range(n_layers):
            y = self._layer(arrays, y, m, str(n))
            if n < n_layers - 1:
                y = self._activated(y, str(arrays["activation"][m]))
        return self("Add", y, self._layer(arrays, x, m, "skip")) if "bias_skip" in arrays else y

    def _layer(self, arrays, x, m, name):
        """Multiply rows with a layer of their tasks, or of the only task."""
        weights, biases = arrays[f"weight_{name}"][m], arrays[f"bias_{name}"][m]
        if len(weights) == 1:
            return self("Add", self("MatMul", x, weights[0]), biases[0])
        of_rows = self("Gather", weights, "task", axis=0)
        y = self("Squeeze", self("MatMul", self("Unsqueeze", x, [1]), of_rows), [1])
        return self("Add", y, self("Gather", biases, "task", axis=0))

    def _activated(self, y, name):
        if name == "identity":
            return y
        if name == "silu":
            # not as a product: onnxruntime fuses that into an operator without double precision
            return self("Div", y, self("Add", self("Exp", self("Neg", y)), 1.0))
        return self(_ACTIVATIONS[name], y)

    def _blended(self, arrays, outputs, base):
        """Return predictions of one member from its outputs and from the base, or None."""
        weight, link = float(arrays["base_share"]), str(arrays["link"])
        if link == "softmax":
            allowed = self("Gather", arrays["allowed"], "task", axis=0)
            logs = self("LogSoftmax", self("Where", allowed, outputs, -np.inf), axis=1)
            if base is not None:
                possible = self("Where", allowed, logs, 0.0)
                mixed = self._mixed(possible, base, weight)
                logs = self("LogSoftmax", self("Where", allowed, mixed, -np.inf), axis=1)
            return self("Exp", logs)
        if link == "log":
            outputs = self("Exp", outputs)
        values = self("Add", self("Mul", outputs, arrays["size"]), arrays["shift"])
        if base is None:
            return values
        if link == "identity":
            return self._mixed(values, base, weight)
        logs = [self("Log", self("Max", v, arrays["floor"])) for v in (values, base)]
        return self("Exp", self._mixed(*logs, weight))

    def _mixed(self, values, base, weight):
        return self("Add", self("Mul", values, 1 - weight), self("Mul", base, weight))

    def _base(self, arrays, x):
        """Return what the base learners predict, (n, o), or None."""
        total = None
        for n in range(int(arrays["n_bases"])):
            part = {name: arrays[f"base_{n}_{name}"] for name in arrays["base_names"]}
            values = self("Mul", self._spread(part, self._learner(part, x)), part["share"])
            total = values if total is None else self("Add", total, values)
        return total

    def _learner(self, part, x):
        """Return numbers, or log probabilities, of one base learner."""
        if part["inputs"].shape[1]:
            x = self("Concat", x, self("Gather", part["inputs"], "task", axis=0), axis=1)
        # trees that are one leaf are constants: runtimes before 1.24 misread them
        leaf = part["left"][part["roots"]] == part["roots"]
        constant = part["intercepts"] + part["leaves"][part["roots"][leaf]].sum(axis=0)
        raw = self("Add", self("MatMul", x, part["coefficients"]), constant)
        if not leaf.all():
            raw = self("Add", raw, self._trees({**part, "roots": part["roots"][~leaf]}, x))
        if str(part["link"]) == "log":
            return self("Exp", raw)
        return self("LogSoftmax", raw, axis=1) if str(part["link"]) == "softmax" else raw

    def _spread(self, part, values):
        """Put columns of a base learner where they belong among all outputs."""
        if np.isfinite(part["least"]):
            values = self("Max", values, part["least"])
        return self("Add", self("MatMul", values, part["places"]), part["others"])

    def _trees(self, part, x):
        """Return sums of leaves, (n, R), of trees with at least one split."""
        is_leaf = part["left"] == np.arange(len(part["left"]))
        inner = np.flatnonzero(~is_leaf)
        # nodes and leaves are numbered apart
        number = np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1
        left, right = part["left"][inner], part["right"][inner]
        # a leaf adds to one output
        leaves = part["leaves"][is_leaf]
        outputs = np.abs(leaves).argmax(axis=1)

        def tensor(values):
            return self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), "values")

        return self(
            "TreeEnsemble",
            x,
            domain="ai.onnx.ml",
            n_targets=leaves.shape[1],
            aggregate_function=1,
            tree_roots=number[part["roots"]].tolist(),
            nodes_featureids=part["feature"][inner].tolist(),
            nodes_splits=tensor(part["threshold"][inner]),
            # x <= threshold leads to the left
            nodes_modes=tensor(np.zeros(len(inner), dtype=np.uint8)),
            nodes_truenodeids=number[left].tolist(),
            nodes_trueleafs=is_leaf[left].astype(int).tolist(),
            nodes_falsenodeids=number[right].tolist(),
            nodes_falseleafs=is_leaf[right].astype(int).tolist(),
            leaf_targetids=outputs.tolist(),
            leaf_weights=tensor(leaves[np.arange(len(leaves)), outputs]),
        )
