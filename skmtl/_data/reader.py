"""Roles of the columns of a table (features, task ids, metadata) and their kinds."""

import copy

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from skmtl._data.columns import (
    as_table,
    column_names,
    find_columns,
    learn_columns,
    read_columns,
    series_of,
)
from skmtl._data.frames import as_pandas
from skmtl._data.metadata import (
    check_metadata,
    constant_columns,
    current_table,
    permute_column,
    permute_table,
    rows_of_tasks,
    table_by_task,
)
from skmtl._data.task_ids import encode, labels_of
from skmtl._persistence import saveable


@saveable
class TableReader:
    """Learn the columns of X and of the table of metadata in ``fit``, and read other tables.

    `metadata` are columns of X, "auto" for all that are constant within tasks, or a table indexed
    by task id (`from_table`). `categorical_features` hold categories, besides columns of such a
    type.
    """

    def __init__(self, task_id, metadata, categorical_features="from_dtype"):
        if np.ndim(task_id) and not len(task_id):
            raise ValueError("task_id=[] names no column; use None if there is only one task.")
        self.task_id = task_id
        self.source = check_metadata(metadata)
        self.from_table = isinstance(self.source, pd.DataFrame)
        named = isinstance(categorical_features, str)
        self.categorical_features = [] if named else list(categorical_features)

    def read(self, X, estimator, learn=False):
        """Split a table, that of ``fit`` if `learn`, into features, task ids and metadata.

        Features are of shape (n, d), task ids an Index or None with one task, and metadata of shape
        (n, d_m) or None without columns of metadata.
        """
        table = as_table(X)
        if learn or not self._are_in_order(table):
            table = table if learn else self.ordered(table)
            validate_data(estimator, table, reset=learn, skip_check_array=True)
        if learn:
            self._find(table)
        labels = None if self.task_id is None else self._labels(table)
        if learn:
            self._learn_roles(table, labels)
        dtypes = list(table.dtypes) if isinstance(table, pd.DataFrame) else None
        features = read_columns(
            table, self.feature_positions, self.features, "features", estimator, dtypes
        )
        metadata = None
        if self.metadata_positions:
            metadata = read_columns(
                table, self.metadata_positions, self.metadata, "metadata", estimator, dtypes
            )
        return features, labels, metadata

    def _labels(self, table):
        return labels_of(table, self.task_positions)

    def filled_ids(self, X, label):
        """Fill a label in for missing ids; return a table and the rows that had one, (n,)."""
        table = self.ordered(as_table(X))
        columns = [series_of(table, position) for position in self.task_positions]
        absent = np.logical_or.reduce([column.isna().to_numpy() for column in columns])
        if not absent.any():
            return X, absent
        table = table.copy()
        parts = label if len(columns) > 1 else (label,)
        for position, column, part in zip(self.task_positions, columns, parts, strict=True):
            filled = column.astype(object).where(~absent, part)
            if isinstance(table, pd.DataFrame):
                table.isetitem(position, filled.infer_objects())
            else:
                table[:, position] = filled.to_numpy()
        return table, absent

    def ordered(self, table):
        """Return a DataFrame with its columns in the order of ``fit``."""
        if self.columns is None or not isinstance(table, pd.DataFrame):
            return table
        if self._are_in_order(table):
            return table
        return table[self.columns] if set(table.columns) == set(self.columns) else table

    def _are_in_order(self, table):
        """Return whether a table has the names of the columns of ``fit``, in the same order."""
        if self.columns is None or not isinstance(table, pd.DataFrame):
            return False
        return list(table.columns) == self.columns

    def _find(self, table):
        """Learn the positions of task ids and of categories."""
        self.columns = list(table.columns) if isinstance(table, pd.DataFrame) else None
        self.task_positions = (
            [] if self.task_id is None else find_columns(table, self.task_id, "task_id")
        )
        elsewhere = self.source.columns if self.from_table else ()
        named = [name for name in self.categorical_features if name not in elsewhere]
        self.categorical = find_columns(table, named, "categorical_features")

    def _learn_roles(self, table, labels):
        """Learn the roles and kinds of the columns."""
        names = column_names(table)
        self.metadata_positions = []
        if isinstance(self.source, list):
            if self.source == ["auto"] and "auto" not in names:
                free = [p for p in range(table.shape[1]) if p not in self.task_positions]
                self.metadata_positions = constant_columns(table, free, labels)
            else:
                self.metadata_positions = find_columns(table, self.source, "metadata")
        both = [names[p] for p in self.metadata_positions if p in self.task_positions]
        if both:
            raise ValueError(
                f"{both} are named in task_id and in metadata; an id does not describe its task."
            )
        taken = {*self.task_positions, *self.metadata_positions}
        if self.from_table:
            # a column of the table of metadata is not also a feature of rows
            again = [p for p, name in enumerate(names) if name in self.source.columns]
            taken.update(constant_columns(table, [p for p in again if p not in taken], labels))
        self.feature_positions = [p for p in range(table.shape[1]) if p not in taken]
        if not self.feature_positions:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={table.shape[0], 0}) while a minimum of 1 "
                "is required: every column of X is named in task_id or metadata."
            )
        self.features = learn_columns(table, self.feature_positions, "features", self.categorical)
        self.metadata = learn_columns(table, self.metadata_positions, "metadata", self.categorical)

    def same_columns(self, other):
        """Return whether columns have the same names and roles in another reader."""
        return (
            self.columns == other.columns
            and self.feature_positions == other.feature_positions
            and self.metadata_positions == other.metadata_positions
        )

    def continued(self, previous):
        """Return a reader with the categories of an earlier fit on the same columns."""
        reader = copy.copy(self)
        reader.features, reader.metadata = previous.features, previous.metadata
        return reader

    @property
    def metadata_names(self):
        """Names of the columns of metadata."""
        return [column.name for column in self.metadata]

    def read_metadata(self, tasks, known, estimator, learn=False, table=None):
        """Read metadata of shape (len(tasks), d_m) from a table, by default that of the estimator.

        `known` are the tasks of ``fit``, whose table it is if `learn`.
        """
        table = self.source if learn else current_table(estimator, self.metadata_names, table)
        table = table_by_task(table, self.task_id, known)
        names = self.metadata_names
        if learn:
            names = [name for name in table.columns if name not in np.atleast_1d(self.task_id)]
        rows = rows_of_tasks(table[names], tasks)
        positions = list(range(len(names)))
        if learn:
            categorical = [p for p in positions if names[p] in self.categorical_features]
            self.metadata = learn_columns(rows, positions, "metadata", categorical)
        return read_columns(rows, positions, self.metadata, "metadata", estimator)

    def permuted(self, X, known, estimator, column, generator):
        """Permute one column of metadata between the tasks of X, see `TaskTables.permuted`."""
        table = self.ordered(as_table(X)).copy()
        codes, tasks = None, known
        if self.task_id is not None:
            codes, tasks = encode(labels_of(table, self.task_positions))
        if self.from_table:
            of_tasks = table_by_task(as_pandas(estimator.metadata), self.task_id, known)
            return table, permute_table(of_tasks, tasks, self.metadata_names[column], generator)
        permute_column(table, codes, self.metadata_positions[column], generator)
        return table, estimator.metadata
