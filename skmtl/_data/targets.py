"""The choice between long and wide form, which depends on `task_id` and y alone."""

import pandas as pd

from skmtl._data.base_targets import Targets, TargetSettings
from skmtl._data.long_targets import LongTargets
from skmtl._data.wide import as_labels, inferred_types
from skmtl._data.wide_targets import WideTargets

__all__ = ["Targets", "make_targets"]


def make_targets(y, task_id, whole=None, **settings) -> Targets:
    """Return targets, not yet fitted, for the form that y has.

    y is in wide form if `task_id` is None and y has several columns or is a DataFrame.

    Parameters
    ----------
    y : array-like
        Labels, as the caller of ``fit`` passes them.
    task_id : str, int, list or None
        As in the estimators.
    whole : array-like, optional
        Labels of a table of which y is a part, such as a fold. In wide form they decide what
        columns hold, so that all parts agree.
    **settings
        Attributes of `TargetSettings`.
    """
    y = as_labels(y)
    several = y.ndim == 2 and (isinstance(y, pd.DataFrame) or y.shape[1] > 1)
    if task_id is not None or not several:
        return LongTargets(TargetSettings(**settings))
    if whole is not None:
        settings["inferred"] = inferred_types(whole, settings["kind"])
    return WideTargets(TargetSettings(**settings))
