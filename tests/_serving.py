"""The function of docs/serving.rst that predicts from exported arrays, without this package."""

import numpy as np

ACTIVATIONS = {
    "identity": lambda v: v,
    "logistic": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "silu": lambda v: v / (1 + np.exp(-v)),
    "tanh": np.tanh,
}
LINKS = {
    "identity": lambda v: v,
    "log": np.exp,
    "softmax": lambda v: v - np.logaddexp.reduce(v, axis=1, keepdims=True),
}
INVERSES = {"identity": lambda v: v, "log": np.log}


def predict(model, X, task):
    """Predict rows X (n, d) of tasks at positions `task` (n,): numbers, or probabilities."""
    x = np.hstack([X, np.isnan(X[:, model["gaps"]])])
    x = np.nan_to_num((x - model["center"]) / model["scale"], nan=0.0)
    link, share = str(model["link"]), model["base_share"]
    y, base, members = x, 0.0, []
    for b in range(model["n_bases"]):
        part = {name: model[f"base_{b}_{name}"] for name in model["base_names"]}
        rows, node = np.hstack([x, part["inputs"][task]]), np.tile(part["roots"], (len(x), 1))
        for _ in range(part["depth"]):
            below = np.take_along_axis(rows, part["feature"][node], 1) <= part["threshold"][node]
            node = np.where(below, part["left"][node], part["right"][node])
        raw = rows @ part["coefficients"] + part["intercepts"] + part["leaves"][node].sum(axis=1)
        values = np.maximum(LINKS[str(part["link"])](raw), part["least"])
        base = base + part["share"] * (values @ part["places"] + part["others"])
    for m, activation in enumerate(model["activation"]):
        for n in [name.removeprefix("weight_") for name in model if name.startswith("weight_")]:
            h = x if n in ("0", "skip") else ACTIVATIONS[activation](y)
            z = np.einsum("ni,nio->no", h, model[f"weight_{n}"][m, task])
            y = z + model[f"bias_{n}"][m, task] + (y if n == "skip" else 0)
        if link == "softmax":
            on = model["allowed"][task]
            y = (1 - share) * LINKS[link](np.where(on, y, -1e300)) + share * base
            y = np.exp(LINKS[link](np.where(on, y, -np.inf)))
        else:
            y = LINKS[link](y) * model["size"] + model["shift"]
            y, z = (INVERSES[link](np.maximum(v, model["floor"])) for v in (y, base))
            y = LINKS[link]((1 - share) * y + share * z)
        members.append(y)
    return np.mean(members, axis=0)
