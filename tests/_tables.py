"""Small tables with string task ids, and models that are trained on them in a moment.

What a model has learned does not matter to most tests, so that it is not trained for long.
"""

import contextlib
import copy

import numpy as np
import pandas as pd
import torch

from skmtl import MultiTaskHypernetClassifier, MultiTaskHypernetRegressor
from skmtl.training import _device

FEATURES = ["status", "age"]
METADATA = ["size", "sector"]
# what takes some hundredths of a second to train
QUICK = {
    "embedding_dim": 3,
    "hidden_layer_sizes": (8,),
    "max_iter": 2,
    "batch_size": 128,
    "random_state": 0,
}
# networks alone, of the activation that the other settings suit
NETWORK = {"activation": "relu", "alpha": 1e-4, "base": None, "hold_out_tasks": False}
# enough to learn something, in few steps, and without training again on all rows
LEARNS = {
    "early_stopping": True,
    "max_iter": 20,
    "learning_rate_init": 5e-2,
    "batch_size": 64,
    "weight_averaging": 0.85,
}
# every step sees all rows, so that their order does not matter but for rounding
FULL_BATCH = {
    "early_stopping": False,
    "batch_size": 10**6,
    "max_iter": 8,
    "learning_rate_init": 3e-2,
    "weight_averaging": 0.0,
}


def make_schools(n_schools=12, n_rows=20, noise=0.1, random_state=0):
    """Pupils of schools, in no order.

    The intercept of a school follows from its metadata, and so does the slope of `status`.

    Returns
    -------
    X : DataFrame with the columns status, age, school, size, sector
    y : Series
    """
    generator = np.random.default_rng(random_state)
    school = np.repeat(np.arange(n_schools), n_rows)
    size = np.round(generator.uniform(1, 9, n_schools), 1)
    sector = np.arange(n_schools) % 2
    X = pd.DataFrame(
        {
            "status": generator.normal(size=len(school)),
            "age": generator.uniform(10, 16, len(school)),
            "school": [f"school {number:02d}" for number in school],
            "size": size[school],
            "sector": sector[school],
        }
    )
    y = size[school] + (2 * sector[school] - 1) * X["status"] + 0.1 * X["age"]
    y = (y + noise * generator.normal(size=len(school))).rename("score")
    order = generator.permutation(len(school))
    return X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True)


def metadata_table(X, task_id="school"):
    """Return the metadata of every school as a table, in random order."""
    columns = [task_id] if isinstance(task_id, str) else list(task_id)
    table = X[columns + METADATA].drop_duplicates().set_index(task_id)
    return table.sample(frac=1, random_state=0)


def quick_model(**changes):
    """A model of the schools that takes some hundredths of a second to train."""
    return MultiTaskHypernetRegressor(
        **{"task_id": "school", "metadata": METADATA, **NETWORK, **QUICK, **changes}
    )


def quick_classifier(**changes):
    """As `quick_model`, for classes."""
    return MultiTaskHypernetClassifier(
        **{"task_id": "school", "metadata": METADATA, **NETWORK, **QUICK, **changes}
    )


def make_wide(n_rows=80, n_tasks=3, missing=0.3, noise=0.1, random_state=0):
    """Rows with a label of each task, some of which are missing: wide form.

    Returns
    -------
    X : DataFrame with the columns x0, x1, x2 and an index of its own
    Y : DataFrame with the columns t0, t1, ...
        Every row and every column has a label.
    """
    generator = np.random.default_rng(random_state)
    X = generator.normal(size=(n_rows, 3))
    slopes = generator.normal(size=3)[:, None] + 0.5 * generator.normal(size=(3, n_tasks))
    Y = X @ slopes + np.arange(n_tasks) + noise * generator.normal(size=(n_rows, n_tasks))
    gone = generator.random(Y.shape) < missing
    gone[np.arange(n_rows), np.arange(n_rows) % n_tasks] = False
    index = pd.Index([f"row {row:03d}" for row in range(n_rows)])
    return (
        pd.DataFrame(X, index, ["x0", "x1", "x2"]),
        pd.DataFrame(np.where(gone, np.nan, Y), index, [f"t{t}" for t in range(n_tasks)]),
    )


def exploded(X, Y):
    """The same labels in long form: a row for each, with the column `task`."""
    rows, columns = np.nonzero(Y.notna().to_numpy())
    long = X.iloc[rows].reset_index(drop=True).assign(task=Y.columns[columns])
    return long, pd.Series(Y.to_numpy()[rows, columns])


@contextlib.contextmanager
def double_precision():
    """Train in double precision, where rounding is no excuse."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    _device.DTYPE = torch.float64
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        _device.DTYPE = torch.float32


def assert_same_model(first, second):
    """Check that both have bitwise identical weights."""
    left, right = first.module_.state_dict(), second.module_.state_dict()
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value.numpy(), right[name].numpy(), err_msg=name)


def member_of(model, number):
    """The model as if it had trained one of its members only."""
    single = copy.deepcopy(model)
    for parameter in single.module_.parameters():
        parameter.data = parameter.data[number : number + 1]
    for module in single.module_.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, buffer[number : number + 1])
    return single
