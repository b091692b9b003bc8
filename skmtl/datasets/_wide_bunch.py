"""Bunches of all data sets in wide form; see `_bunch` for long form."""

from sklearn.utils import Bunch

from skmtl.datasets._bunch import _description, check_numbers


def build_wide_bunch(features, target, *, source, metadata=None):
    """Check a data set in wide form and return it as a Bunch.

    Parameters
    ----------
    features : DataFrame
        One row per example.
    target : DataFrame
        One column per task; NaN where a label is missing. Rows without any label are dropped, also
        from `features`.
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
        DESCR=_description(source),
    )
