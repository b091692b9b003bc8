"""Wide form: the one form in which data sets with several labels per row are handed out.

As `build_bunch` for long form; what is promised about the rows is checked here, once.
"""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmtl.datasets._bunch import _description


def build_wide_bunch(features, target, *, source, metadata=None):
    """Check what every data set in wide form promises, and wrap it up.

    Parameters
    ----------
    features : DataFrame
        One row per example.
    target : DataFrame
        The same rows, one column per task; NaN where a label is missing. Rows without any label
        are dropped, from `features` too.
    source : callable
        The public function that returns the data set; its docstring becomes the description.
    metadata : DataFrame, optional
        One row per task, indexed by the columns of `target`.

    Returns
    -------
    Bunch
        With `data`, `target`, `task_id` (None), `metadata`, `feature_names` and `DESCR`.
    """
    if len(target) != len(features):
        raise ValueError(f"There are {len(features)} rows but {len(target)} rows of targets.")
    labelled = target.notna().any(axis=1).to_numpy()
    data = features[labelled].reset_index(drop=True)
    target = target[labelled].reset_index(drop=True)
    _check_numbers(data)
    _check_numbers(target, missing=True)
    if metadata is not None:
        _check_numbers(metadata)
        if not metadata.index.equals(target.columns):
            raise ValueError("The rows of the metadata are not the columns of the target.")
    return Bunch(
        data=data,
        target=target,
        task_id=None,
        metadata=metadata,
        feature_names=data.columns.tolist(),
        DESCR=_description(source),
    )


def _check_numbers(table, missing=False):
    """Raise a ValueError if the source of a data set no longer holds what is documented."""
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise ValueError(f"Column {name!r} is not numeric but {column.dtype}.")
        values = column.to_numpy(dtype=float)
        if missing and np.isnan(values).all():
            raise ValueError(f"Column {name!r} has no label at all.")
        if not np.isfinite(values[~np.isnan(values)] if missing else values).all():
            kinds = "infinite" if missing else "missing or infinite"
            raise ValueError(f"Column {name!r} has {kinds} values.")
