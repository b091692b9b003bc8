"""Features, ids and metadata of tables with several levels of ids, crossed or nested.

A task is a combination of ids. Combinations are numbered for the rows at hand only, and nothing
is kept of them: what is learned belongs to the ids of each level.
"""

import copy

import numpy as np
import pandas as pd

from skmtl._data.columns import as_table
from skmtl._data.encoding import ColumnEncoder
from skmtl._data.level import Level
from skmtl._data.messages import did_you_mean, label_text
from skmtl._data.metadata import check_metadata
from skmtl._data.reader import TableReader
from skmtl._data.rows import PredictionRows
from skmtl._data.tables import TaskTables
from skmtl._data.task_ids import combined, distinct, id_columns
from skmtl._persistence import saveable


def by_level(value, names, parameter):
    """Return a value for each level, from a dict by level or one for all of them."""
    if not isinstance(value, dict):
        return [value] * len(names)
    unknown = [key for key in value if key not in names]
    if unknown:
        raise ValueError(
            f"{parameter} has a key {label_text(unknown[0])} that is no level; the levels are the "
            f"columns of task_id: {list(names)}."
        )
    return [value.get(name) for name in names]


class LevelReader(TableReader):
    """A reader that returns ids as a list of columns, in which some may be missing."""

    missing_id = "error"

    def _labels(self, table):
        return id_columns(table, self.task_positions, self.missing_id)


def _sources(metadata, names):
    """Return the columns of X and the tables that describe the ids of each level."""
    if metadata is not None and not isinstance(metadata, dict):
        raise ValueError(
            "with several levels metadata must be a dict by level, of lists of columns of X or "
            f"tables with one row per id, such as {{{label_text(names[0])}: [...]}}; got "
            f"{type(metadata).__name__}."
        )
    sources = [check_metadata(of_level) for of_level in by_level(metadata, names, "metadata")]
    for name, source in zip(names, sources, strict=True):
        if isinstance(source, list) and "auto" in source:
            raise ValueError(
                "metadata='auto' does not say which level a column describes: list the columns, "
                f"metadata={{{label_text(name)}: [...]}}."
            )
    return sources


