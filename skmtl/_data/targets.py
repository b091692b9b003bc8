"""The choice between long and wide form, which depends on `task_id` and y alone."""

import pandas as pd

from skmtl._data.base_targets import Targets, TargetSettings
from skmtl._data.long_targets import LongTargets
from skmtl._data.wide import as_labels
from skmtl._data.wide_targets import WideTargets

__all__ = ["Targets", "make_targets"]


def make_targets(y, task_id, **settings) -> Targets:
    """Return targets, not yet fitted, for the form that y has.

    y is in wide form if `task_id` is None and y has several columns or is a DataFrame.

    Parameters
    ----------
    y : array-like
        Labels, as the caller of ``fit`` passes them.
    task_id : str, int, list or None
        As in the estimators.
    **settings
        Attributes of `TargetSettings`.
    """
    y = as_labels(y)
    several = y.ndim == 2 and (isinstance(y, pd.DataFrame) or y.shape[1] > 1)
    form = WideTargets if task_id is None and several else LongTargets
    return form(TargetSettings(**settings))
