"""Bunches of all data sets in wide form; see `_bunch` for long form."""

from sklearn.utils import Bunch

from skmtl.datasets._bunch import check_numbers, describe


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
