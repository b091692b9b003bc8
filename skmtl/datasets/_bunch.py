"""Checks and descriptions of data sets, and their return as Bunches."""

import inspect
import re

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmtl._docstrings import fill, shared

# A numpydoc section: a blank line, a capitalised heading, a line of dashes.
_SECTION = re.compile(r"\n\n(?=[A-Z][A-Za-z ]*\n-{3,}\n)")


_NAMES = """
task_id : str
    Name of the task-id column.
{metadata}
feature_names : list of str
    Names of the feature columns.
DESCR : str
    A description of the data set.
"""

documented = shared(
    noise="""
noise : float, default=0.1
    Standard deviation of the Gaussian noise in the target. Other random draws do not
    depend on it.
""",
    random_state="""
random_state : int, RandomState instance or None, default=None
    Pass an int for the same data in every call.
""",
    names=_NAMES,
    metadata="""
metadata : list of str or None
    Names of the metadata columns; None if there are none.
""",
)

_RETURNS = """
Returns
-------
Bunch
    With `data` (DataFrame of shape {shape}), `target` ({target}), `task_id` (str),
    `metadata` ({metadata}), `feature_names` (list of {n_features}) and `DESCR`.
"""
_EXAMPLES = """
Examples
--------
>>> from skmtl.datasets import {name}
>>> bunch = {name}(){skip}
>>> bunch.data.shape{skip}
{shape}
"""


def document_sizes(load, n_rows, n_features, n_metadata=0, target="Series", skip=""):
    """Fill in ``{returns}`` and ``{examples}`` of a loader's docstring by the data set's sizes."""
    texts = {
        "name": load.__name__,
        "shape": (n_rows, n_features + 1 + n_metadata),
        "target": target,
        "metadata": f"list of {n_metadata}" if n_metadata else "None",
        "n_features": n_features,
        "skip": skip,
    }
    return fill(load, returns=_RETURNS.format(**texts), examples=_EXAMPLES.format(**texts))


def build_bunch(table, target, *, task_id, source, numeric=True):
    """Check a data set in long form and return it as a Bunch.

    The columns of `table` before `task_id` are features of a row; those after it are metadata. The
    docstring of the public function `source` becomes the description. With `numeric`, columns must
    be numeric, without missing values.
    """
    columns = table.columns.tolist()
    position = columns.index(task_id)
    features, metadata = columns[:position], columns[position + 1 :]
    data, target = table.reset_index(drop=True), target.reset_index(drop=True)
    if numeric:
        _check(data, target, task_id, features, metadata)
    return Bunch(
        data=data,
        target=target,
        task_id=task_id,
        metadata=metadata or None,
        feature_names=features,
        DESCR=describe(source),
    )


def build_wide_bunch(features, target, *, source, metadata=None):
    """Check a data set in wide form and return it as a Bunch.

    Rows without any label are dropped. `metadata` has a row per task, indexed by the columns of
    `target`. The docstring of the public function `source` becomes the description.
    """
    if len(target) != len(features):
        raise ValueError(f"There are {len(features)} rows but {len(target)} rows of targets.")
    labelled = target.notna().any(axis=1).to_numpy()
    data = features[labelled].reset_index(drop=True)
    target = target[labelled].reset_index(drop=True)
    check_numbers(data)
    check_numbers(target, missing=True)
    if metadata is not None:
        check_numbers(metadata)
        if not metadata.index.equals(target.columns):
            raise ValueError("The rows of the metadata are not the columns of the target.")
    return Bunch(
        data=data,
        target=target,
        task_id=None,
        metadata=metadata,
        feature_names=data.columns.tolist(),
        DESCR=describe(source),
    )


def as_arrays(bunch):
    """Return the data set as numpy arrays, with columns given by position.

    Task ids become the integers 0, 1, ... in the order of appearance, because an array of floats
    cannot hold names; `column_names`, `target_names` and `task_names` map them back.
    """
    data = bunch.data.copy()
    codes, names = pd.factorize(data[bunch.task_id])
    data[bunch.task_id] = codes
    columns, target, metadata = data.columns.tolist(), bunch.target, bunch.metadata
    return Bunch(
        data=data.to_numpy(dtype=float),
        target=target.to_numpy(dtype=float),
        task_id=columns.index(bunch.task_id),
        metadata=None if metadata is None else [columns.index(name) for name in metadata],
        feature_names=bunch.feature_names,
        column_names=columns,
        target_names=target.columns.tolist() if target.ndim == 2 else [target.name],
        task_names=names.tolist(),
        DESCR=bunch.DESCR,
    )


def _check(data, target, task_id, features, metadata):
    """Raise a ValueError if a data set is not as documented."""
    if len(target) != len(data):
        raise ValueError(f"There are {len(data)} rows but {len(target)} targets.")
    if data[task_id].isna().any():
        raise ValueError(f"The task-id column {task_id!r} has missing values.")
    check_numbers(pd.concat([data[[*features, *metadata]], target], axis=1))
    if metadata:
        distinct = data.groupby(task_id)[metadata].nunique().max()
        varying = distinct.index[distinct > 1].tolist()
        if varying:
            raise ValueError(f"Metadata must be constant within a task, but {varying} vary.")


def check_numbers(table, missing=False):
    """Raise a ValueError unless all columns are numeric and finite; `missing` allows NaN."""
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise ValueError(f"Column {name!r} is not numeric but {column.dtype}.")
        values = column.to_numpy(dtype=float)
        if missing and np.isnan(values).all():
            raise ValueError(f"Column {name!r} has no label at all.")
        if not np.isfinite(values[~np.isnan(values)] if missing else values).all():
            kinds = "infinite" if missing else "missing or infinite"
            raise ValueError(f"Column {name!r} has {kinds} values.")


def describe(source):
    """Return the introduction, notes and references of a docstring."""
    # Docstrings are absent when Python runs with -OO.
    opening, *sections = _SECTION.split(inspect.getdoc(source) or "")
    kept = [section for section in sections if section.startswith(("Notes\n", "References\n"))]
    return "\n\n".join([opening, *kept])
