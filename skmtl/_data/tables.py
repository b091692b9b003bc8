"""The columns of X: features, task ids and metadata, as checked, encoded and scaled arrays."""

import copy

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from skmtl._data.columns import as_table, column_names, find_columns, numbers_of
from skmtl._data.metadata import (
    check_metadata,
    check_without_id,
    metadata_of_rows,
    metadata_of_table,
    permute_column,
    permute_table,
)
from skmtl._data.rows import PredictionRows
from skmtl._data.scales import scaled_features
from skmtl._data.task_ids import check_types, distinct, encode, labels_of


class TaskTables:
    """Learns the columns, tasks and scales of X in ``fit``, and applies them to other tables.

    Parameters
    ----------
    task_id : str, int, list or None
        Column or columns that say which task a row belongs to.
    metadata : list, DataFrame or None
        Columns of X that describe tasks, or a table of metadata indexed by task id.

    Attributes
    ----------
    tasks : Index
        Task labels, sorted where they can be.
    metadata_names : list
        Names of the columns of metadata.
    metadata_values : ndarray of shape (T, d_m)
        Metadata of the tasks in the caller's units.
    """

    def __init__(self, task_id, metadata):
        if np.ndim(task_id) and not len(task_id):
            raise ValueError("task_id=[] names no column; use None if there is only one task.")
        self.task_id = task_id
        self.from_table = isinstance(metadata, pd.DataFrame)
        self.metadata = check_metadata(metadata)

    def split(self, X, estimator, reset=False):
        """Split a table into features, task ids and metadata.

        Returns
        -------
        features : ndarray of shape (n, d)
        labels : Index of length n, or None with one task
        metadata : ndarray of shape (n, d_m), or None without columns of metadata
        """
        table = as_table(X) if reset else self.ordered(as_table(X))
        validate_data(estimator, table, reset=reset, skip_check_array=True)
        if reset:
            self._find(table)
        features = numbers_of(table, self.feature_positions, "features", estimator)
        labels = None if self.task_id is None else labels_of(table, self.task_positions)
        metadata = None
        if self.metadata_positions:
            metadata = numbers_of(table, self.metadata_positions, "metadata", estimator)
        return features, labels, metadata

    def ordered(self, table):
        """Return a DataFrame with its columns in the order of ``fit``."""
        if self.columns is None or not isinstance(table, pd.DataFrame):
            return table
        return table[self.columns] if set(table.columns) == set(self.columns) else table

    def _find(self, table):
        """Learn the positions of the columns."""
        self.columns = list(table.columns) if isinstance(table, pd.DataFrame) else None
        self.task_positions = (
            [] if self.task_id is None else find_columns(table, self.task_id, "task_id")
        )
        self.metadata_positions = []
        if self.metadata is not None and not self.from_table:
            self.metadata_positions = find_columns(table, self.metadata, "metadata")
        names = column_names(table)
        both = [names[p] for p in self.metadata_positions if p in self.task_positions]
        if both:
            raise ValueError(
                f"{both} are named in task_id and in metadata; an id does not describe its task."
            )
        taken = {*self.task_positions, *self.metadata_positions}
        self.feature_positions = [p for p in range(table.shape[1]) if p not in taken]
        if not self.feature_positions:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={table.shape[0], 0}) while a minimum of 1 "
                "is required: every column of X is named in task_id or metadata."
            )
        self.feature_names = [names[p] for p in self.feature_positions]
        self.metadata_names = [names[p] for p in self.metadata_positions]
        if self.from_table:
            self.metadata_names = list(self.metadata.columns)

    def fit(self, X, estimator, columns_of_y=None, order=None):
        """Learn tasks and metadata.

        Parameters
        ----------
        X : table
        estimator : estimator
            Named in the errors.
        columns_of_y : Index, optional
            Names of the tasks in wide form.
        order : Index, optional
            Required order of the tasks, if they are the same.

        Returns
        -------
        features : ndarray of shape (n, d)
        tasks : ndarray of shape (n,) of int64, or None if all tasks share the rows
            Task numbers.
        """
        self.shared_rows = columns_of_y is not None
        if self.task_id is None and self.metadata is not None and len(self.metadata):
            check_without_id(self.metadata, self.shared_rows)
        features, labels, metadata = self.split(X, estimator, reset=True)
        self.metadata_values = None
        if self.shared_rows:
            self.tasks = columns_of_y
            if self.from_table and len(self.metadata_names):
                self.metadata_values = metadata_of_table(self.tasks, self.metadata_names, estimator)
            return features, None
        if labels is None:
            self.tasks = pd.Index([0], name="task")
            return features, np.zeros(len(features), dtype=np.int64)
        codes, self.tasks = encode(labels)
        if order is not None and len(order) == len(self.tasks):
            numbers = order.get_indexer(self.tasks)
            if (numbers >= 0).all():
                codes, self.tasks = numbers[codes], order
        if self.metadata_positions:
            names = self.metadata_names
            self.metadata_values = metadata_of_rows(codes, metadata, names, self.tasks)
        elif self.from_table and len(self.metadata_names):
            self.metadata_values = metadata_of_table(self.tasks, self.metadata_names, estimator)
        return features, codes.astype(np.int64)

    def for_new_tasks(self, X, estimator):
        """Return tables of the tasks in X, all of which must be new.

        Returns
        -------
        tables : TaskTables
            New tasks only, with the same scales and columns.
        features, tasks : as `fit`
            Numbers of the new tasks start at 0.
        """
        features, labels, metadata = self.split(X, estimator)
        codes, new = encode(labels)
        known = new[self.tasks.get_indexer(new) >= 0]
        if len(known):
            raise ValueError(
                f"adapt learns new tasks and leaves the others alone, but {len(known)} are known "
                f"already: {known[:10].tolist()}. Pass the rows of new tasks only, or call fit "
                "again."
            )
        tables = copy.copy(self)
        tables.tasks = new
        if self.metadata_positions:
            tables.metadata_values = metadata_of_rows(codes, metadata, self.metadata_names, new)
        elif self.metadata_values is not None:
            tables.metadata_values = metadata_of_table(new, self.metadata_names, estimator)
        return tables, features, codes.astype(np.int64)

    def joined(self, new):
        """Return these tables with the tasks of `new` appended."""
        tables = copy.copy(self)
        tables.tasks = self.tasks.append(new.tasks)
        if self.metadata_values is not None:
            tables.metadata_values = np.concatenate([self.metadata_values, new.metadata_values])
        return tables

    def known(self, X, estimator):
        """Split a table whose tasks are all known, such as validation rows.

        Returns
        -------
        features, tasks : as `fit`
        """
        features, labels, _ = self.split(X, estimator)
        if labels is None:
            return features, None if self.shared_rows else np.zeros(len(features), dtype=np.int64)
        codes = self.tasks.get_indexer(labels)
        if (codes < 0).any():
            missing = labels[codes < 0].unique()
            raise ValueError(
                f"these tasks are not among the training rows: {missing[:10].tolist()}."
            )
        return features, codes.astype(np.int64)

    def fit_rows(self, rows):
        """Learn the scales of features and metadata.

        Parameters
        ----------
        rows : TrainingRows
            Without validation rows.
        """
        # arrays, whatever the output that scikit-learn is configured to return
        scaler = StandardScaler().set_output(transform="default")
        self.feature_scaler = scaler.fit(rows.features, sample_weight=rows.row_weights)
        self.metadata_scaler = None
        if self.metadata_values is not None:
            scaler = StandardScaler().set_output(transform="default")
            self.metadata_scaler = scaler.fit(self.metadata_values)

    def scale(self, features):
        """Scale features for training."""
        return scaled_features(features, self.feature_scaler, self.feature_names)

    def scaled_metadata(self):
        """Return the scaled metadata of the tasks, or None."""
        if self.metadata_scaler is None:
            return None
        return self.metadata_scaler.transform(self.metadata_values)

    def prediction_rows(self, X, unseen_tasks, estimator):
        """Read and scale rows to predict.

        Parameters
        ----------
        X : table
        unseen_tasks : {"error", "average"}
            Treatment of unseen tasks without metadata.
        estimator : estimator
            Named in the errors.

        Returns
        -------
        PredictionRows
        """
        features, labels, metadata = self.split(X, estimator)
        features = self.feature_scaler.transform(features)
        if self.shared_rows:
            if self.metadata_scaler is not None:
                metadata = metadata_of_table(self.tasks, self.metadata_names, estimator)
                metadata = self.metadata_scaler.transform(metadata)
            return PredictionRows(features, None, np.arange(len(self.tasks)), metadata)
        if labels is None:
            networks, tasks = np.zeros(len(features), dtype=np.int64), np.zeros(1, dtype=np.int64)
            return PredictionRows(features, networks, tasks, None)
        codes, ids = encode(labels)
        tasks = self.tasks.get_indexer(ids)
        check_types(ids, self.tasks)
        if self.metadata_scaler is None:
            if unseen_tasks == "error" and (tasks < 0).any():
                adapt = ", or adapt() to learn them from a few rows" * hasattr(estimator, "adapt")
                raise ValueError(
                    f"{(tasks < 0).sum()} task(s) were not seen in fit: "
                    f"{ids[tasks < 0][:10].tolist()}. Use unseen_tasks='average' to predict them "
                    "by the average of the others, metadata= to predict them from their "
                    f"metadata{adapt}."
                )
            return PredictionRows(features, codes, tasks, None)
        if self.from_table:
            metadata = metadata_of_table(ids, self.metadata_names, estimator)
        else:
            # metadata may vary within a task here: what-if questions, permutation importance
            networks, first = distinct(codes, metadata)
            codes, tasks, metadata = networks, tasks[codes[first]], metadata[first]
        return PredictionRows(features, codes, tasks, self.metadata_scaler.transform(metadata))

    def resumed(self, new):
        """Return new tables for a fit that continues the one of these, with its scales.

        Raises
        ------
        ValueError
            If tasks, features or metadata differ.
        """
        same_columns = (
            self.columns == new.columns
            and self.feature_positions == new.feature_positions
            and self.metadata_names == new.metadata_names
        )
        if not same_columns:
            raise ValueError(
                "warm_start=True continues the previous fit, but the columns of X are others than "
                "then; set warm_start=False to start afresh."
            )
        if not self.tasks.equals(new.tasks):
            raise ValueError(
                "warm_start=True continues the previous fit, but the tasks of X are not those that "
                "the model knows, those of adapt() included. Use adapt() to add tasks, or set "
                "warm_start=False to start afresh."
            )
        new.feature_scaler = self.feature_scaler
        new.metadata_scaler = self.metadata_scaler
        return new

    def permuted(self, X, estimator, column, generator):
        """Permute one column of metadata between the tasks of X.

        Parameters
        ----------
        X : table
        estimator : estimator
            Has the table of metadata, if there is one.
        column : int
            Number of the column of metadata.
        generator : RandomState

        Returns
        -------
        X : table
        metadata : list, DataFrame or None
            Value for the parameter `metadata` of the estimator.
        """
        table = self.ordered(as_table(X)).copy()
        codes, ids = None, self.tasks
        if not self.shared_rows:
            codes, ids = encode(labels_of(table, self.task_positions))
        if self.from_table:
            return table, permute_table(estimator.metadata, ids, column, generator)
        permute_column(table, codes, self.metadata_positions[column], generator)
        return table, estimator.metadata
