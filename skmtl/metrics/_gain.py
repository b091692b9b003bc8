"""Gains from training tasks together, compared with training each alone."""

import numpy as np
import pandas as pd

from skmtl.metrics._inputs import shortened


def transfer_gain(multi, single, *, greater_is_better=False):
    """Return the relative gain of each task from training with others.

    The gain of an error is ``(single - multi) / single``: 0.1 means that the error is
    10% lower than that of a model trained on the task alone; a negative gain means that the other
    tasks were harmful. The gain of a score is ``(multi - single) / abs(single)``.

    Parameters
    ----------
    multi : Series, dict or array-like of shape (T,)
        Errors of the tasks when trained together.
    single : Series, dict or array-like of shape (T,)
        Errors of the tasks when each is trained alone. Tasks are matched by label if both are
        Series or dicts, and by position otherwise.
    greater_is_better : bool, default=False
        Whether the values are scores instead of errors.

    Returns
    -------
    Series
        One gain per task, in the order of `multi`. Where `single` is 0, the relative gain is
        undefined: it is 0 if `multi` is 0, too, and NaN otherwise.

    Raises
    ------
    ValueError
        If the tasks are not the same, or an error is negative.

    Examples
    --------
    >>> from skmtl.metrics import transfer_gain
    >>> transfer_gain({"lake": 0.5, "river": 1.0}, {"river": 2.0, "lake": 0.4})
    lake    -0.25
    river    0.50
    dtype: float64
    """
    multi, multi_has_labels = _as_series(multi, "multi")
    single, single_has_labels = _as_series(single, "single")
    if multi_has_labels and single_has_labels:
        only_multi = multi.index.difference(single.index, sort=False).tolist()
        only_single = single.index.difference(multi.index, sort=False).tolist()
        if only_multi or only_single:
            raise ValueError(
                "multi and single must be about the same tasks. Only in multi: "
                f"{shortened(only_multi)}; only in single: {shortened(only_single)}."
            )
        single = single.loc[multi.index]
    if len(multi) != len(single):
        raise ValueError(
            f"multi has {len(multi)} tasks, but single has {len(single)}; both need one number for "
            "each task."
        )
    index = multi.index if multi_has_labels else single.index
    multi, single = multi.to_numpy(), single.to_numpy()
    if not greater_is_better and ((multi < 0).any() or (single < 0).any()):
        raise ValueError(
            "errors must not be negative. If greater numbers are better, as for a scorer, pass "
            "greater_is_better=True."
        )
    change = multi - single if greater_is_better else single - multi
    gain = np.full(len(index), np.nan)
    np.divide(change, np.abs(single), out=gain, where=single != 0)
    gain[(single == 0) & (multi == 0)] = 0.0
    return pd.Series(gain, index=index)


def _as_series(values, name):
    """Return a Series, and whether its labels were passed by the caller."""
    has_labels = isinstance(values, (pd.Series, dict))
    if isinstance(values, dict):
        index = pd.Index(values, tupleize_cols=False)
        values = pd.Series(list(values.values()), index=index)
    elif not has_labels:
        values = np.asarray(values)
        if values.ndim != 1:
            raise ValueError(f"{name} has {values.ndim} dimensions; pass one number for each task.")
        values = pd.Series(values)
    repeated = values.index[values.index.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"{name} has several numbers for the same tasks: {shortened(repeated)}.")
    return values.astype(np.float64), has_labels
