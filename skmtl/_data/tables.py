"""The one place that knows pandas: how X splits into features, task ids and metadata.

Learned in ``fit`` and applied again in ``predict``; out come checked, encoded, scaled arrays.
"""

import copy

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from skmtl._data.columns import as_table, column_names, find_columns, numbers_of
from skmtl._data.metadata import (
    check_metadata,
    check_without_id,
    constant_facts,
    look_up,
    permute_column,
    permuted_table,
)
from skmtl._data.rows import Query
from skmtl._data.scales import scaled_features
from skmtl._data.task_ids import check_types, distinct, encode, labels_of


class TaskTables:
    """Splits and scales every table as the one seen first.

    Parameters
    ----------
    task_id : str, int, list or None
        Column or columns that say which task a row belongs to.
    metadata : list, DataFrame or None
        Columns with facts about tasks, or a table of them indexed by task id.

    Attributes
    ----------
    tasks : Index
        Task labels, sorted where they can be.
    metadata_names : list
        Names of the facts.
    metadata_values : ndarray of shape (T, d_m)
        Facts in the caller's units.
    """

    def __init__(self, task_id, metadata):
        if np.ndim(task_id) and not len(task_id):
            raise ValueError("task_id=[] names no column; use None if there is only one task.")
        self.task_id = task_id
        self.from_table = isinstance(metadata, pd.DataFrame)
        self.metadata = check_metadata(metadata)

    def split(self, X, estimator, reset=False):
        """Split a table.

        Returns
        -------
        features : ndarray of shape (n, d)
        labels : Index of length n, or None with one task
        metadata : ndarray of shape (n, d_m), or None if no columns hold any
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
        """The columns of a DataFrame in the order of ``fit``."""
        if self.columns is None or not isinstance(table, pd.DataFrame):
            return table
        return table[self.columns] if set(table.columns) == set(self.columns) else table

    def _find(self, table):
        """Learn where the columns are."""
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
                f"{both} stand in task_id and in metadata; an id is not a fact about its task."
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

    def fit(self, X, estimator, wide=None, order=None):
        """Learn tasks and metadata.

        Parameters
        ----------
        X : table
        estimator : estimator
            Named in the errors.
        wide : Index, optional
            Names of the tasks in wide form.
        order : Index, optional
            Tasks in the order that they are to have, if they are the same.

        Returns
        -------
        features : ndarray of shape (n, d)
        tasks : ndarray of shape (n,) of int64, or None in wide form
            Task numbers.
        """
        self.wide = wide is not None
        if self.task_id is None and self.metadata is not None and len(self.metadata):
            check_without_id(self.metadata, self.wide)
        features, labels, metadata = self.split(X, estimator, reset=True)
        self.metadata_values = None
        if self.wide:
            self.tasks = wide
            if self.from_table and len(self.metadata_names):
                self.metadata_values = look_up(self.tasks, self.metadata_names, estimator)
            return features, None
        if labels is None:
            self.tasks = pd.Index([0], name="task")
            return features, np.zeros(len(features), dtype=np.int64)
        codes, self.tasks = encode(labels)
        if order is not None and len(order) == len(self.tasks):
            places = order.get_indexer(self.tasks)
            if (places >= 0).all():
                codes, self.tasks = places[codes], order
        if self.metadata_positions:
            names = self.metadata_names
            self.metadata_values = constant_facts(codes, metadata, names, self.tasks)
        elif self.from_table and len(self.metadata_names):
            self.metadata_values = look_up(self.tasks, self.metadata_names, estimator)
        return features, codes.astype(np.int64)

    def of_new_tasks(self, X, estimator):
        """Tables of the tasks in X, all of which must be new.

        Returns
        -------
        tables : TaskTables
            Of the new tasks only; scales and columns stay as they are.
        features, tasks : as `fit`
            Tasks are numbered among the new ones.
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
        facts = None
        if self.metadata_positions:
            facts = constant_facts(codes, metadata, self.metadata_names, new)
        elif self.metadata_values is not None:
            facts = look_up(new, self.metadata_names, estimator)
        tables.metadata_values = facts
        return tables, features, codes.astype(np.int64)

    def joined(self, new):
        """These tables with the tasks of `new` behind their own."""
        tables = copy.copy(self)
        tables.tasks = self.tasks.append(new.tasks)
        if self.metadata_values is not None:
            tables.metadata_values = np.concatenate([self.metadata_values, new.metadata_values])
        return tables

    def known(self, X, estimator):
        """Split a table whose tasks must all be known, such as validation rows.

        Returns
        -------
        features, tasks : as `fit`
        """
        features, labels, _ = self.split(X, estimator)
        if labels is None:
            return features, None if self.wide else np.zeros(len(features), dtype=np.int64)
        codes = self.tasks.get_indexer(labels)
        if (codes < 0).any():
            missing = labels[codes < 0].unique()
            raise ValueError(
                f"these tasks are not among the training rows: {missing[:10].tolist()}."
            )
        return features, codes.astype(np.int64)

    def fit_scalers(self, examples):
        """Learn the scales of features and metadata, from training rows only.

        Parameters
        ----------
        examples : Examples
            Training rows, some of every task.
        """
        # whatever scikit-learn is told to return elsewhere, these return arrays
        scaler = StandardScaler().set_output(transform="default")
        self.feature_scaler = scaler.fit(examples.features, sample_weight=examples.row_weights)
        self.metadata_scaler = None
        if self.metadata_values is not None:
            scaler = StandardScaler().set_output(transform="default")
            self.metadata_scaler = scaler.fit(self.metadata_values)

    def scale(self, features):
        """Scaled features to train on."""
        return scaled_features(features, self.feature_scaler, self.feature_names)

    def scaled_metadata(self):
        """Scaled facts of the tasks, or None."""
        if self.metadata_scaler is None:
            return None
        return self.metadata_scaler.transform(self.metadata_values)

    def query(self, X, unseen_tasks, estimator):
        """Prepare rows to predict.

        Parameters
        ----------
        X : table
        unseen_tasks : {"error", "average"}
            What to do with tasks that were never seen and have no metadata.
        estimator : estimator
            Named in the errors.

        Returns
        -------
        Query
        """
        features, labels, metadata = self.split(X, estimator)
        features = self.feature_scaler.transform(features)
        if self.wide:
            facts = None
            if self.metadata_scaler is not None:
                facts = look_up(self.tasks, self.metadata_names, estimator)
                facts = self.metadata_scaler.transform(facts)
            return Query(features, None, np.arange(len(self.tasks)), facts)
        if labels is None:
            n = len(features)
            return Query(features, np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64), None)
        codes, asked = encode(labels)
        tasks = self.tasks.get_indexer(asked)
        check_types(asked, self.tasks)
        if self.metadata_scaler is None:
            if unseen_tasks == "error" and (tasks < 0).any():
                adapt = ", or adapt() to learn them from a few rows" * hasattr(estimator, "adapt")
                raise ValueError(
                    f"{(tasks < 0).sum()} task(s) were not seen in fit: "
                    f"{asked[tasks < 0][:10].tolist()}. Use unseen_tasks='average' to predict them "
                    "by what the others have on average, metadata= to predict them from facts "
                    f"about them{adapt}."
                )
            return Query(features, codes, tasks, None)
        if self.from_table:
            facts = look_up(asked, self.metadata_names, estimator)
        else:
            # facts may vary within a task here: what-if questions, permutation importance
            networks, first = distinct(codes, metadata)
            codes, tasks, facts = networks, tasks[codes[first]], metadata[first]
        return Query(features, codes, tasks, self.metadata_scaler.transform(facts))

    def resumed(self, other):
        """These tables, for a fit that goes on with the rows of `other`.

        Raises
        ------
        ValueError
            If tasks, features or metadata differ.
        """
        same_columns = (
            self.columns == other.columns
            and self.feature_positions == other.feature_positions
            and self.metadata_names == other.metadata_names
        )
        if not same_columns:
            raise ValueError(
                "warm_start=True continues the previous fit, but the columns of X are others than "
                "then; set warm_start=False to start afresh."
            )
        if not self.tasks.equals(other.tasks):
            raise ValueError(
                "warm_start=True continues the previous fit, but the tasks of X are not those that "
                "the model knows, those of adapt() included. Use adapt() to add tasks, or set "
                "warm_start=False to start afresh."
            )
        other.feature_scaler = self.feature_scaler
        other.metadata_scaler = self.metadata_scaler
        return other

    def permuted(self, X, estimator, column, generator):
        """X and metadata in which the tasks of X have swapped one fact.

        Parameters
        ----------
        X : table
        estimator : estimator
            Its table of metadata is looked at, if it has one.
        column : int
            Which fact.
        generator : RandomState

        Returns
        -------
        X : table
        metadata : list, DataFrame or None
            For the estimator's parameter of this name.
        """
        table = self.ordered(as_table(X)).copy()
        codes, asked = None, self.tasks
        if not self.wide:
            codes, asked = encode(labels_of(table, self.task_positions))
        if self.from_table:
            return table, permuted_table(estimator.metadata, asked, column, generator)
        permute_column(table, codes, self.metadata_positions[column], generator)
        return table, estimator.metadata
