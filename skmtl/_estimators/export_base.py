"""Base learners as arrays: sums of leaves of trees and of linear terms, and their links."""

import numpy as np

from skmtl._estimators.base_models import SMALLEST_LOG
from skmtl._estimators.trees import Line, Trees


def base_arrays(blend, part, numbers, metadata, n_features, n_outputs):
    """Return the base learners of a part of the targets, for tasks by number, as arrays by name.

    Raw values for a row x of a task t are ``[x, inputs[t]] @ coefficients + intercepts``, plus one
    leaf of each tree. `metadata` (K, d_m) of the tasks are scaled, or None.
    """
    base = None if blend is None else blend.bases[0]
    if base is None:
        return {"base_share": np.array(0.0), "n_bases": np.array(0), "base_names": np.array([""])}
    shares = getattr(base, "shares", [1.0])
    classes, terms = part.classes is not None, []
    # the least that a learner says of a class, and what it says of those that it has not seen
    least, unseen = (SMALLEST_LOG, SMALLEST_LOG) if classes else (-np.inf, 0.0)
    for fitted, share in zip(getattr(base, "bases", [base]), shares, strict=True):
        for k, (model, encoder) in enumerate(zip(fitted.models, fitted.encoders, strict=True)):
            if not isinstance(model, (Trees, Line)):
                raise ValueError(
                    f"the base learner {type(model).__name__} has a share in the predictions, and "
                    "export writes none but boosting and linear ones: fit with base='auto', "
                    "base='boosting' or base=None."
                )
            inputs = [np.zeros((len(numbers), 0)) if metadata is None else metadata]
            if encoder is not None:
                inputs.append(encoder.transform(numbers))
            inputs = np.hstack(inputs)
            n_inputs = n_features + inputs.shape[1]
            write = _of_trees if isinstance(model, Trees) else _of_line
            places = np.eye(n_outputs)[model.classes_ if classes else [k]]
            terms.append(
                {
                    "share": np.array(float(share)),
                    "inputs": inputs,
                    "least": np.array(least),
                    "places": places,
                    "others": np.where(places.any(axis=0), 0.0, unseen),
                    **write(model, n_inputs),
                }
            )
    arrays = {
        "base_share": np.array(float(blend.weights[0])),
        "n_bases": np.array(len(terms)),
        "base_names": np.array(list(terms[0])),
    }
    for n, term in enumerate(terms):
        arrays |= {f"base_{n}_{name}": values for name, values in term.items()}
    return arrays


def _with_first(values):
    """Add the raw values of the first of two classes, which are zero, if there is one column."""
    return np.concatenate([np.zeros_like(values), values], axis=-1)


def _of_line(line, n_inputs):
    """Return linear terms, and no trees."""
    coefficients, intercepts = line.coefficients, line.intercepts
    if coefficients is None:
        coefficients, intercepts = np.zeros((n_inputs, 1)), np.zeros(1)
    elif line.classes_ is not None and len(intercepts) == 1:
        coefficients, intercepts = _with_first(coefficients), _with_first(intercepts)
    none = np.zeros(0, dtype=np.int64)
    return {
        "link": np.array("identity" if line.classes_ is None else "softmax"),
        "coefficients": coefficients,
        "intercepts": intercepts,
        "roots": none,
        "depth": np.array(0),
        **dict.fromkeys(("feature", "left", "right"), none),
        "threshold": np.zeros(0),
        "leaves": np.zeros((0, len(intercepts))),
    }


def _of_trees(trees, n_inputs):
    """Return the nodes of all trees, of which leaves lead to themselves, and no linear terms."""
    nodes, roots = trees.nodes, np.asarray(trees.starts[:-1], dtype=np.int64)
    sizes = np.diff(trees.starts)
    at, first = np.arange(len(nodes["value"])), np.repeat(roots, sizes)
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (
        np.where(leaf, at, first + nodes[name].astype(np.int64)) for name in ("left", "right")
    )
    depth, level = 0, roots
    while not leaf[level].all():
        inner = level[~leaf[level]]
        depth, level = depth + 1, np.concatenate([left[inner], right[inner]])
    n_outputs, intercepts = len(trees.baseline[0]), trees.baseline[0]
    output_of_tree = np.arange(len(roots)) % n_outputs
    if trees.link == "classes" and n_outputs == 1:
        n_outputs, intercepts, output_of_tree = 2, _with_first(intercepts), output_of_tree + 1
    leaves = np.zeros((len(at), n_outputs))
    leaves[at, np.repeat(output_of_tree, sizes)] = np.where(leaf, nodes["value"], 0.0)
    return {
        "link": np.array("softmax" if trees.link == "classes" else trees.link),
        "coefficients": np.zeros((n_inputs, n_outputs)),
        "intercepts": intercepts,
        "roots": roots,
        "depth": np.array(depth),
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        "left": left,
        "right": right,
        "threshold": nodes["num_threshold"].astype(np.float64),
        "leaves": leaves,
    }
