"""The columns of X: features, task ids and metadata, as checked, encoded and scaled arrays."""

import copy
import warnings

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from skmtl._data.columns import as_table, column_names, find_columns, learn_columns, read_columns
from skmtl._data.encoding import ColumnEncoder
from skmtl._data.frames import as_pandas
from skmtl._data.messages import label_text, labels_text
from skmtl._data.metadata import (
    check_metadata,
    check_without_id,
    constant_columns,
    current_table,
    metadata_of_rows,
    permute_column,
    permute_table,
    rows_of_tasks,
    table_by_task,
)
from skmtl._data.rows import PredictionRows
from skmtl._data.task_ids import (
    check_spelling,
    distinct,
    encode,
    labels_of,
    spelling,
    warn_of_forgotten_id,
)
from skmtl.exceptions import UnknownTasksWarning


class TaskTables:
    """Learns the columns, tasks and scales of X in ``fit``, and applies them to other tables.

    Parameters
    ----------
    task_id : str, int, list or None
        Column or columns that say which task a row belongs to.
    metadata : list, DataFrame, "auto" or None
        Columns of X that describe tasks, a table of metadata indexed by task id, or all columns
        of X that are constant within tasks.
    categorical_features : "from_dtype" or list
        Columns that hold categories, besides those whose type says so.

    Attributes
    ----------
    tasks : Index
        Task labels, sorted where they can be.
    metadata_names : list
        Names of the columns of metadata.
    metadata_values : ndarray of shape (T, d_m)
        Metadata of the tasks in the caller's units.
    """

    def __init__(self, task_id, metadata, categorical_features="from_dtype"):
        if np.ndim(task_id) and not len(task_id):
            raise ValueError("task_id=[] names no column; use None if there is only one task.")
        self.task_id, self.categorical_features = task_id, categorical_features
        self.metadata = check_metadata(metadata)
        self.from_table = isinstance(self.metadata, pd.DataFrame)
        self._spellings = self._warned_of = None

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
        labels = None if self.task_id is None else labels_of(table, self.task_positions)
        if reset:
            self._learn_roles(table, labels)
        features = read_columns(
            table, self.feature_positions, self.feature_columns, "features", estimator
        )
        metadata = None
        if self.metadata_positions:
            metadata = read_columns(
                table, self.metadata_positions, self.metadata_columns, "metadata", estimator
            )
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
        self.categorical = set()
        if not isinstance(self.categorical_features, str):
            known = list(self.categorical_features)
            if self.from_table:
                # those of the table of metadata are found there
                known = [c for c in known if c not in self.metadata.columns]
            if known:
                self.categorical = set(find_columns(table, known, "categorical_features"))

    def _learn_roles(self, table, labels):
        """Learn which columns are features and which metadata, and what they hold."""
        names = column_names(table)
        self.metadata_positions = []
        if isinstance(self.metadata, list):
            if self.metadata == ["auto"] and "auto" not in names:
                free = [p for p in range(table.shape[1]) if p not in self.task_positions]
                self.metadata_positions = constant_columns(table, free, labels)
            else:
                self.metadata_positions = find_columns(table, self.metadata, "metadata")
        both = [names[p] for p in self.metadata_positions if p in self.task_positions]
        if both:
            raise ValueError(
                f"{both} are named in task_id and in metadata; an id does not describe its task."
            )
        taken = {*self.task_positions, *self.metadata_positions}
        if self.from_table:
            # what the table says of a task is no feature of its rows, too
            again = [p for p, name in enumerate(names) if name in self.metadata.columns]
            free = [p for p in again if p not in taken]
            taken.update(constant_columns(table, free, labels) if free else [])
        self.feature_positions = [p for p in range(table.shape[1]) if p not in taken]
        if not self.feature_positions:
            raise ValueError(
                f"Found array with 0 feature(s) (shape={table.shape[0], 0}) while a minimum of 1 "
                "is required: every column of X is named in task_id or metadata."
            )
        self.feature_columns = learn_columns(
            table, self.feature_positions, "features", self.categorical
        )
        self.metadata_columns = learn_columns(
            table, self.metadata_positions, "metadata", self.categorical
        )

    @property
    def metadata_names(self):
        """Names of the columns of metadata."""
        return [column.name for column in self.metadata_columns]

    def _table_values(self, tasks, estimator, learn=False):
        """Read the metadata of tasks from the estimator's table."""
        names = None if learn else self.metadata_names
        table = self.metadata if learn else current_table(estimator, names)
        table = table_by_task(table, self.task_id, self.tasks)
        if learn:
            names = [name for name in table.columns if name not in np.atleast_1d(self.task_id)]
        rows = rows_of_tasks(table[names], tasks)
        positions = list(range(len(names)))
        if learn:
            categorical = self.categorical_features
            named = [] if isinstance(categorical, str) else list(categorical)
            self.metadata_columns = learn_columns(
                rows, positions, "metadata", {p for p in positions if names[p] in named}
            )
        return read_columns(rows, positions, self.metadata_columns, "metadata", estimator)

    def fit(self, X, estimator, columns_of_y=None, previous=None):
        """Learn tasks and metadata.

        Parameters
        ----------
        X : table
        estimator : estimator
            Named in the errors.
        columns_of_y : Index, optional
            Names of the tasks in wide form.
        previous : TaskTables, optional
            Of an earlier fit that this one continues: its categories, and the order of its tasks
            if they are the same.

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
        if previous is not None and previous.feature_positions == self.feature_positions:
            self.feature_columns = previous.feature_columns
            self.metadata_columns = previous.metadata_columns
            features, labels, metadata = self.split(X, estimator)
        self.metadata_values = None
        if self.shared_rows:
            self.tasks = columns_of_y
            if self.from_table and self.metadata.shape[1]:
                self.metadata_values = self._table_values(self.tasks, estimator, learn=True)
            return features, None
        if labels is None:
            if isinstance(X, pd.DataFrame):
                warn_of_forgotten_id(X)
            self.tasks = pd.Index([0], name="task")
            return features, np.zeros(len(features), dtype=np.int64)
        codes, self.tasks = encode(labels)
        if previous is not None and len(previous.tasks) == len(self.tasks):
            numbers = previous.tasks.get_indexer(self.tasks)
            if (numbers >= 0).all():
                codes, self.tasks = numbers[codes], previous.tasks
        if self.metadata_positions:
            columns = self.metadata_columns
            self.metadata_values = metadata_of_rows(codes, metadata, columns, self.tasks)
        elif self.from_table and self.metadata.shape[1]:
            learn = previous is None
            self.metadata_values = self._table_values(self.tasks, estimator, learn=learn)
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
                f"already: {labels_text(known)}. Pass the rows of new tasks only, or call fit "
                "again."
            )
        tables = copy.copy(self)
        tables.tasks = new
        if self.metadata_positions:
            tables.metadata_values = metadata_of_rows(codes, metadata, self.metadata_columns, new)
        elif self.metadata_values is not None:
            tables.metadata_values = self._table_values(new, estimator)
        return tables, features, codes.astype(np.int64)

    def joined(self, new):
        """Return these tables with the tasks of `new` appended."""
        tables = copy.copy(self)
        tables.tasks, tables._spellings = self.tasks.append(new.tasks), None
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
                f"these tasks are not among the training rows: {labels_text(missing)}."
            )
        return features, codes.astype(np.int64)

    def fit_rows(self, rows):
        """Learn the scales of features and metadata.

        Parameters
        ----------
        rows : TrainingRows
            Without validation rows.
        """
        self.feature_encoder = ColumnEncoder(self.feature_columns)
        self.feature_encoder.fit(rows.features, rows.row_weights)
        self.metadata_encoder = None
        if self.metadata_values is not None:
            # tasks are few: the season of a date that describes one says nothing of another
            self.metadata_encoder = ColumnEncoder(self.metadata_columns, calendar=False)
            self.metadata_encoder.fit(self.metadata_values)

    @property
    def n_features(self):
        """Inputs of a network that features become."""
        return self.feature_encoder.n_outputs

    @property
    def n_metadata(self):
        """Inputs of a network that the metadata of a task become."""
        return 0 if self.metadata_encoder is None else self.metadata_encoder.n_outputs

    def scale(self, features):
        """Encode and scale features for training."""
        return self.feature_encoder.transform(features, "feature", training=True)

    def scaled_metadata(self):
        """Return the encoded and scaled metadata of the tasks, or None."""
        if self.metadata_encoder is None:
            return None
        return self.metadata_encoder.transform(
            self.metadata_values, "metadata column", training=True
        )

    def _encoded_metadata(self, values):
        return self.metadata_encoder.transform(values, "metadata column")

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
        features = self.feature_encoder.transform(features, "feature")
        if self.shared_rows:
            if self.metadata_encoder is not None:
                metadata = self._encoded_metadata(self._table_values(self.tasks, estimator))
            return PredictionRows(features, None, np.arange(len(self.tasks)), metadata)
        if labels is None:
            networks, tasks = np.zeros(len(features), dtype=np.int64), np.zeros(1, dtype=np.int64)
            return PredictionRows(features, networks, tasks, None)
        codes, ids = encode(labels)
        tasks = self.tasks.get_indexer(ids)
        self._check_new(ids[tasks < 0], len(ids))
        if self.metadata_encoder is None:
            if unseen_tasks == "error" and (tasks < 0).any():
                adapt = ", or adapt() to learn them from a few rows" * hasattr(estimator, "adapt")
                raise ValueError(
                    f"{(tasks < 0).sum()} task(s) were not seen in fit: "
                    f"{labels_text(ids[tasks < 0])}. Use unseen_tasks='average' to predict them "
                    "by the average of the others, metadata= to predict them from their "
                    f"metadata{adapt}. In cross-validation, cv=TaskKFold(...) of "
                    "skmtl.model_selection keeps every task in every fold; scikit-learn's folds of "
                    "a table sorted by task do not."
                )
            return PredictionRows(features, codes, tasks, None)
        if self.from_table:
            metadata = self._table_values(ids, estimator)
        else:
            # metadata may vary within a task here: what-if questions, permutation importance
            networks, first = distinct(codes, metadata)
            codes, tasks, metadata = networks, tasks[codes[first]], metadata[first]
        return PredictionRows(features, codes, tasks, self._encoded_metadata(metadata))

    def _check_new(self, new, n_ids):
        """Refuse ids that are known in another spelling, and warn if all are new."""
        if not len(new):
            return
        if self._spellings is None:
            self._spellings = {spelling(label): label for label in self.tasks}
        check_spelling(new, self._spellings)
        if len(new) == n_ids and self.metadata_encoder and not new.equals(self._warned_of):
            # once for the same ids: importances and displays predict the same tasks many times
            self._warned_of = new
            warnings.warn(
                f"none of the {n_ids} task ids was seen in fit, such as {label_text(new[0])}; all "
                "are predicted from their metadata. Ids of fit look like "
                f"{label_text(self.tasks[0])}.",
                UnknownTasksWarning,
                stacklevel=6,
            )

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
        new.feature_encoder = self.feature_encoder
        new.metadata_encoder = self.metadata_encoder
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
            table_of_tasks = table_by_task(as_pandas(estimator.metadata), self.task_id, self.tasks)
            return table, permute_table(table_of_tasks, ids, column, generator)
        permute_column(table, codes, self.metadata_positions[column], generator)
        return table, estimator.metadata
