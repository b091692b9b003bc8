"""Export of the networks of tasks as plain arrays, from which other programs predict.

The layout of the arrays is described in the guide, docs/serving.rst.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from skmtl._data.messages import label_text, labels_text
from skmtl._data.numeric_target import SMALLEST_COUNT
from skmtl._estimators.export_base import base_arrays
from skmtl._estimators.export_onnx import onnx_bytes
from skmtl._persistence import write_atomically
from skmtl.nn import task_layers
from skmtl.training._device import own_state
from skmtl.training._predict import frozen

_FORMATS = (".npz", ".onnx")


def export_networks(estimator, path, tasks):
    """Write the networks of tasks to a file, see `MultiTaskPredictor.export`."""
    check_is_fitted(estimator, "module_")
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(
            f"path must end in .onnx or .npz, which says the format; got {str(path)!r}."
        )
    arrays = serving_arrays(estimator, tasks)
    if path.suffix == ".onnx":
        content = onnx_bytes(arrays)
    else:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
    write_atomically(path, content)


def serving_arrays(estimator, tasks):
    """Return all that predictions of tasks, None for all, depend on, as arrays by name."""
    _check_form(estimator)
    labels, numbers = _numbers_of(estimator.tasks_, tasks)
    metadata = None
    if estimator._tables.metadata_encoder is not None:
        values = estimator._tables.metadata_values[numbers]
        metadata = estimator._tables.metadata_encoder.transform(values, "metadata column")
    arrays = {"tasks": _as_text(labels), **_column_arrays(estimator._tables)}
    (part,), targets = estimator._targets.parts, estimator._targets
    if part.classes is None:
        arrays["shift"], arrays["size"] = (np.array(v, float) for v in (part.shift, part.size))
        counts = part.loss == "poisson"
        arrays["link"] = np.array("log" if counts else "identity")
        arrays["floor"] = SMALLEST_COUNT * arrays["size"] if counts else np.array(-np.inf)
    else:
        arrays["link"], arrays["classes"] = np.array("softmax"), _as_text(part.classes)
        allowed = targets.allowed_classes(numbers)
        if allowed is None or part.kind == "binary":
            allowed = np.ones((len(numbers), len(part.classes)), dtype=bool)
        arrays["allowed"] = allowed
    arrays |= _layer_arrays(estimator, numbers, metadata, part)
    n_features = estimator._tables.n_features
    n_outputs = part.n_outputs if part.classes is None else len(part.classes)
    return arrays | base_arrays(estimator._blend, part, numbers, metadata, n_features, n_outputs)


def _check_form(estimator):
    """Raise an error for a model whose predictions are not those of a network for each task."""
    if estimator._targets.wide:
        raise ValueError(
            "export is for long form, and this model has a task for each column of y: fit it in "
            "long form, with a row for each label and task_id=, or use save."
        )
    if estimator._tables.level_sizes:
        raise ValueError(
            f"export is for one network per task, and task_levels={estimator.task_levels!r} has "
            "one for each combination of ids: fit with task_levels='joint', or use save."
        )


def _numbers_of(known, tasks):
    """Return the labels of tasks and their numbers (K,); a task that is not known is an error."""
    if tasks is None:
        return known, np.arange(len(known))
    if isinstance(tasks, (str, bytes)) or not hasattr(tasks, "__iter__"):
        raise ValueError(f"tasks must be a list of task ids, such as [{label_text(tasks)}].")
    labels = list(tasks)
    if not labels:
        raise ValueError("tasks=[] leaves nothing to export; None exports all tasks.")
    if isinstance(known, pd.MultiIndex):
        numbers = known.get_indexer(pd.MultiIndex.from_tuples(labels))
    else:
        numbers = known.get_indexer(pd.Index(labels))
    if (numbers < 0).any():
        new = [label for label, number in zip(labels, numbers, strict=True) if number < 0]
        raise ValueError(
            f"{len(new)} of the tasks are not known: {labels_text(new)}. Ids of fit look like "
            f"{label_text(known[0])}. adapt() makes a network for a new task from a few rows of it."
        )
    return known[numbers], numbers


def _as_text(labels):
    """Return labels as an array that a file holds without pickle, of words if need be."""
    if isinstance(labels, pd.MultiIndex):
        levels = [labels.get_level_values(k) for k in range(labels.nlevels)]
        return np.column_stack([_as_text(level).astype(str) for level in levels])
    values = np.asarray(labels)
    return values if values.dtype.kind in "biufU" else values.astype(str)


def _column_arrays(tables):
    """Return the columns of features and how to scale them; nothing is left to do if encoded."""
    encoder = tables.feature_encoder
    if any(column.kind != "numeric" for column in tables.reader.features):
        n = encoder.n_outputs
        none = np.zeros(0, dtype=np.int64)
        return {
            "columns": np.zeros(0, "U1"),
            "gaps": none,
            "center": np.zeros(n),
            "scale": np.ones(n),
        }
    return {
        "columns": np.array([str(column.name) for column in tables.reader.features]),
        "gaps": np.asarray(encoder.gaps_, dtype=np.int64),
        "center": np.asarray(encoder.center_, dtype=np.float64),
        "scale": np.asarray(encoder.scale_, dtype=np.float64),
    }


def _layer_arrays(estimator, numbers, metadata, part):
    """Return the layers of the networks, those of classes with an output for each of them."""
    with own_state():
        module = frozen(estimator._networks(estimator.module_))
        device = next(module.parameters()).device
        of_members = [
            None
            if values is None
            else torch.from_numpy(values).to(device).expand(module.n_members, *values.shape)
            for values in (numbers, metadata)
        ]
        found = task_layers(module, *of_members)
    if found is None:
        raise ValueError(_other_architecture(estimator))
    arrays = {"activation": np.array(found.activations)}
    pairs = {str(n): pair for n, pair in enumerate(found.layers)}
    if found.skip is not None:
        pairs["skip"] = found.skip
    for name, pair in pairs.items():
        weights, biases = (values.cpu().numpy() for values in pair)
        if name in ("skip", str(len(found.layers) - 1)):
            weights, biases = (_outputs_of(part, values) for values in (weights, biases))
        arrays[f"weight_{name}"], arrays[f"bias_{name}"] = weights, biases
    return arrays


def _outputs_of(part, values):
    """Return values (..., n) of the outputs of a part, one for each class."""
    if part.classes is None:
        return values[..., : part.n_outputs]
    if len(part.classes) == 2:
        # the odds of the second class are those of its logit and zero
        return np.concatenate([np.zeros_like(values[..., :1]), values[..., :1]], axis=-1)
    return values[..., : len(part.classes)]


def _other_architecture(estimator):
    architecture = getattr(estimator, "architecture", None)
    name = type(architecture if architecture is not None else estimator).__name__
    return (
        f"export writes networks that are stacks of dense layers, and those of {name} are not. The "
        "estimators that can be exported are MultiTaskHypernetRegressor and ...Classifier, the "
        "Gumbel-Matrix ones with dense components of one kind in each layer, and "
        "MultiTaskRegressor and ...Classifier with Hypernetwork, SharedBottom, "
        "IndependentNetworks, SingleNetwork, MultilinearRelation or TensorFactorization. "
        "model.save(path) and skmtl.load keep any model."
    )
