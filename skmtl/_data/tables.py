"""Features, task ids and metadata as encoded and scaled arrays, for training and prediction."""

import copy
import warnings

import numpy as np
import pandas as pd

from skmtl._data.columns import as_table
from skmtl._data.encoding import ColumnEncoder
from skmtl._data.messages import label_text, labels_text
from skmtl._data.metadata import check_without_id, metadata_of_rows
from skmtl._data.reader import TableReader
from skmtl._data.rows import PredictionRows
from skmtl._data.task_ids import (
    check_spelling,
    distinct,
    encode,
    labels_of,
    spelling,
    warn_of_forgotten_id,
)
from skmtl._persistence import saveable
from skmtl.exceptions import UnknownTasksWarning


@saveable
class TaskTables:
    """Learn the columns, tasks and scales of X in ``fit``, and apply them to other tables.

    `tasks` are sorted if possible; their `metadata_values`, (T, d_m) or None, are as read, with
    categories as numbers.
    """

    # number of ids by level, where there are several
    level_sizes = ()

    def __init__(self, task_id, metadata, categorical_features="from_dtype"):
        self.reader = TableReader(task_id, metadata, categorical_features)
        self._spellings = self._warned_of = None

    @property
    def metadata_names(self):
        """Names of the columns of metadata."""
        return self.reader.metadata_names

    @property
    def n_tasks(self):
        """Number of tasks."""
        return len(self.tasks)

    def without_rows(self):
        """Return tables that keep nothing of the rows of ``fit``: these."""
        return self

    def ids_of(self, tasks):
        """Return what a module and a base learner know tasks by, their numbers (k,)."""
        return tasks

    def ordered(self, X):
        """Return a DataFrame with its columns in the order of ``fit``."""
        return self.reader.ordered(X)

    def _table_values(self, tasks, estimator, learn=False):
        """Read the metadata of tasks from the estimator's table, if there is one with columns."""
        if not (self.reader.from_table and self.reader.source.shape[1]):
            return None
        return self.reader.read_metadata(tasks, self.tasks, estimator, learn)

    def _task_metadata(self, codes, tasks, metadata, estimator, learn=False):
        """Return the metadata of tasks, from columns of X or from a table."""
        if self.reader.metadata_positions:
            return metadata_of_rows(codes, metadata, self.reader.metadata, tasks)
        return self._table_values(tasks, estimator, learn)

    def fit(self, X, estimator, columns_of_y=None, previous=None):
        """Learn tasks and metadata; return features of shape (n, d) and task numbers of shape (n,).

        In wide form `columns_of_y` are the names of the tasks, which share the rows: their numbers
        are None. A fit that continues the `previous` one keeps its categories, and the order of its
        tasks if they are the same.
        """
        self.shared_rows, self.metadata_values = columns_of_y is not None, None
        source = self.reader.source
        if self.reader.task_id is None and source is not None and len(source):
            check_without_id(source, self.shared_rows)
        table, learn = as_table(X), previous is None
        features, labels, metadata = self.reader.read(table, estimator, learn=True)
        if not learn and previous.reader.same_columns(self.reader):
            self.reader = self.reader.continued(previous.reader)
            features, labels, metadata = self.reader.read(table, estimator)
        if self.shared_rows:
            self.tasks = columns_of_y
            self.metadata_values = self._table_values(self.tasks, estimator, learn)
            return features, None
        if labels is None:
            warn_of_forgotten_id(table)
            self.tasks = pd.Index([0], name="task")
            return features, np.zeros(len(features), dtype=np.int64)
        codes, self.tasks = encode(labels)
        if not learn and len(previous.tasks) == len(self.tasks):
            numbers = previous.tasks.get_indexer(self.tasks)
            if (numbers >= 0).all():
                codes, self.tasks = numbers[codes], previous.tasks
        self.metadata_values = self._task_metadata(codes, self.tasks, metadata, estimator, learn)
        return features, codes.astype(np.int64)

    def of_new_tasks(self, X):
        """Return which rows of a table are of tasks that are not known, (n,) of bool."""
        labels = labels_of(self.ordered(as_table(X)), self.reader.task_positions)
        new = self.tasks.get_indexer(labels) < 0
        if new.any():
            self._check_new(labels[new].unique(), None)
        return new

    def known_rows(self, X, estimator):
        """Read rows of known tasks: features, numbers of networks, and of those `tasks`.

        Also the scaled metadata of the networks, or None; see `PredictionRows`.
        """
        features, labels, metadata = self.reader.read(X, estimator)
        codes, ids = encode(labels)
        values = self._task_metadata(codes, ids, metadata, estimator)
        metadata = None if values is None else self._encoded_metadata(values)
        return features, codes.astype(np.int64), self.tasks.get_indexer(ids), metadata

    def for_new_tasks(self, X, estimator):
        """Return tables of the tasks in X, all of which must be new, with the same scales.

        Returns also features and task numbers as `fit` does; those numbers start at 0.
        """
        features, labels, metadata = self.reader.read(X, estimator)
        codes, new = encode(labels)
        tables = copy.copy(self)
        tables.tasks = new
        tables.metadata_values = self._task_metadata(codes, new, metadata, estimator)
        return tables, features, codes.astype(np.int64)

    def joined(self, new):
        """Return these tables with the tasks of `new` appended."""
        tables = copy.copy(self)
        tables.tasks, tables._spellings = self.tasks.append(new.tasks), None
        if self.metadata_values is not None:
            tables.metadata_values = np.concatenate([self.metadata_values, new.metadata_values])
        return tables

    def validation_rows(self, X, estimator, allow_new=True):
        """Split a table of validation rows as `fit` does; return metadata of new tasks, too.

        Tasks may be new with metadata if `allow_new`; they are numbered after the known ones, and
        their metadata are of shape (n_new, d_m), None without new tasks.
        """
        features, labels, metadata = self.reader.read(X, estimator)
        if labels is None:
            tasks = None if self.shared_rows else np.zeros(len(features), dtype=np.int64)
            return features, tasks, None
        codes = self.tasks.get_indexer(labels).astype(np.int64)
        rows = np.flatnonzero(codes < 0)
        if not len(rows):
            return features, codes, None
        numbers, new = encode(labels[rows])
        if self.metadata_values is None or not allow_new:
            raise ValueError(
                f"these tasks are not among the training rows: {labels_text(new)}"
                + (", and have no metadata." if allow_new else ".")
            )
        self._check_new(new, None)
        codes[rows] = len(self.tasks) + numbers
        metadata = None if metadata is None else metadata[rows]
        return features, codes, self._task_metadata(numbers, new, metadata, estimator)

    def fit_rows(self, rows):
        """Learn the scales of features and metadata from rows that are not held out."""
        self.feature_encoder = ColumnEncoder(self.reader.features)
        self.feature_encoder.fit(rows.features, rows.row_weights)
        self.metadata_encoder = None
        if self.metadata_values is not None:
            # tasks are too few to learn seasons from the dates that describe them
            self.metadata_encoder = ColumnEncoder(self.reader.metadata, calendar=False)
            self.metadata_encoder.fit(self.metadata_values)

    @property
    def n_features(self):
        """Number of a network's inputs from features."""
        return self.feature_encoder.n_outputs

    @property
    def n_metadata(self):
        """Number of a network's inputs from the metadata of a task."""
        return 0 if self.metadata_encoder is None else self.metadata_encoder.n_outputs

    def scale(self, features):
        """Encode and scale features for training."""
        return self.feature_encoder.transform(features, "feature", training=True)

    def scaled_metadata(self, new=None):
        """Return the encoded and scaled metadata of the tasks, and of new ones, or None."""
        if self.metadata_encoder is None:
            return None
        values = self.metadata_encoder.transform(
            self.metadata_values, "metadata column", training=True
        )
        return values if new is None else np.concatenate([values, self._encoded_metadata(new)])

    def _encoded_metadata(self, values):
        return self.metadata_encoder.transform(values, "metadata column")

    def prediction_rows(self, X, unseen_tasks, estimator):
        """Read and scale rows to predict.

        Depending on `unseen_tasks`, unseen tasks without metadata raise an error or are averages.
        """
        absent = np.zeros(0, dtype=bool)
        if estimator.missing_id == "average" and self.reader.task_id is not None:
            X, absent = self.reader.filled_ids(X, self.tasks[0])
        features, labels, metadata = self.reader.read(X, estimator)
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
        if (tasks < 0).any():
            self._check_new(ids[tasks < 0], len(ids))
        n_ids = len(ids)
        if absent.any():
            # one more task, which is not known; an id that was only filled in is not used
            used, codes = np.unique(np.where(absent, n_ids, codes), return_inverse=True)
            ids, tasks = ids[used[:-1]], np.append(tasks[used[:-1]], -1)
            n_ids = len(ids)
        if self.metadata_encoder is None:
            if unseen_tasks == "error" and (tasks[:n_ids] < 0).any():
                adapt = ", or adapt() to learn them from a few rows" * hasattr(estimator, "adapt")
                unseen = ids[tasks[:n_ids] < 0]
                raise ValueError(
                    f"{len(unseen)} task(s) were not seen in fit: "
                    f"{labels_text(unseen)}. Use unseen_tasks='average' to predict them "
                    "by the average of the others, metadata= to predict them from their "
                    f"metadata{adapt}. In cross-validation, cv=TaskKFold(...) of "
                    "skmtl.model_selection keeps every task in every fold; scikit-learn's folds of "
                    "a table sorted by task do not."
                )
            return PredictionRows(features, codes, tasks, None)
        if self.reader.from_table:
            metadata = self._table_values(ids, estimator)
            if n_ids < len(tasks):
                metadata = np.vstack([metadata, np.full(metadata.shape[1], np.nan)])
        else:
            # metadata may vary within a task here: what-if questions, permutation importance
            networks, first = distinct(codes, metadata)
            codes, tasks, metadata = networks, tasks[codes[first]], metadata[first]
        return PredictionRows(features, codes, tasks, self._encoded_metadata(metadata))

    def has_new_tasks(self, X):
        """Return whether a table has tasks that `fit` has not seen."""
        labels = labels_of(self.ordered(as_table(X)), self.reader.task_positions)
        return bool((self.tasks.get_indexer(labels) < 0).any())

    def _check_new(self, new, n_ids):
        """Raise an error for ids that are known in another spelling, and warn if all are new."""
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
        """Return new tables for a fit that continues the fit of these, with the same scales.

        Different tasks, features or metadata raise an error.
        """
        names = self.metadata_names
        if not self.reader.same_columns(new.reader) or names != new.metadata_names:
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
        """Permute the column of metadata with a given number between the tasks of X.

        Returns X and a value for the parameter `metadata` of the estimator, one of them changed.
        """
        return self.reader.permuted(X, self.tasks, estimator, column, generator)