@saveable
class LevelTables(TaskTables):
    """Learn the columns, the ids of each level and the scales of X, as `TaskTables` do.

    `combinations` (C, L) are the ids, by level, of the combinations of training rows, -1 for a
    missing one; they are None after ``fit``. Inner ids of `nested` levels are those within an outer
    one, so that the same label may occur in several.
    """

    def __init__(
        self, task_id, metadata, categorical_features="from_dtype", nested=False, missing_id="error"
    ):
        self.names, self.nested = list(task_id), nested
        sources = _sources(metadata, self.names)
        columns = [name for s in sources if isinstance(s, list) for name in s]
        self.reader = LevelReader(task_id, columns or None, categorical_features)
        self.reader.missing_id = missing_id
        self.levels, start = [], 0
        for number, source in enumerate(sources):
            of_level = source if isinstance(source, list) else []
            numbers = list(range(number + 1)) if nested else [number]
            self.levels.append(
                Level(
                    numbers,
                    [self.names[n] for n in numbers],
                    None if isinstance(source, list) else source,
                    (start, start + len(of_level)),
                    categorical_features,
                )
            )
            start += len(of_level)
        self.combinations = self._values = None

    shared_rows = False

    @property
    def tasks(self):
        """Ids by level."""
        return {level.name: level.ids for level in self.levels}

    @property
    def level_sizes(self):
        """Number of ids of each level."""
        return tuple(len(level.ids) for level in self.levels)

    def parents(self):
        """Return the number of the outer id of each id, for all levels but the outermost."""
        pairs = zip(self.levels, self.levels[1:], strict=False)
        outer = [(a.ids, b.ids.droplevel(-1)) for a, b in pairs]
        return [ids.get_indexer(of_inner).astype(np.int64) for ids, of_inner in outer]

    @property
    def n_tasks(self):
        """Number of combinations of the rows of ``fit``."""
        return len(self.combinations)

    @property
    def metadata_names(self):
        """Pairs of a level and a column of metadata."""
        return [(level.name, name) for level in self.levels for name in level.metadata_names]

    @property
    def n_metadata(self):
        return sum(level.n_metadata for level in self.levels)

    def fit(self, X, estimator, columns_of_y=None, previous=None):
        """Learn ids and metadata; return features (n, d) and numbers of combinations (n,)."""
        table, learn = as_table(X), previous is None
        features, ids, metadata = self.reader.read(table, estimator, learn=True)
        if not learn and previous.reader.same_columns(self.reader):
            self.reader = self.reader.continued(previous.reader)
            features, ids, metadata = self.reader.read(table, estimator)
        numbers = []
        for k, level in enumerate(self.levels):
            before = None if learn else previous.levels[k]
            if before is not None and level.reader is not None:
                level.reader = before.reader
            numbers.append(level.fit(ids, metadata, self.reader.metadata, estimator, before))
        numbers = np.stack(numbers, axis=1)
        values = [
            self._known_values(level, of_rows, metadata)
            for level, of_rows in zip(self.levels, numbers.T, strict=True)
        ]
        codes, first = combined(numbers)
        if (numbers < 0).any():
            # rows without an id may differ in their metadata
            codes, first = distinct(codes, np.hstack(values), sort=True)
        self.combinations, self._values = numbers[first], [v[first] for v in values]
        return features, codes

    @staticmethod
    def _known_values(level, numbers, metadata):
        """Return the metadata (n, d_m) of rows: those of their ids, or their own without one."""
        if level.values is None:
            return np.empty((len(numbers), 0))
        values = level.values[numbers.clip(min=0)]
        if (numbers < 0).any():
            own = np.nan if level.reader is not None else metadata[:, level.columns]
            values = np.where((numbers < 0)[:, None], own, values)
        return values

    def without_rows(self):
        """Return tables that keep nothing of the combinations of the rows of ``fit``."""
        tables = copy.copy(self)
        tables.combinations = tables._values = None
        return tables

    def ids_of(self, tasks):
        """Return the ids (k, L) of combinations by number (k,)."""
        return self.combinations[tasks]

    def rows_to_keep(self, rows):
        """Mark a row of each id of every level, which are never used for validation, (n,)."""
        keep = np.zeros(len(rows), dtype=bool)
        for numbers in self.combinations[rows.tasks].T:
            _, first = np.unique(numbers, return_index=True)
            keep[first] = True
        return keep

    def fit_rows(self, rows):
        self.feature_encoder = ColumnEncoder(self.reader.features)
        self.feature_encoder.fit(rows.features, rows.row_weights)
        for level in self.levels:
            level.fit_scale()

    def scaled_metadata(self, new=None):
        """Return the encoded and scaled metadata of the combinations, or None."""
        return self._encoded(self._values, training=True)

    def _encoded(self, values, training=False):
        if not self.n_metadata:
            return None
        pairs = zip(self.levels, values, strict=True)
        return np.hstack([level.encoded(of_level, training) for level, of_level in pairs])

    def _numbered(self, X, estimator):
        """Read rows: features, numbers of ids (n, L), metadata by level and new ids by level."""
        self.reader.missing_id = estimator.missing_id
        features, ids, metadata = self.reader.read(X, estimator)
        numbers, values, new = [], [], []
        for level in self.levels:
            of_level, unknown = level.numbered(ids)
            numbers.append(of_level)
            new.append(unknown)
            values.append(level.metadata_of(of_level, unknown, metadata, estimator))
        return features, np.stack(numbers, axis=1), values, new

    def _known(self, numbers):
        """Return numbers of ids (k, L) with -1 for new ones."""
        return np.where(numbers < np.array(self.level_sizes), numbers, -1)

    def validation_rows(self, X, estimator, allow_new=True):
        """Read validation rows; their combinations are added to those of ``fit``."""
        features, numbers, values, new = self._numbered(X, estimator)
        unseen = by_level(estimator.unseen_tasks, self.names, "unseen_tasks")
        for level, of_level, how in zip(self.levels, new, unseen, strict=True):
            level.check_predictable(of_level, how, "are not among the training rows")
        codes, first = distinct(combined(numbers)[0], np.hstack(values))
        start = self.n_tasks
        self.combinations = np.concatenate([self.combinations, self._known(numbers[first])])
        pairs = zip(self._values, values, strict=True)
        self._values = [np.concatenate([old, more[first]]) for old, more in pairs]
        return features, start + codes, None

    def prediction_rows(self, X, unseen_tasks, estimator):
        features, numbers, values, new = self._numbered(X, estimator)
        unseen = by_level(unseen_tasks, self.names, "unseen_tasks")
        for level, of_level, how in zip(self.levels, new, unseen, strict=True):
            level.check_predictable(of_level, how)
        features = self.feature_encoder.transform(features, "feature")
        codes, first = combined(numbers)
        if self.n_metadata:
            # metadata of columns may vary within an id here, as in what-if questions
            codes, first = distinct(codes, np.hstack(values))
        metadata = self._encoded([of_level[first] for of_level in values])
        return PredictionRows(features, codes, self._known(numbers[first]), metadata)

    def for_update(self, X, estimator):
        """Read rows to learn from: tables with the new ids, features and numbers of networks.

        Also the ids (k, L) and the encoded metadata of the networks, and the numbers of new ids.
        """
        features, numbers, values, new = self._numbered(X, estimator)
        tables = copy.copy(self)
        pairs = zip(self.levels, new, strict=True)
        tables.levels = [level.with_ids(ids) if len(ids) else level for level, ids in pairs]
        codes, first = distinct(combined(numbers)[0], np.hstack(values))
        metadata = self._encoded([of_level[first] for of_level in values])
        return tables, features, codes, numbers[first], metadata, [len(ids) for ids in new]

    def metadata_column(self, name, column):
        """Return one column of the metadata of the ids of a level, as a Series."""
        level = next(level for level in self.levels if level.name == name)
        if column not in level.metadata_names:
            known = level.metadata_names
            raise ValueError(
                f"{column!r} is not among the metadata of the level {label_text(name)}, "
                f"{known[:20]}.{did_you_mean(column, known)}"
            )
        k = level.metadata_names.index(column)
        values = level.values[:, k]
        if level.kinds[k].kind == "category":
            values = [level.kinds[k].show(number).strip("'") for number in values]
        return pd.Series(values, index=level.ids)

    def has_new_tasks(self, X):
        table = self.ordered(as_table(X))
        ids = id_columns(table, self.reader.task_positions, self.reader.missing_id)
        return any(len(level.numbered(ids)[1]) for level in self.levels)

    def resumed(self, new):
        """Return new tables for a fit that continues the fit of these, with the same scales."""
        same = [a.metadata_names == b.metadata_names for a, b in self._pairs(new)]
        if not self.reader.same_columns(new.reader) or not all(same):
            raise ValueError(
                "warm_start=True continues the previous fit, but the columns of X are others than "
                "then; set warm_start=False to start afresh."
            )
        if not all(a.ids.equals(b.ids) for a, b in self._pairs(new)):
            raise ValueError(
                "warm_start=True continues the previous fit, but the ids of X are not those that "
                "the model knows, those of adapt() included. Use adapt() to add ids, or set "
                "warm_start=False to start afresh."
            )
        new.feature_encoder = self.feature_encoder
        for before, level in self._pairs(new):
            level.encoder = before.encoder
        return new

    def _pairs(self, other):
        return zip(self.levels, other.levels, strict=True)

    def permuted(self, X, estimator, column, generator):
        table = self.ordered(as_table(X)).copy()
        ids = id_columns(table, self.reader.task_positions, self.reader.missing_id)
        metadata = estimator.metadata
        for level in self.levels:
            n_columns = len(level.kinds)
            if 0 <= column < n_columns:
                positions = self.reader.metadata_positions
                metadata = level.permuted(table, metadata, positions, column, ids, generator)
            column -= n_columns
        return table, metadata
