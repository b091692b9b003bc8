"""The choice between long and wide form, which depends on `task_id` and y alone."""

import pandas as pd

from skmtl._data.base_targets import Targets, TargetSettings
from skmtl._data.long_targets import LongTargets
from skmtl._data.wide import as_labels, inferred_types
from skmtl._data.wide_targets import WideTargets

__all__ = ["Targets", "make_targets"]


def make_targets(y, task_id, whole=None, **settings) -> Targets:
    """Return targets, not yet fitted, for the form that y has, with some `TargetSettings`.

    y is in wide form if `task_id` is None and y has several columns or is a DataFrame. If y is a
    part of a table, such as a fold, the types of columns are inferred from the `whole` labels, so
    that all parts agree.
    """
    y = as_labels(y)
    several = y.ndim == 2 and (isinstance(y, pd.DataFrame) or y.shape[1] > 1)
    if task_id is not None or not several:
        return LongTargets(TargetSettings(**settings))
    if whole is not None:
        settings["inferred"] = inferred_types(whole, settings["kind"])
    return WideTargets(TargetSettings(**settings))
